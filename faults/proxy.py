"""A TCP proxy between the roles and a server: the network that can be cut (silently or by reset) and made slow.

It runs in a thread of its own with its own loop, so that whoever breaks the network need not be asynchronous.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

CHUNK = 65_536
HOST = "127.0.0.1"
#: Chunks that may be on their way in one direction of one connection; then the sender has to wait, as on a real line.
ON_THE_WAY = 64
_RESET = struct.pack("ii", 1, 0)


@dataclass(slots=True)
class Line:
    """What the network does now. `latency` in seconds each way, `rate` in bytes a second (0: unlimited)."""

    latency: float = 0.0
    rate: float = 0.0
    resets: bool = False
    passes: asyncio.Event = field(default_factory=asyncio.Event)


class Proxy:
    """Listens on a free port of 127.0.0.1 and passes on to `target`, until `close`."""

    def __init__(self, target: int, port: int = 0) -> None:
        """Start to listen; `port` 0 takes a free one."""
        self.target = target
        self._loop = asyncio.new_event_loop()
        self._line = Line()
        self._line.passes.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(port), self._loop).result()
        self.port: int = self._server.sockets[0].getsockname()[1]

    async def _listen(self, port: int) -> asyncio.Server:
        return await asyncio.start_server(self._accept, HOST, port, limit=CHUNK)

    def blackhole(self) -> None:
        """Let nothing through, and say nothing: what is sent waits until the line is healed."""
        self._do(self._line.passes.clear)

    def reset(self) -> None:
        """Break all connections with RST, and every new one, until the line is healed."""
        self._do(self._break)

    def slow(self, latency: float, rate: float = 0.0) -> None:
        """Delay each direction by `latency` seconds; let `rate` bytes a second through (0: all)."""

        def change() -> None:
            self._line.latency, self._line.rate = latency, rate

        self._do(change)

    def heal(self) -> None:
        """Let everything through again, at once."""

        def change() -> None:
            self._line.latency, self._line.rate, self._line.resets = 0.0, 0.0, False
            self._line.passes.set()

        self._do(change)

    def close(self) -> None:
        """Stop listening and break what is open."""

        def end() -> None:
            self._server.close()
            for task in self._tasks:
                task.cancel()
            self._abort_all()
            self._loop.call_later(0.05, self._loop.stop)

        self._loop.call_soon_threadsafe(end)
        self._thread.join(5)
        if not self._loop.is_running():
            self._loop.close()

    def _do(self, change: Callable[[], None]) -> None:
        done = threading.Event()

        def run() -> None:
            change()
            done.set()

        self._loop.call_soon_threadsafe(run)
        done.wait(5)

    def _break(self) -> None:
        self._line.resets = True
        self._abort_all()

    def _abort_all(self) -> None:
        for writer in self._writers:
            _abort(writer)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._line.resets:
            _abort(writer)
            return
        self._writers.add(writer)
        try:
            await self._line.passes.wait()
            await self._join(reader, writer)
        except OSError:
            _abort(writer)
        finally:
            self._writers.discard(writer)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(HOST, self.target, limit=CHUNK)
        self._writers.add(far_writer)
        ways = [(reader, far_writer), (far_reader, writer)]
        tasks = [asyncio.create_task(self._pass_on(source, sink)) for source, sink in ways]
        self._tasks.update(tasks)
        try:
            await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            self._tasks.difference_update(tasks)
            self._writers.discard(far_writer)
            for end in (writer, far_writer):
                end.close()

    async def _pass_on(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        """Carry one direction; each chunk arrives when latency and rate of the line let it."""
        on_the_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(ON_THE_WAY)
        arriving = asyncio.create_task(self._arrive(on_the_way, sink))
        try:
            free_at = 0.0
            while chunk := await source.read(CHUNK):
                now = time.monotonic()
                free_at = max(now, free_at) + (len(chunk) / self._line.rate if self._line.rate else 0.0)
                await on_the_way.put((free_at + self._line.latency, chunk))
            await on_the_way.put((0.0, b""))
            await arriving
        except OSError:
            _abort(sink)
        finally:
            arriving.cancel()

    async def _arrive(self, on_the_way: asyncio.Queue[tuple[float, bytes]], sink: asyncio.StreamWriter) -> None:
        while True:
            due, chunk = await on_the_way.get()
            if (pause := due - time.monotonic()) > 0 and self._line.latency + self._line.rate > 0:
                await asyncio.sleep(pause)
            await self._line.passes.wait()
            if not chunk:
                sink.write_eof()
                return
            try:
                sink.write(chunk)
                await sink.drain()
            except OSError:
                return


def _abort(writer: asyncio.StreamWriter) -> None:
    """End a connection by RST, as a firewall or a dead host does."""
    with suppress(OSError, ValueError):
        plain: socket.socket = writer.get_extra_info("socket")
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
