"""Rows in the order of their numbers, where a lower number may be committed later than a higher one (PostgreSQL).

A sequence gives numbers when rows are written, not when they are committed. Whoever keeps a position and goes on after
it (a feed, the reader of a topic) would pass over a row that was still on its way. So a page is read twice: once to see
how far it goes, and again when every transaction that was writing to the table meanwhile has ended. Whoever has a
number has the lock of a writer since before it got the number, and until its rows are seen or gone for good.

On SQLite there is one writer at a time: numbers are committed in their order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import monotonic
from typing import Any

from sqlalchemy import Row, Select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import InstrumentedAttribute

from broker.db import Base, is_sqlite

LONGEST_SECONDS = 2.0
"""A page waits for no writer longer than this: less than what a transaction may stand still."""
PAUSE_SECONDS = 0.002
WRITERS = text(
    "SELECT virtualtransaction FROM pg_locks WHERE locktype = 'relation' AND mode = 'RowExclusiveLock' AND granted "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
    "AND relation = to_regclass(:name) AND pid IS DISTINCT FROM pg_backend_pid()"
)


class Unsettled(OperationalError):
    """A transaction that writes to the table does not end; what lies behind it is shown when it has."""

    def __init__(self, table: str) -> None:
        """Name the table."""
        super().__init__(None, None, TimeoutError(table))


async def in_order(
    connection: AsyncConnection, table: type[Base], number: InstrumentedAttribute[int], query: Select[*tuple[Any, ...]]
) -> Sequence[Row[*tuple[Any, ...]]]:
    """Return rows of a query, ordered by a number of the table, below which no other can appear any more.

    The connection has written nothing to the table, or two who wait would wait for each other. Raises `Unsettled`.
    """
    found = (await connection.execute(query)).all()
    if not found or is_sqlite(connection):
        return found
    await settled(connection, table)
    return (await connection.execute(query.where(number <= getattr(found[-1], number.key)))).all()


async def settled(connection: AsyncConnection, table: type[Base]) -> None:
    """Wait until all transactions of others have ended that are writing to a table now. Raises `Unsettled`."""
    if is_sqlite(connection):
        return
    name = {"name": f"public.{table.__tablename__}"}
    until = monotonic() + LONGEST_SECONDS
    waited_for = set(await connection.scalars(WRITERS, name))
    while waited_for:
        if monotonic() > until:
            raise Unsettled(table.__tablename__)
        await asyncio.sleep(PAUSE_SECONDS)
        waited_for &= set(await connection.scalars(WRITERS, name))
