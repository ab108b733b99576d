"""The embedded transport: topics as tables of the same database, for one machine.

A record is durable with the commit that publishes it; published twice (a relay died between publishing and noting it)
it stands once. Waiting readers of this process are woken, those of other processes look every half second.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, func, select

from broker.db import Database, insert_ignore
from broker.gateway import Signal
from broker.privileges import DbRole
from broker.settled import in_order
from broker.transport.base import Consumed, Record
from broker.transport.models import EmbeddedPosition, EmbeddedRecord

POLL_SECONDS = 0.5


class EmbeddedTransport:
    """Implements `broker.transport.base.Transport` over the service's own database."""

    def __init__(self, db: Database, filled: Signal) -> None:
        """Share the database; `filled` wakes readers in this process."""
        self._db = db
        self._filled = filled

    async def outlet(self, partition: int) -> EmbeddedOutlet:
        """Open the topics for writing. Nothing fences here: a record that is published twice stands once."""
        del partition
        return EmbeddedOutlet(self._db.acting(DbRole.RELAY), self._filled)

    def subscribe(self, topics: Sequence[str], group: str) -> EmbeddedSubscription:
        """Return a reader."""
        return EmbeddedSubscription(self._db.acting(DbRole.DELIVERY), self._filled, tuple(topics), group)

    async def keep_house(self) -> int:
        """Delete records that every group on their topic has read; return how many."""
        behind = (
            select(EmbeddedPosition.topic, func.min(EmbeddedPosition.position).label("position"))
            .group_by(EmbeddedPosition.topic)
            .subquery()
        )
        done = (
            select(EmbeddedRecord.position)
            .join(behind, behind.c.topic == EmbeddedRecord.topic)
            .where(EmbeddedRecord.position <= behind.c.position)
        )
        async with self._db.acting(DbRole.DELIVERY).writing() as connection:
            statement = delete(EmbeddedRecord).where(EmbeddedRecord.position.in_(done))
            return (await connection.execute(statement)).rowcount

    async def close(self) -> None:
        """Release nothing: the database is the gateway's."""


class EmbeddedOutlet:
    """Implements `broker.transport.base.Outlet`."""

    def __init__(self, db: Database, filled: Signal) -> None:
        """Share the database; `filled` wakes readers in this process."""
        self._db = db
        self._filled = filled

    async def publish(self, records: Sequence[Record]) -> None:
        """Write the records in one commit; one that is there already is passed over."""
        rows = [
            {
                "record_id": r.record_id,
                "topic": r.topic,
                "key": r.key,
                "headers": dict(r.headers),
                "value": r.value,
            }
            for r in records
        ]
        async with self._db.writing() as connection:
            await insert_ignore(connection, EmbeddedRecord, rows)
        self._filled.notify()

    async def close(self) -> None:
        """Release nothing: the database is the gateway's."""


class EmbeddedSubscription:
    """Implements `broker.transport.base.Subscription`."""

    def __init__(self, db: Database, filled: Signal, topics: tuple[str, ...], group: str) -> None:
        """Remember what to read."""
        self._db = db
        self._filled = filled
        self._topics = topics
        self._group = group

    async def fetch(self, wait_seconds: float, limit: int = 100) -> Sequence[Consumed]:
        """Return what lies after the group's positions, oldest first."""
        waited = 0.0
        while not (found := await self._read(limit)) and waited < wait_seconds:
            pause = min(POLL_SECONDS, wait_seconds - waited)
            await self._filled.wait(pause)
            waited += pause
        return found

    async def _read(self, limit: int) -> list[Consumed]:
        record, position = EmbeddedRecord, EmbeddedPosition
        read_so_far = func.coalesce(
            select(position.position)
            .where(position.group == self._group, position.topic == record.topic)
            .scalar_subquery(),
            0,
        )
        query = (
            select(record.position, record.record_id, record.topic, record.key, record.headers, record.value)
            .where(record.topic.in_(self._topics), record.position > read_so_far)
            .order_by(record.position)
            .limit(limit)
        )
        async with self._db.reading() as connection:
            rows = await in_order(connection, record, record.position, query)
        return [Consumed(Record(r.record_id, r.topic, r.key, r.headers, r.value), r.position) for r in rows]

    async def commit(self, consumed: Sequence[Consumed]) -> None:
        """Move the group's position on each topic; never back."""
        reached: dict[str, int] = {}
        for item in consumed:
            reached[item.record.topic] = max(reached.get(item.record.topic, 0), item.position)
        table = EmbeddedPosition.__table__
        async with self._db.writing() as connection:
            for topic, position in sorted(reached.items()):
                rows = [{"group": self._group, "topic": topic, "position": 0}]
                await insert_ignore(connection, EmbeddedPosition, rows)
                await connection.execute(
                    table.update()  # type: ignore[attr-defined]
                    .where(table.c.group == self._group, table.c.topic == topic, table.c.position < position)
                    .values(position=position)
                )

    async def close(self) -> None:
        """Leave nothing behind."""
