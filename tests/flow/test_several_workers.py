"""``serve --workers 2`` on PostgreSQL: both serve, none is missed for long, and together they keep one word."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from time import monotonic

import httpx

from broker.auth.clients import NewClient, revoke_client
from broker.auth.tokens import FRESH
from broker.config import Settings
from broker.start import open_gateway
from tests.deployment import settings_of
from tests.flow.test_roles import PATIENCE, clients, free_port, headers
from tests.flow.test_shutdown import LOADERS, enough, load, message, process
from tests.flow.world import JOBCENTER
from tests.world import eventually, on_postgresql, rows

__all__ = ["clients"]

WORKERS = 2
START_SECONDS = 120.0
"""Generous: three processes load law and schemas, beside whatever else runs."""
EACH = 3
"""So many requests go to each worker while it is alone."""
ACCEPTED = re.compile(r'^amtsbruecke_submissions_total\{outcome="accepted"\} (\S+)$', re.MULTILINE)

pytestmark = on_postgresql


@dataclass(frozen=True)
class Serving:
    """The keeper, and where it and its workers answer."""

    keeper: Popen[bytes]
    api: str
    ops: str

    def workers(self) -> set[int]:
        """Return the processes of the workers that are there now."""
        tasks = Path(f"/proc/{self.keeper.pid}/task").iterdir()
        return {int(word) for task in tasks for word in (task / "children").read_text().split()}

    def http(self) -> httpx.AsyncClient:
        """Return a client of the API with connections of its own."""
        return httpx.AsyncClient(base_url=self.api, timeout=PATIENCE)

    async def all_there(self) -> bool:
        """Whether the keeper says that all workers run."""
        async with httpx.AsyncClient(base_url=self.ops, timeout=PATIENCE) as http:
            try:
                return (await http.get("/readyz")).status_code == httpx.codes.OK
            except httpx.TransportError:
                return False

    async def accepted(self) -> float:
        """Return how many transfers were accepted, as the keeper shows it."""
        async with httpx.AsyncClient(base_url=self.ops, timeout=PATIENCE) as http:
            found = ACCEPTED.findall((await http.get("/metrics")).text)
        return sum(map(float, found))


@asynccontextmanager
async def serving(folder: Path, log: Path, port: int = 0) -> AsyncIterator[Serving]:
    """Run two workers while the body runs."""
    port, ops = port or free_port(), free_port()
    words = ("serve", "--no-roles", "--workers", str(WORKERS), "--port", str(port), "--ops-port", str(ops))
    with process(*words, folder=folder, log=log) as keeper:
        running = Serving(keeper, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{ops}")
        await eventually(running.all_there, START_SECONDS)
        yield running
        keeper.send_signal(signal.SIGTERM)
        await asyncio.to_thread(keeper.wait, PATIENCE)


def lives(process: int) -> bool:
    """Whether a process is there that has not ended; one that nobody has asked for its status does not count."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@contextmanager
def alone(worker: int, workers: set[int]) -> Iterator[None]:
    """Let the other workers stand still, so that this one answers."""
    for other in workers - {worker}:
        os.kill(other, signal.SIGSTOP)
    try:
        yield
    finally:
        for other in workers - {worker}:
            os.kill(other, signal.SIGCONT)


async def test_both_serve_and_share_figures_and_revocations(
    data_dir: Path, tmp_path: Path, clients: dict[str, NewClient]
) -> None:
    """Each worker alone accepts; the keeper's figures are the sum; a revoked token is refused by each after 2 s."""
    settings = Settings(data_dir=data_dir, **settings_of(data_dir))
    statuses: list[int] = []
    refused: list[int] = []
    async with serving(data_dir, tmp_path / "serve.log") as running:
        workers = running.workers()
        async with running.http() as http:
            own = await headers(http, clients[JOBCENTER]) | {"content-type": "application/xml"}
        for worker in sorted(workers):
            with alone(worker, workers):
                async with running.http() as http:
                    answers = [await http.post("/v1/transfers", content=message(), headers=own) for _ in range(EACH)]
                statuses += [answer.status_code for answer in answers]
        counted = await running.accepted()
        async with open_gateway(settings) as gateway:
            await revoke_client(gateway, clients[JOBCENTER].client_id)
        await asyncio.sleep(FRESH.total_seconds())
        for worker in sorted(workers):
            with alone(worker, workers):
                async with running.http() as http:
                    refused.append((await http.get("/v1/transfers", headers=own)).status_code)

    assert len(workers) == WORKERS
    assert statuses == [202] * EACH * WORKERS
    assert counted == EACH * WORKERS
    assert refused == [401] * WORKERS


