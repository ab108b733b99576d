"""The one place that commits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import asyncpg
import pytest
from alembic import command
from sqlalchemy import Column, MetaData, Table, inspect, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError, InternalError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.audit.events import AuditEvent
from broker.audit.log import append
from broker.db import Collision, Database, Moment, _named_alike
from broker.migrations import _config, downgrade, newest, upgrade
from broker.tables import METADATA
from tests.deployment import EMBEDDED
from tests.servers.databases import closed, empty_database
from tests.world import START, on_postgresql, on_sqlite


@pytest.fixture
def url(deployment: str, tmp_path: Path) -> Iterator[str]:
    """Give the address of a database with nothing in it."""
    if deployment == EMBEDDED:
        yield f"sqlite+aiosqlite:///{tmp_path / 'x.db'}"
        return
    with empty_database() as made:
        yield made


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    """Give a database with one small table."""
    made = Database(url)
    async with made.writing() as connection:
        await connection.execute(text("CREATE TABLE t (n INTEGER PRIMARY KEY)"))
    yield made
    await made.close()


async def test_the_folder_of_a_file_is_made(tmp_path: Path) -> None:
    """An embedded database needs no folder to be there."""
    made = Database(f"sqlite+aiosqlite:///{tmp_path / 'deep' / 'x.db'}")
    async with made.reading() as connection:
        assert await connection.scalar(text("SELECT 1")) == 1
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


@on_sqlite
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


def test_migrations_go_up_and_down_and_up(url: str) -> None:
    """The chain of migrations can be gone both ways on an empty database."""
    upgrade(url)
    downgrade(url)
    upgrade(url)


def test_migrations_make_just_the_tables_of_the_code(url: str) -> None:
    """A database made by the migrations lacks nothing that the models have, and has nothing besides."""
    upgrade(url)
    command.check(_config(url))


async def test_migrations_do_not_go_back_over_evidence(url: str) -> None:
    """Where there is an entry of the evidence, going back is refused before anything is dropped."""
    await asyncio.to_thread(upgrade, url)
    made = Database(url)
    async with made.writing() as connection:
        await append(connection, [AuditEvent("audit.read", "officer:x")], START)
    with pytest.raises(RuntimeError, match="evidence"):
        await asyncio.to_thread(downgrade, url)

    assert await made.version() == newest()
    async with made.reading() as connection:
        tables = await connection.run_sync(lambda sync: set(inspect(sync).get_table_names()))
    assert set(METADATA.tables) <= tables
    await made.close()


@on_postgresql
@pytest.mark.parametrize(
    ("code", "passes"), [("53100", True), ("57P02", True), ("25P03", True), ("XX000", True), ("XX001", False)]
)
async def test_codes_of_what_passes_by_itself(database: Database, code: str, *, passes: bool) -> None:
    """A full disk, a transaction that stood still and a server that is dying pass, data that are damaged do not."""
    with pytest.raises(DBAPIError) as caught:
        async with database.writing() as connection:
            await connection.execute(text(f"DO $$ BEGIN RAISE 'x' USING ERRCODE = '{code}'; END $$"))
    assert isinstance(caught.value, OperationalError) is passes


def test_driver_that_lost_its_way_passes() -> None:
    """What the driver cannot make sense of, sent by a dying server, is told like a connection that ended."""
    own = InternalError(None, None, asyncpg.InternalClientError("unknown protocol state"))
    with pytest.raises(OperationalError), _named_alike():
        raise own


@on_postgresql
async def test_what_passes_by_itself_is_an_operational_error(url: str, database: Database) -> None:
    """A deadlock, a lock that is not had, a connection that ends, a server that is away: all are told alike."""
    async with database.writing() as connection:
        await connection.execute(text("INSERT INTO t VALUES (1), (2)"))
    both = asyncio.Barrier(2)

    async def crosswise(first: int, second: int) -> None:
        async with database.writing() as connection:
            for number in (first, second):
                await connection.execute(text("SELECT n FROM t WHERE n = :n FOR UPDATE"), {"n": number})
                if number == first:
                    await both.wait()

    [deadlock] = [
        fault for fault in await asyncio.gather(crosswise(1, 2), crosswise(2, 1), return_exceptions=True) if fault
    ]
    with closed(url):
        with pytest.raises(OperationalError):  # the pool's connections were ended
            await count(database)
        with pytest.raises(OperationalError):  # there is no new one to be had
            await count(Database(url))

    assert isinstance(deadlock, Collision)
    assert await count(database) == 2


async def test_a_fault_does_not_quote_what_was_written(database: Database) -> None:
    """Parameters of a statement hold persons; the text of its fault does not hold them, wherever it may be written."""
    with pytest.raises(DBAPIError) as caught:
        async with database.writing() as connection:
            await connection.execute(text("INSERT INTO nowhere VALUES (:name)"), {"name": "Mustermann"})

    assert "Mustermann" not in str(caught.value)


async def test_a_connection_that_cannot_be_given_back_passes_as_a_fault_of_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the driver has lost its way on a cut connection, closing it fails too: told as what passes, not as ours."""
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'a.db'}")
    close = AsyncConnection.close

    async def fails(connection: AsyncConnection) -> None:
        await close(connection)
        raise InternalError(None, None, Exception("another operation is in progress"))

    monkeypatch.setattr(AsyncConnection, "close", fails)
    with pytest.raises(OperationalError):
        async with database.reading():
            pass
    monkeypatch.undo()
    await database.close()
