"""Deleting from tables that are otherwise only added to: for rows before a moment that is named first.

On SQLite triggers refuse every deletion but that of rows before the table's row in `ErasureHorizon`, which stands there
only inside the transaction of the clean-up. On PostgreSQL the privilege to delete is the eraser's alone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

from sqlalchemy import String, delete, insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import Mapped, mapped_column

from broker.db import Base, is_sqlite


class ErasureHorizon(Base):
    """Until when the rows of a table may be deleted in this transaction; empty at all other times."""

    __tablename__ = "erasure_horizons"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    before: Mapped[datetime]


@asynccontextmanager
async def erasable(connection: AsyncConnection, before: datetime, tables: Sequence[type[Base]]) -> AsyncIterator[None]:
    """Let rows of these tables that are older than a moment be deleted while the body runs."""
    names = [table.__tablename__ for table in tables]
    if is_sqlite(connection):
        await connection.execute(insert(ErasureHorizon), [{"name": name, "before": before} for name in names])
    yield
    if is_sqlite(connection):
        await connection.execute(delete(ErasureHorizon).where(ErasureHorizon.name.in_(names)))
