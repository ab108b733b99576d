"""The database: one place that opens transactions, and the only one that commits.

Embedded: SQLite in WAL mode with ``synchronous=FULL``; one writer at a time, by a lock inside the process and by
``BEGIN IMMEDIATE`` between processes. Reading never waits for writing.

Production: PostgreSQL, READ COMMITTED; who must wait for whom says so by row locks. What passes by itself (no
connection, a deadlock, a lock not had in time, a full disk) is an `OperationalError` on both.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import asyncpg
import orjson
from sqlalchemy import JSON, BigInteger, Connection, DateTime, Integer, MetaData, event, func, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect, ExceptionContext
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.types import TypeDecorator

from broker.privileges import DbRole

WRITES = "amtsbruecke_writes"
#: Classes of SQLSTATE (PostgreSQL, appendix A) that pass by themselves: connection, rollback (deadlock,
#: serialisation), resources, object not ready, intervention by an operator, system; a transaction that stood still for
#: too long; and what its dying processes say.
PASSING = ("08", "40", "53", "55", "57", "58", "25006", "25P03", "25P04", "XX000")
#: Class of SQLSTATE of a transaction that was the one of several to be ended: deadlock, serialisation.
COLLIDED = "40"
LOCK_NOT_HAD = "55P03"
#: What a connection to PostgreSQL begins with. A lock that is not had in time is told, not waited for without end.
#: A process that stands still inside a transaction loses its locks before others must have taken over (10 s).
SESSION = {
    "application_name": "amtsbruecke",
    "lock_timeout": "5000",
    "idle_in_transaction_session_timeout": "4000",
    "timezone": "UTC",
}

#: Seconds for the answer to one statement of a process that others wait for. Locks are waited for 5 s at most.
STATEMENT_SECONDS = 20.0
#: Seconds for a connection, of the pool or a new one. Who waits longer is told to come again.
WAIT_SECONDS = 5
#: What a burst has opened is kept: a connection costs a login, and each statement has to be prepared on it again.
POOL: Mapping[str, int] = {"pool_size": 16, "max_overflow": 0, "pool_timeout": WAIT_SECONDS}


#: Number of the advisory lock of `one_at_a_time`.
HOUSEKEEPING = 7_412_002


class Collision(OperationalError):
    """This transaction was ended so that others can go on (deadlock, serialisation); the same again may pass."""


class LockTaken(OperationalError):
    """Another transaction held a lock for longer than this one waits; it concerns that row alone."""


class Moment(TypeDecorator[datetime]):
    """A moment in UTC; comes back with its time zone on every database. A naive datetime is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Write in UTC."""
        del dialect
        if value is not None and value.tzinfo is None:
            raise ValueError("a moment needs a time zone")
        return value.astimezone(UTC) if value is not None else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Read as UTC."""
        del dialect
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


#: A number that grows with every row: 2³¹ of them are a matter of days. SQLite's own are of 64 bits.
NUMBER = BigInteger().with_variant(Integer, "sqlite")


class Base(DeclarativeBase):
    """Base of all tables."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {datetime: Moment, dict[str, Any]: JSON, list[Any]: JSON}


class Database:
    """Transactions on one database."""

    def __init__(self, url: str, role: DbRole | None = None, statement_seconds: float | None = None) -> None:
        """Open nothing yet; `url` is an SQLAlchemy address of an async driver.

        `role`: as whom every transaction acts that does not say otherwise; it is told once, when a connection opens.
        `statement_seconds`: so long PostgreSQL is waited for in the middle of a statement or a commit, before the
        connection is taken for cut; None: without end.
        """
        self.is_sqlite = url.startswith("sqlite")
        if self.is_sqlite:
            _make_folder(url)
        given = SESSION | ({"role": role.value} if role else {})
        arguments = {"server_settings": given, "timeout": WAIT_SECONDS, "command_timeout": statement_seconds}
        session = {} if self.is_sqlite else {"connect_args": arguments}
        json = {"json_serializer": json_text, "json_deserializer": orjson.loads}
        self.engine: AsyncEngine = create_async_engine(url, hide_parameters=True, **POOL, **json, **session)
        self._writer = asyncio.Lock()
        self.role = role
        self._acts: dict[str, str] = {}
        if self.is_sqlite:
            event.listen(self.engine.sync_engine, "connect", _prepare_sqlite)
            event.listen(self.engine.sync_engine, "begin", _begin_sqlite)
        else:
            event.listen(self.engine.sync_engine, "handle_error", _cut_off)

    def acting(self, role: DbRole, limits: Mapping[str, str] | None = None) -> Database:
        """Return a view on the same connections whose transactions act as a role of PostgreSQL, within limits.

        `limits`: settings of `broker.privileges` → whom the transaction serves, separated by commas; settings of
        PostgreSQL → their values. Nothing on SQLite.
        The role that the connections have anyway costs nothing.
        """
        view = copy.copy(self)
        acts = ({} if role is self.role else {"role": role.value}) | dict(limits or {})
        view._acts = {} if self.is_sqlite else acts  # noqa: SLF001 - a copy of this
        return view

    async def _act(self, connection: AsyncConnection) -> None:
        """Take the role on for this transaction: one round trip."""
        if self._acts:
            settings = [func.set_config(name, value, True) for name, value in self._acts.items()]
            await connection.execute(select(*settings))

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection for a reading transaction; nothing is kept of it."""
        async with self._connected() as connection:
            await self._act(connection)
            yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection whose work commits as one at the end, or not at all where an exception leaves."""
        if not self.is_sqlite:
            async with self._connected() as connection, connection.begin():
                await self._act(connection)
                yield connection
            return
        async with self._writer, self._connected() as connection:
            await connection.execution_options(**{WRITES: True})
            async with connection.begin():
                yield connection

    async def now(self) -> datetime | None:
        """Return what the database's clock says; None for the embedded one, which has no clock but ours."""
        if self.is_sqlite:
            return None
        async with self.reading() as connection:
            moment: datetime = (await connection.execute(select(func.clock_timestamp()))).scalar_one()
            return moment

    async def version(self) -> str | None:
        """Return the version of the tables (the last migration); None where there are none yet."""
        async with self.reading() as connection:
            there = await connection.run_sync(lambda sync: sync.dialect.has_table(sync, "alembic_version"))
            return await connection.scalar(text("SELECT version_num FROM alembic_version")) if there else None

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[AsyncConnection]:
        connection = self.engine.connect()
        with _named_alike(DBAPIError, PoolExhausted, asyncpg.PostgresError, OSError):
            await connection.start()
        try:
            with _named_alike():
                yield connection
        finally:
            with _named_alike():  # giving back a connection that was cut can fail by itself
                await connection.close()

    async def shred(self) -> None:
        """Take what was deleted out of SQLite's write-ahead file too, where old pages would stay readable.

        What is deleted is overwritten in the database file itself at once (``secure_delete``).
        """
        if self.is_sqlite:
            async with self._writer, self.engine.connect() as connection:
                await connection.execution_options(isolation_level="AUTOCOMMIT")
                await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    async def close(self) -> None:
        """Close all connections."""
        await self.engine.dispose()


