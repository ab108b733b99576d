"""Append to the evidence, inside the transaction of what it proves."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import uuid4

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.audit.events import EVENTS, AuditEvent
from broker.audit.models import AuditEntry, AuditSide
from broker.clock import timestamp
from schemas.canonical import canonical_json

SALT_BYTES = 16
LEAF_PREFIX = b"\x00"


def commitment(salt: bytes, value: str) -> str:
    """Return the salted commitment to a value: SHA-256(salt ‖ value), hexadecimal."""
    return sha256(salt + value.encode()).hexdigest()


def leaf_hash(entry: dict[str, Any]) -> bytes:
    """Return the leaf hash (RFC 6962, section 2.1) of an entry's canonical bytes (RFC 8785)."""
    return sha256(LEAF_PREFIX + canonical_json(entry)).digest()


def hashed_part(row: dict[str, Any]) -> dict[str, Any]:
    """Return the part of an entry that its leaf covers."""
    covered = ("id", "event", "actor", "sender", "recipient", "reference", "data", "commitments")
    return {key: row[key] for key in covered} | {"at": timestamp(row["at"])}


async def append(connection: AsyncConnection, events: Sequence[AuditEvent], at: datetime) -> list[str]:
    """Write the entries and what lies beside them in the caller's transaction; return their ids."""
    entries: list[dict[str, Any]] = []
    side: list[dict[str, Any]] = []
    for event in events:
        entry_id = str(uuid4())
        salted = {name: (os.urandom(SALT_BYTES), value) for name, value in event.side.items()}
        side += [
            {"entry_id": entry_id, "field": name, "salt": salt, "value": value}
            for name, (salt, value) in salted.items()
        ]
        entries.append(_entry(event, entry_id, at, {n: commitment(s, v) for n, (s, v) in salted.items()}))
    if entries:
        await connection.execute(insert(AuditEntry), entries)
    if side:
        await connection.execute(insert(AuditSide), side)
    return [entry["id"] for entry in entries]


def _entry(event: AuditEvent, entry_id: str, at: datetime, commitments: dict[str, str]) -> dict[str, Any]:
    if event.event not in EVENTS:
        raise ValueError(f"unknown audit event {event.event}")
    row: dict[str, Any] = {
        "id": entry_id,
        "at": at.replace(microsecond=at.microsecond // 1000 * 1000),
        "event": event.event,
        "actor": event.actor,
        "sender": event.sender,
        "recipient": event.recipient,
        "reference": event.reference,
        "data": dict(event.data),
        "commitments": commitments,
    }
    return row | {"leaf": leaf_hash(hashed_part(row))}
