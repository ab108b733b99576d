"""Apache Kafka keeps the contract, and what a transport of several processes must do besides."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator

import pytest
from aiokafka import AIOKafkaProducer

from broker import metrics
from broker.config import Settings
from broker.transport import kafka_client
from broker.transport.base import Fault, Outlet, Record, Transport, TransportUnavailable, agency_of, topic_of
from broker.transport.kafka import KafkaOutlet, KafkaTransport
from tests.broker.transport.contract import (
    OTHER,
    TOPIC,
    TransportContract,
    fetched,
    ids,
    publish,
    read,
    reader,
    record,
)
from tests.servers.kafka import free_port
from tests.servers.topics import kafka_settings, make_topics


def lag(agency: str) -> float | None:
    """Return the figure of an agency."""
    return metrics.REGISTRY.get_sample_value("amtsbruecke_consumer_lag", {"agency": agency})


@pytest.fixture
async def settings() -> Settings:
    """Give settings with prefixes of this test's own, and its topics."""
    made = Settings.model_validate(await kafka_settings())
    await make_topics(made, [TOPIC, OTHER])
    return made


@pytest.fixture
async def transport(settings: Settings) -> AsyncIterator[Transport]:
    """Give the transport."""
    made = KafkaTransport(settings)
    yield made
    await made.close()


