"""Queries of registered procedures, and what an entry says on a day."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Select, or_, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.db import insert_ignore, is_sqlite
from broker.procedures.models import Kind, Procedure, ProcedureStep, Step
from broker.subjects.repository import chunks
from schemas.declarations import RegisteredProcedure
from schemas.identifiers import DataCategory

Route = tuple[str, str, str]
"""Sender, recipient, purpose."""

ACTIVE = "AKTIV"
NOT_YET = "NOCH_NICHT"
EXPIRED = "ABGELAUFEN"
ENDED = "BEENDET"
EXHAUSTED = "UMFANG_UEBERSCHRITTEN"


@dataclass(frozen=True, slots=True)
class StepRow:
    """One step of one side."""

    step: Step
    instance: str
    dated: date
    code: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class ProcedureRow:
    """One entry with its steps, in the order in which they were recorded."""

    seq: int
    id: str
    recorded_by: str
    sender: str
    recipient: str
    kind: Kind
    purpose: str
    categories: frozenset[str]
    reasons: tuple[str, ...]
    fixed_version: str
    fixed_on: date
    most_persons: int
    valid_from: date
    valid_until: date | None
    recorded_at: datetime
    body_hash: str
    steps: tuple[StepRow, ...] = ()

    @property
    def route(self) -> Route:
        """The route and purpose that it is for."""
        return self.sender, self.recipient, self.purpose

    def days_of(self, step: Step) -> dict[str, date]:
        """Return which side recorded a step, and the step's day."""
        return {row.instance: row.dated for row in self.steps if row.step is step}

    def status(self, on: date, persons: int) -> str:
        """Return what it is on a day, with so many persons within 30 days; `ACTIVE` alone lets pass."""
        if any(ended <= on for ended in self.days_of(Step.ENDED).values()):
            return ENDED
        if on < self.valid_from:
            return NOT_YET
        if self.valid_until is not None and self.valid_until < on:
            return EXPIRED
        return ACTIVE if persons <= self.most_persons else EXHAUSTED

    def approved(self, on: date) -> bool:
        """Whether each side's authority has approved by a day."""
        given = self.days_of(Step.APPROVED)
        return all(side in given and given[side] <= on for side in (self.sender, self.recipient))

    def told(self) -> date | None:
        """Return when the data-protection authority was told first."""
        return min(self.days_of(Step.NOTIFIED).values(), default=None)

    def to_law(self, on: date, persons: int) -> RegisteredProcedure:
        """Return it as the law looks at it on a day."""
        return RegisteredProcedure(
            verfahren_id=self.id,
            status=self.status(on, persons),
            genehmigt=self.approved(on),
            ldi_unterrichtet=self.told(),
            kategorien=frozenset(map(DataCategory, self.categories)),
        )


def fitting(found: Iterable[ProcedureRow], kind: Kind, on: date, persons: int) -> ProcedureRow | None:
    """Return the entry of a kind that counts on a day: one in order before others, the newest of them."""

    def worth(row: ProcedureRow) -> tuple[bool, bool, int]:
        told = row.told()
        settled = row.approved(on) and told is not None and told <= on
        return row.status(on, persons) == ACTIVE, settled, row.seq

    return max((row for row in found if row.kind is kind), key=worth, default=None)


async def procedures_for(connection: AsyncConnection, routes: Collection[Route]) -> dict[Route, list[ProcedureRow]]:
    """Return all entries for these routes and purposes."""
    query = _rows().where(tuple_(Procedure.sender, Procedure.recipient, Procedure.purpose).in_(sorted(set(routes))))
    found: dict[Route, list[ProcedureRow]] = {}
    for row in await _with_steps(connection, query):
        found.setdefault(row.route, []).append(row)
    return found


async def procedure_by_id(connection: AsyncConnection, procedure_id: str) -> ProcedureRow | None:
    """Return one entry, or None."""
    return next(iter(await _with_steps(connection, _rows().where(Procedure.id == procedure_id))), None)


async def procedure_by_kennung(connection: AsyncConnection, recorded_by: str, kennung: str) -> ProcedureRow | None:
    """Return what a side registered under its own request id, or None."""
    query = _rows().where(Procedure.recorded_by == recorded_by, Procedure.kennung == kennung)
    return next(iter(await _with_steps(connection, query)), None)


async def procedures_of(connection: AsyncConnection, instance: str, after: int, limit: int) -> list[ProcedureRow]:
    """Return the entries that an instance is a side of, registered after `after` (a `seq`), at most `limit`."""
    side = or_(Procedure.sender == instance, Procedure.recipient == instance)
    return await _with_steps(connection, _rows().where(side, Procedure.seq > after).limit(limit))


async def insert_procedure(connection: AsyncConnection, values: dict[str, Any]) -> bool:
    """Register; False where its `kennung` has been used in the meantime."""
    await insert_ignore(connection, Procedure, [values])
    query = select(Procedure.id).where(Procedure.id == values["id"])
    return (await connection.execute(query)).one_or_none() is not None


async def insert_step(connection: AsyncConnection, values: dict[str, Any]) -> bool:
    """Record a step; False where this side has recorded it before: the first stands."""
    insert = sqlite.insert if is_sqlite(connection) else postgresql.insert
    statement = insert(ProcedureStep).values(values).on_conflict_do_nothing().returning(ProcedureStep.step)
    return (await connection.execute(statement)).one_or_none() is not None


def _rows() -> Select[Any]:
    return select(Procedure.__table__).order_by(Procedure.seq)


async def _with_steps(connection: AsyncConnection, query: Select[Any]) -> list[ProcedureRow]:
    rows = (await connection.execute(query)).all()
    steps: dict[str, list[StepRow]] = {}
    for chunk in chunks([row.id for row in rows]):
        asked = select(ProcedureStep.__table__).where(ProcedureStep.procedure_id.in_(chunk))
        for step in await connection.execute(asked.order_by(ProcedureStep.recorded_at, ProcedureStep.instance)):
            made = StepRow(Step(step.step), step.instance, step.dated, step.code, step.recorded_at)
            steps.setdefault(step.procedure_id, []).append(made)
    return [_row(row, tuple(steps.get(row.id, ()))) for row in rows]


def _row(row: Any, steps: tuple[StepRow, ...]) -> ProcedureRow:  # noqa: ANN401 - a Row
    values = {name: getattr(row, name) for name in ProcedureRow.__slots__ if name != "steps"}
    own = {"kind": Kind(row.kind), "categories": frozenset(row.categories), "reasons": tuple(row.reasons)}
    return ProcedureRow(**(values | own), steps=steps)
