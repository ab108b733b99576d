"""Queries of the evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.audit.models import AuditEntry, AuditSide
from broker.pages import MAX_CURSOR


@dataclass(frozen=True, slots=True)
class Search:
    """What an officer looks for. `agency`: whose officer; entries of its instances alone."""

    agency: str
    event: str | None = None
    reference: str | None = None
    instance: str | None = None
    since: datetime | None = None
    until: datetime | None = None


async def number_of(connection: AsyncConnection, entry_id: str) -> int:
    """Return the number of an entry."""
    return int((await connection.execute(select(AuditEntry.seq).where(AuditEntry.id == entry_id))).scalar_one())


async def entries(
    connection: AsyncConnection, search: Search, after: int, limit: int, upto: int = MAX_CURSOR
) -> Sequence[Any]:
    """Return entries after a number up to another one, in the order of the log."""
    own = search.agency + ":"
    query = (
        select(AuditEntry)
        .where(
            or_(
                AuditEntry.sender.startswith(own, autoescape=True),
                AuditEntry.recipient.startswith(own, autoescape=True),
            ),
            AuditEntry.seq > after,
            AuditEntry.seq <= upto,
        )
        .order_by(AuditEntry.seq)
        .limit(limit)
    )
    if search.event is not None:
        query = query.where(AuditEntry.event == search.event)
    if search.reference is not None:
        query = query.where(AuditEntry.reference == search.reference)
    if search.instance is not None:
        query = query.where(or_(AuditEntry.sender == search.instance, AuditEntry.recipient == search.instance))
    if search.since is not None:
        query = query.where(AuditEntry.at >= search.since)
    if search.until is not None:
        query = query.where(AuditEntry.at < search.until)
    return (await connection.execute(query)).all()


async def sides(connection: AsyncConnection, entry_ids: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return what lies beside the entries: entry id → field → value. Empty where it was erased."""
    query = select(AuditSide.entry_id, AuditSide.fields).where(AuditSide.entry_id.in_(entry_ids))
    rows = await connection.execute(query)
    return {row.entry_id: {name: value for name, (_, value) in row.fields.items()} for row in rows}
