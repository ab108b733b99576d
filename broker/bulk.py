"""Many rows with one statement, written for the driver: nothing is compiled for each call, whatever the number of rows.

PostgreSQL gets one array a column (``INSERT … SELECT … FROM unnest(…)``), and rows of several tables in one statement;
SQLite gets plain SQL and many parameter sets. Values pass through the types of the models, as in any other statement.
Everything runs in the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import JSON, Column, LargeBinary, String, Table
from sqlalchemy.engine import CursorResult, Dialect
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.db import Base, is_sqlite

Rows = Sequence[Mapping[str, Any]]
Process = Callable[[Any], Any] | None


@dataclass(frozen=True, slots=True)
class Sql:
    """One statement in both dialects. Parameters: ``$1`` and up, arrays as lists / ``?``, arrays as JSON texts."""

    postgresql: str
    sqlite: str


@dataclass(frozen=True, slots=True)
class Insert:
    """The insert of some columns of one table."""

    columns: tuple[str, ...]
    processes: tuple[Process, ...]
    target: str
    casts: tuple[str, ...]
    types: tuple[str, ...]

    def values(self, rows: Rows) -> list[list[Any]]:
        """Return the rows column by column, as the driver takes them."""
        return [
            [row[name] for row in rows] if process is None else [process(row[name]) for row in rows]
            for name, process in zip(self.columns, self.processes, strict=True)
        ]

    def unnested(self, first: int) -> str:
        """Write the statement for PostgreSQL with parameters from number `first` on."""
        arrays = ", ".join(f"${first + place}::{kind}[]" for place, kind in enumerate(self.types))
        names = ", ".join(f"c{place}" for place in range(len(self.columns)))
        return f"INSERT INTO {self.target} SELECT {', '.join(self.casts)} FROM unnest({arrays}) AS u({names})"  # noqa: S608 - names of our own models


async def insert_all(connection: AsyncConnection, *batch: tuple[type[Base], Rows], passing_over: bool = False) -> None:
    """Insert rows of some tables, parents first. All rows of a table have the same columns.

    `passing_over`: rows whose key is there already, or comes twice, are left as they are first.
    """
    ending = " ON CONFLICT DO NOTHING" if passing_over else ""
    filled = [(_insert(connection.dialect, table, tuple(rows[0])), rows) for table, rows in batch if rows]
    if not filled:
        return
    if is_sqlite(connection):
        for made, rows in filled:
            marks = ", ".join("?" * len(made.columns))
            sets = list(zip(*made.values(rows), strict=True))
            await connection.exec_driver_sql(f"INSERT INTO {made.target} VALUES ({marks}){ending}", sets)  # noqa: S608 - names of our own models
        return
    parameters = tuple(column for made, rows in filled for column in made.values(rows))
    await connection.exec_driver_sql(_together(tuple(made for made, _ in filled), ending), parameters)


async def insert_rows(
    connection: AsyncConnection, table: type[Base], rows: Rows, *, passing_over: bool = False
) -> None:
    """Insert rows of one table, all with the same columns; those whose key is there may be passed over."""
    await insert_all(connection, (table, rows), passing_over=passing_over)


async def fetch(connection: AsyncConnection, sql: Sql, *parameters: Any) -> CursorResult[Any]:  # noqa: ANN401 - what the driver takes
    """Run a statement and return its rows; lists are arrays."""
    if is_sqlite(connection):
        texts = tuple(_array(value) if isinstance(value, list) else value for value in parameters)
        return await connection.exec_driver_sql(sql.sqlite, texts)
    return await connection.exec_driver_sql(sql.postgresql, parameters)


def _array(values: list[Any]) -> str:
    return orjson.dumps(values).decode()


@lru_cache(maxsize=64)
def _together(inserts: tuple[Insert, ...], ending: str) -> str:
    """Write one statement for rows of several tables; foreign keys are asked at its end."""
    parts: list[str] = []
    first = 1
    for made in inserts:
        parts.append(made.unnested(first) + ending)
        first += len(made.columns)
    *before, last = parts
    named = ", ".join(f"t{place} AS ({part})" for place, part in enumerate(before))
    return f"WITH {named} {last}" if named else last


@lru_cache(maxsize=256)
def _insert(dialect: Dialect, table: type[Base], columns: tuple[str, ...]) -> Insert:
    model = table.__table__
    assert isinstance(model, Table)  # noqa: S101 - every model of ours is one
    found: list[Column[Any]] = [model.columns[name] for name in columns]
    kinds = [_kind(column, dialect) for column in found]
    return Insert(
        columns=columns,
        processes=tuple(column.type.dialect_impl(dialect).bind_processor(dialect) for column in found),
        target=f"{model.name} ({', '.join(map(_quoted, columns))})",
        casts=tuple(f"c{n}::json" if isinstance(column.type, JSON) else f"c{n}" for n, column in enumerate(found)),
        types=tuple(kinds),
    )


def _quoted(name: str) -> str:
    """Write the name of a column that may be a reserved word."""
    return f'"{name}"'


def _kind(column: Column[Any], dialect: Dialect) -> str:
    """Return the element type of a column's array; texts have no length there, so that none is cut off unseen."""
    if isinstance(column.type, String | JSON):
        return "text"
    return "bytea" if isinstance(column.type, LargeBinary) else column.type.compile(dialect)
