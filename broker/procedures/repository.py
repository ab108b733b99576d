"""Queries of registered procedures, and what an entry says on a day."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ARRAY, Row, Select, String, bindparam, column, or_, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.db import insert_ignore, is_sqlite, json_text
from broker.procedures.models import Kind, Procedure, ProcedureStep, Step
from schemas.declarations import RegisteredProcedure
from schemas.identifiers import DataCategory

Route = tuple[str, str, str]
"""Sender, recipient, purpose."""

ACTIVE = "AKTIV"
NOT_YET = "NOCH_NICHT"
EXPIRED = "ABGELAUFEN"
ENDED = "BEENDET"
EXHAUSTED = "UMFANG_UEBERSCHRITTEN"
MOST = 2**31
"""More persons than any entry can name."""


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
    most_persons: int | None
    """Within 30 days; None: as many as there are."""
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
        return ACTIVE if self.most_persons is None or persons <= self.most_persons else EXHAUSTED

    def approved(self, on: date) -> bool:
        """Whether each side's authority has approved by a day."""
        given = self.days_of(Step.APPROVED)
        return all(side in given and given[side] <= on for side in (self.sender, self.recipient))

    def told(self) -> date | None:
        """Return when the data-protection authority was told first."""
        return min(self.days_of(Step.NOTIFIED).values(), default=None)

    def in_order(self, on: date, persons: int) -> bool:
        """Whether it is active on a day, and the data-protection authority told."""
        told = self.told()
        return self.status(on, persons) == ACTIVE and told is not None and told <= on

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


def carries(found: Collection[ProcedureRow], kind: Kind, on: date, categories: Collection[str]) -> bool:
    """Whether an entry lets all of these categories pass on a day, however many persons there are.

    The entry that counts for the fewest and for the most persons counts for all numbers between: what is active for the
    most is active for fewer, and the best of more candidates is the best of some of them.
    """
    fewest, most = (fitting(found, kind, on, persons) for persons in (0, MOST))
    return most is not None and most is fewest and most.in_order(on, MOST) and most.categories.issuperset(categories)


async def procedures_for(connection: AsyncConnection, routes: Collection[Route]) -> dict[Route, list[ProcedureRow]]:
    """Return all entries for these routes and purposes."""
    given = sorted(set(routes))
    if is_sqlite(connection):
        rows = await connection.execute(_ON_ROUTES_SQLITE, {"routes": json_text(given)})
    else:
        names = ("senders", "recipients", "purposes")
        rows = await connection.execute(_ON_ROUTES, dict(zip(names, map(list, zip(*given, strict=True)), strict=True)))
    found: dict[Route, list[ProcedureRow]] = {}
    for row in _entries(rows.all()):
        found.setdefault(row.route, []).append(row)
    return found


async def procedure_by_id(connection: AsyncConnection, procedure_id: str) -> ProcedureRow | None:
    """Return one entry, or None."""
    return next(iter(await _with_steps(connection, select(Procedure.id).where(Procedure.id == procedure_id))), None)


async def procedure_by_kennung(connection: AsyncConnection, recorded_by: str, kennung: str) -> ProcedureRow | None:
    """Return what a side registered under its own request id, or None."""
    query = select(Procedure.id).where(Procedure.recorded_by == recorded_by, Procedure.kennung == kennung)
    return next(iter(await _with_steps(connection, query)), None)


async def procedures_of(connection: AsyncConnection, instance: str, after: int, limit: int) -> list[ProcedureRow]:
    """Return the entries that an instance is a side of, registered after `after` (a `seq`), at most `limit`."""
    side = or_(Procedure.sender == instance, Procedure.recipient == instance)
    return await _with_steps(
        connection, select(Procedure.id).where(side, Procedure.seq > after).order_by(Procedure.seq).limit(limit)
    )


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


_COLUMNS = (
    *Procedure.__table__.columns,
    *(ProcedureStep.__table__.columns[name] for name in ("step", "instance", "dated", "code")),
    ProcedureStep.recorded_at.label("step_at"),
)
_TYPED = [column(made.name, made.type) for made in _COLUMNS]
_SHOWN = "p.*, s.step, s.instance, s.dated, s.code, s.recorded_at AS step_at"
_ORDER = "ORDER BY p.seq, step_at, s.instance"
_NAMES = ARRAY(String)

#: One statement whatever the number of routes, so that it is prepared once, and one look into an index for each
#: (``OFFSET 0`` keeps the planner from making a join of it that reads a small table whole).
_ON_ROUTES = (
    text(
        f"""SELECT {_SHOWN} FROM unnest(:senders, :recipients, :purposes) AS w(sender, recipient, purpose)
    CROSS JOIN LATERAL (
        SELECT * FROM procedures f
        WHERE f.sender = w.sender AND f.recipient = w.recipient AND f.purpose = w.purpose OFFSET 0
    ) p
    LEFT JOIN LATERAL (SELECT * FROM procedure_steps f WHERE f.procedure_id = p.id OFFSET 0) s ON true {_ORDER}"""  # noqa: S608 - our own names
    )
    .bindparams(*(bindparam(name, type_=_NAMES) for name in ("senders", "recipients", "purposes")))
    .columns(*_TYPED)
)
_ON_ROUTES_SQLITE = text(
    f"""SELECT {_SHOWN} FROM json_each(:routes) w JOIN procedures p
    ON p.sender = json_extract(w.value, '$[0]') AND p.recipient = json_extract(w.value, '$[1]')
    AND p.purpose = json_extract(w.value, '$[2]')
    LEFT JOIN procedure_steps s ON s.procedure_id = p.id {_ORDER}"""  # noqa: S608 - our own names
).columns(*_TYPED)


async def _with_steps(connection: AsyncConnection, query: Select[Any]) -> list[ProcedureRow]:
    """Read the entries whose ids a query selects."""
    steps = Procedure.__table__.outerjoin(ProcedureStep.__table__, ProcedureStep.procedure_id == Procedure.id)
    asked = select(*_COLUMNS).select_from(steps).where(Procedure.id.in_(query))
    order = (Procedure.seq, ProcedureStep.recorded_at, ProcedureStep.instance)
    return _entries((await connection.execute(asked.order_by(*order))).all())


def _entries(rows: Sequence[Row[Any]]) -> list[ProcedureRow]:
    """Make entries of rows, one for each step of each, in order."""
    firsts: dict[str, Row[Any]] = {}
    steps: dict[str, list[StepRow]] = {}
    for row in rows:
        firsts.setdefault(row.id, row)
        own = steps.setdefault(row.id, [])
        if row.step is not None:
            own.append(StepRow(Step(row.step), row.instance, row.dated, row.code, row.step_at))
    return [_row(row, tuple(steps[row.id])) for row in firsts.values()]


def _row(row: Row[Any], steps: tuple[StepRow, ...]) -> ProcedureRow:
    values = {name: getattr(row, name) for name in ProcedureRow.__slots__ if name != "steps"}
    own = {"kind": Kind(row.kind), "categories": frozenset(row.categories), "reasons": tuple(row.reasons)}
    return ProcedureRow(**(values | own | {"most_persons": row.most_persons or None}), steps=steps)
