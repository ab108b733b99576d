"""Servers that go down, and disks that are full."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from faults.cluster import BALLOON, BROKERS
from faults.scene import CannotBreak, Scene, fault

NO_DISK = "no file system may be mounted here that could be filled: run as root on Linux"
BLOCK = 1 << 16


@fault("no-fault", "Last ohne Störung, zum Vergleich", "load without a fault, to compare with")
@contextmanager
def no_fault(scene: Scene) -> Iterator[None]:
    """Break nothing."""
    scene.hold(5.0, 1.0)
    yield


@fault("broker-down", "ein Kafka-Broker fällt aus (kill -9)", "one Kafka broker is down (kill -9)")
@contextmanager
def broker_down(scene: Scene) -> Iterator[None]:
    """Kill one broker, and start it again."""
    scene.kafka.kill(1)
    scene.hold(30.0, 5.0)
    yield
    scene.kafka.start(1)


@fault("brokers-down", "alle Kafka-Broker für eine Minute weg", "all Kafka brokers are down for a minute")
@contextmanager
def brokers_down(scene: Scene) -> Iterator[None]:
    """Kill all brokers, and start them again."""
    numbers = scene.kafka.numbers
    for number in numbers:
        scene.kafka.kill(number)
    scene.hold(60.0, 8.0)
    yield
    for number in numbers:
        scene.kafka.launch(number)
    for number in numbers:
        scene.kafka.wait(number)


@fault("postgres-fast", "PostgreSQL wird neu gestartet (fast)", "PostgreSQL is restarted (fast)")
@contextmanager
def postgres_fast(scene: Scene) -> Iterator[None]:
    """Stop in order: open transactions are rolled back, connections are told."""
    scene.cluster.postgres.stop()
    scene.hold(5.0, 2.0)
    yield
    scene.cluster.postgres.start()


@fault(
    "postgres-immediate",
    "PostgreSQL stirbt (kill -9 aller Prozesse) und kommt wieder",
    "PostgreSQL dies (kill -9 of all its processes) and comes back",
    quick=True,
)
@contextmanager
def postgres_immediate(scene: Scene) -> Iterator[None]:
    """Kill it as a power cut would; it recovers from its log."""
    scene.cluster.postgres.kill()
    scene.hold(5.0, 2.0)
    yield
    scene.cluster.postgres.start()


@fault("disk-full-broker", "die Platte eines Kafka-Brokers ist voll", "the disk of one Kafka broker is full")
@contextmanager
def disk_full_broker(scene: Scene) -> Iterator[None]:
    """Fill the small disk of the last broker; give it room again and start it if it gave up."""
    balloon = _fill(_disk(scene))
    scene.hold(30.0, 8.0)
    scene.count("brokers that gave up", int(not scene.kafka.alive(BROKERS)))
    yield
    balloon.unlink()
    scene.kafka.revive(BROKERS)


@fault(
    "disk-full-postgres",
    "die Platte von PostgreSQL ist voll",
    "the disk of PostgreSQL is full",
    small_disk=True,
)
@contextmanager
def disk_full_postgres(scene: Scene) -> Iterator[None]:
    """Fill the disk that PostgreSQL lies on; give it room again and start it if it gave up."""
    if scene.cluster.database_disk is None:
        raise CannotBreak(NO_DISK)
    balloon = _fill(scene.cluster.database_disk)
    scene.hold(20.0, 6.0)
    yield
    balloon.unlink()
    scene.cluster.postgres.revive()


def _disk(scene: Scene) -> Path:
    place = scene.cluster.small_disk
    if place is None:
        raise CannotBreak(NO_DISK)
    return place


def _fill(place: Path) -> Path:
    """Write until nothing more fits, and return the file that takes the room."""
    balloon = place / BALLOON
    with balloon.open("wb", buffering=0) as file, suppress(OSError):
        room = shutil.disk_usage(place).free
        os.posix_fallocate(file.fileno(), 0, max(0, room - BLOCK))
        while True:
            file.seek(0, os.SEEK_END)
            file.write(bytes(4096))
    return balloon