class TestKafkaTransport(TransportContract):
    """The contract, and more."""

    async def test_fences_the_outlet_before(self, transport: Transport) -> None:
        """Who opens a partition of the outbox takes it from the one before, whose records nobody reads then."""
        before, late, mine = await transport.outlet(0), record(), record()
        await before.publish([first := record()])
        after = await transport.outlet(0)
        with pytest.raises(TransportUnavailable) as caught:
            await before.publish([late])
        await after.publish([mine])
        await after.close()

        assert caught.value.fault is Fault.FENCED
        async with reader(transport) as subscription:
            assert ids(await fetched(subscription, 2)) == [first.record_id, mine.record_id]
            assert list(await subscription.fetch(0.5)) == []

    async def test_header_without_a_value_is_read_as_empty(self, transport: Transport, settings: Settings) -> None:
        """What somebody else wrote on a topic does not end the reader, or keep the next record from coming."""
        async with AIOKafkaProducer(**kafka_client.client_options(settings)) as producer:
            await producer.send_and_wait(settings.kafka_topic_prefix + TOPIC, b"x", headers=[("ce_id", None)])
        await publish(transport, [mine := record()])

        async with reader(transport) as subscription:
            assert ids(await fetched(subscription, 2)) in ([mine.record_id, ""], ["", mine.record_id])

    async def test_without_a_common_name_nothing_fences(self, transport: Transport, settings: Settings) -> None:
        """Under another transactional id the one before publishes on: it is this name that keeps doubles away."""
        stranger = KafkaTransport(settings.model_copy(update={"kafka_group_prefix": "other-"}))
        before, after = await transport.outlet(0), await stranger.outlet(0)
        await after.publish([mine := record()])
        await before.publish([late := record(key=mine.key)])
        await before.close()
        await after.close()
        await stranger.close()

        assert ids(await read(transport, 2)) == [mine.record_id, late.record_id]

    async def test_fence_in_the_middle_of_sending_is_a_fence(
        self, transport: Transport, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Whose partition is taken while its records are handed in meets that and nothing else, and logs no trace."""
        before, others = await transport.outlet(0), list[Outlet]()
        assert isinstance(before, KafkaOutlet)
        send = before._send

        async def one_by_one(item: Record) -> asyncio.Future[object]:
            sending = await send(item)
            await asyncio.wait([sending], timeout=5)
            if not others:
                others.append(await transport.outlet(0))
            return sending

        monkeypatch.setattr(before, "_send", one_by_one)
        with pytest.raises(TransportUnavailable) as caught:
            await before.publish([record(), record(topic=OTHER), record(), record()])
        await others[0].publish([mine := record()])
        await others[0].close()
        gc.collect()

        assert caught.value.fault is Fault.FENCED
        assert ids(await read(transport, 1)) == [mine.record_id]
        assert "never retrieved" not in caplog.text

    async def test_partitions_of_the_outbox_do_not_fence_one_another(self, transport: Transport) -> None:
        """Two partitions of the outbox are open at once."""
        one, two = await transport.outlet(0), await transport.outlet(1)
        for outlet in (one, two, one):
            await outlet.publish([record()])
        await one.close()
        await two.close()

        assert len(await read(transport, 3)) == 3

    async def test_late_commit_undoes_nothing_of_another_reader(self, transport: Transport) -> None:
        """What another member of the group has taken over and committed stays committed."""
        await publish(transport, [record(key=f"k{n}") for n in range(40)])
        slow, quick = transport.subscribe([TOPIC], "g"), transport.subscribe([TOPIC], "g")
        taken = await fetched(slow, 40)
        found = list(await fetched(quick, 1))
        mine = {item.partition for item in found}
        while len(found) < len([item for item in taken if item.partition in mine]):
            found += await quick.fetch(1)
        await quick.commit(found)
        await slow.commit([item for item in taken if item.position < 2])
        await slow.close()
        await quick.close()
        rest = await read(transport, len(taken) - len(found))

        assert len(mine) == 1
        assert not mine & {item.partition for item in rest}

    async def test_reader_meets_a_topic_that_is_made_later(
        self, transport: Transport, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A topic that is missing holds back no other, and is read as soon as it is there."""
        monkeypatch.setattr(kafka_client, "METADATA_SECONDS", 1)
        later = topic_of("jugendamt-neu")
        async with reader(transport, "g", TOPIC, later) as subscription:
            await publish(transport, [first := record()])
            before = await fetched(subscription, 1)
            await subscription.commit(before)
            await make_topics(settings, [later])
            await publish(transport, [second := record(topic=later)])
            async with asyncio.timeout(40):
                while not (found := list(await subscription.fetch(1))):
                    pass
        assert (ids(before), ids(found)) == ([first.record_id], [second.record_id])

    async def test_reader_tells_how_far_it_is_behind(self, transport: Transport) -> None:
        """What is on the topic and not read yet counts for its agency; where nothing more comes, nothing does."""
        await publish(transport, [record(key="k") for _ in range(6)])
        async with reader(transport, "g", TOPIC) as subscription:
            async with asyncio.timeout(40):
                while not await subscription.fetch(1, limit=2):
                    pass
            behind = lag(agency_of(TOPIC))
            while await subscription.fetch(1):
                pass
            caught_up = lag(agency_of(TOPIC))

        assert 4 <= behind <= 5  # the end of the transaction counts
        assert caught_up == 0

    async def test_missing_topic_says_what_to_do(self, transport: Transport, monkeypatch: pytest.MonkeyPatch) -> None:
        """A record for a topic that is not there names the topic and the command that makes it."""
        monkeypatch.setattr(kafka_client, "REQUEST_SECONDS", 2)
        missing = topic_of("jugendamt-nirgends")
        outlet = await transport.outlet(0)
        with pytest.raises(TransportUnavailable, match="topics apply") as caught:
            await outlet.publish([record(), record(topic=missing)])

        assert (caught.value.fault, caught.value.topic) == (Fault.TOPIC_MISSING, missing)
        assert await read(transport, 0) == []

    async def test_record_that_is_too_large_is_named(self, transport: Transport) -> None:
        """A record over the limit is a fault of its own, and nothing of its transaction is read."""
        outlet = await transport.outlet(0)
        with pytest.raises(TransportUnavailable) as caught:
            await outlet.publish([record(value=b"x" * 3_000_000)])

        assert caught.value.fault is Fault.TOO_LARGE

    async def test_brokers_that_are_away_are_waited_for(self, settings: Settings) -> None:
        """Where no broker listens, opening, reading and asking say so, in a few seconds."""
        away = KafkaTransport(settings.model_copy(update={"kafka_bootstrap": f"127.0.0.1:{free_port()}"}))
        subscription = away.subscribe([TOPIC], "g")
        for asked in (away.outlet(0), subscription.fetch(1), away.ping()):
            with pytest.raises(TransportUnavailable) as caught:
                await asyncio.wait_for(asked, 10)
            assert caught.value.fault is Fault.AWAY
        await subscription.close()
        await away.close()

    async def test_answers_when_asked(self, settings: Settings) -> None:
        """Readiness sees brokers that are there."""
        asked = KafkaTransport(settings)
        await asked.ping()
        await asked.ping()
        await asked.close()
