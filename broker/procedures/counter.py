"""The counter of reading C 20: about how many persons something was permitted on a route and purpose in 30 days.

It is kept in every mode: more than 50 persons need a registered procedure, whatever they are sent as. Its rows are
written with every permitted transfer; the lock of a route and its count are for those transfers alone whose outcome may
hang on the number (`broker.transfers.counting`): these wait for one another, so that no two are both the fiftieth.

No two transactions wait for each other in a circle: each takes the rows of `subject_state` first, then the locks of
routes in the order of their hashes, and last, in one statement behind everything else that it writes, the rows of the
counter in the order of their keys. Whoever holds something of a later kind waits for nothing of an earlier one, and
within a kind all go in one order. The rows of `subject_state` alone would not do: two who decide about one person share
them. The clean-up passes over what somebody holds, and waits for nobody.

A procedure that ends in the very moment in which another gateway takes a transfer by it: whoever counts at once may not
see that one yet. It is decided on again at its hand-over, with a count.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from broker.bulk import Sql, fetch
from broker.db import is_sqlite
from broker.procedures.repository import Route

WINDOW_DAYS = 30
"""So many days are looked at, the day itself included (reading C 20; rules dossier 5.17)."""
LOCKS = 7_412_003
"""Number of the advisory locks of routes."""
LOCK = """SELECT pg_advisory_xact_lock($1::int, h) FROM (
    SELECT DISTINCT hashtext(route) AS h FROM unnest($2::text[]) AS route ORDER BY h
) AS sorted"""

#: Routes to be counted, (route, key) pairs as two arrays of one length, and the last day that counts no more.
#: One look into an index for each: ``OFFSET 0`` keeps the planner from reading the table whole while it is small.
COUNT = Sql(
    """SELECT w.route AS route, NULL AS pseudonym, c.persons AS persons
    FROM unnest($1::text[]) AS w(route) CROSS JOIN LATERAL (
        SELECT count(*) AS persons FROM route_persons p WHERE p.route = w.route AND p.day > $4::date OFFSET 0
    ) c
    UNION ALL
    SELECT w.route, w.pseudonym, 0
    FROM unnest($2::text[], $3::text[]) AS w(route, pseudonym) CROSS JOIN LATERAL (
        SELECT k.day FROM route_persons k
        WHERE k.route = w.route AND k.pseudonym = w.pseudonym AND k.day > $4::date OFFSET 0
    ) known""",
    """SELECT route, NULL AS pseudonym, count(*) AS persons FROM route_persons
    WHERE route IN (SELECT value FROM json_each(?1)) AND day > ?4 GROUP BY route
    UNION ALL
    SELECT route, pseudonym, 0 FROM route_persons
    WHERE route IN (SELECT value FROM json_each(?2)) AND pseudonym IN (SELECT value FROM json_each(?3)) AND day > ?4""",
)
#: Whoever was counted on the day already is only read.
WRITE = """INSERT INTO route_persons (route, pseudonym, day)
    SELECT w.route, w.pseudonym, $3::date FROM unnest($1::text[], $2::text[]) AS w(route, pseudonym)
    WHERE COALESCE((
        SELECT k.day FROM route_persons k WHERE k.route = w.route AND k.pseudonym = w.pseudonym
    ), '-infinity'::date) < $3::date
    ORDER BY w.route COLLATE "C", w.pseudonym COLLATE "C"
    ON CONFLICT (route, pseudonym) DO UPDATE SET day = EXCLUDED.day WHERE route_persons.day < EXCLUDED.day"""
WRITE_SQLITE = """INSERT INTO route_persons (route, pseudonym, day) VALUES (?, ?, ?)
    ON CONFLICT (route, pseudonym) DO UPDATE SET day = excluded.day WHERE route_persons.day < excluded.day"""

Keys = Sequence[str]
"""The keys of one person at the sender, one for each key id; the first is the one that is written."""


def written(route: Route) -> str:
    """Write a route and purpose as they stand in the table."""
    return ">".join(route)


@dataclass(slots=True)
class Counter:
    """What is counted on some routes in one transaction, and what it adds, also on those that it did not count."""

    on: date
    counted: Mapping[str, int]
    """Written route → persons within the window, of the routes that were counted."""
    known: set[tuple[str, str]]
    """(written route, key) of the persons asked about who are counted already."""
    added: dict[tuple[str, str], None] = field(default_factory=dict)
    """What is to be written at the end."""
    _more: dict[str, int] = field(default_factory=dict)

    def persons(self, route: Route, about: Collection[Keys]) -> int | None:
        """Return how many persons there are on a route with those of one more transfer; None: it was not counted."""
        name = written(route)
        if name not in self.counted:
            return None
        new = {keys[0] for keys in about if self._place(name, keys) is None}
        return self.counted[name] + self._more.get(name, 0) + len(new)

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
        """Write who was counted; the last statement of its transaction that others may have to wait for."""
        if not self.added:
            return
        if is_sqlite(connection):
            rows = [(route, key, self.on.isoformat()) for route, key in self.added]
            await connection.exec_driver_sql(WRITE_SQLITE, rows)
            return
        routes, keys = map(list, zip(*self.added, strict=True))
        await connection.exec_driver_sql(WRITE, (routes, keys, self.on))


async def count(
    connection: AsyncConnection,
    routes: Collection[Route],
    about: Collection[tuple[Route, str]],
    on: date,
    *,
    lock: bool = True,
) -> Counter:
    """Lock some routes and count what is on them; say of (route, key) pairs, on any route, whether they are counted.

    To `lock` needs a writing transaction; without it others may count at the same time.
    """
    names = sorted({written(route) for route in routes})
    if names and lock and not is_sqlite(connection):
        await connection.exec_driver_sql(LOCK, (LOCKS, names))
    if not names and not about:
        return Counter(on, {}, set())
    asked = [written(route) for route, _ in about], [key for _, key in about]
    last = on - timedelta(days=WINDOW_DAYS)
    rows = (await fetch(connection, COUNT, names, *asked, last.isoformat() if is_sqlite(connection) else last)).all()
    found = {row.route: row.persons for row in rows if row.pseudonym is None}
    known = {(row.route, row.pseudonym) for row in rows if row.pseudonym is not None}
    return Counter(on, dict.fromkeys(names, 0) | found, known)


async def counted_on(connection: AsyncConnection, routes: Collection[Route], on: date) -> Mapping[str, int]:
    """Return how many persons there are on each of some routes, as written; locks nothing."""
    return (await count(connection, routes, (), on, lock=False)).counted
