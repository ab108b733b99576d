"""Queries of handing over: whose turn it is, and the lease of whoever takes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Select, and_, bindparam, case, exists, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import aliased

from broker.db import Moment
from broker.lifecycle.models import CaseRelease, DeliveryRow, Transfer, TransferKey
from broker.lifecycle.states import BEFORE_HANDOVER, State

#: While a transfer is in one of these, later ones of its case wait behind it.
HOLDS_ITS_CASE = [state.value for state in BEFORE_HANDOVER]
CAN_BE_HANDED_OVER = [State.PUBLISHED.value, State.HANDING_OVER.value]
#: It waits behind nothing but its like, and is taken first.
OVERTAKES = "KINDERSCHUTZ"
FAULT = "internal-fault"
"""The reason of what failed in a way that nobody foresaw."""


class Way(StrEnum):
    """How a content reaches its recipient."""

    PUSH = "push"
    """The broker brings it by the office's channel."""
    PULL = "pull"
    """The office fetches it from the inbox."""
    KEY = "key"
    """The office reads the topic itself and asks for the key."""


@dataclass(frozen=True, slots=True)
class Queue:
    """Whose transfers: an instance's, or all of an agency."""

    recipient: str | None = None
    agency: str | None = None


@dataclass(frozen=True, slots=True)
class Taker:
    """Who takes: as the evidence names it, the client's id (empty: ourselves), the way, and whose the lease will be."""

    actor: str
    client: str
    way: Way
    holder: str


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
    attempts_before: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """A transfer that can be handed over now."""

    id: str
    tried: bool
    """Whether an attempt was begun before, since it last began anew."""


async def next_ids(
    connection: AsyncConnection, now: datetime, queue: Queue, passed_over: Sequence[str], limit: int
) -> list[Candidate]:
    """Return the transfers of a queue that can be handed over now, first things first; nothing is locked."""
    query = _candidates(queue.recipient is not None, queue.agency is not None)
    if passed_over:
        query = query.where(Transfer.id.not_in(passed_over))
    rows = await connection.execute(query, _values(now, queue) | {"most": limit})
    return [Candidate(row.id, row.tried) for row in rows]


@dataclass(frozen=True, slots=True)
class Held:
    """A transfer that is locked, with all that decides whether its content may go now."""

    state: State
    waiting: Waiting | None
    """None: it has not arrived, or its key is gone."""
    leased_until: datetime | None
    holder: str | None
    way: Way | None
    waits_behind: bool


async def hold(connection: AsyncConnection, transfer_id: str) -> Held:
    """Lock a transfer, waiting for whoever has it, and read it as it is then."""
    lock = select(Transfer.state).where(Transfer.id == transfer_id).with_for_update(key_share=True)
    state = State((await connection.execute(lock)).scalar_one())
    lease = (DeliveryRow.leased_until, DeliveryRow.holder, DeliveryRow.way)
    query = _arrived(*_columns(), *lease, waits_behind(Transfer).label("behind")).where(Transfer.id == transfer_id)
    row = (await connection.execute(query)).mappings().one_or_none()
    if row is None:
        return Held(state, None, None, None, None, waits_behind=False)
    way = Way(row["way"]) if row["way"] else None
    return Held(state, _waiting(row), row["leased_until"], row["holder"], way, waits_behind=row["behind"])


async def claim(
    connection: AsyncConnection, now: datetime, transfer_ids: Sequence[str], queue: Queue
) -> dict[str, Waiting]:
    """Lock those transfers, with their deliveries, that can be handed over now and nobody else is just taking.

    Both rows are locked, so that PostgreSQL looks at both as they are now: who took it meanwhile has changed one of
    them. The earlier ones of its case need no lock: a transfer that holds its case stops doing so and never begins.
    """
    query = _claimed(queue.recipient is not None, queue.agency is not None)
    rows = (await connection.execute(query, _values(now, queue) | {"ids": list(transfer_ids)})).mappings()
    return {row["id"]: _waiting(row) for row in rows}


def _columns() -> list[Any]:
    own = [getattr(Transfer, name) for name in Waiting.__annotations__ if hasattr(Transfer, name)]
    of_delivery = [DeliveryRow.sealed, DeliveryRow.attempts, DeliveryRow.attempts_before]
    return [*own, *of_delivery, TransferKey.sealing_kid, TransferKey.wrapped]


def _waiting(row: Mapping[str, Any]) -> Waiting:
    members = {name: row[name] for name in Waiting.__annotations__}
    return Waiting(**{**members, "state": State(row["state"])})


def _arrived(*columns: Any) -> Select[Any]:  # noqa: ANN401 - columns of several types
    query = select(*columns).join(DeliveryRow, DeliveryRow.transfer_id == Transfer.id)
    return query.join(TransferKey, TransferKey.transfer_id == Transfer.id)


@cache
def _candidates(of_recipient: bool, of_agency: bool) -> Select[Any]:
    """Build the query once: building it took longer than running it."""
    tried = (DeliveryRow.attempts > DeliveryRow.attempts_before).label("tried")
    query = _due(Transfer.id, tried, of_recipient=of_recipient, of_agency=of_agency)
    return query.order_by(_overtakes(Transfer).desc(), Transfer.seq).limit(bindparam("most"))


@cache
def _claimed(of_recipient: bool, of_agency: bool) -> Select[Any]:
    """Build the query once."""
    query = _due(*_columns(), of_recipient=of_recipient, of_agency=of_agency)
    query = query.where(Transfer.id.in_(bindparam("ids", expanding=True)))
    return query.with_for_update(of=(Transfer, DeliveryRow), key_share=True, skip_locked=True)


