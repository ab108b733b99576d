"""Several relays on Apache Kafka, one killed or paused: nothing lost, the order of each case kept, soon taken over."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import pytest

from broker.delivery.intake import GROUP, take_in
from broker.transport.base import Consumed, topic_of
from broker.transport.kafka import KafkaTransport
from tests.deployment import surroundings
from tests.flow.world import JOBCENTER, SOZIALAMT, Kreis, open_kreis
from tests.servers.kafka import free_port
from tests.servers.topics import kafka_settings, make_topics
from tests.world import eventually, on_postgresql, rows

pytestmark = on_postgresql
"""Several relays as processes are for several machines; leases on SQLite have tests of their own."""
ROOT = Path(__file__).resolve().parents[2]
TOPIC = topic_of("sozialamt-herten")
CASES = 8
#: Lease, opening of the outlets, one round.
FAIL_OVER_SECONDS = 10


@pytest.fixture
async def on_kafka(data_dir: Path) -> AsyncIterator[tuple[Kreis, Mapping[str, str]]]:
    """Give the Kreis with topics on Kafka, and the environment of its relays."""
    settings = await kafka_settings()
    async with open_kreis(data_dir, **settings) as kreis:
        await make_topics(kreis.gateway.settings, [TOPIC])
        environment = {f"AMTSBRUECKE_{name.upper()}": value for name, value in settings.items()}
        environment |= {"AMTSBRUECKE_DATA_DIR": str(data_dir)}
        if kreis.gateway.settings.database_url:
            environment["AMTSBRUECKE_DATABASE_URL"] = kreis.gateway.settings.database_url
        yield kreis, surroundings() | environment


@contextmanager
def relay(environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a relay as a process of its own."""
    command = [sys.executable, "-m", "broker", "relay"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


async def submitted(kreis: Kreis, count: int) -> list[str]:
    """Submit transfers, of several cases in turn."""
    jobcenter = await kreis.office(JOBCENTER)
    return [await jobcenter.accepted(SOZIALAMT, case_sender=f"BG-{n % CASES}") for n in range(count)]


async def holders(kreis: Kreis) -> set[str]:
    """Return the relays that hold partitions."""
    found = await rows(kreis.gateway, "SELECT DISTINCT holder FROM outbox_leases WHERE holder IS NOT NULL")
    return {row.holder for row in found}


async def all_published(kreis: Kreis, seconds: float = FAIL_OVER_SECONDS) -> None:
    """Wait until the outbox is empty; it must not take longer than a fail-over, or than so long."""
    began = monotonic()

    async def empty() -> bool:
        return await kreis.scalar("SELECT count(*) FROM outbox") == 0

    await eventually(empty, 30)
    assert monotonic() - began < seconds


async def read(kreis: Kreis, count: int) -> list[Consumed]:
    """Read the topic as the delivery does, until so many different records came, and what may come after them."""
    transport = KafkaTransport(kreis.gateway.settings)
    reader = transport.subscribe([TOPIC], GROUP)
    found: list[Consumed] = []
    while len({item.record.record_id for item in found}) < count:
        found += await reader.fetch(1)
    found += await reader.fetch(1)
    await take_in(kreis.gateway, found)
    await reader.close()
    await transport.close()
    return found


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP])
async def test_relay_is_taken_over(on_kafka: tuple[Kreis, Mapping[str, str]], fault: signal.Signals) -> None:
    """Of two relays one ends or stands still at work: the other has all, in the order of each case, within 10 s.

    The one that stood still and wakes adds nothing, and takes part again.
    """
    kreis, environment = on_kafka
    with relay(environment) as one, relay(environment):

        async def both() -> bool:
            return len(await holders(kreis)) == 2

        await eventually(both, 30)
        ids = await submitted(kreis, 3 * CASES)
        one.send_signal(fault)
        ids += await submitted(kreis, 3 * CASES)
        await all_published(kreis)
        if fault == signal.SIGSTOP:
            one.send_signal(signal.SIGCONT)
            await eventually(both, 30)
            ids += await submitted(kreis, CASES)
            await all_published(kreis)
        found = await read(kreis, len(ids))

    first: dict[str, list[str]] = defaultdict(list)
    for item in found:
        if item.record.record_id not in first[item.record.key]:
            first[item.record.key].append(item.record.record_id)
    place = {transfer: n for n, transfer in enumerate(ids)}
    assert {transfer for case in first.values() for transfer in case} == set(ids)
    assert all(case == sorted(case, key=place.__getitem__) for case in first.values())
    assert await kreis.scalar("SELECT count(*) FROM deliveries") == len(ids)
    assert await kreis.scalar("SELECT count(*) FROM transfers WHERE state = 'published'") == len(ids)
    assert await kreis.scalar("SELECT count(*) FROM transfer_events WHERE state = 'published'") == len(ids)


async def test_relay_without_brokers_gives_way(on_kafka: tuple[Kreis, Mapping[str, str]]) -> None:
    """A relay that reaches the database and no broker holds nothing back for longer than a lease."""
    kreis, environment = on_kafka
    astray = {**environment, "AMTSBRUECKE_KAFKA_BOOTSTRAP": f"127.0.0.1:{free_port()}"}
    with relay(astray):

        async def one() -> bool:
            return len(await holders(kreis)) == 1

        await eventually(one, 30)
        ids = await submitted(kreis, CASES)
        with relay(environment):
            await all_published(kreis, 30)
            found = await read(kreis, len(ids))

    assert {item.record.record_id for item in found} == set(ids)
