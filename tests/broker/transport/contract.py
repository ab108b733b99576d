"""What every transport must do, said once. A test class inherits it and gives the fixture `transport`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import uuid4

from broker.transport.base import Consumed, Record, Subscription, Transport, topic_of

TOPIC, OTHER = topic_of("jugendamt-marl"), topic_of("jugendamt-herten")
PATIENCE = 5.0


def record(key: str = "k", topic: str = TOPIC, value: bytes = b"sealed") -> Record:
    """Return a record with an id of its own."""
    record_id = str(uuid4())
    return Record(record_id, topic, key, {"ce_id": record_id, "content-type": "application/octet-stream"}, value)


def ids(consumed: Sequence[Consumed]) -> list[str]:
    """Return the ids in the order of reading."""
    return [c.record.record_id for c in consumed]


async def publish(transport: Transport, records: Sequence[Record], partition: int = 0) -> None:
    """Publish through an outlet of its own."""
    outlet = await transport.outlet(partition)
    await outlet.publish(records)
    await outlet.close()


@asynccontextmanager
async def reader(transport: Transport, group: str = "g", *topics: str) -> AsyncIterator[Subscription]:
    """Give a reader, and let it leave its group at the end."""
    subscription = transport.subscribe(topics or [TOPIC], group)
    try:
        yield subscription
    finally:
        await subscription.close()


async def fetched(subscription: Subscription, count: int) -> list[Consumed]:
    """Read until so many came; returns what came within the time."""
    found: list[Consumed] = []
    loop = asyncio.get_running_loop()
    end = loop.time() + PATIENCE
    while len(found) < count and loop.time() < end:
        found += await subscription.fetch(0.5)
    return found


async def read(transport: Transport, count: int, group: str = "g") -> list[Consumed]:
    """Read as a reader that dies then: it commits nothing."""
    async with reader(transport, group) as subscription:
        return await fetched(subscription, count)


class TransportContract:
    """The contract."""

    async def test_gives_what_was_published_whole_and_in_order(self, transport: Transport) -> None:
        """Records of a topic come in the order of publishing, with key, headers and bytes."""
        records = [record(value=bytes([n])) for n in range(5)]
        outlet = await transport.outlet(0)
        await outlet.publish(records[:3])
        await outlet.publish(records[3:])
        await outlet.close()

        assert [c.record for c in await read(transport, 5)] == records

    async def test_keeps_topics_apart(self, transport: Transport) -> None:
        """A reader of one agency's topic sees nothing of another's."""
        mine, other = record(), record(topic=OTHER)
        await publish(transport, [other, mine])

        assert ids(await read(transport, 1)) == [mine.record_id]

    async def test_gives_again_what_was_not_committed(self, transport: Transport) -> None:
        """A reader that died after reading loses nothing."""
        await publish(transport, [record(), record()])

        assert ids(await read(transport, 2)) == ids(await read(transport, 2))

    async def test_gives_nothing_twice_after_the_commit(self, transport: Transport) -> None:
        """What a group committed is not given to it again; what came later is."""
        await publish(transport, [record(), record()])
        async with reader(transport) as subscription:
            first = await fetched(subscription, 2)
            await subscription.commit(first[:1])
        late = record()
        await publish(transport, [late])

        assert ids(await read(transport, 2)) == [first[1].record.record_id, late.record_id]

    async def test_groups_read_for_themselves(self, transport: Transport) -> None:
        """One group's commit takes nothing from another."""
        await publish(transport, [record()])
        async with reader(transport, "a") as subscription:
            await subscription.commit(await fetched(subscription, 1))

        assert len(await read(transport, 1, "b")) == 1

    async def test_waits_no_longer_than_asked(self, transport: Transport) -> None:
        """An empty topic gives nothing, and does not block for ever."""
        async with reader(transport) as subscription:
            assert list(await subscription.fetch(0.05)) == []

    async def test_commit_never_goes_back(self, transport: Transport) -> None:
        """An older commit that comes late does not bring records back."""
        await publish(transport, [record(), record()])
        async with reader(transport) as subscription:
            first = await fetched(subscription, 2)
            await subscription.commit(first)
            await subscription.commit(first[:1])
        async with reader(transport) as subscription:
            assert list(await subscription.fetch(0.5)) == []

    async def test_limit_is_kept(self, transport: Transport) -> None:
        """A fetch gives at most what was asked for, the oldest first."""
        records = [record() for _ in range(4)]
        await publish(transport, records)
        async with reader(transport) as subscription:
            assert ids(await subscription.fetch(PATIENCE, limit=2)) == [r.record_id for r in records[:2]]
