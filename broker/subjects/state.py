"""The number of a person's state: read FOR SHARE by what decides, raised FOR UPDATE by every event about the person."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.bulk import insert_rows
from broker.db import is_sqlite, json_text
from broker.subjects.models import SubjectState

Key = tuple[str, str]
"""(controller, pseudonym or keyed Aktenzeichen)."""
CHUNK = 5_000
_columns = (SubjectState.controller, SubjectState.pseudonym)
INSERT_MISSING = """
    INSERT INTO subject_state (controller, pseudonym, number)
    SELECT controller, pseudonym, 0 FROM unnest($1::text[], $2::text[]) AS w(controller, pseudonym)
    ORDER BY controller COLLATE "C", pseudonym COLLATE "C"
    ON CONFLICT DO NOTHING RETURNING controller, pseudonym"""
FOR_SHARE = """
    SELECT s.controller, s.pseudonym, s.number
    FROM subject_state s JOIN unnest($1::text[], $2::text[]) AS w(controller, pseudonym) USING (controller, pseudonym)
    ORDER BY s.controller COLLATE "C", s.pseudonym COLLATE "C" FOR SHARE OF s"""
FOR_UPDATE = FOR_SHARE.replace("FOR SHARE", "FOR UPDATE")
_KNOWN = "SELECT controller, pseudonym, number FROM subject_state WHERE pseudonym IN (SELECT value FROM json_each(?))"


async def lock_shared(connection: AsyncConnection, keys: Iterable[Key]) -> dict[Key, int]:
    """Lock the rows of all keys FOR SHARE, in sorted order, and return their numbers; missing rows begin at 0.

    Whoever decides about a person locks *all* of `SubjectKeys.exact` (an event raises the one its record is bound
    to), and the keyed Aktenzeichen where it has one. Needs a writing transaction. Locks last until its end; SQLite
    has none, there the single writer does the same.
    """
    return await _locked(connection, keys, shared=True)


async def raise_numbers(connection: AsyncConnection, keys: Iterable[Key]) -> dict[Key, int]:
    """Lock the rows of all keys FOR UPDATE, in sorted order, raise each by one and return the new numbers."""
    seen = await _locked(connection, keys, shared=False)
    for chunk in _chunks(list(seen)):
        await connection.execute(
            update(SubjectState).where(tuple_(*_columns).in_(chunk)).values(number=SubjectState.number + 1)
        )
    return {key: number + 1 for key, number in seen.items()}


async def _locked(connection: AsyncConnection, keys: Iterable[Key], *, shared: bool) -> dict[Key, int]:
    wanted = sorted(set(keys))
    if not wanted:
        return {}
    return await (_read(connection, wanted) if is_sqlite(connection) else _lock(connection, wanted, shared=shared))


async def _lock(connection: AsyncConnection, wanted: list[Key], *, shared: bool) -> dict[Key, int]:
    """Insert the missing rows in sorted order (being new, they are locked), then lock the others in sorted order.

    A row that the clean-up forgets between the two (`broker.cleanup.subjects`) is inserted in a further round.
    """
    numbers: dict[Key, int] = {}
    while missing := [key for key in wanted if key not in numbers]:
        new = await connection.exec_driver_sql(INSERT_MISSING, _arrays(missing))
        numbers |= {(row.controller, row.pseudonym): 0 for row in new}
        if rest := [key for key in missing if key not in numbers]:
            locked = await connection.exec_driver_sql(FOR_SHARE if shared else FOR_UPDATE, _arrays(rest))
            numbers |= {(row.controller, row.pseudonym): row.number for row in locked}
    return numbers


async def _read(connection: AsyncConnection, wanted: list[Key]) -> dict[Key, int]:
    """Read and insert what is missing; nobody else writes meanwhile."""
    rows = await connection.exec_driver_sql(_KNOWN, (json_text([pseudonym for _, pseudonym in wanted]),))
    numbers = {(row.controller, row.pseudonym): row.number for row in rows}
    missing = [key for key in wanted if key not in numbers]
    await insert_rows(connection, SubjectState, [{"controller": c, "pseudonym": p, "number": 0} for c, p in missing])
    return {key: numbers.get(key, 0) for key in wanted}


def _arrays(keys: list[Key]) -> tuple[list[str], list[str]]:
    return [controller for controller, _ in keys], [pseudonym for _, pseudonym in keys]


def _chunks(keys: list[Key]) -> Iterable[list[Key]]:
    """Cut what has more parameters than a statement may have."""
    return (keys[start : start + CHUNK] for start in range(0, len(keys), CHUNK))
