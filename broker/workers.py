"""Several processes of the HTTP interface on one socket, and the process that keeps them going.

The keeper serves nothing of the API: it holds the socket, starts the workers, replaces one that ends or hangs, and
shows the figures of all of them. Two pipes tie a worker to it: the worker beats into one; the end of the other, however
the keeper ends, tells the worker to stop.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

import uvicorn
from prometheus_client import CollectorRegistry, multiprocess

from broker.gateway import Gateway, Halt
from broker.health import Check, NotReady, checks_of, sealing_check
from broker.transport.base import Transport

log = logging.getLogger(__name__)

FIGURES_DIR = "PROMETHEUS_MULTIPROC_DIR"
BEAT_SECONDS = 1.0
HUNG_SECONDS = 30.0
"""A worker whose loop was silent for so long is killed and replaced; starting takes less."""
SHORT_LIFE_SECONDS = 10.0
LONGEST_PAUSE_SECONDS = 30.0
ENDS_SECONDS = 9.0


class Worker:
    """One place among the workers: whoever fills it beats."""

    def __init__(self) -> None:
        self.process: asyncio.subprocess.Process | None = None
        self.beat_at = float("-inf")

    @property
    def alive(self) -> bool:
        """Whether the worker that is there now has beaten lately."""
        return self.process is not None and monotonic() - self.beat_at < HUNG_SECONDS


class Keeper:
    """Keeps `count` workers going until the gateway is to halt."""

    def __init__(self, command: Sequence[str], count: int, listening: socket.socket, figures: Path) -> None:
        """`command` starts a worker; it is told its socket's number after ``--socket``, and counts in `figures`."""
        self._command = [*command, "--socket", str(listening.fileno())]
        self._socket = listening.fileno()
        self._workers = [Worker() for _ in range(count)]
        self._figures = figures

    def checks(self, gateway: Gateway, _: Transport) -> list[Check]:
        """Return the checks of the whole: those of the gateway, and that all workers are there."""
        own = [*checks_of(gateway), sealing_check(gateway, warns=True)]
        return [*own, Check("workers", self._all_there, "workers-missing")]

    async def _all_there(self) -> None:
        if not all(worker.alive for worker in self._workers):
            raise NotReady("workers-missing")

    async def run(self, gateway: Gateway, _: Transport) -> None:
        """Keep them going."""
        async with asyncio.TaskGroup() as group:
            for worker in self._workers:
                group.create_task(self._keep(worker, gateway.halt))

    async def _keep(self, worker: Worker, halt: Halt) -> None:
        """Fill one place again and again; one that dies young is replaced after a growing pause."""
        pause = 0.0
        while not halt.requested:
            began = monotonic()
            await self._live(worker, halt)
            if halt.requested:
                return
            pause = min(max(1.0, pause * 2), LONGEST_PAUSE_SECONDS) if monotonic() - began < SHORT_LIFE_SECONDS else 0
            await halt.pause(pause)

    async def _live(self, worker: Worker, halt: Halt) -> None:
        """Start one worker and stay with it to its end."""
        process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            pass_fds=[self._socket],
            env=os.environ | {FIGURES_DIR: str(self._figures)},
            start_new_session=True,  # Ctrl-C reaches the keeper alone, which lets its workers end in order
        )
        worker.process = process
        watching = asyncio.ensure_future(self._watch(worker, process))
        halted = asyncio.ensure_future(halt.wait())
        await asyncio.wait({watching, halted}, return_when=asyncio.FIRST_COMPLETED)
        halted.cancel()
        try:
            await self._end(process, halt)
        finally:
            watching.cancel()
            worker.process, worker.beat_at = None, float("-inf")
            multiprocess.mark_process_dead(process.pid, str(self._figures))  # type: ignore[no-untyped-call]
        if not halt.requested:
            log.error("a worker has ended and is replaced", extra={"status": process.returncode})

    async def _watch(self, worker: Worker, process: asyncio.subprocess.Process) -> None:
        """Return when the worker is silent: it has ended, or hangs."""
        assert process.stdout is not None  # noqa: S101 - started with a pipe
        with suppress(TimeoutError):
            while await asyncio.wait_for(process.stdout.read(64), HUNG_SECONDS):
                worker.beat_at = monotonic()

    async def _end(self, process: asyncio.subprocess.Process, halt: Halt) -> None:
        """Let a worker end in order where the whole is to halt; otherwise it is gone, or hangs and is killed."""
        try:
            if halt.requested and process.returncode is None:
                assert process.stdin is not None  # noqa: S101 - started with a pipe
                process.stdin.close()
                await asyncio.wait_for(process.wait(), ENDS_SECONDS)
        except TimeoutError:
            log.warning("a worker does not end in time and is killed")
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()


@contextmanager
def figures_folder() -> Iterator[tuple[Path, CollectorRegistry]]:
    """Give the folder in which workers count, and the sum of what they counted."""
    with TemporaryDirectory(prefix="amtsbruecke-") as name:
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry, name)  # type: ignore[no-untyped-call]
        yield Path(name), registry


def worker_command(*options: str) -> list[str]:
    """Return the command of a worker: this program again."""
    return [sys.executable, "-m", "broker", "serve", "--no-roles", *options]


async def tied_to_keeper(
    gateway: Gateway, server: uvicorn.Server, listening: socket.socket, prepare: Callable[[], object]
) -> None:
    """Prepare and serve as a worker: beat while requests are taken, and end when the keeper says so or is gone.

    The end of its pipe tells both. Before the first request there is nothing to finish, and the port is let go at once;
    later the end is that of SIGTERM, within its bounds.
    """
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(0, "rb", closefd=False)
    )
    gone = asyncio.ensure_future(_end_of(reader))
    preparing = asyncio.ensure_future(asyncio.to_thread(prepare))
    await asyncio.wait({gone, preparing}, return_when=asyncio.FIRST_COMPLETED)
    if gone.done():
        os._exit(0)  # the thread would be waited for, and the port with it
    preparing.result()
    gone.add_done_callback(partial(_ends, gateway))
    beating = asyncio.ensure_future(_beat(server))
    try:
        await server.serve(sockets=[listening])
    finally:
        for task in (gone, beating):
            task.cancel()
        await asyncio.gather(gone, beating, return_exceptions=True)
        transport.close()


def _ends(gateway: Gateway, gone: asyncio.Future[None]) -> None:
    """End as by SIGTERM; a second one would end at once, and whoever stops all processes has sent the first."""
    if not gone.cancelled() and not gateway.halt.requested:
        signal.raise_signal(signal.SIGTERM)


async def _end_of(reader: asyncio.StreamReader) -> None:
    """Return when the keeper has closed its end, or is no more."""
    while await reader.read(64):
        pass


async def _beat(server: uvicorn.Server) -> None:
    """Beat until nobody listens any more."""
    while not server.started:  # noqa: ASYNC110 - the server has no event for it
        await asyncio.sleep(BEAT_SECONDS / 20)
    with suppress(OSError):  # the keeper is gone, which the other pipe tells
        while True:
            os.write(1, b".")
            await asyncio.sleep(BEAT_SECONDS)
