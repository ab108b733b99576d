"""What is cleaned up, when, and how: one function a kind, each for one small transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, and_, delete, exists, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.attempts.models import Attempt, AttemptOutcome
from broker.auth.models import AssertionJti
from broker.cleanup.horizons import erasable
from broker.clock import day_of
from broker.config import Settings
from broker.consents.models import ConsentNear, ConsentRecord, ConsentWithdrawal
from broker.db import Base
from broker.delivery.models import NoticeRow, QuittungRow
from broker.lifecycle.models import (
    CaseRelease,
    DeliveryRow,
    Duty,
    Transfer,
    TransferEvent,
    TransferKey,
    TransferLookup,
    TransferSubject,
)
from broker.lifecycle.states import ENDS, KEY_ENDS
from broker.outbox.models import OutboxRow
from broker.procedures.counter import WINDOW_DAYS
from broker.procedures.models import RoutePerson
from broker.requests.models import Ersuchen, ErsuchenClosing, ErsuchenContent
from broker.subjects.models import Stop, StopEnd, StopNear
from broker.transfers.models import DecisionRow, Submission

#: Days that a message id is kept beyond the oldest head time that is still taken.
SPARE_DAYS = 1
KEY_IS_OVER = [state.value for state in KEY_ENDS]
OVER = [state.value for state in ENDS]

Find = Callable[[datetime], Select[Any]]
"""Before when → what is over; selects one column."""
Remove = Callable[[AsyncConnection, Sequence[Any], datetime], Awaitable[None]]
"""Deletes what was found; told before when it lies."""


@dataclass(frozen=True, slots=True)
class Task:
    """One kind of thing whose time is over."""

    name: str
    before: Callable[[Settings, datetime], datetime]
    """Settings, now → what ended before this is over."""
    find: Find
    remove: Remove
    on_record: bool = False
    """Persons or evidence lose something by it: each run is an entry of the evidence."""
    locks: bool = False
    """What is found may come to life again: it is locked, and what somebody else just changes is left for later."""


def _days(setting: str) -> Callable[[Settings, datetime], datetime]:
    return lambda settings, now: now - timedelta(days=getattr(settings, setting))


def _now(_: Settings, now: datetime) -> datetime:
    return now


def _dedup(settings: Settings, now: datetime) -> datetime:
    """Return before when a message id came whose head time nobody takes any more.

    Its head time lies at most the clock's skew after its coming.
    """
    return now - timedelta(days=settings.dedup_days + SPARE_DAYS, seconds=settings.clock_skew_seconds)


def _unsent(_: datetime) -> Select[Any]:
    """Select contents that wait to be published though their transfer has ended."""
    ended = exists().where(Transfer.id == OutboxRow.transfer_id, Transfer.state.in_(KEY_IS_OVER))
    return select(OutboxRow.id).where(OutboxRow.record_id == OutboxRow.transfer_id, ended)


async def _drop_outbox(connection: AsyncConnection, ids: Sequence[Any], _: datetime) -> None:
    await connection.execute(delete(OutboxRow).where(OutboxRow.id.in_(ids)))


def _old_submissions(before: datetime) -> Select[Any]:
    return select(Submission.sender.concat("\x1f").concat(Submission.message_id)).where(Submission.at < before)


async def _drop_submissions(connection: AsyncConnection, keys: Sequence[Any], before: datetime) -> None:
    composed = Submission.sender.concat("\x1f").concat(Submission.message_id)
    async with erasable(connection, before, [Submission]):
        await connection.execute(delete(Submission).where(Submission.at < before, composed.in_(keys)))


def _idle_keys(_: datetime) -> Select[Any]:
    ended = exists().where(Transfer.id == TransferKey.transfer_id, Transfer.state.in_(KEY_IS_OVER))
    return select(TransferKey.transfer_id).where(ended)


async def _drop_keys(connection: AsyncConnection, ids: Sequence[Any], _: datetime) -> None:
    await connection.execute(delete(TransferKey).where(TransferKey.transfer_id.in_(ids)))


def _dead_payloads(_: datetime) -> Select[Any]:
    ended = exists().where(Transfer.id == DeliveryRow.transfer_id, Transfer.state.in_(KEY_IS_OVER))
    return select(DeliveryRow.transfer_id).where(DeliveryRow.sealed != b"", ended)


async def _drop_payloads(connection: AsyncConnection, ids: Sequence[Any], _: datetime) -> None:
    await connection.execute(update(DeliveryRow).where(DeliveryRow.transfer_id.in_(ids)).values(sealed=b""))


def _used_assertions(before: datetime) -> Select[Any]:
    return select(AssertionJti.jti).where(AssertionJti.expires_at < before)


async def _drop_assertions(connection: AsyncConnection, ids: Sequence[Any], before: datetime) -> None:
    await connection.execute(delete(AssertionJti).where(AssertionJti.expires_at < before, AssertionJti.jti.in_(ids)))


def _old_transfers(before: datetime) -> Select[Any]:
    """Select transfers that ended. While a duty from one is open it is not over: whom it is owed must be found."""
    owed = exists().where(Duty.transfer_id == Transfer.id, Duty.done_on.is_(None), ~Duty.test)
    return select(Transfer.id).where(Transfer.state.in_([*OVER, "acknowledged"]), Transfer.state_at < before, ~owed)


async def _drop_transfers(connection: AsyncConnection, ids: Sequence[Any], before: datetime) -> None:
    fixed: list[Any] = [TransferEvent, QuittungRow, DecisionRow, Duty]
    loose: list[Any] = [
        TransferSubject, TransferLookup, TransferKey, DeliveryRow, OutboxRow, NoticeRow, CaseRelease,
    ]  # fmt: skip
    async with erasable(connection, before, fixed):
        for table in (*loose, *fixed):
            await connection.execute(delete(table).where(table.transfer_id.in_(ids)))
    await connection.execute(delete(Transfer).where(Transfer.id.in_(ids)))


def _lone_decisions(before: datetime) -> Select[Any]:
    """Select decisions about what was refused or only checked."""
    carried = exists().where(Transfer.id == DecisionRow.transfer_id)
    return select(DecisionRow.id).where(DecisionRow.at < before, ~carried)


async def _drop_decisions(connection: AsyncConnection, ids: Sequence[Any], before: datetime) -> None:
    async with erasable(connection, before, [DecisionRow]):
        await connection.execute(delete(DecisionRow).where(DecisionRow.id.in_(ids)))


def _ended_consents(before: datetime) -> Select[Any]:
    """Select what was granted and has ended, by its time or by withdrawal. A refusal stands until it is taken back."""
    day = day_of(before)
    withdrawn = exists().where(
        ConsentWithdrawal.consent_id == ConsentRecord.id,
        ConsentWithdrawal.revoked_on < day,
        ConsentWithdrawal.recorded_at < before,
    )
    untouched = ~exists().where(ConsentWithdrawal.consent_id == ConsentRecord.id)
    over = and_(ConsentRecord.valid_until < day, untouched)
    granted = ConsentRecord.granted.is_not(None)
    return select(ConsentRecord.id).where(granted, ConsentRecord.recorded_at < before, or_(withdrawn, over))


async def _drop_consents(connection: AsyncConnection, ids: Sequence[Any], before: datetime) -> None:
    children: list[Any] = [ConsentNear, ConsentWithdrawal]
    async with erasable(connection, before, [*children, ConsentRecord]):
        for table in children:
            await connection.execute(delete(table).where(table.consent_id.in_(ids)))
        await connection.execute(delete(ConsentRecord).where(ConsentRecord.id.in_(ids)))


def _ended_stops(before: datetime) -> Select[Any]:
    return select(Stop.id).join(StopEnd).where(StopEnd.ended_on < day_of(before), StopEnd.recorded_at < before)


async def _drop_stops(connection: AsyncConnection, ids: Sequence[Any], before: datetime) -> None:
    children: list[type[Base]] = [StopNear, StopEnd]
    async with erasable(connection, before, [*children, Stop]):
        await connection.execute(delete(StopNear).where(StopNear.stop_id.in_(ids)))
        await connection.execute(delete(StopEnd).where(StopEnd.stop_id.in_(ids)))
        await connection.execute(delete(Stop).where(Stop.id.in_(ids)))


def _ended_ersuchen(before: datetime) -> Select[Any]:
    return select(ErsuchenClosing.ersuchen_id).where(ErsuchenClosing.recorded_at < before)


async def _drop_ersuchen(connection: AsyncConnection, ids: Sequence[Any], before: datetime) -> None:
    await connection.execute(delete(ErsuchenContent).where(ErsuchenContent.ersuchen_id.in_(ids)))
    async with erasable(connection, before, [ErsuchenClosing, Ersuchen]):
        await connection.execute(delete(ErsuchenClosing).where(ErsuchenClosing.ersuchen_id.in_(ids)))
        await connection.execute(delete(Ersuchen).where(Ersuchen.id.in_(ids)))


def _old_attempts(before: datetime) -> Select[Any]:
    late = exists().where(AttemptOutcome.attempt_id == Attempt.id, AttemptOutcome.recorded_at >= before)
    return select(Attempt.id).where(Attempt.recorded_at < before, Attempt.deadline < day_of(before), ~late)


async def _drop_attempts(connection: AsyncConnection, ids: Sequence[Any], before: datetime) -> None:
    async with erasable(connection, before, [AttemptOutcome, Attempt]):
        await connection.execute(delete(AttemptOutcome).where(AttemptOutcome.attempt_id.in_(ids)))
        await connection.execute(delete(Attempt).where(Attempt.id.in_(ids)))


def _window(_: Settings, now: datetime) -> datetime:
    return now - timedelta(days=WINDOW_DAYS)


def _not_counted(before: datetime) -> Select[Any]:
    """Select persons of routes that have left the window of the counter."""
    return select(RoutePerson.route.concat("\x1f").concat(RoutePerson.pseudonym)).where(
        RoutePerson.day < day_of(before)
    )


async def _drop_not_counted(connection: AsyncConnection, keys: Sequence[Any], _: datetime) -> None:
    pairs = [tuple(key.split("\x1f")) for key in keys]
    await connection.execute(delete(RoutePerson).where(tuple_(RoutePerson.route, RoutePerson.pseudonym).in_(pairs)))


TASKS = (
    Task("keys", _now, _idle_keys, _drop_keys, on_record=True),
    Task("payloads", _now, _dead_payloads, _drop_payloads),
    Task("outbox", _now, _unsent, _drop_outbox),
    Task("assertions", _now, _used_assertions, _drop_assertions),
    Task("attempts", _days("side_days"), _old_attempts, _drop_attempts, on_record=True),
    Task("counted", _window, _not_counted, _drop_not_counted, locks=True),
    Task("submissions", _dedup, _old_submissions, _drop_submissions),
    Task("transfers", _days("side_days"), _old_transfers, _drop_transfers, on_record=True, locks=True),
    Task("decisions", _days("side_days"), _lone_decisions, _drop_decisions, on_record=True),
    Task("consents", _days("side_stop_days"), _ended_consents, _drop_consents, on_record=True),
    Task("ersuchen", _days("side_days"), _ended_ersuchen, _drop_ersuchen, on_record=True),
    Task("stops", _days("side_stop_days"), _ended_stops, _drop_stops, on_record=True),
)
