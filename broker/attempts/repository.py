"""Queries of first-collection attempts, and what they are for the law on a day."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.attempts.models import Attempt, AttemptOutcome, Outcome
from broker.db import insert_ignore, is_sqlite
from broker.subjects.repository import chunks
from consent.facts import FirstCollection

FRUITLESS = "VERSUCHT_FRUCHTLOS"
ANSWERED = "BEANTWORTET"
"""A status that no rule knows, so that it is no reason to ask others (gate G7)."""
IDENTIFYING = frozenset({"STAMMDATEN", "ORDNUNGSMERKMAL"})
"""What the sender is told anyway, so that it finds the case; nobody has to be asked for it."""


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """One attempt; `outcome` None: nothing came back so far."""

    seq: int
    id: str
    recorded_by: str
    pseudonym: str | None
    case_key: str | None
    purpose: str
    categories: frozenset[str]
    asked: date
    deadline: date
    way: str
    recorded_at: datetime
    body_hash: str
    outcome: Outcome | None
    dated: date | None
    """The day of the outcome."""

    def came(self, on: date) -> Outcome | None:
        """Return what had come of it by a day."""
        return self.outcome if self.dated is not None and self.dated <= on else None

    def to_law(self, on: date) -> FirstCollection:
        """Return it as the law looks at it on a day: fruitless so far, unless the person has answered."""
        status = ANSWERED if self.came(on) is Outcome.BEANTWORTET else FRUITLESS
        return FirstCollection(status, self.asked, self.deadline)


def latest(found: Iterable[AttemptRow], purpose: str, categories: Collection[str], on: date) -> AttemptRow | None:
    """Return the last attempt by a day that asked for all of these categories, for this purpose."""
    wanted = set(categories) - IDENTIFYING
    fitting = [
        row
        for row in found
        if row.purpose == purpose and row.asked <= on and wanted <= row.categories
        if row.came(on) is not Outcome.IRRTUM
    ]
    return max(fitting, key=lambda row: (row.asked, row.seq), default=None)


def answered(found: Iterable[AttemptRow], purpose: str, categories: Collection[str], on: date) -> AttemptRow | None:
    """Return an attempt by which the person has given one of these categories, where that was the last one for it.

    It counts whatever else is asked for: who has answered was not asked in vain, and a longer list changes nothing.
    """
    rows = list(found)
    last = (latest(rows, purpose, [category], on) for category in sorted(set(categories) - IDENTIFYING))
    return next((row for row in last if row is not None and row.came(on) is Outcome.BEANTWORTET), None)


async def attempts_for(
    connection: AsyncConnection, exact: Collection[str], case_keys: Collection[str]
) -> list[AttemptRow]:
    """Return the attempts about these persons and cases, in the order of recording."""
    found: dict[str, AttemptRow] = {}
    for column, wanted in ((Attempt.pseudonym, exact), (Attempt.case_key, case_keys)):
        for chunk in chunks(wanted):
            found |= {row.id: _row(row) for row in await connection.execute(_rows().where(column.in_(chunk)))}
    return sorted(found.values(), key=lambda row: row.seq)


async def attempt_by_id(connection: AsyncConnection, attempt_id: str) -> AttemptRow | None:
    """Return one attempt, or None."""
    row = (await connection.execute(_rows().where(Attempt.id == attempt_id))).one_or_none()
    return _row(row) if row else None


async def attempt_by_kennung(connection: AsyncConnection, recorded_by: str, kennung: str) -> AttemptRow | None:
    """Return what an instance recorded under its own request id, or None."""
    query = _rows().where(Attempt.recorded_by == recorded_by, Attempt.kennung == kennung)
    row = (await connection.execute(query)).one_or_none()
    return _row(row) if row else None


async def own_attempts(connection: AsyncConnection, recorded_by: str, after: int, limit: int) -> list[AttemptRow]:
    """Return an instance's own attempts recorded after `after` (a `seq`), at most `limit`."""
    query = _rows().where(Attempt.recorded_by == recorded_by, Attempt.seq > after).order_by(Attempt.seq).limit(limit)
    return [_row(row) for row in await connection.execute(query)]


async def insert_attempt(connection: AsyncConnection, values: dict[str, Any]) -> bool:
    """Record; False where its `kennung` has been used in the meantime."""
    await insert_ignore(connection, Attempt, [values])
    query = select(Attempt.id).where(Attempt.id == values["id"])
    return (await connection.execute(query)).one_or_none() is not None


async def insert_outcome(connection: AsyncConnection, values: dict[str, Any]) -> bool:
    """Record what came of an attempt; False where something is recorded already: the first stands."""
    insert = sqlite.insert if is_sqlite(connection) else postgresql.insert
    statement = insert(AttemptOutcome).values(values).on_conflict_do_nothing().returning(AttemptOutcome.attempt_id)
    return (await connection.execute(statement)).one_or_none() is not None


def _rows() -> Select[Any]:
    query = select(*Attempt.__table__.columns, AttemptOutcome.outcome, AttemptOutcome.dated)
    return query.outerjoin(AttemptOutcome, AttemptOutcome.attempt_id == Attempt.id)


def _row(row: Any) -> AttemptRow:  # noqa: ANN401 - a Row
    values = {name: getattr(row, name) for name in AttemptRow.__slots__}
    outcome = Outcome(row.outcome) if row.outcome else None
    return AttemptRow(**(values | {"categories": frozenset(row.categories), "outcome": outcome}))
