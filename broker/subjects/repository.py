"""Queries of stops, for many persons at once."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.db import insert_ignore
from broker.subjects.models import Stop, StopEnd, StopKind, StopNear
from broker.subjects.pseudonym import SubjectKeys
from consent.consents import Consent, ConsentForm, GivenBy
from consent.facts import Objection, ObjectionScope

CHUNK = 5_000
SHELTER_REGISTER = "schutzregister"
"""Owner of the keys of protected addresses: one register over all controllers, since a shelter protects everywhere."""
SCOPES = {
    StopKind.WIDERSPRUCH_PAR76: ObjectionScope.PAR76,
    StopKind.WIDERSPRUCH_ART21: ObjectionScope.ART21,
    StopKind.WIDERSPRUCH_ALLE: ObjectionScope.ALLE,
    StopKind.OPT_OUT: ObjectionScope.OPT_OUT,
}


class FoundBy(StrEnum):
    """How surely a record is about the person: by pseudonym, by Aktenzeichen, or by a near key only."""

    EXACT = "exact"
    CASE = "case"
    NEAR = "near"


def found_by(hits: Collection[str], exact: Collection[str], case_keys: Collection[str]) -> FoundBy:
    """Return the surest way in which the `hits` were found."""
    if any(key in exact for key in hits):
        return FoundBy.EXACT
    return FoundBy.CASE if any(key in case_keys for key in hits) else FoundBy.NEAR


@dataclass(frozen=True, slots=True)
class StopRow:
    """A stop that is live on the day. `matched`: the keys of the look-up that found it (all sorts)."""

    id: str
    kind: StopKind
    controller: str
    given_by: GivenBy
    dated: date
    purpose: str | None
    recipient: str | None
    found_by: FoundBy
    """The surest over all persons of the look-up; for one of them see `found_for`."""
    matched: frozenset[str]

    def found_for(self, keys: SubjectKeys | None, case_keys: Collection[str] = ()) -> FoundBy | None:
        """Return how the stop is about this one person or case; None = it is about another of the look-up."""
        own = {*keys.exact, *keys.near, *case_keys} if keys else set(case_keys)
        hits = self.matched & own
        return found_by(hits, keys.exact if keys else (), case_keys) if hits else None

    def objection(self, person: str | None, *, near: bool = False) -> Objection | None:
        """Return it as the law looks at it; None where its kind is no objection (refusal, protected address)."""
        scope = SCOPES.get(self.kind)
        return Objection(self.dated, scope, self.given_by, person, self.controller, near) if scope else None

    def refusal(self, person: str) -> Consent | None:
        """Return a refusal as the refused consent that it is; None for the other kinds."""
        if self.kind is not StopKind.VERWEIGERUNG:
            return None
        return Consent(
            id=self.id,
            person=person,
            given_by=self.given_by,
            granted=None,
            purpose=self.purpose or "",
            recipients=frozenset({self.recipient} if self.recipient else ()),
            categories=frozenset(),
            form=ConsentForm.ELEKTRONISCH,
            notices=frozenset(),
            voluntary=True,
            refused=self.dated,
            recorded_by=self.controller,
        )


def live(on: date) -> ColumnElement[bool]:
    """Return the condition that a stop is in force on a day."""
    ended = exists().where(StopEnd.stop_id == Stop.id, StopEnd.ended_on <= on)
    return and_(Stop.dated <= on, ~ended)


async def stops_for(
    connection: AsyncConnection, exact: Collection[str], near: Collection[str], case_keys: Collection[str], on: date
) -> list[StopRow]:
    """Return the stops live on the day that any of the keys finds, in the order in which they were recorded.

    Keys: `SubjectKeys.exact` and `.near` of all persons at all controllers that matter, and `Keys.case_key` of all
    Aktenzeichen. A row comes once, whichever keys found it.
    """
    columns = (Stop.seq, Stop.id, Stop.kind, Stop.controller, Stop.given_by, Stop.dated, Stop.purpose, Stop.recipient)
    rows: dict[str, Any] = {}
    hits: dict[str, set[str]] = {}
    sources: list[tuple[Any, Any, Collection[str]]] = [
        (Stop.pseudonym, select(*columns, Stop.pseudonym.label("hit")), exact),
        (Stop.case_key, select(*columns, Stop.case_key.label("hit")), case_keys),
        (StopNear.near, select(*columns, StopNear.near.label("hit")).join(StopNear, StopNear.stop_id == Stop.id), near),
    ]
    for column, query, wanted in sources:
        for chunk in chunks(wanted):
            for row in await connection.execute(query.where(column.in_(chunk), live(on))):
                rows[row.id] = row
                hits.setdefault(row.id, set()).add(row.hit)
    ordered = sorted(rows.values(), key=lambda row: int(row.seq))
    return [_stop_row(row, frozenset(hits[row.id]), exact, case_keys) for row in ordered]


async def insert_stop(connection: AsyncConnection, values: dict[str, Any], near: Iterable[str]) -> bool:
    """Record a stop and its near keys; False where its `kennung` has been used in the meantime."""
    await insert_ignore(connection, Stop, [values])
    if (await connection.execute(select(Stop.id).where(Stop.id == values["id"]))).one_or_none() is None:
        return False
    rows = [{"stop_id": values["id"], "near": key} for key in near]
    if rows:
        await connection.execute(insert(StopNear), rows)
    return True


async def insert_end(connection: AsyncConnection, stop_id: str, ended_on: date, reason: str, at: datetime) -> None:
    """Record the end of a stop."""
    values = {"stop_id": stop_id, "ended_on": ended_on, "reason_code": reason, "recorded_at": at}
    await connection.execute(insert(StopEnd), [values])


async def own_stop(connection: AsyncConnection, controller: str, stop_id: str) -> Any | None:  # noqa: ANN401 - a Row
    """Return a stop of the controller with its end, or None."""
    query = _own(controller).where(Stop.id == stop_id)
    return (await connection.execute(query)).one_or_none()


async def stop_by_kennung(connection: AsyncConnection, controller: str, kennung: str) -> Any | None:  # noqa: ANN401 - a Row
    """Return what the controller recorded under its own request id, or None."""
    return (await connection.execute(_own(controller).where(Stop.kennung == kennung))).one_or_none()


async def own_stops(connection: AsyncConnection, controller: str, after: int, limit: int) -> list[Any]:
    """Return the controller's stops with their ends, recorded after `after`, at most `limit`."""
    query = _own(controller).where(Stop.seq > after).order_by(Stop.seq).limit(limit)
    return list(await connection.execute(query))


def chunks(keys: Collection[str]) -> Iterable[list[str]]:
    """Cut what has more parameters than a statement may have; sorted, without duplicates."""
    ordered = sorted(set(keys))
    return (ordered[start : start + CHUNK] for start in range(0, len(ordered), CHUNK))


def _own(controller: str) -> Select[Any]:
    query = select(*Stop.__table__.columns, StopEnd.ended_on, StopEnd.reason_code)
    return query.outerjoin(StopEnd, StopEnd.stop_id == Stop.id).where(Stop.controller == controller)


def _stop_row(row: Any, matched: frozenset[str], exact: Collection[str], case_keys: Collection[str]) -> StopRow:  # noqa: ANN401 - a Row
    return StopRow(
        id=row.id,
        kind=StopKind(row.kind),
        controller=row.controller,
        given_by=GivenBy(row.given_by),
        dated=row.dated,
        purpose=row.purpose,
        recipient=row.recipient,
        found_by=found_by(matched, exact, case_keys),
        matched=matched,
    )
