"""Append to the evidence, inside the transaction of what it proves."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from broker.audit.events import EVENTS, AuditEvent
from broker.audit.leaves import SALT_BYTES, commitment, hashed_part, leaf_hash
from broker.audit.models import AuditEntry, AuditSide
from broker.bulk import insert_all
from broker.db import Base
from broker.ids import new_id


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry that is made and not written yet: its id and leaf may be promised before it is."""

    row: dict[str, Any]
    side: dict[str, list[str]]
    """Field → salt (hexadecimal) and value."""

    @property
    def id(self) -> str:
        """The id of the entry."""
        return str(self.row["id"])

    @property
    def leaf(self) -> bytes:
        """The leaf hash of the entry."""
        leaf: bytes = self.row["leaf"]
        return leaf


def entry_of(event: AuditEvent, at: datetime) -> Entry:
    """Make the entry of an event. Raises `ValueError` where no such event is in the catalogue of events."""
    if event.event not in EVENTS:
        raise ValueError(f"unknown audit event {event.event}")
    salts = {name: os.urandom(SALT_BYTES) for name in event.side}
    row: dict[str, Any] = {
        "id": new_id(),
        "at": at.replace(microsecond=at.microsecond // 1000 * 1000),
        "event": event.event,
        "actor": event.actor,
        "sender": event.sender,
        "recipient": event.recipient,
        "reference": event.reference,
        "data": dict(event.data),
        "commitments": {name: commitment(salts[name], value) for name, value in event.side.items()},
    }
    row["leaf"] = leaf_hash(hashed_part(row))
    return Entry(row, {name: [salts[name].hex(), value] for name, value in event.side.items()})


def rows_of(entries: Sequence[Entry]) -> list[tuple[type[Base], list[dict[str, Any]]]]:
    """Return entries, and what lies beside them, as rows of their tables for `broker.bulk.insert_all`."""
    beside = [{"entry_id": entry.id, "fields": entry.side} for entry in entries if entry.side]
    return [(AuditEntry, [entry.row for entry in entries]), (AuditSide, beside)]


async def append(connection: AsyncConnection, events: Sequence[AuditEvent], at: datetime) -> list[str]:
    """Make and write the entries of events in the caller's transaction; return their ids."""
    entries = [entry_of(event, at) for event in events]
    await insert_all(connection, *rows_of(entries))
    return [entry.id for entry in entries]
