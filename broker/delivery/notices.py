"""After the point of no return the recipient is told, and says what it did."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any
from uuid import uuid4

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.audit.events import AuditEvent
from broker.audit.log import append
from broker.delivery.models import NoticeRow
from broker.errors import ProblemError
from broker.gateway import Gateway
from broker.lifecycle.models import Transfer
from broker.outbox.side import enqueue, of_notice


class NoticeKind(StrEnum):
    """Why the recipient is told."""

    RUECKRUF = "RUECKRUF"
    """The sender calls the transfer back."""
    WIDERRUF = "WIDERRUF"
    """By what was recorded since, the law would no longer let it pass."""


class Measure(StrEnum):
    """What the recipient did with the data."""

    GELOESCHT = "GELOESCHT"
    GESPERRT = "GESPERRT"
    WEITER_ERFORDERLICH = "WEITER_ERFORDERLICH"


async def notify(
    connection: AsyncConnection, gateway: Gateway, kind: NoticeKind, transfer_id: str, sender: str, recipient: str
) -> str:
    """Record a notice, once for each transfer and kind; return its id. Of two in one moment the second waits."""
    await connection.execute(select(Transfer.id).where(Transfer.id == transfer_id).with_for_update(key_share=True))
    found = await connection.scalar(
        select(NoticeRow.id).where(NoticeRow.transfer_id == transfer_id, NoticeRow.kind == kind.value)
    )
    if found is not None:
        return found
    now = gateway.clock()
    row = {
        "id": str(uuid4()),
        "transfer_id": transfer_id,
        "sender": sender,
        "recipient": recipient,
        "kind": kind.value,
        "created_at": now,
    }
    await connection.execute(insert(NoticeRow), [row])
    data = {"transfer": transfer_id, "kind": kind.value}
    await append(connection, [AuditEvent("notice.created", "broker", sender, recipient, str(row["id"]), data)], now)
    await enqueue(connection, gateway, of_notice(transfer_id, recipient, str(row["id"]), kind.value))
    return str(row["id"])


async def open_notices(connection: AsyncConnection, recipient: str, after: int, limit: int) -> Sequence[Any]:
    """Return notices of an instance that it has not acknowledged, oldest first."""
    query = (
        select(NoticeRow)
        .where(NoticeRow.recipient == recipient, NoticeRow.acknowledged_at.is_(None), NoticeRow.seq > after)
        .order_by(NoticeRow.seq)
        .limit(limit)
    )
    return (await connection.execute(query)).all()


async def acknowledge(
    connection: AsyncConnection, gateway: Gateway, notice_id: str, recipient: str, measure: Measure, client: str
) -> str:
    """Record what the recipient did; the same again is the same answer. Return the transfer's id.

    Raises the problems ``not-found`` and ``state-conflict`` (acknowledged with another measure).
    """
    query = select(NoticeRow).where(NoticeRow.id == notice_id, NoticeRow.recipient == recipient).with_for_update()
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise ProblemError("not-found", "Diese Mitteilung gibt es für diese Instanz nicht.")
    if row.measure == measure.value:
        return str(row.transfer_id)
    if row.measure is not None:
        raise ProblemError("state-conflict", "Die Mitteilung ist schon bestätigt.", state=row.measure)
    now = gateway.clock()
    await connection.execute(
        update(NoticeRow).where(NoticeRow.id == notice_id).values(acknowledged_at=now, measure=measure.value)
    )
    data = {"transfer": row.transfer_id, "measure": measure.value}
    event = AuditEvent("notice.acknowledged", recipient, row.sender, recipient, notice_id, data, {"client": client})
    await append(connection, [event], now)
    return str(row.transfer_id)
