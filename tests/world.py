"""The world that tests share: a clock that can be moved, a gateway on a fresh database, and what lies in it.

The database is the real one, made by the migrations, which run once; each test gets a copy. What asks for `data_dir`
runs on both databases; a test about the nature of one says so: ``@on_sqlite`` or ``@on_postgresql``. A test for which
it matters what carries the records says ``@through_kafka``: it runs embedded, and on PostgreSQL with Apache Kafka.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Row, select, text

from broker.audit.models import AuditEntry, AuditSide
from broker.clock import system_clock
from broker.config import Settings
from broker.directory import models as directory_models
from broker.directory.document import DirectoryDocument
from broker.directory.file import read_directory
from broker.gateway import Gateway
from broker.migrations import upgrade
from broker.start import open_gateway
from tests.deployment import DATABASE, DEPLOYMENTS, EMBEDDED, POSTGRESQL, PRODUCTION, deployed, settings_of
from tests.servers.databases import dump
from tests.servers.postgres import MISSING, postgres_is_to_be_had

START = datetime(2026, 3, 16, 10, 0, tzinfo=UTC)
PUBLIC_URL = "https://gateway.example"
#: No sealer runs by itself in these tests, and their clock jumps: what is unsealed stops nothing unless a test says so.
NEVER_STALE = {"unsealed_seconds": 10**9, "unsealed_urgent_seconds": 10**9}
#: The directory that the project ships.
DIRECTORY = Path(directory_models.__file__).with_name("kreis-recklinghausen.yaml")

on_sqlite = pytest.mark.parametrize("deployment", [EMBEDDED], indirect=True)
on_postgresql = pytest.mark.parametrize("deployment", [POSTGRESQL], indirect=True)
on_kafka = pytest.mark.parametrize("deployment", [PRODUCTION], indirect=True)
through_kafka = pytest.mark.parametrize("deployment", [EMBEDDED, PRODUCTION], indirect=True)


@dataclass
class MovableClock:
    """A clock that stands still until it is moved, unless it `goes` like the true one."""

    now: datetime = START
    goes: bool = False

    def __call__(self) -> datetime:
        """Return the moment."""
        return system_clock() if self.goes else self.now

    def move(self, **span: float) -> None:
        """Move on by a span, for example ``days=1``."""
        self.now += timedelta(**span)


def fresh_gateway(
    folder: Path, clock: MovableClock | None = None, **settings: Any
) -> AbstractAsyncContextManager[Gateway]:
    """Open a gateway on a data directory; what lies there already is taken up again."""
    given = {"public_url": PUBLIC_URL} | NEVER_STALE | settings_of(folder) | settings
    return open_gateway(Settings(data_dir=folder, **given), clock or MovableClock())


def kreis_directory(folder: Path) -> DirectoryDocument:
    """Read the directory that the project ships, for a data directory."""
    return read_directory(DIRECTORY, folder)


async def rows(gateway: Gateway, sql: str, **values: Any) -> list[Row[Any]]:
    """Return the rows of a query."""
    async with gateway.db.reading() as connection:
        return list(await connection.execute(text(sql), values))


async def scalar(gateway: Gateway, sql: str, **values: Any) -> Any:
    """Return one value of the database."""
    async with gateway.db.reading() as connection:
        return await connection.scalar(text(sql), values)


async def evidence(gateway: Gateway, event: str | None = None) -> list[tuple[Row[Any], dict[str, str]]]:
    """Return the entries of the evidence (of one event) in order, each with what lies beside it."""
    query = select(*AuditEntry.__table__.columns).order_by(AuditEntry.seq)
    async with gateway.db.reading() as connection:
        entries = list(await connection.execute(query if event is None else query.where(AuditEntry.event == event)))
        side = {row.entry_id: row.fields for row in await connection.execute(select(AuditSide.__table__))}
    return [(entry, {name: value for name, (_, value) in side.get(entry.id, {}).items()}) for entry in entries]


async def eventually(holds: Callable[[], Awaitable[bool]], seconds: float = 20) -> None:
    """Return as soon as something holds. Raises `TimeoutError` where it does not within generous seconds."""
    async with asyncio.timeout(seconds):
        while not await holds():  # noqa: ASYNC110 - what is looked at has no event of its own
            await asyncio.sleep(0.01)


def database_bytes(gateway: Gateway) -> bytes:
    """Return all bytes of the database: of its files, or of its rows where the files are a server's."""
    if not gateway.db.is_sqlite:
        return dump(gateway.settings.database)
    return b"".join(path.read_bytes() for path in sorted(gateway.settings.data_dir.glob(DATABASE + "*")))


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run all migrations on an empty database, once for all tests of a process, and return its file."""
    path = tmp_path_factory.mktemp("migrated") / DATABASE
    upgrade(f"sqlite+aiosqlite:///{path}")
    return path


@pytest.fixture(params=DEPLOYMENTS if postgres_is_to_be_had() else [EMBEDDED])
def deployment(request: pytest.FixtureRequest) -> str:
    """Return the deployment that the test runs on."""
    if request.param != EMBEDDED and not postgres_is_to_be_had():
        pytest.skip(MISSING)
    return str(request.param)


@pytest.fixture
def data_dir(tmp_path: Path, migrated: Path, deployment: str) -> Iterator[Path]:
    """Give a data directory with a database that holds nothing yet."""
    with deployed(deployment, tmp_path / "data", migrated) as folder:
        yield folder


@pytest.fixture
def clock() -> MovableClock:
    """Return a clock that stands still until it is moved."""
    return MovableClock()
