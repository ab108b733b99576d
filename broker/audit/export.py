"""Export the sealed evidence to one self-contained stream of lines; docs/audit.md describes the format.

What is in the database is written as it is, tampered with or not: judging it is the business of `broker.audit.verify`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from hashlib import sha256
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.audit import tree
from broker.audit.checkpoint import verifier_key
from broker.audit.leaves import hashed_part
from broker.audit.models import AuditCheckpoint, AuditEntry, AuditLeaf, AuditSide
from broker.clock import timestamp
from broker.gateway import Gateway
from schemas.canonical import NotCanonical, canonical_json

FORMAT = "amtsbruecke-audit-export/1"
PAGE = 500
COLUMNS = (
    AuditLeaf.index, AuditLeaf.leaf.label("sealed"), AuditEntry.id, AuditEntry.at, AuditEntry.event, AuditEntry.actor,
    AuditEntry.sender, AuditEntry.recipient, AuditEntry.reference, AuditEntry.data, AuditEntry.commitments,
    AuditSide.fields,
)  # fmt: skip


async def export(gateway: Gateway, *, side: bool = True) -> AsyncIterator[bytes]:
    """Yield the lines of the export: head, entries with the checkpoints over them, end. `side`: what can be erased."""
    digest, entries, checkpoints = sha256(), 0, 0
    async with gateway.db.reading() as connection:
        size = (await tree.head(connection)).size
        async for line in _lines(connection, gateway, size, side=side):
            content = canonical_json(line) + b"\n"
            entries, checkpoints = entries + ("index" in line), checkpoints + ("checkpoint" in line)
            digest.update(content)
            yield content
    end: dict[str, Any] = {"end": {"checkpoints": checkpoints, "entries": entries, "sha256": digest.hexdigest()}}
    yield canonical_json(end) + b"\n"


async def _lines(
    connection: AsyncConnection, gateway: Gateway, size: int, *, side: bool
) -> AsyncIterator[dict[str, Any]]:
    yield _head(gateway, side=side)
    for start in range(0, size, PAGE):
        end = min(start + PAGE, size)
        rows = await _rows(connection, start, end)
        notes = await _notes(connection, start, end)
        places = sorted({*rows, *(place - 1 for place in notes)})
        for index in places:
            if index in rows:
                yield _entry(index, rows[index], side=side)
            if index + 1 in notes:
                yield notes[index + 1]


def _head(gateway: Gateway, *, side: bool) -> dict[str, Any]:
    origin, keys = gateway.settings.log_origin, gateway.keys
    return {
        "format": FORMAT,
        "origin": origin,
        "exported_at": timestamp(gateway.clock()),
        "side": side,
        "checkpoint_keys": [verifier_key(origin, key) for key in keys.checkpoint],
        "promise_keys": [{"kid": key.kid, "x": key.as_dict(private=False)["x"]} for key in keys.signing],
    }


async def _rows(connection: AsyncConnection, start: int, end: int) -> dict[int, Mapping[str, Any]]:
    """Return the rows of a range by index; of one that cannot even be read, nothing but its index."""
    try:
        return await _read(connection, start, end)
    except (ValueError, TypeError, SQLAlchemyError):
        if end - start == 1:
            return {start: {}}
    middle = (start + end) // 2
    return await _rows(connection, start, middle) | await _rows(connection, middle, end)


async def _read(connection: AsyncConnection, start: int, end: int) -> dict[int, Mapping[str, Any]]:
    query = (
        select(*COLUMNS)
        .select_from(AuditLeaf)
        .outerjoin(AuditEntry, AuditEntry.seq == AuditLeaf.seq)
        .outerjoin(AuditSide, AuditSide.entry_id == AuditEntry.id)
        .where(AuditLeaf.index >= start, AuditLeaf.index < end)
    )
    return {row["index"]: dict(row) for row in (await connection.execute(query)).mappings()}


async def _notes(connection: AsyncConnection, start: int, end: int) -> dict[int, dict[str, Any]]:
    query = select(AuditCheckpoint.size, AuditCheckpoint.note, AuditCheckpoint.at).where(
        AuditCheckpoint.size > start, AuditCheckpoint.size <= end
    )
    rows = await connection.execute(query)
    return {row.size: {"checkpoint": row.note, "at": timestamp(row.at)} for row in rows}


def _entry(index: int, row: Mapping[str, Any], *, side: bool) -> dict[str, Any]:
    line: dict[str, Any] = {"index": index, "leaf": bytes(row.get("sealed", b"")).hex(), "entry": None}
    try:
        if row.get("id") is not None:
            line["entry"] = hashed_part(row)
            canonical_json(line)
    except (NotCanonical, ValueError, TypeError, AttributeError):
        line["entry"] = None
    if side and line["entry"] is not None and row["fields"]:
        line["side"] = row["fields"]
    return line
