"""Queries of handing over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, exists, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import aliased

from broker.delivery.models import DeliveryRow
from broker.lifecycle.models import Transfer, TransferKey
from broker.lifecycle.states import BEFORE_HANDOVER, State

#: While a transfer is in one of these, later ones of its case wait behind it.
HOLDS_ITS_CASE = [state.value for state in BEFORE_HANDOVER] + [State.DEAD.value]
CAN_BE_HANDED_OVER = [State.PUBLISHED.value, State.HANDING_OVER.value]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A transfer that can be handed over now, with its sealed content and wrapped key."""

    id: str
    sender: str
    recipient: str
    agency: str
    message_id: str
    message_type: str
    version: str
    purpose: str
    test: bool
    state: State
    digest: str
    statement: str | None
    decision_id: str
    accepted_at: datetime
    expires_at: datetime
    sealed: bytes
    sealing_kid: str
    wrapped: bytes
    attempts: int


async def next_waiting(
    connection: AsyncConnection,
    now: datetime,
    *,
    recipient: str | None = None,
    agency: str | None = None,
    passed_over: Sequence[str] = (),
) -> Waiting | None:
    """Return the oldest transfer for an instance or an agency that is not leased and waits behind none of its case."""
    earlier = aliased(Transfer)
    held = exists().where(
        and_(
            earlier.order_key == Transfer.order_key,
            earlier.seq < Transfer.seq,
            earlier.state.in_(HOLDS_ITS_CASE),
        )
    )
    columns = [getattr(Transfer, name) for name in Waiting.__annotations__ if hasattr(Transfer, name)]
    query = (
        select(*columns, DeliveryRow.sealed, DeliveryRow.attempts, TransferKey.sealing_kid, TransferKey.wrapped)
        .join(DeliveryRow, DeliveryRow.transfer_id == Transfer.id)
        .join(TransferKey, TransferKey.transfer_id == Transfer.id)
        .where(
            Transfer.state.in_(CAN_BE_HANDED_OVER),
            or_(DeliveryRow.leased_until.is_(None), DeliveryRow.leased_until <= now),
            Transfer.expires_at > now,
            ~held,
        )
        .order_by(Transfer.seq)
        .limit(1)
        .with_for_update(of=Transfer)
    )
    if recipient is not None:
        query = query.where(Transfer.recipient == recipient)
    if agency is not None:
        query = query.where(DeliveryRow.agency == agency)
    if passed_over:
        query = query.where(Transfer.id.not_in(passed_over))
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else Waiting(**{**row, "state": State(row["state"])})


async def something_waits(connection: AsyncConnection, now: datetime, recipient: str) -> bool:
    """Whether anything lies there for an instance that is not leased; it may yet wait behind another of its case."""
    query = (
        select(Transfer.id)
        .join(DeliveryRow, DeliveryRow.transfer_id == Transfer.id)
        .where(
            Transfer.recipient == recipient,
            Transfer.state.in_(CAN_BE_HANDED_OVER),
            or_(DeliveryRow.leased_until.is_(None), DeliveryRow.leased_until <= now),
        )
        .limit(1)
    )
    return (await connection.execute(query)).first() is not None


async def lease(
    connection: AsyncConnection, transfer_id: str, until: datetime, attempts: int, error: str | None = None
) -> None:
    """Keep a delivery from being taken again before `until`."""
    await connection.execute(
        update(DeliveryRow)
        .where(DeliveryRow.transfer_id == transfer_id)
        .values(leased_until=until, attempts=attempts, last_error=error)
    )


async def forget_sealed(connection: AsyncConnection, transfer_ids: Sequence[str]) -> None:
    """Take the ciphertext out of the database; its key is gone already."""
    await connection.execute(update(DeliveryRow).where(DeliveryRow.transfer_id.in_(transfer_ids)).values(sealed=b""))
