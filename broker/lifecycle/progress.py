"""Move transfers from state to state: guarded, with history, evidence and the end of the key, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from broker import metrics
from broker.audit.events import AuditEvent
from broker.audit.log import append
from broker.lifecycle.models import Transfer, TransferEvent, TransferKey
from broker.lifecycle.states import KEY_ENDS, State, sources


@dataclass(frozen=True, slots=True)
class Moved:
    """A transfer that was moved."""

    transfer_id: str
    sender: str
    recipient: str
    was: State


async def advance(
    connection: AsyncConnection,
    transfer_ids: Sequence[str],
    target: State,
    at: datetime,
    actor: str,
    reason: str | None = None,
) -> list[Moved]:
    """Move those transfers that may enter `target` by the table; the others stay as they are. Return the moved."""
    query = (
        select(Transfer.id, Transfer.sender, Transfer.recipient, Transfer.state)
        .where(Transfer.id.in_(transfer_ids), Transfer.state.in_([s.value for s in sources(target)]))
        .order_by(Transfer.id)
        .with_for_update(key_share=True)
    )
    moved = [Moved(r.id, r.sender, r.recipient, State(r.state)) for r in await connection.execute(query)]
    if not moved:
        return []
    metrics.entered(target.value, len(moved))
    ids = [m.transfer_id for m in moved]
    await connection.execute(update(Transfer).where(Transfer.id.in_(ids)).values(state=target.value, state_at=at))
    await connection.execute(insert(TransferEvent), [event_row(m, target, at, reason) for m in moved])
    events = [_evidence(m, target, actor, reason) for m in moved]
    if target in KEY_ENDS:
        events += await _delete_keys(connection, moved, actor)
    await append(connection, events, at)
    return moved


def event_row(moved: Moved, target: State, at: datetime, reason: str | None) -> dict[str, Any]:
    """Return a row of the history."""
    return {
        "transfer_id": moved.transfer_id,
        "sender": moved.sender,
        "recipient": moved.recipient,
        "state": target.value,
        "reason": reason,
        "at": at,
    }


def _evidence(moved: Moved, target: State, actor: str, reason: str | None) -> AuditEvent:
    data = {"from": moved.was.value, "to": target.value} | ({"reason": reason} if reason else {})
    return AuditEvent("transfer.state", actor, moved.sender, moved.recipient, moved.transfer_id, data)


async def _delete_keys(connection: AsyncConnection, moved: list[Moved], actor: str) -> list[AuditEvent]:
    """Delete the content keys that are still there; say for which."""
    ids = [m.transfer_id for m in moved]
    held = set(await connection.scalars(select(TransferKey.transfer_id).where(TransferKey.transfer_id.in_(ids))))
    await connection.execute(delete(TransferKey).where(TransferKey.transfer_id.in_(held)))
    return [
        AuditEvent("transfer.key_deleted", actor, m.sender, m.recipient, m.transfer_id)
        for m in moved
        if m.transfer_id in held
    ]
