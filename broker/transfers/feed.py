"""What sender and recipient may read of a transfer: state, history, and the feed of changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, null, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.errors import ProblemError
from broker.lifecycle.models import DeliveryRow, Transfer, TransferEvent
from broker.lifecycle.states import State
from broker.settled import in_order
from broker.transfers.again import ENDS_IT
from broker.transfers.models import DecisionRow

#: Why a transfer ended like this may rest on a record of its sender, so that its recipient is not told.
FOR_THE_SENDER = (State.WITHDRAWN.value, State.RETURNED.value)


@dataclass(frozen=True, slots=True)
class Seen:
    """A transfer with its history, as one of its sides sees it."""

    transfer: Any
    events: Sequence[Any]
    tries: Any
    """Attempts, the lease and the last reason of hand-over; None: it has not arrived."""
    decisions: Sequence[Any]
    """Those about it that the instance may see, in their order."""


async def seen_by(connection: AsyncConnection, transfer_id: str, instance: str) -> Seen:
    """Return a transfer of the instance. Raises ``not-found``, the same for unknown and for others' transfers."""
    row = (await connection.execute(select(Transfer).where(Transfer.id == transfer_id))).one_or_none()
    if row is None or instance not in (row.sender, row.recipient):
        raise ProblemError("not-found", "Diese Übermittlung gibt es für diese Instanz nicht.")
    columns = (TransferEvent.state, _reason(instance), TransferEvent.at)
    query = select(*columns).where(TransferEvent.transfer_id == transfer_id).order_by(TransferEvent.seq)
    attempts = (DeliveryRow.attempts - DeliveryRow.attempts_before).label("attempts")
    tries = select(attempts, DeliveryRow.leased_until, DeliveryRow.last_error)
    found = (await connection.execute(tries.where(DeliveryRow.transfer_id == transfer_id))).one_or_none()
    events = (await connection.execute(query)).all()
    return Seen(row, events, found, (await connection.execute(_decisions(transfer_id, instance))).all())


def _decisions(transfer_id: str, instance: str) -> Select[str, str, datetime]:
    """Select decisions about a transfer: all for its sender, for the recipient those that gave it the content."""
    goes = DecisionRow.detail[ENDS_IT].as_string().is_(None)
    given = and_(DecisionRow.occasion == "hand_over", DecisionRow.outcome != "DENY", goes)
    seen = or_(DecisionRow.sender == instance, and_(DecisionRow.recipient == instance, given))
    columns = (DecisionRow.id, DecisionRow.occasion, DecisionRow.at)
    return select(*columns).where(DecisionRow.transfer_id == transfer_id, seen).order_by(DecisionRow.id)


async def changes(connection: AsyncConnection, instance: str, after: int, limit: int) -> Sequence[Any]:
    """Return changes of state of the instance's transfers after a position, oldest first; none is ever passed over.

    Raises `broker.settled.Unsettled`.
    """
    columns = (
        TransferEvent.seq,
        TransferEvent.transfer_id,
        TransferEvent.sender,
        TransferEvent.recipient,
        TransferEvent.state,
        _reason(instance),
        TransferEvent.at,
        Transfer.message_id,
        Transfer.purpose,
    )
    query = (
        select(*columns)
        .join(Transfer, Transfer.id == TransferEvent.transfer_id)
        .where(or_(TransferEvent.sender == instance, TransferEvent.recipient == instance), TransferEvent.seq > after)
        .order_by(TransferEvent.seq)
        .limit(limit)
    )
    return await in_order(connection, TransferEvent, TransferEvent.seq, query)


def _reason(instance: str) -> ColumnElement[str | None]:
    """Return the reason of a change as the instance may read it."""
    hidden = and_(TransferEvent.recipient == instance, TransferEvent.state.in_(FOR_THE_SENDER))
    return case((hidden, null()), else_=TransferEvent.reason).label("reason")
