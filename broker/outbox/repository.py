"""Queries of the outbox."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Row, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from broker import metrics
from broker.lifecycle.models import Transfer
from broker.lifecycle.states import State
from broker.outbox.leases import partition_of
from broker.outbox.models import OutboxRow
from broker.transport.base import Record, topic_of
from consent.decision import Permit

WAITING = (State.ACCEPTED, State.PUBLISHING)
BATCH = 500
BATCH_BYTES = 8_388_608
"""So much ciphertext is in the hands of a relay at once, at most; one record may have a little over 1 MiB."""


class PermitMismatch(Exception):
    """The permit is for another transfer or for other bytes. A fault of ours; nothing is queued."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A row that is to be published now."""

    row_id: int
    partition: int
    transfer_id: str
    record: Record

    @property
    def carries_transfer(self) -> bool:
        """Whether it is the transfer itself; otherwise it tells of a quittung or a notice."""
        return self.record.record_id == self.transfer_id


def outbox_row(
    permit: Permit, transfer_id: str, content: bytes, sealed: bytes, agency: str, key: str, headers: dict[str, str]
) -> dict[str, Any]:
    """Build the row of a permitted transfer; only here, and only with a permit for just this id and these bytes.

    Raises `PermitMismatch`.
    """
    if permit.transfer_id != transfer_id or permit.payload_digest != sha256(content).hexdigest():
        raise PermitMismatch("the permit does not serve this transfer or these bytes")
    return {
        "record_id": transfer_id,
        "transfer_id": transfer_id,
        "partition": partition_of(key),
        "topic": topic_of(agency),
        "key": key,
        "headers": headers,
        "value": sealed,
    }


async def anything_waits(connection: AsyncConnection, partitions: Collection[int]) -> bool:
    """Whether any row lies in these partitions."""
    query = select(OutboxRow.id).where(OutboxRow.partition.in_(sorted(partitions))).order_by(OutboxRow.id).limit(1)
    return await connection.scalar(query) is not None


async def claim(
    connection: AsyncConnection, partitions: Collection[int], passed_over: Collection[str], now: datetime
) -> list[Claimed]:
    """Take what waits in these partitions, oldest first, but for topics that are passed over; at most a batch.

    Transfers become `publishing`. Rows whose transfer has ended meanwhile are dropped.
    """
    waiting = await _oldest(connection, partitions, passed_over)
    transfers = [row.transfer_id for row in waiting if row.record_id == row.transfer_id]
    alive = await _to_publishing(connection, transfers, now) if transfers else set()
    ended = [row.id for row in waiting if row.record_id == row.transfer_id and row.transfer_id not in alive]
    await forget(connection, ended)
    chosen = _within_bytes([row for row in waiting if row.id not in set(ended)])
    query = select(OutboxRow).where(OutboxRow.id.in_([row.id for row in chosen])).order_by(OutboxRow.id)
    rows = (await connection.execute(query)).all() if chosen else []
    return [
        Claimed(r.id, r.partition, r.transfer_id, Record(r.record_id, r.topic, r.key, r.headers, r.value)) for r in rows
    ]


async def _oldest(
    connection: AsyncConnection, partitions: Collection[int], passed_over: Collection[str]
) -> Sequence[Row[int, str, str, int]]:
    """Return the oldest rows without their values, which may be large."""
    size = func.length(OutboxRow.value)
    query = (
        select(OutboxRow.id, OutboxRow.record_id, OutboxRow.transfer_id, size.label("size"))
        .where(OutboxRow.partition.in_(sorted(partitions)))
        .order_by(OutboxRow.id)
        .limit(BATCH)
    )
    if passed_over:
        query = query.where(OutboxRow.topic.not_in(sorted(passed_over)))
    return (await connection.execute(query)).all()


def _within_bytes(rows: Sequence[Any]) -> list[Any]:
    """Return as many of the oldest as a relay may hold; always one."""
    chosen: list[Any] = []
    size = 0
    for row in rows:
        size += row.size
        if chosen and size > BATCH_BYTES:
            break
        chosen.append(row)
    return chosen


async def _to_publishing(connection: AsyncConnection, transfer_ids: Sequence[str], now: datetime) -> set[str]:
    """Note that a relay has them; return those that still wait. Locked in sorted order, like everywhere."""
    query = (
        select(Transfer.id, Transfer.state)
        .where(Transfer.id.in_(transfer_ids), Transfer.state.in_([state.value for state in WAITING]))
        .order_by(Transfer.id)
        .with_for_update(key_share=True)
    )
    rows = (await connection.execute(query)).all()
    fresh = [row.id for row in rows if row.state == State.ACCEPTED]
    if fresh:
        values = {"state": State.PUBLISHING.value, "state_at": now}
        await connection.execute(update(Transfer).where(Transfer.id.in_(fresh)).values(values))
        metrics.entered(State.PUBLISHING.value, len(fresh))
    return {row.id for row in rows}


async def forget(connection: AsyncConnection, row_ids: Sequence[int]) -> None:
    """Delete rows, and their ciphertext with them."""
    if row_ids:
        await connection.execute(delete(OutboxRow).where(OutboxRow.id.in_(row_ids)))
