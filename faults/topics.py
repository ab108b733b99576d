"""The suite's own hands on the topics: make them, read all that lies there, write what no relay would write."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import for_code

from broker.directory.file import read_directory
from broker.transport.base import MITTEILUNGEN, QUITTUNGEN, side_topic_of, topic_of

PARTITIONS = 4
COPIES = 3
READ_SECONDS = 120
ID_HEADER = "ce_id"


Positions = dict[TopicPartition, int]


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


async def make(bootstrap: str, directory: Path) -> None:
    """Make the topics of all agencies of a directory, with copies on all brokers, two of which must be in step."""
    agencies = [agency.id for agency in read_directory(directory, directory.parent).agencies]
    names = [topic_of(agency) for agency in agencies]
    names += [side_topic_of(agency, sort) for agency in agencies for sort in (QUITTUNGEN, MITTEILUNGEN)]
    settings = {"min.insync.replicas": str(COPIES - 1)}
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        wanted = [NewTopic(name, PARTITIONS, COPIES, topic_configs=settings) for name in names]
        answer = await admin.create_topics(wanted)
        for topic, code, text in answer.topic_errors:
            if code:
                raise RuntimeError(f"{topic}: {for_code(code).__name__} {text}")
    finally:
        await admin.close()


async def ends(bootstrap: str) -> Positions:
    """Return where every partition of our topics ends now."""
    places = await _partitions(bootstrap)
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    try:
        found: Positions = await consumer.end_offsets(places)
    finally:
        await consumer.stop()
    return found


async def read(bootstrap: str, begin: Positions) -> list[Lying]:
    """Read all that lies there from `begin` to where the topics end now, also what no transaction has committed."""
    places = await _partitions(bootstrap)
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="none")
    await consumer.start()
    try:
        consumer.assign(places)
        end = await consumer.end_offsets(places)
        for place in places:
            consumer.seek(place, begin.get(place, 0))
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


async def _partitions(bootstrap: str) -> list[TopicPartition]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        ours = [name for name in await admin.list_topics() if name.startswith(topic_of(""))]
        found = await admin.describe_topics(ours)
    finally:
        await admin.close()
    return [TopicPartition(topic["topic"], place["partition"]) for topic in found for place in topic["partitions"]]
