"""Records that no relay has written: doubled, out of order, garbage, foreign, cut short; and a poisonous quittung."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from uuid import uuid4

from broker.lifecycle.states import State
from broker.transport.base import topic_of
from faults import snapshot, topics
from faults.commands import amtsbruecke
from faults.deployment import FOLDER_AGENCY, INBOXES
from faults.scene import Scene, fault
from faults.topics import ID_HEADER, Lying

POISONED = 3
WAIT_SECONDS = 30.0


@fault(
    "duplicates",
    "alle Datensätze der Topics doppelt und in anderer Reihenfolge",
    "all records of the topics once more, in another order",
    quick=True,
)
@contextmanager
def duplicates(scene: Scene) -> Iterator[None]:
    """Write copies of what lies there, shuffled, again and again."""
    chance = random.Random(5)  # noqa: S311 - no secret
    bootstrap, prefix = scene.kafka.bootstrap, scene.deployment.prefix
    for _ in range(2 if scene.quick else 4):
        lying = asyncio.run(topics.read(bootstrap, prefix))[-5000:]
        chance.shuffle(lying)
        asyncio.run(topics.write(bootstrap, [replace(record, partition=-1) for record in lying]))
        scene.count("written again", len(lying))
        scene.hold(3.0, 1.0)
    yield


@fault(
    "poison",
    "giftige Datensätze: Unsinn, fremde, falscher Schlüssel, abgeschnittenes Chiffrat; eine giftige Quittung im Ordner",
    "poisonous records: garbage, foreign ones, a wrong key, cut ciphertext; a poisonous quittung in the folder",
    ends=frozenset({State.DEAD.value, State.DISCARDED.value}),
)
@contextmanager
def poison(scene: Scene) -> Iterator[None]:
    """Write poison among the good, and in time before some of it; somebody discards what then lies dead."""
    bootstrap = scene.kafka.bootstrap
    asyncio.run(topics.write(bootstrap, _garbage(scene.deployment.prefix)))
    quittungen = scene.deployment.office_folder / "quittungen"
    (quittungen / "gift.xml").write_bytes(b"\x00<quittung>" + os.urandom(2000))
    (quittungen / "gift-2.xml").write_text("<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>")
    waiting = _overtaken(scene)
    scene.count("poisoned transfers", len(waiting))
    scene.hold(10.0, 3.0)
    yield
    _discard(scene, waiting)


def _garbage(prefix: str) -> list[Lying]:
    """Return records that belong to nothing."""
    topic, other = (prefix + topic_of(agency) for agency in (INBOXES[0].partition(":")[0], FOLDER_AGENCY))
    foreign, id_header = str(uuid4()), ID_HEADER
    return [
        Lying(topic, -1, b"", (), os.urandom(512)),
        Lying(topic, -1, b"\xff\xfe", ((id_header, b"\xff\xfe"), ("x", b"")), b""),
        Lying(topic, -1, b"k", ((id_header, foreign.encode()),), os.urandom(2048)),
        Lying(topic, -1, b"k", ((id_header, b"x" * 4000),), os.urandom(64)),
        Lying(other, 3, b"k", ((id_header, b"' OR 1=1 --"),), b"\x00"),
    ]


def _overtaken(scene: Scene) -> list[str]:
    """Write cut ciphertext under the ids of transfers that no relay has published yet; return these ids."""
    for name in scene.supervisor.of("relay"):
        scene.supervisor.pause(name)
    try:
        end = time.monotonic() + WAIT_SECONDS
        found: list[tuple[str, str]] = []
        while len(found) < POISONED and time.monotonic() < end:
            time.sleep(0.3)
            found = snapshot.unpublished(scene.cluster, scene.deployment.database, POISONED)
        cut = [
            Lying(scene.deployment.prefix + topic, -1, b"wrong key", ((ID_HEADER, transfer.encode()),), os.urandom(20))
            for transfer, topic in found
        ]
        asyncio.run(topics.write(scene.kafka.bootstrap, cut))
        time.sleep(2.0)
    finally:
        for name in scene.supervisor.of("relay"):
            scene.supervisor.wake(name)
    return [transfer for transfer, _ in found]


def _discard(scene: Scene, poisoned: list[str]) -> None:
    """Do what somebody would do who looks at the dead letters, until none of the poisoned is on its way.

    One that waits behind another of its case dies only when that one is out of its way.
    """
    place = (scene.cluster, scene.deployment.database)
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end:
        for transfer in snapshot.in_state(*place, State.DEAD.value):
            _decide(scene, transfer)
        moving = {transfer for transfer, _ in snapshot.moving(*place)}
        if not moving & set(poisoned) and not snapshot.in_state(*place, State.DEAD.value):
            return
        time.sleep(0.5)


def _decide(scene: Scene, transfer: str) -> None:
    done = amtsbruecke(scene.deployment.settings("admin"), "dead", "discard", transfer, "--reason", "UEBERHOLT")
    scene.count("discarded")
    if done.code:
        scene.faulty.append(f"dead discard {transfer}: {done.said[-300:]}")


@fault(
    "race",
    "Widerruf und Widerspruch im Wettlauf mit Einreichung, Relay und Schlüsselfreigabe",
    "withdrawal and objection racing submission, relay and key release",
    stops_percent=70,
    quick=True,
)
@contextmanager
def race(scene: Scene) -> Iterator[None]:
    """Break nothing: in most cases the person speaks while the transfers are on their way."""
    scene.hold(1.0, 0.5)
    yield
