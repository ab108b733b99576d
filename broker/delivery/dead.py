"""Dead letters: what no repetition mends, until a person retries, releases or discards it. Never a content."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import aliased

from broker.audit.events import AuditEvent
from broker.audit.log import append
from broker.delivery.repository import CAN_BE_HANDED_OVER, forget_sealed
from broker.errors import ProblemError
from broker.gateway import Gateway
from broker.lifecycle.models import CaseRelease, DeliveryRow, Transfer, TransferEvent
from broker.lifecycle.progress import Moved, advance, event_row
from broker.lifecycle.states import State

RETRIED = "retried-by-operator"


class Why(StrEnum):
    """Why an operator gives a dead letter up, or lets the later ones of its case pass."""

    ANDERER_WEG = "ANDERER_WEG"
    """The offices settled it outside of the broker."""
    UEBERHOLT = "UEBERHOLT"
    """A later message holds what this one held."""
    NICHT_ZUSTELLBAR = "NICHT_ZUSTELLBAR"
    """The recipient's software cannot take it."""
    UNABHAENGIG = "UNABHAENGIG"
    """The later ones of the case do not build on it."""
    EILIG = "EILIG"
    """The later ones of the case cannot wait."""
    IRRTUM = "IRRTUM"
    """It should never have been sent."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which dead letters; what is None does not matter."""

    agency: str | None = None
    sender: str | None = None
    reason: str | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One dead letter as an operator sees it."""

    seq: int
    transfer_id: str
    message_type: str
    sender: str
    recipient: str
    purpose: str
    reason: str | None
    attempts: int
    dead_since: datetime
    expires_at: datetime
    released: str | None
    """Why the later ones of its case may pass; None: they wait."""
    waiting_behind: int
    """Later ones of its case that have arrived and are not handed over."""


async def dead_letters(
    connection: AsyncConnection, wanted: Wanted, after: int = 0, limit: int = 50
) -> Sequence[DeadLetter]:
    """Return dead letters in the order of their acceptance, after a position (`DeadLetter.seq`)."""
    query = _letters().where(Transfer.seq > after).order_by(Transfer.seq).limit(limit)
    for column, value in (
        (Transfer.agency, wanted.agency),
        (Transfer.sender, wanted.sender),
        (_last_reason(), wanted.reason),
    ):
        query = query if value is None else query.where(column == value)
    if wanted.since is not None:
        query = query.where(Transfer.state_at >= wanted.since)
    return [DeadLetter(**row) for row in (await connection.execute(query)).mappings()]


async def dead_letter(connection: AsyncConnection, transfer_id: str) -> tuple[DeadLetter, Sequence[Any]]:
    """Return one dead letter and its history. Raises the problem ``not-found``."""
    row = (await connection.execute(_letters().where(Transfer.id == transfer_id))).mappings().one_or_none()
    if row is None:
        raise _no_dead_letter()
    columns = (TransferEvent.state, TransferEvent.reason, TransferEvent.at)
    history = select(*columns).where(TransferEvent.transfer_id == transfer_id).order_by(TransferEvent.seq)
    return DeadLetter(**row), (await connection.execute(history)).all()


def _letters() -> Any:  # noqa: ANN401 - a select of many columns
    later = aliased(Transfer)
    behind = (
        select(func.count())
        .where(later.order_key == Transfer.order_key, later.seq > Transfer.seq, later.state == CAN_BE_HANDED_OVER[0])
        .scalar_subquery()
    )
    return (
        select(
            Transfer.seq,
            Transfer.id.label("transfer_id"),
            Transfer.message_type,
            Transfer.sender,
            Transfer.recipient,
            Transfer.purpose,
            _last_reason().label("reason"),
            func.coalesce(DeliveryRow.attempts - DeliveryRow.attempts_before, 0).label("attempts"),
            Transfer.state_at.label("dead_since"),
            Transfer.expires_at,
            CaseRelease.reason.label("released"),
            behind.label("waiting_behind"),
        )
        .outerjoin(DeliveryRow, DeliveryRow.transfer_id == Transfer.id)
        .outerjoin(CaseRelease, CaseRelease.transfer_id == Transfer.id)
        .where(Transfer.state == State.DEAD.value)
    )


def _last_reason() -> Any:  # noqa: ANN401 - a scalar subquery
    """Select why it died: the reason of its last change to ``dead`` that was no release."""
    query = select(TransferEvent.reason).where(
        TransferEvent.transfer_id == Transfer.id, TransferEvent.state == State.DEAD.value
    )
    released = [why.value for why in Why]
    return (
        query.where(TransferEvent.reason.not_in(released)).order_by(TransferEvent.seq.desc()).limit(1).scalar_subquery()
    )


async def retry(connection: AsyncConnection, gateway: Gateway, transfer_id: str, actor: str) -> None:
    """Let a dead letter be handed over again, with attempts reset; the law is asked again then.

    Raises the problems ``not-found`` and ``state-conflict``.
    """
    moved = await _moved(connection, gateway, transfer_id, State.PUBLISHED, actor, RETRIED)
    await connection.execute(delete(CaseRelease).where(CaseRelease.transfer_id == transfer_id))
    fresh = {"attempts_before": DeliveryRow.attempts, "leased_until": None, "last_error": None, "way": None}
    await connection.execute(update(DeliveryRow).where(DeliveryRow.transfer_id == transfer_id).values(**fresh))
    await _note(connection, gateway, "dead.retried", moved, actor, {})


async def discard(connection: AsyncConnection, gateway: Gateway, transfer_id: str, why: Why, actor: str) -> None:
    """Give a dead letter up: its key goes, its case goes on, both offices see the reason.

    Raises the problems ``not-found`` and ``state-conflict``.
    """
    moved = await _moved(connection, gateway, transfer_id, State.DISCARDED, actor, why.value)
    await forget_sealed(connection, [transfer_id])
    await _note(connection, gateway, "dead.discarded", moved, actor, {"reason": why.value})


async def release(connection: AsyncConnection, gateway: Gateway, transfer_id: str, why: Why, actor: str) -> None:
    """Let the later ones of a dead letter's case pass while it stays dead; again changes nothing.

    Raises the problems ``not-found`` and ``state-conflict``.
    """
    query = select(Transfer.sender, Transfer.recipient, Transfer.state).where(Transfer.id == transfer_id)
    row = (await connection.execute(query.with_for_update(key_share=True))).one_or_none()
    _check_dead(None if row is None else row.state)
    assert row is not None  # noqa: S101 - checked in the line above
    if await connection.scalar(select(CaseRelease.reason).where(CaseRelease.transfer_id == transfer_id)) is not None:
        return
    now = gateway.clock()
    moved = Moved(transfer_id, row.sender, row.recipient, State.DEAD)
    await connection.execute(insert(CaseRelease), [{"transfer_id": transfer_id, "reason": why.value, "at": now}])
    await connection.execute(insert(TransferEvent), [event_row(moved, State.DEAD, now, why.value)])
    await _note(connection, gateway, "dead.released", moved, actor, {"reason": why.value})


async def _moved(
    connection: AsyncConnection, gateway: Gateway, transfer_id: str, target: State, actor: str, reason: str
) -> Moved:
    query = select(Transfer.state).where(Transfer.id == transfer_id).with_for_update(key_share=True)
    _check_dead(await connection.scalar(query))
    [moved] = await advance(connection, [transfer_id], target, gateway.clock(), actor, reason)
    return moved


def _check_dead(state: str | None) -> None:
    if state is None:
        raise _no_dead_letter()
    if state != State.DEAD.value:
        text = (
            f"Die Übermittlung ist im Zustand {state}; nur tote können erneut versucht, freigegeben, verworfen werden."
        )
        raise ProblemError("state-conflict", text, state=state, allowed=[State.DEAD.value])


def _no_dead_letter() -> ProblemError:
    return ProblemError("not-found", "Eine tote Übermittlung mit dieser Kennung gibt es nicht.")


async def _note(
    connection: AsyncConnection, gateway: Gateway, event: str, moved: Moved, actor: str, data: dict[str, str]
) -> None:
    entry = AuditEvent(event, actor, moved.sender, moved.recipient, moved.transfer_id, data)
    await append(connection, [entry], gateway.clock())


def as_json(letter: DeadLetter) -> dict[str, Any]:
    """Return a dead letter as JSON members; moments in RFC 3339."""
    members = asdict(letter)
    del members["seq"]
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in members.items()}