def _values(now: datetime, queue: Queue) -> dict[str, Any]:
    """Return the values of the parameters of `_due`."""
    queues = {"recipient_is": queue.recipient, "agency_is": queue.agency}
    return {"now": now} | {name: value for name, value in queues.items() if value is not None}


def _due(*columns: Any, of_recipient: bool, of_agency: bool) -> Select[Any]:  # noqa: ANN401 - columns of several types
    """Select transfers that have arrived, are not leased, not over, and wait behind none of their case.

    Parameters: ``now``, ``recipient_is``, ``agency_is``.
    """
    now = bindparam("now", type_=Moment())
    query = _arrived(*columns).where(
        Transfer.state.in_(CAN_BE_HANDED_OVER), _free(now), Transfer.expires_at > now, ~waits_behind(Transfer)
    )
    if of_recipient:
        query = query.where(Transfer.recipient == bindparam("recipient_is"))
    if of_agency:
        query = query.where(Transfer.agency == bindparam("agency_is"))
    return query


def waits_behind(transfer: type[Transfer]) -> ColumnElement[bool]:
    """Whether an earlier one of the same case holds a transfer back.

    What is being pushed holds its case until it is there; what was fetched is with the recipient, in order. A dead
    letter holds its case until somebody releases it.
    """
    earlier, delivery = aliased(Transfer), aliased(DeliveryRow)
    pushed = exists().where(delivery.transfer_id == earlier.id, delivery.way == Way.PUSH.value)
    released = exists().where(CaseRelease.transfer_id == earlier.id)
    return exists().where(
        earlier.order_key == transfer.order_key,
        earlier.seq < transfer.seq,
        or_(
            earlier.state.in_(HOLDS_ITS_CASE),
            and_(earlier.state == State.DEAD.value, ~released),
            and_(earlier.state == State.HANDING_OVER.value, pushed),
        ),
        or_(transfer.purpose != OVERTAKES, earlier.purpose == OVERTAKES),
    )


def _overtakes(transfer: type[Transfer]) -> ColumnElement[int]:
    return case((transfer.purpose == OVERTAKES, 1), else_=0)


def _free(now: datetime | BindParameter[datetime]) -> ColumnElement[bool]:
    return or_(DeliveryRow.leased_until.is_(None), DeliveryRow.leased_until <= now)


async def something_waits(connection: AsyncConnection, now: datetime, recipient: str) -> bool:
    """Whether anything lies there for an instance that is not leased; it may yet wait behind another of its case."""
    query = (
        select(Transfer.id)
        .join(DeliveryRow, DeliveryRow.transfer_id == Transfer.id)
        .where(Transfer.recipient == recipient, Transfer.state.in_(CAN_BE_HANDED_OVER), _free(now))
        .limit(1)
    )
    return (await connection.execute(query)).first() is not None


async def lease(connection: AsyncConnection, transfer_ids: Sequence[str], taker: Taker, until: datetime) -> None:
    """Give the next attempt to whoever has locked the deliveries."""
    values = {
        "leased_until": until,
        "way": taker.way.value,
        "holder": taker.holder,
        "attempts": DeliveryRow.attempts + 1,
    }
    await connection.execute(update(DeliveryRow).where(DeliveryRow.transfer_id.in_(transfer_ids)).values(values))


async def keep_leases(connection: AsyncConnection, attempts: Sequence[tuple[str, int]], until: datetime) -> set[str]:
    """Prolong the leases of attempts (transfer, number) after which no later one has begun; return whose."""
    key = tuple_(DeliveryRow.transfer_id, DeliveryRow.attempts)
    statement = update(DeliveryRow).where(key.in_(attempts)).values(leased_until=until)
    return set(await connection.scalars(statement.returning(DeliveryRow.transfer_id)))


async def let_go(connection: AsyncConnection, attempts: Sequence[tuple[str, int]], now: datetime) -> None:
    """Give back what was leased and not begun: it waits again, and the attempt does not count towards the bound."""
    await _of_attempts(connection, attempts, leased_until=now, attempts_before=DeliveryRow.attempts_before + 1)


async def note_failure(
    connection: AsyncConnection, transfer_id: str, attempt: int, until: datetime, reason: str
) -> bool:
    """Note why an attempt failed and when the next may begin; False: a later attempt has begun, nothing is noted."""
    return await _of_attempts(connection, [(transfer_id, attempt)], leased_until=until, last_error=reason) == 1


async def lay_aside(connection: AsyncConnection, transfer_id: str, now: datetime, until: datetime, reason: str) -> None:
    """Put a delivery that nobody holds out of the way for a while."""
    statement = update(DeliveryRow).where(DeliveryRow.transfer_id == transfer_id, _free(now))
    await connection.execute(statement.values(leased_until=until, last_error=reason))


async def _of_attempts(connection: AsyncConnection, attempts: Sequence[tuple[str, int]], **values: Any) -> int:  # noqa: ANN401 - values of columns
    """Change deliveries whose last attempts are these; return how many they are."""
    key = tuple_(DeliveryRow.transfer_id, DeliveryRow.attempts)
    return (await connection.execute(update(DeliveryRow).where(key.in_(attempts)).values(**values))).rowcount


async def forget_sealed(connection: AsyncConnection, transfer_ids: Sequence[str]) -> None:
    """Take the ciphertext out of the database; its key is gone already."""
    await connection.execute(update(DeliveryRow).where(DeliveryRow.transfer_id.in_(transfer_ids)).values(sealed=b""))
