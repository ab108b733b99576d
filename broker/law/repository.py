"""Queries of the kept catalogues and their days."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import Row, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.db import insert_ignore
from broker.law.models import CatalogueBytes, CatalogueStart

DayRow = Row[int, date, str, datetime]
"""seq, day, fingerprint, at."""
KeptRow = Row[str, datetime]
"""fingerprint, first_used."""


async def keep(connection: AsyncConnection, fingerprint: str, content: bytes, at: datetime) -> None:
    """Keep a catalogue's bytes under its fingerprint; one that is there already stays as it is."""
    row = {"fingerprint": fingerprint, "content": content, "first_used": at}
    await insert_ignore(connection, CatalogueBytes, [row])


async def content_of(connection: AsyncConnection, fingerprint: str) -> bytes | None:
    """Return the bytes of a kept catalogue, or None."""
    query = select(CatalogueBytes.content).where(CatalogueBytes.fingerprint == fingerprint)
    return (await connection.execute(query)).scalar_one_or_none()


async def kept(connection: AsyncConnection) -> Sequence[KeptRow]:
    """Return every catalogue that is kept, the oldest first, without its bytes."""
    query = select(CatalogueBytes.fingerprint, CatalogueBytes.first_used)
    return (await connection.execute(query.order_by(CatalogueBytes.first_used, CatalogueBytes.fingerprint))).all()


async def days(connection: AsyncConnection, after: int = 0) -> Sequence[DayRow]:
    """Return from which day which catalogue counts, in the order in which it was recorded."""
    query = select(CatalogueStart.seq, CatalogueStart.day, CatalogueStart.fingerprint, CatalogueStart.at)
    return (await connection.execute(query.where(CatalogueStart.seq > after).order_by(CatalogueStart.seq))).all()


async def set_day(connection: AsyncConnection, day: date, fingerprint: str, at: datetime) -> None:
    """Let a kept catalogue count from a day on."""
    await connection.execute(insert(CatalogueStart), [{"day": day, "fingerprint": fingerprint, "at": at}])
