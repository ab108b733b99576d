"""Bring the directory to what a file says: idempotent, on record, and without deleting anything."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from adapters.registry import adapter_for
from broker.audit import log
from broker.audit.events import AuditEvent
from broker.db import Base
from broker.directory.cache import directory_cache
from broker.directory.document import AgencyEntry, DirectoryDocument
from broker.directory.models import Agency, AgencyBranch, AgencyChannel, AgencyInstance
from broker.gateway import Gateway

Values = dict[str, Any]
Wanted = dict[str, Values]
OPERATOR = "operator:*"


class Action(StrEnum):
    """What happened to a row of the directory."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Change:
    """One change: an agency (also its channel), an instance ``<agency>:<UNIT>`` or a branch ``<agency>/<branch>``."""

    action: Action
    id: str


async def load(gateway: Gateway, document: DirectoryDocument, *, actor: str = OPERATOR) -> list[Change]:
    """Bring the tables to the document in one transaction, with one entry in the evidence if anything changes.

    What the document no longer names becomes inactive. The same document again changes nothing and records nothing.
    """
    now = gateway.clock()
    async with gateway.db.writing() as connection:
        changes: list[Change] = []
        for table, wanted in _wanted(document.agencies):
            changes += await _bring(connection, table, wanted, now)
        changes = _once(changes)
        if changes:
            await log.append(connection, [AuditEvent("directory.changed", actor, data=_data(changes))], now)
    directory_cache(gateway).forget()
    return changes


async def prepare_channels(document: DirectoryDocument, data_dir: Path) -> list[str]:
    """Make the folders that the channels need; a folder outside `data_dir` must be there already.

    Returns the agencies whose channel is ready. Raises `adapters.base.DeliveryError` and `OSError`.
    """
    return await asyncio.to_thread(_prepare, document, data_dir)


def _prepare(document: DirectoryDocument, data_dir: Path) -> list[str]:
    ready: list[str] = []
    root = data_dir.resolve()
    for agency in document.agencies:
        adapter = adapter_for(agency.kind, agency.units, agency.settings)
        if not adapter.pushes:
            continue
        path = Path(str(agency.settings.get("path", "")))
        if path.is_relative_to(root):
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
        adapter.prepare()
        ready.append(agency.id)
    return ready


def _wanted(agencies: Iterable[AgencyEntry]) -> list[tuple[type[Base], Wanted]]:
    """Return the rows that the document asks for: table → id → columns; agencies first, the others refer to them."""
    tables: list[tuple[type[Base], Wanted]] = [
        (Agency, {}),
        (AgencyInstance, {}),
        (AgencyBranch, {}),
        (AgencyChannel, {}),
    ]
    (_, rows), (_, instances), (_, branches), (_, channels) = tables
    for entry in agencies:
        rows[entry.id] = {
            "name": entry.name, "kind": entry.kind, "ags": entry.ags, "dms": entry.dms, "place": entry.place
        }  # fmt: skip
        for instance in entry.instances():
            instances[str(instance)] = {"agency_id": entry.id, "unit": instance.unit.value}
        for branch in entry.branches:
            branches[f"{entry.id}/{branch.id}"] = {"agency_id": entry.id, "branch": branch.id, "name": branch.name}
        channels[entry.id] = {"channel": entry.channel, "settings": dict(entry.settings)}
    return tables


async def _bring(connection: AsyncConnection, table: type[Base], wanted: Wanted, now: object) -> list[Change]:
    """Bring one table to `wanted`; rows that are not wanted become inactive."""
    present = {row.id: row._asdict() for row in (await connection.execute(select(table.__table__))).all()}
    changes = list(_differences(present, wanted))
    added = [c.id for c in changes if c.action is Action.ADDED and c.id not in present]
    if added:
        rows = [{"id": key, **wanted[key], "active": True, "changed_at": now} for key in added]
        await connection.execute(insert(table), rows)
    for change in changes:
        if change.id in present:
            values = {**wanted.get(change.id, {}), "active": change.action is not Action.REMOVED, "changed_at": now}
            await connection.execute(update(table).where(table.__table__.c.id == change.id).values(values))
    return changes


def _differences(present: Mapping[str, Mapping[str, Any]], wanted: Wanted) -> Iterable[Change]:
    for key, values in wanted.items():
        row = present.get(key)
        if row is None or not row["active"]:
            yield Change(Action.ADDED, key)
        elif any(row[name] != value for name, value in values.items()):
            yield Change(Action.CHANGED, key)
    for key, row in present.items():
        if key not in wanted and row["active"]:
            yield Change(Action.REMOVED, key)


def _once(changes: Iterable[Change]) -> list[Change]:
    """Keep one change an id: an agency's row and its channel share theirs."""
    found: dict[str, Change] = {}
    for change in changes:
        found.setdefault(change.id, change)
    return list(found.values())


def _data(changes: Iterable[Change]) -> dict[str, list[str]]:
    return {action.value: sorted(c.id for c in changes if c.action is action) for action in Action}
