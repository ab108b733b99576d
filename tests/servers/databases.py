"""Databases on the PostgreSQL of the run: one that is migrated, once, and copies of it for single tests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from typing import Any
from uuid import uuid4

import asyncpg
from sqlalchemy import make_url

from broker.db import Database
from broker.logins import narrow, settle
from broker.migrations import SCRIPTS, upgrade
from broker.privileges import PROCESSES
from tests.servers.postgres import shared_postgres

LOCK = 7_412_001
PREFIX = "amtsbruecke_test_"


def on(database: str, user: str | None = None) -> str:
    """Return the address of a database on the run's server, as its superuser or as another login."""
    url = make_url(shared_postgres()).set(database=database)
    return (url.set(username=user) if user else url).render_as_string(hide_password=False)


def administer(work: Callable[[Any], Awaitable[Any]], database: str | None = None) -> Any:
    """Run ``work(connection)`` as superuser, in a loop of its own; outside of transactions."""

    async def run() -> Any:
        url = make_url(shared_postgres() if database is None else on(database)).set(drivername="postgresql")
        connection = await asyncpg.connect(url.render_as_string(hide_password=False))
        try:
            return await work(connection)
        finally:
            await connection.close()

    return asyncio.run(run())


@contextmanager
def empty_database() -> Iterator[str]:
    """Give the address of a database with nothing in it, and drop it after."""
    with _created(None) as name:
        yield on(name)


@contextmanager
def fresh_database() -> Iterator[str]:
    """Give the address of a database with all tables and no rows, and drop it after."""
    with _created(_template()) as name:
        yield on(name)


async def _make_logins(url: str) -> None:
    """Let each process log in under a name of its own; the run's server asks nobody for a password."""
    database = Database(url)
    async with database.writing() as connection:
        await narrow(connection)
        for process in PROCESSES:
            await settle(connection, process, None)
    await database.close()


def dump(url: str) -> bytes:
    """Return the rows of all tables as one text; bytes that are ASCII stand there as they are."""

    async def rows(connection: asyncpg.Connection[Any]) -> bytes:
        await connection.execute("SET bytea_output = 'escape'")
        tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        found = [await connection.fetch(f'SELECT t::text FROM "{name}" t') for (name,) in tables]  # noqa: S608 - names of our own tables
        return "\n".join(row[0] for table in found for row in table).encode()

    return bytes(_beside(rows, make_url(url).database))


@contextmanager
def closed(url: str) -> Iterator[None]:
    """Let nobody connect to a database, and end the connections that there are."""
    name = make_url(url).database

    async def close(connection: asyncpg.Connection[Any]) -> None:
        await connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        await connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)

    _beside(close)
    try:
        yield
    finally:
        _beside(lambda connection: connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true"))


def _beside(work: Callable[[Any], Awaitable[Any]], database: str | None = None) -> Any:
    """Do the same as `administer` where the caller's own thread is running a loop."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(administer, work, database).result()


@contextmanager
def _created(template: str | None) -> Iterator[str]:
    name = PREFIX + uuid4().hex
    source = f"TEMPLATE {template} STRATEGY FILE_COPY" if template else "TEMPLATE template0"
    administer(lambda connection: connection.execute(f"CREATE DATABASE {name} {source}"))
    try:
        yield name
    finally:
        administer(lambda connection: connection.execute(f"DROP DATABASE {name} WITH (FORCE)"))


@cache
def _template() -> str:
    """Return the migrated database, made by the first process that asks; another chain of migrations is another one."""
    digest = sha256()
    for path in sorted((SCRIPTS / "versions").glob("*.py")):
        digest.update(path.read_bytes())
    name = f"{PREFIX}template_{digest.hexdigest()[:16]}"

    async def made(connection: asyncpg.Connection[Any]) -> None:
        await connection.execute(f"SELECT pg_advisory_lock({LOCK})")
        if await connection.fetchval("SELECT datistemplate FROM pg_database WHERE datname = $1", name):
            return
        await connection.execute(f"DROP DATABASE IF EXISTS {name}")
        await connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        await asyncio.to_thread(upgrade, on(name))
        await _make_logins(on(name))
        await connection.execute(f"ALTER DATABASE {name} IS_TEMPLATE true")

    administer(made)
    return name
