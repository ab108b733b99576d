"""Apache Kafka as transport: transactional producers that fence one another, consumers in groups.

CloudEvents 1.0, Kafka protocol binding, binary mode: the attributes travel as ``ce_…`` headers, the value is the data.
The physical name of a topic is the setting `kafka_topic_prefix` and the name that the rest of the service uses.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition, errors
from aiokafka.client import AIOKafkaClient
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor

from broker import metrics
from broker.config import Settings
from broker.transport.base import Consumed, Fault, Record, TransportUnavailable, agency_of
from broker.transport.kafka_client import REQUEST_SECONDS, client_options, translated

PUBLISH_SECONDS = 12
#: An unfinished transaction of a relay that died holds back readers of its topics until then at most; the relay that
#: takes over ends it at once.
TRANSACTION_SECONDS = 15
ABORT_SECONDS = 2
JOIN_SECONDS = 10
LOOK_SECONDS = 0.5
SESSION_SECONDS = 10
HEARTBEAT_SECONDS = 3
STOP_SECONDS = 5
BATCH_BYTES = 262_144


class KafkaTransport:
    """Implements `broker.transport.base.Transport`."""

    def __init__(self, settings: Settings) -> None:
        """Open nothing yet."""
        self._settings = settings
        self._closing: set[asyncio.Task[None]] = set()
        self._asking: Any = None

    async def outlet(self, partition: int) -> KafkaOutlet:
        """Open a producer under the partition's transactional id, which fences the one before it."""
        settings = self._settings
        with translated():
            producer = AIOKafkaProducer(
                transactional_id=f"{settings.kafka_group_prefix}outbox-{partition}",
                transaction_timeout_ms=TRANSACTION_SECONDS * 1000,
                enable_idempotence=True,
                acks="all",
                max_request_size=settings.kafka_record_bytes,
                max_batch_size=BATCH_BYTES,
                **client_options(settings),
            )
            try:
                async with asyncio.timeout(REQUEST_SECONDS):
                    await producer.start()
            except BaseException:
                self.close_later(producer.stop())
                raise
        return KafkaOutlet(self, producer)

    def subscribe(self, topics: Sequence[str], group: str) -> KafkaSubscription:
        """Return a reader; it joins its group at the first fetch."""
        return KafkaSubscription(self._settings, topics, group)

    async def ping(self) -> None:
        """Return where a broker answers; one connection is kept for asking."""
        with translated():
            if self._asking is None:
                asking = AIOKafkaClient(**client_options(self._settings))
                try:
                    await asking.bootstrap()
                except BaseException:
                    self.close_later(asking.close())
                    raise
                self._asking = asking
            if not await self._asking.force_metadata_update():
                raise TransportUnavailable

    async def keep_house(self) -> int:
        """Leave it to the brokers, which forget by retention."""
        return 0

    async def close(self) -> None:
        """Wait for what is being closed, a short while."""
        if self._asking is not None:
            self.close_later(self._asking.close())
        if self._closing:
            await asyncio.wait(self._closing, timeout=STOP_SECONDS)
        for task in self._closing:
            task.cancel()

    def physical(self, topic: str) -> str:
        """Return the topic's name on the brokers."""
        return self._settings.kafka_topic_prefix + topic

    def close_later(self, closing: Awaitable[None]) -> None:
        """Close in the background: a client whose brokers are away takes its time, and nobody waits for it."""
        task = asyncio.ensure_future(_quietly(closing))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


async def _quietly(closing: Awaitable[None]) -> None:
    with suppress(errors.KafkaError, OSError, TimeoutError):
        await closing


