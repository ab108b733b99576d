"""One round: a fresh server, a short warm-up, then the load; what it took, and what it cost."""

from __future__ import annotations

import asyncio
import json
import resource
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import uvloop

from bench.load import Taken, closed_loop, open_loop, request_of
from bench.messages import messages
from bench.servers import Kind, Seed, Server, ServerFault, running

KINDS = (
    Kind("whole", "the service: relay and delivery running, shared commits", {}),
    Kind("single commits", "the same, each submission a commit of its own", {"BATCH_SIZE": "1"}),
    Kind("no roles", "the gateway alone, relay and delivery not running", {"EMBEDDED_ROLES": "false"}),
    Kind("bare, commit", "bare handler on the same framework, one insert and commit a request"),
    Kind("bare", "bare handler, no database", commits=False),
)
WHOLE = KINDS[0]


@dataclass(frozen=True, slots=True)
class Plan:
    """How much load: connections, seconds of a round and of its warm-up, most requests of a round."""

    connections: int
    seconds: float
    warm_up: float
    most: int


@dataclass(frozen=True, slots=True)
class Round:
    """What a round took. Processor times in seconds; `waiting`: transfers that the relay had not yet published.

    `grown`: bytes by which the database and its log grew.
    """

    taken: Taken
    server_cpu: float | None
    generator_cpu: float
    waiting: int | None
    grown: int | None

    @property
    def kilobytes_per_request(self) -> float | None:
        """Growth of the database a request, in kB."""
        return None if self.grown is None else self.grown / 1e3 / max(len(self.taken.latencies), 1)

    @property
    def cpu_per_request(self) -> float | None:
        """Processor time of the server a request, in milliseconds."""
        return None if self.server_cpu is None else 1e3 * self.server_cpu / max(len(self.taken.latencies), 1)


def closed_round(kind: Kind, seed: Seed, folder: Path, plan: Plan, samples: Path | None = None) -> Round:
    """Measure a kind with the closed loop. Raises `ServerFault` and `ConnectionError`."""
    with running(kind, seed, folder, samples) as server:
        return _measure(server, folder, plan, None, sampled=samples is not None)


def open_round(kind: Kind, seed: Seed, folder: Path, plan: Plan, rate: float) -> Round:
    """Measure a kind with `rate` requests a second. Raises `ServerFault` and `ConnectionError`."""
    with running(kind, seed, folder) as server:
        return _measure(server, folder, plan, rate, sampled=False)


def _measure(server: Server, folder: Path, plan: Plan, rate: float | None, *, sampled: bool) -> Round:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        requests = (request_of("/v1/transfers", content, server.token) for content in messages())
        warm = runner.run(closed_loop(server.port, requests, plan.connections, plan.warm_up, plan.most))
        _demand_success(server, warm)
        if sampled:
            server.begin_samples()
        return runner.run(_taken(server, folder, plan, requests, rate))


async def _taken(server: Server, folder: Path, plan: Plan, requests: Iterator[bytes], rate: float | None) -> Round:
    cpu, own, size = server.cpu_seconds(), _own_cpu(), _size(folder)
    if rate is None:
        taken = await closed_loop(server.port, requests, plan.connections, plan.seconds, plan.most)
    else:
        taken = await open_loop(server.port, requests, plan.connections, plan.seconds, rate)
    after, own_after = server.cpu_seconds(), _own_cpu()
    _demand_success(server, taken)
    used = None if cpu is None or after is None else after - cpu
    if not server.kind.is_gateway:
        return Round(taken, used, own_after - own, None, None)
    return Round(taken, used, own_after - own, _waiting(folder), _size(folder) - size)


def _demand_success(server: Server, taken: Taken) -> None:
    """Raise `ServerFault` where anything was refused: a refusal is faster than a transfer, and would flatter."""
    if taken.refused or not taken.latencies:
        body = taken.odd_body.decode(errors="replace")[:2000]
        raise ServerFault(f"{server.kind.name}: {taken.refused} of {len(taken.latencies)} were not accepted: {body}")


def _own_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("amtsbruecke.db*"))


def _waiting(folder: Path) -> int:
    """Return how many transfers wait for the relay."""
    connection = sqlite3.connect(f"file:{folder / 'amtsbruecke.db'}?mode=ro", uri=True, timeout=10)
    try:
        (waiting,) = connection.execute("SELECT count(*) FROM outbox").fetchone()
    finally:
        connection.close()
    return int(waiting)


def shares(samples: Path) -> dict[str, float]:
    """Read the profile that a sampled round left."""
    read: dict[str, float] = json.loads(samples.read_text(encoding="utf-8"))
    return read
