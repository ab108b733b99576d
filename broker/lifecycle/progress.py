"""Move transfers from state to state: guarded, with history, evidence and the end of the key, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from broker import metrics
from broker.audit.events import AuditEvent
from broker.audit.log import entry_of, rows_of
from broker.bulk import insert_all
from broker.db import is_sqlite
from broker.lifecycle.models import Transfer, TransferEvent, TransferKey
from broker.lifecycle.states import KEY_ENDS, State, sources


@dataclass(frozen=True, slots=True)
class Moved:
    """A transfer that was moved."""

    transfer_id: str
    sender: str
    recipient: str
    was: State


#: Locks in the order of ids, like everywhere; who has waited for a lock sees the row as it is then.
LOCKED = """WITH locked AS MATERIALIZED (
    SELECT id, state FROM transfers WHERE id = ANY($1::text[]) AND state = ANY($2::text[]) ORDER BY id FOR NO KEY UPDATE
), moved AS (
    UPDATE transfers t SET state = $3::text, state_at = $4::timestamptz FROM locked l WHERE t.id = l.id
    RETURNING t.id, t.sender, t.recipient, l.state AS was
)"""
MOVE = f"{LOCKED} SELECT id, sender, recipient, was, false AS key_ended FROM moved ORDER BY id"  # noqa: S608 - no value in it
MOVE_AND_END_KEYS = f"""{LOCKED}, ended AS (
    DELETE FROM transfer_keys k USING moved m WHERE k.transfer_id = m.id RETURNING k.transfer_id
)
SELECT m.id, m.sender, m.recipient, m.was, e.transfer_id IS NOT NULL AS key_ended
FROM moved m LEFT JOIN ended e ON e.transfer_id = m.id ORDER BY m.id"""  # noqa: S608 - no value in it


@dataclass(frozen=True, slots=True)
class Step:
    """Who moves a transfer, and why."""

    transfer_id: str
    actor: str
    reason: str | None = None


async def advance(
    connection: AsyncConnection,
    transfer_ids: Sequence[str],
    target: State,
    at: datetime,
    actor: str,
    reason: str | None = None,
) -> list[Moved]:
    """Move those transfers that may enter `target` by the table; the others stay as they are. Return the moved."""
    return await advance_each(connection, [Step(one, actor, reason) for one in transfer_ids], target, at)


async def advance_each(connection: AsyncConnection, steps: Sequence[Step], target: State, at: datetime) -> list[Moved]:
    """Move transfers as `advance` does, each by its own actor.

    Two statements on PostgreSQL, however many there are: one moves, one writes history and evidence.
    """
    if not steps:
        return []
    of = {step.transfer_id: step for step in steps}
    from_states = sorted(state.value for state in sources(target))
    move = _move_on_sqlite if is_sqlite(connection) else _move
    found = await move(connection, list(of), from_states, target, at)
    if not found:
        return []
    moved = [one for one, _ in found]
    metrics.entered(target.value, len(moved))
    events = [_evidence(one, target, of[one.transfer_id]) for one in moved]
    events += [_key_deleted(one, of[one.transfer_id].actor) for one, key_ended in found if key_ended]
    history = [event_row(one, target, at, of[one.transfer_id].reason) for one in moved]
    await insert_all(connection, (TransferEvent, history), *rows_of([entry_of(event, at) for event in events]))
    return moved


Found = list[tuple[Moved, bool]]
"""What was moved, in the order of ids, and whether its content key was there and is deleted now."""


async def _move(
    connection: AsyncConnection, ids: list[str], from_states: list[str], target: State, at: datetime
) -> Found:
    statement = MOVE_AND_END_KEYS if target in KEY_ENDS else MOVE
    rows = await connection.exec_driver_sql(statement, (ids, from_states, target.value, at))
    return [(Moved(r.id, r.sender, r.recipient, State(r.was)), r.key_ended) for r in rows]


async def _move_on_sqlite(
    connection: AsyncConnection, ids: list[str], from_states: list[str], target: State, at: datetime
) -> Found:
    """Do the same statement by statement: the transaction has the database for itself."""
    columns = (Transfer.id, Transfer.sender, Transfer.recipient, Transfer.state)
    query = select(*columns).where(Transfer.id.in_(ids), Transfer.state.in_(from_states)).order_by(Transfer.id)
    moved = [Moved(r.id, r.sender, r.recipient, State(r.state)) for r in await connection.execute(query)]
    own = [one.transfer_id for one in moved]
    await connection.execute(update(Transfer).where(Transfer.id.in_(own)).values(state=target.value, state_at=at))
    ended: set[str] = set()
    if target in KEY_ENDS:
        gone = delete(TransferKey).where(TransferKey.transfer_id.in_(own)).returning(TransferKey.transfer_id)
        ended = set(await connection.scalars(gone))
    return [(one, one.transfer_id in ended) for one in moved]


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


def _evidence(moved: Moved, target: State, step: Step) -> AuditEvent:
    data = {"from": moved.was.value, "to": target.value} | ({"reason": step.reason} if step.reason else {})
    return AuditEvent("transfer.state", step.actor, moved.sender, moved.recipient, moved.transfer_id, data)


def _key_deleted(moved: Moved, actor: str) -> AuditEvent:
    return AuditEvent("transfer.key_deleted", actor, moved.sender, moved.recipient, moved.transfer_id)