class KafkaOutlet:
    """Implements `broker.transport.base.Outlet`: each call is one transaction, seen by readers whole or not at all."""

    def __init__(self, transport: KafkaTransport, producer: Any) -> None:  # noqa: ANN401 - the library has no types
        """Take a started producer that nobody else uses."""
        self._transport = transport
        self._producer = producer

    async def publish(self, records: Sequence[Record]) -> None:
        """Publish in one transaction."""
        try:
            with translated():
                async with asyncio.timeout(PUBLISH_SECONDS):
                    await self._in_one_transaction(records)
        except TransportUnavailable as exc:
            await self._give_up(exc.fault)
            raise
        except asyncio.CancelledError:
            await self.close()
            raise

    async def _in_one_transaction(self, records: Sequence[Record]) -> None:
        """Send all, then commit. Where one fails, its own error counts: what comes after it only follows."""
        await self._producer.begin_transaction()
        sent: list[asyncio.Future[Any]] = []
        stopped: TransportUnavailable | None = None
        try:
            for record in records:
                sent.append(await self._send(record))
                sent[-1].add_done_callback(_read_error)
        except TransportUnavailable as exc:
            stopped = exc
        for record, result in zip(records, await asyncio.gather(*sent, return_exceptions=True), strict=False):
            if isinstance(result, BaseException):
                with translated(record.topic):
                    raise result
        if stopped:
            raise stopped
        await self._producer.commit_transaction()

    async def _send(self, record: Record) -> asyncio.Future[Any]:
        with translated(record.topic):
            sending: asyncio.Future[Any] = await self._producer.send(
                self._transport.physical(record.topic),
                record.value,
                key=record.key.encode(),
                headers=[(name, value.encode()) for name, value in record.headers.items()],
            )
        return sending

    async def _give_up(self, fault: Fault) -> None:
        """End the transaction where that is possible, so that readers need not wait for its time limit; then close."""
        if fault is not Fault.FENCED:
            with suppress(errors.KafkaError, errors.IllegalOperation, OSError, TimeoutError, AssertionError):
                async with asyncio.timeout(ABORT_SECONDS):
                    await self._producer.abort_transaction()
        _read_errors(self._producer)
        await self.close()

    async def close(self) -> None:
        """Close the producer, in the background."""
        self._transport.close_later(self._producer.stop())


def _read_error(sending: asyncio.Future[Any]) -> None:
    """Read the error of a record that nobody waits for any more; asyncio would log it, traces and all."""
    if not sending.cancelled():
        sending.exception()


def _read_errors(producer: Any) -> None:  # noqa: ANN401 - the library has no types
    """Read what a fenced producer leaves unread in futures of its own; asyncio would log it, traces and all."""
    batches = (batch for queue in producer._message_accumulator._batches.values() for batch in queue)  # noqa: SLF001 - nothing public reaches them
    for waiter in (producer._txn_manager._transaction_waiter, *(batch._drain_waiter for batch in batches)):  # noqa: SLF001 - the same
        if waiter is not None and waiter.done() and not waiter.cancelled():
            waiter.exception()


