"""A gateway on a fresh SQLite file, with a clock that a test can move."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from broker.audit.models import AuditEntry, AuditSide
from broker.config import Settings
from broker.db import Database
from broker.directory import models as directory_models
from broker.directory.document import DirectoryDocument
from broker.directory.file import read_directory
from broker.gateway import Gateway
from broker.keys import load_keys
from broker.tables import Base
from consent.catalogue import load_catalogue

KREIS = Path(directory_models.__file__).with_name("kreis-recklinghausen.yaml")
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class MovableClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        """Return the moment that it shows."""
        return self.now

    def move(self, **span: float) -> None:
        """Move on by a span, for example ``seconds=5``."""
        self.now += timedelta(**span)


@asynccontextmanager
async def fresh_gateway(folder: Path, clock: MovableClock) -> AsyncIterator[Gateway]:
    """Give a gateway whose tables are made and empty."""
    settings = Settings(data_dir=folder, public_url="https://gateway.example")
    keys, catalogue = load_keys(settings.keys_dir), load_catalogue()
    database = Database(settings.database)
    try:
        async with database.writing() as connection:
            await connection.run_sync(Base.metadata.create_all)
        yield Gateway(settings, clock, database, keys, catalogue)
    finally:
        await database.close()


def kreis(folder: Path) -> DirectoryDocument:
    """Read the directory that the project ships."""
    return read_directory(KREIS, folder)


async def audit_entries(gateway: Gateway, event: str) -> list[dict[str, Any]]:
    """Return actor, sender and data of the entries of an event, in order."""
    columns = (AuditEntry.id, AuditEntry.actor, AuditEntry.sender, AuditEntry.data)
    async with gateway.db.reading() as connection:
        rows = await connection.execute(select(*columns).where(AuditEntry.event == event).order_by(AuditEntry.seq))
        return [dict(row) for row in rows.mappings()]


async def audit_side(gateway: Gateway, entry_id: str) -> dict[str, str]:
    """Return what lies beside an entry."""
    async with gateway.db.reading() as connection:
        rows = await connection.execute(select(AuditSide.field, AuditSide.value).where(AuditSide.entry_id == entry_id))
        return {row.field: row.value for row in rows}
