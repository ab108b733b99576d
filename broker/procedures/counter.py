"""The counter of reading C 20: about how many persons something was permitted on a route and purpose in 30 days.

It is kept for transfers that need a registered procedure: these alone wait for one another here. Who counts takes the
persons' locks first, then those of the routes in the order of their hashes, and nobody takes them the other way round.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from sqlalchemy import ColumnElement, Select, and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.db import is_sqlite, upsert
from broker.procedures.models import RoutePerson
from broker.procedures.repository import Route
from broker.subjects.repository import chunks

WINDOW_DAYS = 30
"""So many days are looked at, the day itself included (reading C 20; rules dossier 5.17)."""
LOCKS = 7_412_003
"""Number of the advisory locks of routes."""
LOCK = """SELECT pg_advisory_xact_lock($1::int, h) FROM (
    SELECT DISTINCT hashtext(route) AS h FROM unnest($2::text[]) AS route ORDER BY h
) AS sorted"""

Keys = Sequence[str]
"""The keys of one person at the sender, one for each key id; the first is the one that is written."""


def written(route: Route) -> str:
    """Write a route and purpose as they stand in the table."""
    return ">".join(route)


@dataclass(slots=True)
class Counter:
    """What is counted on some routes, in one transaction that holds their locks."""

    on: date
    counted: Mapping[str, int]
    """Written route → persons within the window."""
    known: set[tuple[str, str]]
    """(written route, key) of the persons asked about who are counted already."""
    added: dict[tuple[str, str], None] = field(default_factory=dict)
    """What is to be written at the end, in the order in which it was permitted."""
    _more: dict[str, int] = field(default_factory=dict)

    def persons(self, route: Route, about: Collection[Keys]) -> int:
        """Return how many persons there are on a route with those of one more transfer."""
        name = written(route)
        new = {keys[0] for keys in about if self._place(name, keys) is None}
        return self.counted.get(name, 0) + self._more.get(name, 0) + len(new)

    def permitted(self, route: Route, about: Collection[Keys]) -> None:
        """Count the persons of a transfer that was permitted."""
        name = written(route)
        for keys in about:
            place = self._place(name, keys)
            if place is None:
                place = keys[0]
                self.known.add((name, place))
                self._more[name] = self._more.get(name, 0) + 1
            self.added[name, place] = None

    def _place(self, name: str, keys: Keys) -> str | None:
        """Return under which of its keys a person is counted."""
        return next((key for key in keys if (name, key) in self.known), None)

    async def write(self, connection: AsyncConnection) -> None:
        """Write what was counted."""
        rows = [{"route": route, "pseudonym": key, "day": self.on} for route, key in self.added]
        await upsert(connection, RoutePerson, rows)


async def count(connection: AsyncConnection, routes: Collection[Route], keys: Collection[str], on: date) -> Counter:
    """Lock the routes and count what is on them, also whether these persons are; needs a writing transaction."""
    names = sorted({written(route) for route in routes})
    if not is_sqlite(connection):
        await connection.exec_driver_sql(LOCK, (LOCKS, names))
    known: set[tuple[str, str]] = set()
    for chunk in chunks(keys):
        query = select(RoutePerson.route, RoutePerson.pseudonym).where(_recent(names, on))
        rows = await connection.execute(query.where(RoutePerson.pseudonym.in_(chunk)))
        known |= {(row.route, row.pseudonym) for row in rows}
    return Counter(on, await counted_on(connection, routes, on), known)


async def counted_on(connection: AsyncConnection, routes: Collection[Route], on: date) -> dict[str, int]:
    """Return how many persons there are on some written routes; one without any is missing."""
    rows = await connection.execute(_counted(sorted({written(route) for route in routes}), on))
    return {row.route: row.persons for row in rows}


def _recent(names: Sequence[str], on: date) -> ColumnElement[bool]:
    return and_(RoutePerson.route.in_(names), RoutePerson.day > on - timedelta(days=WINDOW_DAYS))


def _counted(names: Sequence[str], on: date) -> Select[str, int]:
    counted = select(RoutePerson.route, func.count().label("persons"))
    return counted.where(_recent(names, on)).group_by(RoutePerson.route)