class KafkaSubscription:
    """Implements `broker.transport.base.Subscription` as one member of a consumer group."""

    def __init__(self, settings: Settings, topics: Sequence[str], group: str) -> None:
        """Remember what to read; nothing is opened yet."""
        self._settings = settings
        self._topics = {settings.kafka_topic_prefix + topic: topic for topic in topics}
        self._group = settings.kafka_group_prefix + group
        self._consumer: Any = None
        self._held = _Held()
        self._behind: dict[TopicPartition, int] = {}
        """Records of a partition that were there and not read at the last look; the ends of transactions count."""

    async def fetch(self, wait_seconds: float, limit: int = 100) -> Sequence[Consumed]:
        """Return what came, in the order of each key; `wait_seconds` begins when the group has been joined."""
        try:
            with translated():
                if self._consumer is None:
                    await self._join()
                found = await self._consumer.getmany(timeout_ms=int(wait_seconds * 1000), max_records=limit)
        except TransportUnavailable:
            await self.close()
            raise
        self._held.given(found)
        self._tell_lag(found)
        return [self._consumed(message) for messages in found.values() for message in messages]

    def _tell_lag(self, found: Mapping[TopicPartition, Sequence[Any]]) -> None:
        """Say how far this reader is behind on each agency's topics; where nothing came, it is not."""
        places = self._consumer.assignment()
        for place, messages in found.items():
            ends = self._consumer.highwater(place) or 0
            self._behind[place] = max(0, ends - messages[-1].offset - 1)
        told = dict.fromkeys((agency_of(self._topics[place.topic]) for place in self._behind), 0)
        self._behind = {place: n for place, n in self._behind.items() if found and place in places}
        for place, records in self._behind.items():
            told[agency_of(self._topics[place.topic])] += records
        for agency, records in told.items():
            metrics.consumer_lag(agency, records)

    def _consumed(self, message: Any) -> Consumed:  # noqa: ANN401 - the library has no types
        headers = {name: (value or b"").decode(errors="replace") for name, value in message.headers}
        key = (message.key or b"").decode(errors="replace")
        record = Record(headers.get("ce_id", ""), self._topics[message.topic], key, headers, message.value or b"")
        return Consumed(record, message.offset, message.partition)

    async def _join(self) -> None:
        settings = self._settings
        self._consumer = AIOKafkaConsumer(
            group_id=self._group,
            group_instance_id=f"{self._group}-{settings.kafka_member}" if settings.kafka_member else None,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            partition_assignment_strategy=(StickyPartitionAssignor,),
            session_timeout_ms=SESSION_SECONDS * 1000,
            heartbeat_interval_ms=HEARTBEAT_SECONDS * 1000,
            max_partition_fetch_bytes=settings.kafka_record_bytes,
            **client_options(settings),
        )
        async with asyncio.timeout(JOIN_SECONDS):
            await self._consumer.start()
            self._held = _Held()
            self._consumer.subscribe(list(self._topics), listener=self._held)
            while not self._held.first.is_set():
                self._raise_for_hidden()
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        await self._held.first.wait()
        self._raise_for_hidden()

    def _raise_for_hidden(self) -> None:
        """Raise for a topic or group that this name may not use; joining, the library only tries on."""
        self._consumer._coordinator.check_errors()  # noqa: SLF001 - the same
        hidden = sorted(self._consumer._client.cluster.unauthorized_topics & set(self._topics))  # noqa: SLF001 - the same
        if hidden:
            raise TransportUnavailable(Fault.FORBIDDEN, self._topics[hidden[0]])

    async def commit(self, consumed: Sequence[Consumed]) -> None:
        """Move the group's positions on, of the partitions that are still held, and never back."""
        physical = {logical: name for name, logical in self._topics.items()}
        reached: dict[TopicPartition, int] = {}
        for item in consumed:
            place = TopicPartition(physical[item.record.topic], item.partition)
            reached[place] = max(reached.get(place, 0), item.position + 1)
        offsets = self._held.to_commit(reached)
        if self._consumer is None or not offsets:
            return
        with translated(), suppress(errors.CommitFailedError, errors.IllegalStateError):
            await self._consumer.commit(offsets)
            self._held.committed(offsets)

    async def close(self) -> None:
        """Leave the group."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            with suppress(errors.KafkaError, OSError, TimeoutError):
                async with asyncio.timeout(STOP_SECONDS):
                    await consumer.stop()


class _Held(ConsumerRebalanceListener):  # type: ignore[misc]  # the library has no types
    """Which partitions this reader holds, what it was given of each since it holds it, and what it has committed."""

    def __init__(self) -> None:
        self.first = asyncio.Event()
        """Set when the group has said, for the first time, what this reader holds; that may be nothing."""
        self._given: dict[TopicPartition, int] = {}
        self._committed: dict[TopicPartition, int] = {}

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Forget what was given: another reader may be given it now, and a late commit would undo what that one did."""
        del revoked
        self._given.clear()
        self._committed.clear()

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Begin anew."""
        del assigned
        self.first.set()

    def given(self, found: dict[TopicPartition, list[Any]]) -> None:
        """Note from where on records of each partition were given."""
        for place, messages in found.items():
            self._given.setdefault(place, messages[0].offset)

    def to_commit(self, reached: dict[TopicPartition, int]) -> dict[TopicPartition, int]:
        """Return of these positions what may be committed: given in this holding, and further than before."""
        return {
            place: position
            for place, position in reached.items()
            if place in self._given and position > max(self._given[place], self._committed.get(place, 0))
        }

    def committed(self, offsets: dict[TopicPartition, int]) -> None:
        """Note what was committed."""
        self._committed |= offsets
