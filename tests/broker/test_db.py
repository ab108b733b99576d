"""The one place that commits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import Column, MetaData, Table, text
from sqlalchemy.dialects import sqlite

from broker.db import Database, Moment
from broker.migrations import _config, downgrade, upgrade


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """Give a database with one small table."""
    made = Database(f"sqlite+aiosqlite:///{tmp_path / 'deep' / 'x.db'}")
    async with made.writing() as connection:
        await connection.execute(text("CREATE TABLE t (n INTEGER PRIMARY KEY)"))
    yield made
    await made.close()


async def count(database: Database) -> int:
    """Count the rows."""
    async with database.reading() as connection:
        return int(await connection.scalar(text("SELECT count(*) FROM t")) or 0)


async def test_an_exception_leaves_nothing(database: Database) -> None:
    """What was written before an error is rolled back."""

    async def fail() -> None:
        async with database.writing() as connection:
            await connection.execute(text("INSERT INTO t VALUES (1)"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()

    assert await count(database) == 0


async def test_reading_keeps_nothing(database: Database) -> None:
    """A reading transaction cannot leave anything behind."""
    async with database.reading() as connection:
        await connection.execute(text("INSERT INTO t VALUES (1)"))

    assert await count(database) == 0


async def test_writers_wait_for_each_other_and_readers_for_none(database: Database) -> None:
    """Many writers all get their turn; a reader sees the last commit while one writes."""
    async with database.writing() as connection:
        await connection.execute(text("INSERT INTO t VALUES (0)"))
        assert await count(database) == 0

    async def write(number: int) -> None:
        async with database.writing() as connection:
            await connection.execute(text("INSERT INTO t VALUES (:n)"), {"n": number})

    await asyncio.gather(*(write(n) for n in range(1, 21)))

    assert await count(database) == 21


async def test_writes_are_durable_with_the_commit(database: Database) -> None:
    """SQLite writes ahead, and waits for the disk at each commit."""
    async with database.reading() as connection:
        mode = await connection.scalar(text("PRAGMA journal_mode"))
        synchronous = await connection.scalar(text("PRAGMA synchronous"))

    assert (mode, synchronous) == ("wal", 2)


async def test_moments_keep_their_zone(database: Database) -> None:
    """A stored moment comes back in UTC, the same; a time without zone is refused."""
    moment = datetime(2026, 3, 16, 12, tzinfo=timezone(timedelta(hours=2)))
    table = Table("m", MetaData(), Column("at", Moment))
    async with database.writing() as connection:
        await connection.run_sync(table.metadata.create_all)
        await connection.execute(table.insert().values(at=moment))
        stored = await connection.scalar(table.select())

    assert stored == moment
    assert stored.tzinfo is UTC
    with pytest.raises(ValueError, match="time zone"):
        Moment().process_bind_param(moment.replace(tzinfo=None), sqlite.dialect())


def test_migrations_go_up_and_down_and_up(tmp_path: Path) -> None:
    """The chain of migrations can be gone both ways on an empty database."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'm.db'}"
    upgrade(url)
    downgrade(url)
    upgrade(url)


def test_migrations_make_just_the_tables_of_the_code(tmp_path: Path) -> None:
    """A database made by the migrations lacks nothing that the models have, and has nothing besides."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'm.db'}"
    upgrade(url)
    command.check(_config(url))


async def test_migrations_do_not_go_back_over_evidence(tmp_path: Path) -> None:
    """Where there is an entry of the evidence, going back is refused."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'm.db'}"
    await asyncio.to_thread(upgrade, url)
    made = Database(url)
    async with made.writing() as connection:
        await connection.execute(
            text(
                "INSERT INTO audit_entries (id, at, event, actor, data, commitments, leaf) "
                "VALUES ('e', '2026-03-16 10:00:00', 'audit.read', 'x', '{}', '{}', x'00')"
            )
        )
    await made.close()
    with pytest.raises(RuntimeError, match="evidence"):
        await asyncio.to_thread(downgrade, url)
