"""The number of a person's state: read FOR SHARE by what decides, raised FOR UPDATE by every event about the person."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.db import insert_ignore
from broker.subjects.models import SubjectState

Key = tuple[str, str]
"""(controller, pseudonym or keyed Aktenzeichen)."""
CHUNK = 5_000
_columns = (SubjectState.controller, SubjectState.pseudonym)


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
    rows = [{"controller": controller, "pseudonym": pseudonym, "number": 0} for controller, pseudonym in wanted]
    await insert_ignore(connection, SubjectState, rows)
    numbers: dict[Key, int] = {}
    for chunk in _chunks(wanted):
        query = (
            select(*_columns, SubjectState.number)
            .where(tuple_(*_columns).in_(chunk))
            .order_by(*_columns)
            .with_for_update(read=shared)
        )
        numbers |= {(r.controller, r.pseudonym): r.number for r in await connection.execute(query)}
    return numbers


def _chunks(keys: list[Key]) -> Iterable[list[Key]]:
    """Cut what has more parameters than a statement may have."""
    return (keys[start : start + CHUNK] for start in range(0, len(keys), CHUNK))
