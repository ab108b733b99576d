"""What the recipient answers: a quittung moves the transfer on and ends the key. The same through every channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.audit.events import AuditEvent
from broker.audit.log import entry_of, rows_of
from broker.bulk import insert_all
from broker.delivery.models import QuittungRow
from broker.delivery.repository import forget_sealed
from broker.errors import ProblemError, invalid
from broker.gateway import Gateway
from broker.lifecycle.models import Transfer
from broker.lifecycle.progress import advance
from broker.lifecycle.states import State, sources
from broker.outbox.models import OutboxRow
from broker.outbox.side import About, of_quittung, record_rows
from schemas.quittung import Quittung, QuittungStatus

TARGETS = {
    QuittungStatus.ANGENOMMEN: State.ACKNOWLEDGED,
    QuittungStatus.VERARBEITET: State.PROCESSED,
    QuittungStatus.ABGELEHNT: State.REJECTED,
}


@dataclass(frozen=True, slots=True)
class Accepted:
    """A quittung that counts: the transfer and the state it is in by it."""

    transfer_id: str
    state: State
    repeated: bool


Addressed = Row[str, str, str, str, str, str]
"""id, sender, recipient, message_id, state, order_key of a transfer."""
#: Parameter: ``id``.
_ADDRESSED = (
    select(Transfer.id, Transfer.sender, Transfer.recipient, Transfer.message_id, Transfer.state, Transfer.order_key)
    .where(Transfer.id == bindparam("id"))
    .with_for_update(key_share=True)
)


async def accept_quittung(
    connection: AsyncConnection, gateway: Gateway, quittung: Quittung, agency: str, client: str
) -> Accepted:
    """Take a quittung of an agency's instance. The same again gets the same answer.

    Raises the problems ``not-found`` (no such transfer for that instance), ``message-conflict`` (same id, other bytes),
    ``state-conflict`` (not handed over yet, or answered otherwise), ``invalid-request`` (names another message).
    """
    row = await _addressed(connection, quittung, agency)
    if quittung.reply_to != row.message_id:
        raise invalid("bezug", "Die Quittung bezieht sich auf eine andere Nachricht als die dieser Übermittlung.")
    if await _known(connection, quittung):
        return Accepted(row.id, State(row.state), repeated=True)
    target = TARGETS[quittung.status]
    now = gateway.clock()
    actor = str(quittung.sender)
    if State(row.state) is not target and not await advance(connection, [row.id], target, now, actor, quittung.reason):
        allowed = sorted(state.value for state in sources(target))
        text = f"Eine Quittung {quittung.status} ist im Zustand {row.state} nicht möglich."
        raise ProblemError("state-conflict", text, state=row.state, allowed=allowed)
    await forget_sealed(connection, [row.id])
    told = of_quittung(row.id, row.sender, quittung.message_id, quittung.status, quittung.reason)
    outbox = record_rows(gateway, told, About(row.order_key, row.message_id))
    evidence = rows_of([entry_of(_evidence(row, quittung, client), now)])
    await insert_all(connection, (QuittungRow, [_row(quittung, now)]), (OutboxRow, outbox), *evidence)
    return Accepted(row.id, target, repeated=False)


def _evidence(row: Addressed, quittung: Quittung, client: str) -> AuditEvent:
    data = {"status": quittung.status.value} | ({"reason": quittung.reason.value} if quittung.reason else {})
    side = {"client": client, "quittung_digest": quittung.digest}
    return AuditEvent("transfer.quittung", str(quittung.sender), row.sender, row.recipient, row.id, data, side)


async def _addressed(connection: AsyncConnection, quittung: Quittung, agency: str) -> Addressed:
    """Lock the transfer that a quittung names and read what is asked of it."""
    row = (await connection.execute(_ADDRESSED, {"id": quittung.transfer_id})).one_or_none()
    if row is None or row.recipient != str(quittung.sender) or quittung.sender.agency != agency:
        raise ProblemError("not-found", "Diese Übermittlung gibt es für diese Instanz nicht.")
    return row


async def _known(connection: AsyncConnection, quittung: Quittung) -> bool:
    query = select(QuittungRow.digest).where(
        QuittungRow.sender == str(quittung.sender), QuittungRow.message_id == quittung.message_id
    )
    found = await connection.scalar(query)
    if found is not None and found != quittung.digest:
        raise ProblemError("message-conflict", "Diese nachrichtId trug schon eine andere Quittung.")
    return found is not None


def _row(quittung: Quittung, now: datetime) -> dict[str, Any]:
    return {
        "sender": str(quittung.sender),
        "message_id": quittung.message_id,
        "transfer_id": quittung.transfer_id,
        "status": quittung.status.value,
        "reason": quittung.reason.value if quittung.reason else None,
        "digest": quittung.digest,
        "content": quittung.content,
        "at": now,
    }


async def quittungen_of(connection: AsyncConnection, transfer_id: str) -> Sequence[Any]:
    """Return the quittungen of a transfer, oldest first."""
    query = select(QuittungRow).where(QuittungRow.transfer_id == transfer_id).order_by(QuittungRow.at)
    return (await connection.execute(query)).all()
