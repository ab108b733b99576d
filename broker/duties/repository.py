"""Queries of duties."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.clock import day_of
from broker.ids import new_id
from broker.lifecycle.models import Duty
from consent.owed import Owed


class DutyState(StrEnum):
    """How a duty stands on a day."""

    OPEN = "open"
    OVERDUE = "overdue"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which duties: of an agency (None: of all), of one of its instances, in which state, due before which day."""

    agency: str | None = None
    bound: str | None = None
    state: DutyState = DutyState.OPEN
    """``open`` includes what is overdue."""
    due_before: date | None = None


@dataclass(frozen=True, slots=True)
class Of:
    """From what a duty arises."""

    transfer_id: str
    decision_id: str
    test: bool


Place = tuple[date, str]
"""Where a page ended: due day and id."""


def duty_row(owed: Owed, bound: str, transfer: Of, at: datetime) -> dict[str, Any]:
    """Build the row of a duty of an instance that arises at a moment."""
    return {
        "id": new_id(),
        "transfer_id": transfer.transfer_id,
        "decision_id": transfer.decision_id,
        "duty": owed.duty,
        "bound": bound,
        "agency": bound.partition(":")[0],
        "arose": day_of(at),
        "due": owed.due,
        "test": transfer.test,
        "recorded_at": at,
    }


async def duties(
    connection: AsyncConnection, wanted: Wanted, today: date, after: Place | None, limit: int
) -> Sequence[Row[Any]]:
    """Return duties, those due first before the others, after a place."""
    query = select(Duty).order_by(Duty.due, Duty.id).limit(limit)
    if wanted.agency is not None:
        query = query.where(Duty.agency == wanted.agency)
    if wanted.bound is not None:
        query = query.where(Duty.bound == wanted.bound)
    if wanted.state is DutyState.DONE:
        query = query.where(Duty.done_on.is_not(None))
    else:
        query = query.where(Duty.done_on.is_(None))
    if wanted.state is DutyState.OVERDUE:
        query = query.where(Duty.due < today)
    if wanted.due_before is not None:
        query = query.where(Duty.due < wanted.due_before)
    if after is not None:
        query = query.where(tuple_(Duty.due, Duty.id) > after)
    return (await connection.execute(query)).all()


async def duty(connection: AsyncConnection, duty_id: str) -> Row[Any] | None:
    """Return one duty."""
    return (await connection.execute(select(Duty).where(Duty.id == duty_id))).one_or_none()


async def duties_of(connection: AsyncConnection, transfer_id: str) -> Sequence[Row[Any]]:
    """Return the duties of a transfer."""
    query = select(Duty).where(Duty.transfer_id == transfer_id).order_by(Duty.duty, Duty.bound)
    return (await connection.execute(query)).all()


async def end_duty(connection: AsyncConnection, duty_id: str, on: date, how: str, at: datetime) -> bool:
    """Note that a duty is done; False: it was already."""
    query = update(Duty).where(Duty.id == duty_id, Duty.done_on.is_(None))
    done = await connection.execute(query.values(done_on=on, done_how=how, done_at=at))
    return bool(done.rowcount)
