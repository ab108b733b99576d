"""One round: fresh databases and processes of every role, a warm-up, then the load; what it took, and what it cost."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlencode

from bench import bare
from bench.load import HOST
from bench.processes import cpu_seconds, started
from bench.switched import OFF
from bench.world import ROOT, World, run_sql
from broker.auth.client_assertion import client_assertion, token_form
from broker.auth.clients import NewClient
from broker.clock import system_clock
from tests.servers.kafka import free_port

START_SECONDS = 120.0
TOKEN_SECONDS = 3600
ROLES = ("relay", "deliver", "seal")
STARTED = '"started"'
"""What a role logs when it begins to work."""
WAITING = "SELECT count(*) FROM outbox"


class ServerFault(RuntimeError):
    """A server did not start, or answered what was not asked for; the text has the end of its log."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What is measured. `off`: stations switched off; `roles`: those beside the gateway; `bare`: no gateway at all."""

    name: str
    text: str
    off: str = ""
    roles: tuple[str, ...] = ROLES
    settings: Mapping[str, str] = field(default_factory=dict, hash=False)
    bare: bool = False


WHOLE = Kind("whole", "the service: all checks, shared commits, relay, delivery and sealer running")
SINGLE = Kind("single", "the same, each submission a commit of its own", settings={"BATCH_SIZE": "1"})
STRAW = Kind(
    "strawman", "straw man: ORM objects, xmlschema, a commit a request", "strawman", settings={"BATCH_SIZE": "1"}
)
NOTHING = Kind("nothing", "the gateway with every check and the database switched off", "everything", ())
BARE = Kind("bare", "bare handler of the same framework, one insert and commit a request", roles=(), bare=True)
OFF_BY_NAME = ("authentication", "gate", "facts", "decision", "sealing", "evidence", "commit")
STATIONS = (
    *(Kind(f"no {name}", f"without {name}", name) for name in OFF_BY_NAME),
    Kind("no relay", "without relay and delivery", roles=("seal",)),
)
KINDS = (WHOLE, SINGLE, STRAW, NOTHING, BARE, *STATIONS)


@dataclass(frozen=True, slots=True)
class Plan:
    """How much load: connections, seconds of a round and of its warm-up, most requests of a round, gateway workers."""

    connections: int
    seconds: float
    warm_up: float
    most: int
    workers: int


@dataclass(frozen=True, slots=True)
class Round:
    """What a round took: latencies in seconds, wall time, processor seconds a role; transfers not yet published."""

    latencies: list[float]
    seconds: float
    cpu: dict[str, float]
    waiting: int | None

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds

    def cpu_ms(self, role: str) -> float:
        """Processor time of a role for one request, in milliseconds."""
        return 1e3 * self.cpu.get(role, 0.0) / max(len(self.latencies), 1)

    @property
    def service_cpu_ms(self) -> float:
        """Processor time of all roles but the load generator for one request, in milliseconds."""
        return sum(self.cpu_ms(role) for role in self.cpu if role != "load generator")


def measure(kind: Kind, world: World, plan: Plan, rate: float = 0.0) -> Round:
    """Measure a kind, in a closed loop or at `rate` requests a second. Raises `ServerFault`."""
    with world.copied() as (database, folder), ExitStack() as stack:
        port = free_port()
        environment = _environment(kind, world, database, folder, port, plan)
        pids = {"gateway": [stack.enter_context(started(_gateway(kind, port, plan), folder, environment)).pid]}
        _wait_until_alive(port, folder)
        for role in kind.roles:
            command = [sys.executable, "-m", "broker", role]
            pids[role] = [stack.enter_context(started(command, folder, environment)).pid]
        _wait_until_started(kind.roles, folder)
        token = "" if kind.bare else fetch_token(port, world.client)
        order = {"port": port, "token": token, "rate": rate, "connections": plan.connections}
        order |= {
            "answer": str(folder / "answer.json"),
            "seconds": plan.seconds,
            "warm_up": plan.warm_up,
            "most": plan.most,
        }
        taken = _loaded(order, pids | world.server_pids(), kind, folder)
        waiting = None if kind.bare or not kind.roles else run_sql(database, WAITING)
        return replace(taken, waiting=int(str(waiting)) if waiting is not None else None)


