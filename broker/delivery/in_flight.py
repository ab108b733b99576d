"""What happens to transfers on their way: a person's withdrawal or stop, the sender's recall, the end of their time."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import exists, insert, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.audit.events import AuditEvent
from broker.audit.log import append
from broker.db import one_at_a_time
from broker.delivery.notices import NoticeKind, notify
from broker.delivery.repository import FAULT, forget_sealed
from broker.errors import ProblemError
from broker.gateway import Gateway
from broker.lifecycle.models import Transfer, TransferEvent, TransferLookup
from broker.lifecycle.progress import Moved, advance, event_row
from broker.lifecycle.states import CAN_BE_STOPPED, State, sources
from broker.subjects.events import SubjectEvent
from broker.subjects.pseudonym import short
from broker.transfers.again import Verdict, decide_again, remember, undecidable

log = logging.getLogger(__name__)

ACTOR = "broker:delivery"
HANDED_OVER = (State.HANDING_OVER, State.DELIVERED, State.ACKNOWLEDGED, State.PROCESSED)
NOTICE_DAYS = 90
EXPIRY_BATCH = 200
EXPIRES_SOON = "expires-soon"


async def look_again(connection: AsyncConnection, gateway: Gateway, event: SubjectEvent) -> list[str]:
    """Decide again about every transfer that the event may concern, in the event's transaction.

    What may no longer pass ends at once where it is not handed over; otherwise its recipient gets a notice. Return the
    ids of the transfers that were ended.

    The transfers are locked, in the order of their ids, before anything is decided: a hand-over that runs commits
    first and is seen here, one that comes later waits and then decides by what this event has recorded.

    A transfer of which nothing can be decided any more (a fault of ours) counts as one that may not pass: the event is
    recorded and answered all the same, and the sender, who is told why, may send again.
    """
    keys = [short(key) for key in (event.pseudonym, *event.near, event.case_key) if key]
    concerned = select(TransferLookup.transfer_id).where(TransferLookup.key.in_(keys))
    watched = [state.value for state in (*CAN_BE_STOPPED, *HANDED_OVER)]
    query = (
        select(Transfer.id, Transfer.sender, Transfer.recipient, Transfer.state)
        .where(
            Transfer.id.in_(concerned),
            Transfer.state.in_(watched),
            Transfer.accepted_at > gateway.clock() - timedelta(days=NOTICE_DAYS),
        )
        .order_by(Transfer.id)
        .with_for_update(key_share=True)
    )
    ended = []
    rows = (await connection.execute(query)).all()
    verdicts = await _verdicts(connection, gateway, [row.id for row in rows])
    for row, verdict in zip(rows, verdicts, strict=True):
        if verdict.still_permitted:
            continue
        state = State(row.state)
        if state in CAN_BE_STOPPED:
            reason = verdict.shown_code(row.sender)
            moved = await advance(connection, [row.id], State.WITHDRAWN, gateway.clock(), ACTOR, reason)
            gone = [one.transfer_id for one in moved]
            await forget_sealed(connection, gone)
            ended += gone
        if state in HANDED_OVER or (state is State.DEAD and await _was_handed_over(connection, row.id)):
            await notify(connection, gateway, NoticeKind.WIDERRUF, row.id, row.sender, row.recipient)
    return ended


async def _verdicts(connection: AsyncConnection, gateway: Gateway, transfer_ids: Sequence[str]) -> list[Verdict]:
    """Decide again about transfers, each by itself where that fails together; what is undecidable may not pass."""
    try:
        return await decide_again(connection, gateway, await remember(connection, transfer_ids), "event")
    except SQLAlchemyError:
        raise
    except Exception as exc:  # noqa: BLE001 - whatever one transfer meets, the person's event must be recorded
        if len(transfer_ids) == 1:
            return [_undecidable(transfer_ids[0], exc)]
    return [verdict for one in transfer_ids for verdict in await _verdicts(connection, gateway, [one])]


def _undecidable(transfer_id: str, exc: Exception) -> Verdict:
    log.error("cannot be decided again", extra={"transfer": transfer_id, "reason": FAULT, "error": type(exc).__name__})
    return undecidable(transfer_id, FAULT)


async def recall(connection: AsyncConnection, gateway: Gateway, transfer_id: str, sender: str) -> str | None:
    """End a transfer that is not handed over (None), or send its recipient a recall (the notice's id).

    Raises the problems ``not-found`` and ``state-conflict`` (it has ended otherwise).
    """
    query = select(Transfer.sender, Transfer.recipient, Transfer.state).where(Transfer.id == transfer_id)
    row = (await connection.execute(query.with_for_update(key_share=True))).one_or_none()
    if row is None or row.sender != sender:
        raise ProblemError("not-found", "Diese Übermittlung gibt es für diese Instanz nicht.")
    state = State(row.state)
    if state is State.RECALLED:
        return None
    if state in CAN_BE_STOPPED:
        await advance(connection, [transfer_id], State.RECALLED, gateway.clock(), sender)
        await forget_sealed(connection, [transfer_id])
        if state is not State.DEAD or not await _was_handed_over(connection, transfer_id):
            return None
    elif state not in HANDED_OVER:
        allowed = sorted(s.value for s in (*CAN_BE_STOPPED, *HANDED_OVER))
        text = f"Im Zustand {state.value} gibt es nichts zurückzurufen."
        raise ProblemError("state-conflict", text, state=state.value, allowed=allowed)
    return await notify(connection, gateway, NoticeKind.RUECKRUF, transfer_id, row.sender, row.recipient)


async def _was_handed_over(connection: AsyncConnection, transfer_id: str) -> bool:
    """Whether a transfer was past the point of no return before it died."""
    query = select(TransferEvent.seq).where(
        TransferEvent.transfer_id == transfer_id, TransferEvent.state == State.HANDING_OVER.value
    )
    return (await connection.execute(query.limit(1))).first() is not None


async def warn_due(gateway: Gateway) -> int:
    """Warn both sides, once, that a transfer expires soon; return how many. They read it in their feed."""
    now = gateway.clock()
    may_expire = [state.value for state in sources(State.EXPIRED)]
    soon = now + timedelta(days=gateway.settings.warn_days)
    warned = exists().where(TransferEvent.transfer_id == Transfer.id, TransferEvent.reason == EXPIRES_SOON)
    query = select(Transfer.id, Transfer.sender, Transfer.recipient, Transfer.state).where(
        Transfer.state.in_(may_expire), Transfer.expires_at > now, Transfer.expires_at <= soon, ~warned
    )
    async with gateway.db.writing() as connection:
        await one_at_a_time(connection)
        locked = query.order_by(Transfer.id).limit(EXPIRY_BATCH).with_for_update(key_share=True, skip_locked=True)
        due = [Moved(r.id, r.sender, r.recipient, State(r.state)) for r in await connection.execute(locked)]
        if due:
            rows = [event_row(moved, moved.was, now, EXPIRES_SOON) for moved in due]
            await connection.execute(insert(TransferEvent), rows)
            events = [AuditEvent("transfer.expiring", ACTOR, m.sender, m.recipient, m.transfer_id) for m in due]
            await append(connection, events, now)
    return len(due)


async def expire_due(gateway: Gateway) -> int:
    """End transfers whose time is over, and delete what they carried; return how many."""
    now = await gateway.surely()
    may_expire = [state.value for state in sources(State.EXPIRED)]
    query = select(Transfer.id).where(Transfer.state.in_(may_expire), Transfer.expires_at <= now).limit(EXPIRY_BATCH)
    async with gateway.db.reading() as connection:
        due = list(await connection.scalars(query))
    if not due:
        return 0
    async with gateway.db.writing() as connection:
        moved = await advance(connection, due, State.EXPIRED, now, ACTOR)
        await forget_sealed(connection, [m.transfer_id for m in moved])
    return len(moved)
