"""Queries of the outbox."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.lifecycle.models import Transfer
from broker.lifecycle.states import State
from broker.outbox.models import OutboxRow
from broker.transport.base import Record, topic_of
from consent.decision import Permit


class PermitMismatch(Exception):
    """The permit is for another transfer or for other bytes. A fault of ours; nothing is queued."""


def outbox_row(
    permit: Permit, transfer_id: str, content: bytes, sealed: bytes, agency: str, key: str, headers: dict[str, str]
) -> dict[str, Any]:
    """Build the row of a permitted transfer; only here, and only with a permit for just this id and these bytes.

    Raises `PermitMismatch`.
    """
    if permit.transfer_id != transfer_id or permit.payload_digest != sha256(content).hexdigest():
        raise PermitMismatch("the permit does not serve this transfer or these bytes")
    return {"transfer_id": transfer_id, "topic": topic_of(agency), "key": key, "headers": headers, "value": sealed}


async def claim_due(
    connection: AsyncConnection, relay: str, now: datetime, hold: timedelta, limit: int
) -> list[tuple[str, Record]]:
    """Claim unpublished rows, oldest first, whose transfer still waits; return (transfer id, record)."""
    waiting = [State.ACCEPTED.value, State.PUBLISHING.value]
    query = (
        select(OutboxRow.id, OutboxRow.transfer_id, OutboxRow.topic, OutboxRow.key, OutboxRow.headers, OutboxRow.value)
        .join(Transfer, Transfer.id == OutboxRow.transfer_id)
        .where(
            OutboxRow.published_at.is_(None),
            or_(OutboxRow.claimed_until.is_(None), OutboxRow.claimed_until < now, OutboxRow.claimed_by == relay),
            Transfer.state.in_(waiting),
        )
        .order_by(OutboxRow.id)
        .limit(limit)
        .with_for_update(of=OutboxRow)
    )
    rows = (await connection.execute(query)).all()
    await connection.execute(
        update(OutboxRow)
        .where(OutboxRow.id.in_([r.id for r in rows]))
        .values(claimed_by=relay, claimed_until=now + hold)
    )
    return [(r.transfer_id, Record(r.transfer_id, r.topic, r.key, r.headers, r.value)) for r in rows]


async def note_published(connection: AsyncConnection, transfer_ids: Sequence[str], now: datetime) -> None:
    """Note that the transport keeps these; the ciphertext leaves the outbox."""
    await connection.execute(
        update(OutboxRow)
        .where(OutboxRow.transfer_id.in_(transfer_ids))
        .values(published_at=now, claimed_by=None, claimed_until=None, value=b"")
    )
