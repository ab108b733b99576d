"""All faults, and one round of each: load, break, heal, drain, check."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from broker.keys import load_keys
from faults import audit, checks, clocks, kills, network, records, servers, snapshot, topics
from faults.checks import Blob, Evidence, Finding
from faults.cluster import Cluster
from faults.deployment import Deployment, deploy
from faults.ledger import STOPS, moment, read
from faults.messages import MARK
from faults.pacing import BEFORE, Pace, cases
from faults.rounds import Traffic, figures_of, first_after, longest_gap
from faults.scene import FAULTS, CannotBreak, Fault, Scene

#: Modules that enlist faults on import.
ENLISTING = (clocks, kills, network, records, servers)
DRAIN_SECONDS = 900.0
STUCK_SECONDS = 60.0
"""What does not move for so long is stuck."""
PATIENCE = 2
"""The quick subset, which runs beside other things, waits so many times as long."""
Say = Callable[[str], None]


@dataclass(slots=True)
class Result:
    """What became of a round."""

    fault: Fault
    transfers: int
    accepted: int = 0
    refused: int = 0
    doubles: int = 0
    """Records on the topics beyond the first of each transfer, and answers that were given again."""
    retries: int = 0
    gap: float = 0.0
    recovery: Mapping[str, float | None] = field(default_factory=dict)
    seconds: float = 0.0
    notes: Mapping[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    skipped: str = ""

    @property
    def holds(self) -> bool:
        """Whether all promises held."""
        return not self.findings and not self.skipped


def named(names: Sequence[str], *, quick: bool) -> list[Fault]:
    """Return the faults of these names, or all, or the quick subset. Raises `KeyError`."""
    known = {fault.name: fault for fault in FAULTS}
    if names:
        return [known[name] for name in names]
    return [fault for fault in FAULTS if fault.quick or not quick]


def one_round(
    cluster: Cluster, fault: Fault, folder: Path, transfers: int, *, quick: bool, seed: int, say: Say
) -> Result:
    """Run one fault on a fresh deployment; its findings, skipping included, are in the result."""
    result = Result(fault, transfers)
    begun = time.monotonic()
    try:
        with _placed(cluster, fault), _deployed(cluster, fault, folder) as deployment:
            scene = Scene(cluster, deployment, quick)
            _play(scene, fault, result, folder, seed, say)
    except CannotBreak as exc:
        result.skipped = str(exc)
    except Exception as exc:  # noqa: BLE001 - whatever ends a round, the others are run
        result.findings.append(Finding("round", f"{type(exc).__name__}: {exc}"))
    result.seconds = time.monotonic() - begun
    return result


def _placed(cluster: Cluster, fault: Fault) -> AbstractContextManager[None]:
    """Put PostgreSQL where the fault needs it."""
    return cluster.database_on_small_disk() if fault.small_disk else nullcontext()


@contextmanager
def _deployed(cluster: Cluster, fault: Fault, folder: Path) -> Iterator[Deployment]:
    """Deploy, and afterwards stop the roles, drop the database, and mend what the fault may have left."""
    deployment = deploy(cluster, fault.name, folder, fault.environment, proxied=fault.network)
    try:
        yield deployment
    finally:
        cluster.heal()
        deployment.supervisor.stop()
        cluster.drop_database(deployment.database)
        if cluster.kafka:
            asyncio.run(topics.drop(cluster.kafka.bootstrap, deployment.prefix))


def _play(scene: Scene, fault: Fault, result: Result, folder: Path, seed: int, say: Say) -> None:
    traffic = Traffic(folder, result.transfers)
    pace = Pace(traffic, lambda: snapshot.how_many_move(scene.cluster, scene.deployment.database))
    evidence = Evidence(allowed_statuses=fault.statuses, ends=fault.ends, clocks_jumped=fault.clocks_jump)
    try:
        traffic.start(scene.deployment, seed, fault.stops_percent)
        start = moment()
        with pace.running():
            pace.reach(cases(result.transfers * BEFORE), say)
            say("broken")
            with pace.pressing(), fault.make(scene):
                say("healing")
            healed = moment()
            pace.reach(pace.rest(), say)
        traffic.finish_sending()
        end = moment()
        stuck = _drain(scene, say)
        drained = moment()
    finally:
        traffic.stop()
    result.findings += [Finding("drain", "did not come to an end", tuple(stuck))] if stuck else []
    result.transfers = len(traffic.sent)
    result.gap = longest_gap(traffic.sent, start, end)
    result.recovery = {
        "first 202": first_after([e for e in traffic.sent if e["status"] == 202], "answered", healed),  # noqa: PLR2004
        "first hand-over": first_after(traffic.received, "asked", healed),
        "drained": drained - end if not stuck else None,
    }
    result.retries, evidence.statuses = figures_of(folder)
    evidence.sent, evidence.received, evidence.stops = traffic.sent, traffic.received, list(read(folder / STOPS))
    say("checking")
    _check(scene, evidence, result, say)


def _drain(scene: Scene, say: Say) -> list[str]:
    """Wait until nothing moves any more; return what is stuck."""
    left: list[tuple[str, str]] = []
    changed = time.monotonic()
    end = time.monotonic() + DRAIN_SECONDS
    while time.monotonic() < end and time.monotonic() - changed < STUCK_SECONDS * (PATIENCE if scene.quick else 1):
        found = snapshot.moving(scene.cluster, scene.deployment.database)
        if not found:
            return []
        if found != left:
            left, changed = found, time.monotonic()
        say(f"{len(left)} on their way")
        time.sleep(0.5)
    return [f"{transfer} {state}" for transfer, state in left]


def _check(scene: Scene, evidence: Evidence, result: Result, say: Say) -> None:
    deployment = scene.deployment
    seen = snapshot.take(scene.cluster, deployment.database, MARK)
    kafka = scene.cluster.kafka
    lying = asyncio.run(topics.read(kafka.bootstrap, deployment.prefix)) if kafka else []
    evidence.transfers, evidence.handed_over = seen.transfers, seen.handed_over
    result.accepted = len(evidence.accepted())
    result.refused = len(evidence.sent) - result.accepted
    ours = {row.id for row in seen.transfers}
    records_of_ours = [record.transfer for record in lying if record.transfer in ours]
    repeated = sum(1 for entry in evidence.sent if entry["repeated"])
    result.doubles = len(records_of_ours) - len(set(records_of_ours)) + repeated
    on_topics = [Blob(record.topic, record.transfer, record.value) for record in lying]
    findings = checks.unpublished(seen.handed_over, on_topics)
    findings += [finding for check in checks.OF_LEDGERS for finding in check(evidence)]
    findings += checks.readable(
        load_keys(deployment.data / "keys"), seen.left_keys, [*seen.blobs, *on_topics], seen.ended
    )
    findings += [Finding("traced", "a person's name stands in the table", tuple(seen.traces))] if seen.traces else []
    findings += checks.traced(MARK.encode(), [*_logs(deployment.folder), *((r.topic, r.value) for r in lying)])
    findings += checks.slow(result.recovery, checks.RECOVERY_SECONDS * (PATIENCE if scene.quick else 1))
    promises = [e["promise"] for e in evidence.sent if e["promise"]]
    say("checking the evidence")
    findings += audit.verified(deployment.settings("admin"), deployment.folder, promises, audit.unsealed(deployment))
    findings += checks.ended((process.name, process.code) for process in scene.supervisor.unexpected)
    findings += [Finding("fault", text) for text in scene.faulty]
    result.findings += findings
    result.notes = scene.notes


def _logs(folder: Path) -> list[tuple[str, bytes]]:
    return [(path.name, path.read_bytes()) for path in sorted(folder.glob("*.log"))]