def _loaded(order: Mapping[str, object], pids: Mapping[str, list[int]], kind: Kind, folder: Path) -> Round:
    """Let the generator carry an order out, and read the processors' clocks when it begins and ends."""
    command = [sys.executable, "-m", "bench.generator"]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own module
    assert process.stdin is not None  # noqa: S101 - piped
    assert process.stdout is not None  # noqa: S101 - piped
    with process:
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()
        watched = {**pids, "load generator": [process.pid]}
        begun = process.stdout.readline().strip() == "begin"
        before = _clocks(watched)
        process.stdout.readline()
        after = _clocks(watched)
    path = Path(str(order["answer"]))
    answer = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if not answer or answer["refused"] or not begun:
        raise ServerFault(f"{kind.name}: not accepted: {answer.get('odd_body', '')}\n{_logs(folder)}")
    cpu = {role: after[role] - before[role] for role in watched}
    return Round(answer["latencies"], answer["seconds"], cpu, None)


def _clocks(pids: Mapping[str, list[int]]) -> dict[str, float]:
    return {role: sum(map(cpu_seconds, found)) for role, found in pids.items()}


def _gateway(kind: Kind, port: int, plan: Plan) -> list[str]:
    if kind.bare:
        options = ["--host", HOST, "--port", str(port), "--workers", str(plan.workers), "--no-access-log"]
        return [sys.executable, "-m", "uvicorn", "bench.bare:app", "--log-level", "warning", *options]
    return [sys.executable, "-m", "bench.switched", "serve", "--no-roles", "--workers", str(plan.workers)]


def _environment(kind: Kind, world: World, database: str, folder: Path, port: int, plan: Plan) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AMTSBRUECKE_")}
    base = {"DATA_DIR": str(folder), "DATABASE_URL": database, "HOST": HOST, "PORT": str(port)}
    base["UNSEALED_SECONDS"] = "3600"  # what the seed logged is old when a round begins
    base |= {"PUBLIC_URL": _address(port), "TOKEN_SECONDS": str(TOKEN_SECONDS), "WORKERS": str(plan.workers)}
    if not kind.bare:
        base |= world.topics() | dict(kind.settings)
    named = {f"AMTSBRUECKE_{name}": value for name, value in base.items()}
    return kept | named | {OFF: kind.off, bare.DATABASE: database, "PYTHONPATH": str(ROOT)}


def fetch_token(port: int, client: NewClient) -> str:
    """Get an access token as any client does. Raises `ServerFault`."""
    assertion = client_assertion(client.client_id, client.private_jwk or {}, _address(port), system_clock())
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    with _connection(port) as connection:
        connection.request("POST", "/v1/token", urlencode(token_form(assertion)), form)
        answer = connection.getresponse()
        body = answer.read()
    if answer.status != http.HTTPStatus.OK:
        raise ServerFault(f"no token: {answer.status} {body.decode()}")
    return str(json.loads(body)["access_token"])


@contextmanager
def _connection(port: int) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    try:
        yield connection
    finally:
        connection.close()


def _address(port: int) -> str:
    return f"http://{HOST}:{port}"


def _wait_until_alive(port: int, folder: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        try:
            with _connection(port) as connection:
                connection.request("GET", "/livez")
                connection.getresponse().read()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise ServerFault(f"the server did not start:\n{_logs(folder)}")


def _wait_until_started(roles: Sequence[str], folder: Path) -> None:
    """Wait until every role works: what a start costs is no part of a round."""
    end = time.monotonic() + START_SECONDS
    left = set(roles)
    while left and time.monotonic() < end:
        time.sleep(0.05)
        left = {role for role in left if STARTED not in (folder / f"broker-{role}.log").read_text(encoding="utf-8")}
    if left:
        raise ServerFault(f"{', '.join(sorted(left))} did not start:\n{_logs(folder)}")


def _logs(folder: Path) -> str:
    return "\n".join(path.read_text(encoding="utf-8", errors="replace")[-1500:] for path in folder.glob("*.log"))
