"""A PostgreSQL that asks for passwords, with an owner as the official image makes one, and its superuser for tests."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import asyncpg
from sqlalchemy import make_url

from tests.servers.postgres import Postgres

OWNER, DATABASE = "amtsbruecke", "amtsbruecke"
OWNERS_PASSWORD = "des-Eigentümers/Passwort"
ACCESS = """host all postgres 127.0.0.1/32 trust
host all all 127.0.0.1/32 scram-sha-256
"""


@dataclass(frozen=True, slots=True)
class Guarded:
    """A running server."""

    superuser: str
    """The address of its superuser, who needs no password."""
    port: int

    def url(self, login: str = OWNER, database: str = DATABASE) -> str:
        """Return the address of a database under a login, without a password."""
        url = make_url(self.superuser).set(username=login, database=database)
        return url.render_as_string(hide_password=False)

    def run(self, *statements: str, database: str = DATABASE) -> list[Any]:
        """Run statements as superuser, each by itself; return the rows of the last."""

        async def work() -> list[Any]:
            url = self.url("postgres", database).replace("+asyncpg", "")
            connection = await asyncpg.connect(url)
            try:
                return [await connection.fetch(statement) for statement in statements][-1]
            finally:
                await connection.close()

        with ThreadPoolExecutor(1) as thread:  # who asks may have a loop of its own in this one
            return thread.submit(lambda: asyncio.run(work())).result()


@contextmanager
def guarded_postgres() -> Iterator[Guarded]:
    """Run one: with an owner and an empty database of its, no roles, no tables."""
    with TemporaryDirectory(prefix="amtsbruecke-guarded-") as name:
        access = Path(name) / "pg_hba.conf"
        access.write_text(ACCESS)
        server = Postgres(Path(name), fsync=False, settings=[f"hba_file={access}"])
        server.start()
        try:
            found = Guarded(server.url, server.port)
            make = f"CREATE ROLE {OWNER} SUPERUSER LOGIN PASSWORD '{OWNERS_PASSWORD}'"
            found.run(make, f"CREATE DATABASE {DATABASE} OWNER {OWNER}", database="postgres")
            yield found
        finally:
            server.stop()
