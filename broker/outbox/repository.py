"""Queries of the outbox."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

import orjson
from sqlalchemy import Row, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from broker import metrics
from broker.bulk import Sql, fetch
from broker.db import is_sqlite
from broker.lifecycle.models import Transfer
from broker.lifecycle.states import State
from broker.outbox.leases import partition_of
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


ANYTHING = Sql(
    "SELECT 1 FROM outbox WHERE partition = ANY($1::int[]) ORDER BY id LIMIT 1",
    "SELECT 1 FROM outbox WHERE partition IN (SELECT value FROM json_each(?)) ORDER BY id LIMIT 1",
)
#: The oldest of these partitions, but for topics that are passed over, as long as their bytes have room; always one.
OLDEST = Sql(
    """SELECT id, record_id, transfer_id, partition, topic, key, headers, value FROM (
        SELECT o.*, sum(length(value)) OVER (ORDER BY id) - length(value) AS before FROM (
            SELECT * FROM outbox WHERE partition = ANY($1::int[]) AND topic <> ALL($2::text[]) ORDER BY id LIMIT $3::int
        ) o
    ) s WHERE before = 0 OR before + length(value) <= $4::bigint ORDER BY id""",
    """SELECT id, record_id, transfer_id, partition, topic, "key", headers, value FROM (
        SELECT o.*, sum(length(value)) OVER (ORDER BY id) - length(value) AS before FROM (
            SELECT * FROM outbox WHERE partition IN (SELECT value FROM json_each(?))
            AND topic NOT IN (SELECT value FROM json_each(?)) ORDER BY id LIMIT ?
        ) o
    ) s WHERE before = 0 OR before + length(value) <= ? ORDER BY id""",
)
FORGET = Sql(
    "DELETE FROM outbox WHERE id = ANY($1::bigint[])",
    "DELETE FROM outbox WHERE id IN (SELECT value FROM json_each(?))",
)
#: Locked in sorted order, like everywhere.
PUBLISHING = f"""WITH alive AS MATERIALIZED (
    SELECT id, state FROM transfers WHERE id = ANY($1::text[]) AND state = ANY($2::text[]) ORDER BY id FOR NO KEY UPDATE
), fresh AS (
    UPDATE transfers t SET state = '{State.PUBLISHING.value}', state_at = $3::timestamptz
    FROM alive a WHERE t.id = a.id AND a.state = '{State.ACCEPTED.value}'
)
SELECT id, state FROM alive"""  # noqa: S608 - names of our own states


async def anything_waits(connection: AsyncConnection, partitions: Collection[int]) -> bool:
    """Whether any row lies in these partitions."""
    return (await fetch(connection, ANYTHING, sorted(partitions))).first() is not None


async def claim(
    connection: AsyncConnection, partitions: Collection[int], passed_over: Collection[str], now: datetime
) -> list[Claimed]:
    """Take what waits in these partitions, oldest first, but for topics that are passed over; at most a batch.

    Transfers become `publishing`. Rows whose transfer has ended meanwhile are dropped.
    """
    found = await fetch(connection, OLDEST, sorted(partitions), sorted(passed_over), BATCH, BATCH_BYTES)
    waiting = [_claimed(row) for row in found]
    transfers = [item.transfer_id for item in waiting if item.carries_transfer]
    alive = await _to_publishing(connection, transfers, now) if transfers else set()
    ended = {item.row_id for item in waiting if item.carries_transfer and item.transfer_id not in alive}
    await forget(connection, sorted(ended))
    return [item for item in waiting if item.row_id not in ended]


def _claimed(row: Row[Any]) -> Claimed:
    headers = orjson.loads(row.headers) if isinstance(row.headers, str) else row.headers
    return Claimed(
        row.id, row.partition, row.transfer_id, Record(row.record_id, row.topic, row.key, headers, row.value)
    )


async def _to_publishing(connection: AsyncConnection, transfer_ids: list[str], now: datetime) -> set[str]:
    """Note that a relay has them; return those that still wait."""
    states = [state.value for state in WAITING]
    if is_sqlite(connection):
        query = select(Transfer.id, Transfer.state).where(Transfer.id.in_(transfer_ids), Transfer.state.in_(states))
        was = {row.id: row.state for row in await connection.execute(query)}
        fresh = update(Transfer).where(Transfer.id.in_(transfer_ids), Transfer.state == State.ACCEPTED.value)
        await connection.execute(fresh.values(state=State.PUBLISHING.value, state_at=now))
    else:
        rows = await connection.exec_driver_sql(PUBLISHING, (transfer_ids, states, now))
        was = {row.id: row.state for row in rows}
    if fresh_ones := sum(state == State.ACCEPTED.value for state in was.values()):
        metrics.entered(State.PUBLISHING.value, fresh_ones)
    return set(was)


async def forget(connection: AsyncConnection, row_ids: Sequence[int]) -> None:
    """Delete rows, and their ciphertext with them."""
    if row_ids:
        await fetch(connection, FORGET, list(row_ids))
