"""What every transport must do, said once. A test class inherits it and gives the fixture `transport`."""

from __future__ import annotations

from uuid import uuid4

from broker.transport.base import Consumed, Record, Transport, topic_of

TOPIC, OTHER = topic_of("jugendamt-marl"), topic_of("jugendamt-herten")


def record(key: str = "k", topic: str = TOPIC, value: bytes = b"sealed") -> Record:
    """Return a record with an id of its own."""
    return Record(str(uuid4()), topic, key, {"ce_id": "1"}, value)


def ids(consumed: list[Consumed]) -> list[str]:
    """Return the ids in the order of reading."""
    return [c.record.record_id for c in consumed]


class TransportContract:
    """The contract."""

    async def test_gives_what_was_published_whole_and_in_order(self, transport: Transport) -> None:
        """Records of a topic come in the order of publishing, with key, headers and bytes."""
        records = [record(value=bytes([n])) for n in range(5)]
        await transport.publish(records[:3])
        await transport.publish(records[3:])
        read = list(await transport.subscribe([TOPIC], "g").fetch(1))

        assert [c.record for c in read] == records

    async def test_keeps_topics_apart(self, transport: Transport) -> None:
        """A reader of one agency's topic sees nothing of another's."""
        mine, other = record(), record(topic=OTHER)
        await transport.publish([other, mine])

        assert ids(list(await transport.subscribe([TOPIC], "g").fetch(1))) == [mine.record_id]

    async def test_gives_again_what_was_not_committed(self, transport: Transport) -> None:
        """A reader that died after reading loses nothing."""
        await transport.publish([record(), record()])
        first = list(await transport.subscribe([TOPIC], "g").fetch(1))
        again = list(await transport.subscribe([TOPIC], "g").fetch(1))

        assert ids(first) == ids(again)

    async def test_gives_nothing_twice_after_the_commit(self, transport: Transport) -> None:
        """What a group committed is not given to it again; what came later is."""
        await transport.publish([record(), record()])
        reader = transport.subscribe([TOPIC], "g")
        read = list(await reader.fetch(1))
        await reader.commit(read[:1])
        late = record()
        await transport.publish([late])
        rest = list(await transport.subscribe([TOPIC], "g").fetch(1))

        assert ids(rest) == [read[1].record.record_id, late.record_id]

    async def test_groups_read_for_themselves(self, transport: Transport) -> None:
        """One group's commit takes nothing from another."""
        await transport.publish([record()])
        reader = transport.subscribe([TOPIC], "a")
        await reader.commit(list(await reader.fetch(1)))

        assert len(await transport.subscribe([TOPIC], "b").fetch(1)) == 1

    async def test_waits_no_longer_than_asked(self, transport: Transport) -> None:
        """An empty topic gives nothing, and does not block for ever."""
        assert list(await transport.subscribe([TOPIC], "g").fetch(0.05)) == []

    async def test_commit_never_goes_back(self, transport: Transport) -> None:
        """An older commit that comes late does not bring records back."""
        await transport.publish([record(), record()])
        reader = transport.subscribe([TOPIC], "g")
        read = list(await reader.fetch(1))
        await reader.commit(read)
        await reader.commit(read[:1])

        assert list(await transport.subscribe([TOPIC], "g").fetch(0)) == []

    async def test_limit_is_kept(self, transport: Transport) -> None:
        """A fetch gives at most what was asked for, the oldest first."""
        records = [record() for _ in range(4)]
        await transport.publish(records)

        assert ids(list(await transport.subscribe([TOPIC], "g").fetch(1, limit=2))) == [
            r.record_id for r in records[:2]
        ]