async def test_a_killed_worker_is_replaced_and_no_promise_is_lost(
    data_dir: Path, tmp_path: Path, clients: dict[str, NewClient]
) -> None:
    """Kill -9 of one worker under load: the other goes on, a new one comes, and every 202 is in the database."""
    accepted: list[str] = []
    async with serving(data_dir, tmp_path / "serve.log") as running:
        first = running.workers()
        async with running.http() as http:
            own = await headers(http, clients[JOBCENTER]) | {"content-type": "application/xml"}
        https = [running.http() for _ in range(LOADERS)]
        loaders = [asyncio.create_task(load(http, own, accepted)) for http in https]
        await eventually(lambda: enough(accepted), PATIENCE)
        killed_at = monotonic()
        os.kill(min(first), signal.SIGKILL)
        async with running.http() as http:
            answer = await http.post("/v1/transfers", content=message(), headers=own)
        answered_after = monotonic() - killed_at

        async def replaced() -> bool:
            return len(running.workers() - first) == 1 and await running.all_there()

        await eventually(replaced, START_SECONDS)
        for loader in loaders:
            loader.cancel()
        await asyncio.gather(*loaders, *(http.aclose() for http in https), return_exceptions=True)
        later = running.workers()
    async with open_gateway(Settings(data_dir=data_dir, **settings_of(data_dir))) as gateway:
        kept = {row.id for row in await rows(gateway, "SELECT id FROM transfers")}

    assert (answer.status_code, answered_after < PATIENCE) == (202, True)
    assert len(later & first) == 1
    assert set(accepted) <= kept


async def test_the_next_one_serves_after_the_keeper_was_killed(
    data_dir: Path, tmp_path: Path, clients: dict[str, NewClient]
) -> None:
    """Kill -9 of the keeper, under load: its workers leave, the next start waits for the port, and serves.

    What was answered before is in the database.
    """
    accepted: list[str] = []
    port = free_port()
    async with serving(data_dir, tmp_path / "first.log", port) as running:
        left = running.workers()
        async with running.http() as http:
            own = await headers(http, clients[JOBCENTER]) | {"content-type": "application/xml"}
        https = [running.http() for _ in range(LOADERS)]
        loaders = [asyncio.create_task(load(http, own, accepted)) for http in https]
        await eventually(lambda: enough(accepted), PATIENCE)
        running.keeper.kill()
        async with serving(data_dir, tmp_path / "next.log", port) as again, again.http() as http:
            answer = await http.post("/v1/transfers", content=message(), headers=own)
        gone = not any(map(lives, left))
        await asyncio.gather(*loaders, *(http.aclose() for http in https), return_exceptions=True)
    async with open_gateway(Settings(data_dir=data_dir, **settings_of(data_dir))) as gateway:
        kept = {row.id for row in await rows(gateway, "SELECT id FROM transfers")}

    assert (answer.status_code, gone) == (202, True)
    assert set(accepted) <= kept


async def test_workers_of_a_keeper_that_is_killed_at_once_leave(data_dir: Path, tmp_path: Path) -> None:
    """A worker that is still loading law and schemas when its keeper is killed does not begin to serve."""
    words = ("serve", "--no-roles", "--workers", str(WORKERS), "--port", str(free_port()))
    with process(*words, folder=data_dir, log=tmp_path / "serve.log") as keeper:
        running = Serving(keeper, "", "")

        async def both() -> bool:
            return len(running.workers()) == WORKERS

        await eventually(both, START_SECONDS)
        left = running.workers()
        keeper.kill()

        async def none() -> bool:
            return not any(map(lives, left))

        await eventually(none, PATIENCE)
