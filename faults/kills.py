"""Processes that die, stand still, come and go."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from faults.roles import Doom
from faults.scene import Break, Scene, each_of, fault

HALF = 0.5
REACH_SECONDS = 120.0
"""So long a doomed process may take to come to its place."""

#: Where a role's work is half done. A place that no longer exists fails a test of tests/faults.
STATIONS: dict[str, tuple[Doom, ...]] = {
    "serve": (
        Doom("broker.transfers.service:answer_batch", "before", 3),
        Doom("broker.transfers.record:Rows.write", "before", 3),
        Doom("broker.transfers.record:Rows.write", "after", 3),
        Doom("broker.batcher:_settle", "before", 5),
        Doom("broker.delivery.handover:release", "before", 3),
        Doom("broker.delivery.handover:release", "after", 3),
        Doom("broker.delivery.inbox:fetch", "after", 1),
        Doom("broker.delivery.quittung:accept_quittungen", "before", 1),
        Doom("broker.delivery.quittung:accept_quittungen", "after", 1),
        Doom("broker.consents.service:withdraw", "after", 1),
    ),
    "relay": (
        Doom("broker.outbox.relay:renew", "after", 1),
        Doom("broker.outbox.relay:claim", "after", 2),
        Doom("broker.transport.kafka:KafkaOutlet.publish", "before", 2),
        Doom("broker.transport.kafka:KafkaOutlet.publish", "after", 2),
        Doom("broker.outbox.relay:forget", "after", 2),
        Doom("broker.outbox.relay:Relay._note", "after", 2),
    ),
    "deliver": (
        Doom("broker.delivery.intake:take_in", "before", 2),
        Doom("broker.delivery.intake:take_in", "after", 2),
        Doom("broker.delivery.bringing:bring", "before", 2),
        Doom("adapters.registry:ConfiguredAdapter.deliver", "after", 2),
        Doom("broker.delivery.bringing:bring", "after", 2),
        Doom("broker.delivery.pick_up:_take_in", "after", 2),
    ),
    "seal": (
        Doom("broker.audit.sequencer:take_lease", "after", 1),
        Doom("broker.audit.sequencer:seal_batch", "before", 2),
        Doom("broker.audit.sequencer:seal_batch", "after", 2),
    ),
    "cleanup": (
        Doom("broker.cleanup.role:expire_due", "before", 1),
        Doom("broker.cleanup.role:_run", "after", 2),
        Doom("broker.cleanup.role:erase", "before", 1),
    ),
}
ROLE_TEXTS = {
    "serve": ("Gateway", "gateway"),
    "relay": ("Relay", "relay"),
    "deliver": ("Zustellung", "delivery"),
    "seal": ("Siegel", "sealer"),
    "cleanup": ("Aufräumer", "clean-up"),
}


def _killer(role: str) -> Break:
    @contextmanager
    def make(scene: Scene) -> Iterator[None]:
        chance = random.Random(11)  # noqa: S311 - no secret
        for name in each_of(scene.processes(role), 4 if scene.quick else 12):
            if role == "serve" and chance.random() < HALF and scene.supervisor.kill_child(name):
                scene.count("workers killed")
            else:
                scene.supervisor.kill(name)
                scene.count("kills")
            time.sleep(chance.uniform(0.3, 2.5))
        yield

    return make


def _at_stations(role: str, dooms: Sequence[Doom]) -> Break:
    @contextmanager
    def make(scene: Scene) -> Iterator[None]:
        names = scene.processes(role)
        mortal = names[1:] if role == "serve" else names  # the first gateway keeps workers, which are not ours to doom
        for name, doom in zip(each_of(mortal, len(dooms)), dooms, strict=True):
            if role in {"relay", "seal"}:  # one works while the others stand by: the doomed one has to be the one
                _alone(scene, name, doom, [other for other in names if other != name])
            elif not scene.supervisor.dies_at(name, doom, REACH_SECONDS):
                scene.faulty.append(f"{name} never came to {doom.when} {doom.place}")
            scene.count("kills")
        yield

    return make


def _alone(scene: Scene, name: str, doom: Doom, others: Sequence[str]) -> None:
    """Let the others stand by, held, until the doomed process is dead; then it is they who take over."""
    for other in others:
        scene.supervisor.hold(other)
    reached = scene.supervisor.dies_at(name, doom, REACH_SECONDS)
    for other in others:
        scene.supervisor.release(other)
    if not reached:
        scene.faulty.append(f"{name} never came to {doom.when} {doom.place}")


for _role, (_german, _english) in ROLE_TEXTS.items():
    fault(
        f"kill-{_role}",
        f"kill -9 auf Prozesse der Rolle {_german}, zu zufälligen Zeiten unter Last",
        f"kill -9 of {_english} processes, at random moments under load",
        quick=_role == "serve",
    )(_killer(_role))
for _role, _dooms in STATIONS.items():
    _german, _english = ROLE_TEXTS[_role]
    fault(
        f"stations-{_role}",
        f"kill -9 der Rolle {_german} an jeder Station, genau an der Stelle",
        f"kill -9 of the {_english} at each station, just at the place",
        quick=_role == "relay",
        stops_percent=40,
    )(_at_stations(_role, _dooms))


def _sleeper(role: str) -> Break:
    @contextmanager
    def make(scene: Scene) -> Iterator[None]:
        names = scene.processes(role)
        for name in names[:1] if scene.quick else names:
            scene.supervisor.pause(name)
            scene.hold(20.0, 12.0)  # longer than any claim or lease of the suite: another one has taken over
            scene.supervisor.wake(name)
            scene.hold(3.0, 1.0)
            scene.count("pauses")
        yield

    return make


fault(
    "paused-relay",
    "ein altes Relay steht still, ein anderes übernimmt, das alte wacht auf",
    "an old relay stands still, another takes over, the old one wakes",
    quick=True,
)(_sleeper("relay"))
fault(
    "paused-sealer",
    "ein altes Siegel steht still, ein anderes übernimmt, das alte wacht auf",
    "an old sealer stands still, another takes over, the old one wakes",
)(_sleeper("seal"))


@fault(
    "rebalance",
    "Zustellprozesse kommen und gehen unter Last, im Guten und durch kill -9",
    "delivery processes come and go under load, in order and by kill -9",
)
@contextmanager
def rebalance(scene: Scene) -> Iterator[None]:
    """Let one delivery process leave and another come, again and again."""
    names = scene.supervisor.of("deliver")
    for position, name in enumerate(each_of(names, 4 if scene.quick else 8)):
        if position % 2:
            scene.supervisor.kill(name)
        else:
            scene.supervisor.hold(name)
        scene.hold(4.0, 2.0)
        scene.supervisor.release(name)
        scene.hold(4.0, 2.0)
        scene.count("rebalances")
    yield