def json_text(value: Any) -> str:  # noqa: ANN401 - any value of a JSON column
    """Write a value of a JSON column; dataclasses become objects, an `orjson.Fragment` is written as it is."""
    return orjson.dumps(value).decode()


def is_sqlite(connection: AsyncConnection) -> bool:
    """Whether a connection is one to the embedded database."""
    return connection.dialect.name == "sqlite"


@contextmanager
def _named_alike(*always: type[Exception]) -> Iterator[None]:
    """Raise what passes by itself as `OperationalError`: the given ones, and what PostgreSQL says by its code."""
    try:
        yield
    except OperationalError:
        raise
    except Exception as exc:
        if isinstance(exc, always) or (isinstance(exc, DBAPIError) and _passes(exc)):
            raise _kind(sqlstate(exc))(None, None, exc) from exc
        raise


def _kind(code: str) -> type[OperationalError]:
    if code == LOCK_NOT_HAD:
        return LockTaken
    return Collision if code.startswith(COLLIDED) else OperationalError


def _cut_off(context: ExceptionContext) -> OperationalError | None:
    """Take a statement that was not answered in its time for one whose connection is cut: nobody uses that one again.

    Whether a commit was carried out is not known then; whoever asks again is told.
    """
    fault = context.original_exception
    if not isinstance(fault, TimeoutError):
        return None
    context.is_disconnect = True
    return OperationalError(None, None, fault)


def _passes(exc: DBAPIError) -> bool:
    code = sqlstate(exc)
    lost_its_way = isinstance(exc, InternalError) and not code  # the driver's own: a dying server's words made no sense
    return exc.connection_invalidated or lost_its_way or code.startswith(PASSING)


def sqlstate(exc: BaseException | None) -> str:
    """Return the SQLSTATE of a fault (PostgreSQL, appendix A); empty where it has none."""
    while exc is not None:
        if code := getattr(exc, "sqlstate", None):
            return str(code)
        exc = exc.orig if isinstance(exc, DBAPIError) else exc.__cause__
    return ""


def _make_folder(url: str) -> None:
    path = url.partition(":///")[2]
    if path and path != ":memory:":
        Path(path).parent.mkdir(parents=True, exist_ok=True)


def _prepare_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    """Set what SQLite needs; SQLAlchemy opens transactions by `_begin_sqlite`, not the driver."""
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=10000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.execute("PRAGMA secure_delete=ON")
    # Without it INSERT OR REPLACE would delete rows of the evidence past the triggers that refuse it.
    cursor.execute("PRAGMA recursive_triggers=ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


async def one_at_a_time(connection: AsyncConnection) -> None:
    """Wait until no other transaction that called this runs, for what is not to be done by two processes at once.

    On PostgreSQL an advisory lock until the end of the transaction; SQLite has one writer anyway.
    """
    if not is_sqlite(connection):
        await connection.execute(select(func.pg_advisory_xact_lock(HOUSEKEEPING)))


async def insert_ignore(connection: AsyncConnection, table: type[Base], rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows, passing over those whose key is there already."""
    if rows:
        insert = sqlite.insert if is_sqlite(connection) else postgresql.insert
        await connection.execute(insert(table).on_conflict_do_nothing(), list(rows))


async def upsert(connection: AsyncConnection, table: type[Base], rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows, each in place of the one under its key; `table` has columns beside its key."""
    if rows:
        insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
        statement = insert(table)
        key = [column.name for column in table.__table__.primary_key]
        values = {c.name: statement.excluded[c.name] for c in table.__table__.columns if c.name not in key}
        await connection.execute(statement.on_conflict_do_update(index_elements=key, set_=values), list(rows))
