"""The suite's own hands on the topics: read all that lies there, write what no relay would write."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

READ_SECONDS = 120
ID_HEADER = "ce_id"


@dataclass(frozen=True, slots=True)
class Lying:
    """A record as it lies on a topic."""

    topic: str
    partition: int
    key: bytes
    headers: tuple[tuple[str, bytes], ...]
    value: bytes

    @property
    def transfer(self) -> str:
        """The id of the transfer that it says it carries."""
        return dict(self.headers).get(ID_HEADER, b"").decode(errors="replace")


async def read(bootstrap: str, prefix: str) -> list[Lying]:
    """Read all that lies on the topics of a round, also what no transaction has committed."""
    places = await _partitions(bootstrap, prefix)
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="none")
    await consumer.start()
    try:
        consumer.assign(places)
        end = await consumer.end_offsets(places)
        for place in places:
            consumer.seek(place, 0)
        found: list[Lying] = []
        async with asyncio.timeout(READ_SECONDS):
            while any([await consumer.position(place) < end[place] for place in places]):
                batch = await consumer.getmany(timeout_ms=500, max_records=2000)
                found += [
                    Lying(m.topic, m.partition, m.key or b"", tuple(m.headers), m.value or b"")
                    for messages in batch.values()
                    for m in messages
                ]
    finally:
        await consumer.stop()
    return found


async def write(bootstrap: str, records: Sequence[Lying]) -> None:
    """Write records as somebody with the service's own credentials could, past the relay. Partition −1: by the key."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
    await producer.start()
    try:
        for record in records:
            partition = record.partition if record.partition >= 0 else None
            await producer.send(
                record.topic, record.value, key=record.key, partition=partition, headers=list(record.headers)
            )
    finally:
        await producer.stop()


async def drop(bootstrap: str, prefix: str) -> None:
    """Delete the topics of a round, so that the next one finds room."""
    async with _administration(bootstrap) as admin:
        await admin.delete_topics([name for name in await admin.list_topics() if name.startswith(prefix)])


async def _partitions(bootstrap: str, prefix: str) -> list[TopicPartition]:
    async with _administration(bootstrap) as admin:
        ours = [name for name in await admin.list_topics() if name.startswith(prefix)]
        found = await admin.describe_topics(ours)
    return [TopicPartition(topic["topic"], place["partition"]) for topic in found for place in topic["partitions"]]


@asynccontextmanager
async def _administration(bootstrap: str) -> AsyncIterator[Any]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()
