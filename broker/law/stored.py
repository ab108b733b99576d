"""Queries of what was decided, page by page in the order of time; the whole table is never in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.audit.models import AuditEntry
from broker.db import Database
from broker.transfers.models import DecisionRow

PAGE = 500
#: Entries of the evidence that name a decision.
NAMING = ("transfer.permitted", "transfer.refused", "transfer.checked")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which decisions: from a moment to before another, for a purpose, of an agency as sender or recipient."""

    since: datetime
    until: datetime
    purpose: str | None = None
    agency: str | None = None


@dataclass(frozen=True, slots=True)
class Lost:
    """A decision that the evidence names and that is kept no longer."""

    id: str
    transfer_id: str
    sender: str
    recipient: str
    purpose: str


async def decisions(db: Database, wanted: Wanted) -> AsyncIterator[Row[Any]]:
    """Yield what was decided, the oldest first; each page is a transaction of its own."""
    query = _of(
        wanted, DecisionRow.at, DecisionRow.sender, DecisionRow.recipient, select(*DecisionRow.__table__.columns)
    )
    if wanted.purpose is not None:
        query = query.where(DecisionRow.facts["facts"]["purpose"].as_string() == wanted.purpose)
    query, after = query.order_by(DecisionRow.at, DecisionRow.id).limit(PAGE), None
    while True:
        further = query if after is None else query.where(tuple_(DecisionRow.at, DecisionRow.id) > after)
        async with db.reading() as connection:
            page = (await connection.execute(further)).all()
        for row in page:
            yield row
        if len(page) < PAGE:
            return
        after = (page[-1].at, page[-1].id)


async def lost(db: Database, wanted: Wanted) -> AsyncIterator[Lost]:
    """Yield the decisions that the evidence names and that are kept no longer, the oldest first."""
    columns = (AuditEntry.seq, AuditEntry.reference, AuditEntry.sender, AuditEntry.recipient, AuditEntry.data)
    query = _of(wanted, AuditEntry.at, AuditEntry.sender, AuditEntry.recipient, select(*columns))
    query, after = query.where(AuditEntry.event.in_(NAMING)).order_by(AuditEntry.seq).limit(PAGE), 0
    while True:
        async with db.reading() as connection:
            page = (await connection.execute(query.where(AuditEntry.seq > after))).all()
            kept = await _kept(connection, [row.data["decision"] for row in page])
        for row in page:
            gone = row.data["decision"] not in kept
            if gone and wanted.purpose in (None, row.data["purpose"]):
                yield Lost(
                    row.data["decision"],
                    row.reference or "",
                    row.sender or "",
                    row.recipient or "",
                    row.data["purpose"],
                )
        if len(page) < PAGE:
            return
        after = page[-1].seq


async def _kept(connection: AsyncConnection, ids: Sequence[str]) -> set[str]:
    found = await connection.scalars(select(DecisionRow.id).where(DecisionRow.id.in_(ids)))
    return set(found)


def _of(wanted: Wanted, at: Any, sender: Any, recipient: Any, query: Select[Any]) -> Select[Any]:  # noqa: ANN401 - columns of either table
    query = query.where(at >= wanted.since, at < wanted.until)
    if wanted.agency is None:
        return query
    of_agency = [side.startswith(f"{wanted.agency}:", autoescape=True) for side in (sender, recipient)]
    return query.where(or_(*of_agency))
