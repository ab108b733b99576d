"""The moment of handing over: the law is asked again, and only then the key opens the content. One transaction."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.audit.events import AuditEvent
from broker.audit.log import entry_of, rows_of
from broker.bulk import insert_all
from broker.clock import day_of
from broker.crypto import SealBroken, unseal, unwrap
from broker.delivery.repository import (
    FAULT,
    Queue,
    Taker,
    Waiting,
    Way,
    claim,
    forget_sealed,
    lay_aside,
    lease,
    next_ids,
)
from broker.directory.repository import branches_towards
from broker.duties.repository import Of, duty_row
from broker.gateway import Gateway
from broker.lifecycle.models import Duty
from broker.lifecycle.progress import advance
from broker.lifecycle.states import State
from broker.metrics import station
from broker.transfers.again import Remembered, Verdict, decide_again, remember
from consent.rows import Bound

log = logging.getLogger(__name__)

SEAL_BROKEN = "seal-broken"
NEVER_ENDED = "never-ended"
"""Whoever brought it died each time, so that no attempt had an end."""
LAID_ASIDE = timedelta(hours=1)
"""So long what failed in a way that nobody foresaw is out of the way of what comes after it."""
CODES_OF_WITHDRAWAL = frozenset({"EINWILLIGUNG_WIDERRUFEN", "EINWILLIGUNG_VERWEIGERT", "WIDERSPRUCH"})
LOOK_AHEAD = 8
"""So many candidates are looked up at once: others may be taking the first of them."""


@dataclass(frozen=True, slots=True)
class Released:
    """A content that may be handed over now, until the lease ends."""

    transfer: Waiting
    content: bytes
    key: bytes
    """The key of the content, for a recipient that holds the ciphertext."""
    leased_until: datetime
    attempt: int
    """The number of this hand-over; it fences."""
    branch: str | None
    """The recipient agency's branch at the sender's place."""


async def take(gateway: Gateway, taker: Taker, queue: Queue, most: int = 1) -> list[Released] | None:
    """Take up to `most` of the first transfers of a queue that nobody else is taking, in one transaction.

    Return what may be handed over, in the queue's order; nothing, where all that was taken ended or was laid aside;
    None where none waits. Of one case one is taken at a time. Any number of processes may do so at once: each transfer
    goes to one of them. Raises `CannotDecide`: by which law, or on which day, is not known.
    """
    await gateway.require_right_clock()
    gateway.law.on(day_of(gateway.clock()))
    passed_over: list[str] = []
    while candidates := await _candidates(gateway, taker, queue, passed_over, most):
        for start in range(0, len(candidates), most):
            taken = await _take(gateway, taker, queue, candidates[start : start + most])
            if taken is not None:
                return taken
        passed_over += candidates
    return None


async def _candidates(gateway: Gateway, taker: Taker, queue: Queue, passed_over: list[str], most: int) -> list[str]:
    async with gateway.db.reading() as connection:
        found = await next_ids(connection, gateway.clock(), queue, passed_over, most + LOOK_AHEAD)
    if taker.way is Way.PUSH and found and found[0].tried:
        return [found[0].id]  # it may be what its bringer died of: nothing else shall die with it
    return [one.id for one in found if taker.way is not Way.PUSH or not one.tried]


async def _take(gateway: Gateway, taker: Taker, queue: Queue, transfer_ids: Sequence[str]) -> list[Released] | None:
    """Take transfers together; None: none of them is to be had any longer.

    Where that fails each is taken by itself: a fault that one alone meets (a key that is missing, a decision that
    cannot be taken again) lays it aside and leaves the others their way. Faults of the database are raised.
    """
    try:
        return await _take_together(gateway, taker, queue, transfer_ids)
    except SQLAlchemyError:
        raise
    except Exception as exc:  # noqa: BLE001 - whatever it is, the others must be served
        if len(transfer_ids) == 1:
            await _lay_aside(gateway, transfer_ids[0], exc)
            return []
    released: list[Released] = []
    for transfer_id in transfer_ids:
        try:
            released += await _take(gateway, taker, queue, [transfer_id]) or ()
        except SQLAlchemyError:
            if not released:
                raise
            break  # what was taken is handed over; what was not waits
    return released


async def _take_together(
    gateway: Gateway, taker: Taker, queue: Queue, transfer_ids: Sequence[str]
) -> list[Released] | None:
    async with gateway.db.writing() as connection:
        remembered = await remember(connection, transfer_ids)
        waiting = await claim(connection, gateway.clock(), transfer_ids, queue)
        mine = [(waiting[one.sought.transfer_id], one) for one in remembered if one.sought.transfer_id in waiting]
        if not mine:
            return None
        with station("handed_over"):
            return await release(connection, gateway, mine, taker)


async def _lay_aside(gateway: Gateway, transfer_id: str, exc: Exception) -> None:
    log.error("hand-over failed", extra={"transfer": transfer_id, "reason": FAULT, "error": type(exc).__name__})
    async with gateway.db.writing() as connection:
        now = gateway.clock()
        await lay_aside(connection, transfer_id, now, now + LAID_ASIDE, FAULT)


@dataclass(frozen=True, slots=True)
class _End:
    """Why a transfer is not handed over."""

    state: State
    reason: str | None


async def release(
    connection: AsyncConnection,
    gateway: Gateway,
    batch: Sequence[tuple[Waiting, Remembered]],
    taker: Taker,
    *,
    again: datetime | None = None,
) -> list[Released]:
    """Decide again on this day; open the contents, lease and note them, or end transfers; return those to hand over.

    The one way to a content. The caller has locked the transfers, as events about their persons do (`look_again`). A
    content that does not open lies dead, and so does one whose attempts all ended with the death of who brought it.
    `again`: the taker has the lease until then, and gets the same once more.
    """
    now = gateway.clock()
    verdicts = await decide_again(connection, gateway, [remembered for _, remembered in batch], "hand_over")
    until = again or now + timedelta(seconds=gateway.settings.lease_seconds)
    ends: dict[_End, list[str]] = defaultdict(list)
    opened: list[tuple[Opened, Verdict]] = []
    for (waiting, _), verdict in zip(batch, verdicts, strict=True):
        found = _open(gateway, waiting, verdict, taker)
        if isinstance(found, _End):
            ends[found].append(waiting.id)
        else:
            opened.append((found, verdict))
    for end, ids in ends.items():
        await _end(connection, ids, end, now, taker.actor)
    if not opened:
        return []
    if again is None:
        await lease(connection, [one.waiting.id for one, _ in opened], taker, until)
    new = [one.waiting.id for one, _ in opened if one.waiting.state is not State.HANDING_OVER]
    await advance(connection, new, State.HANDING_OVER, now, taker.actor)
    released = await _released(connection, [one for one, _ in opened], until, again=again is not None)
    evidence = [_evidence(one, taker, verdict.decision_id) for one, (_, verdict) in zip(released, opened, strict=True)]
    duties = [row for one, verdict in opened for row in _duties(one.waiting, verdict, now)]
    await insert_all(connection, (Duty, duties), *rows_of([entry_of(event, now) for event in evidence]))
    return released


def _duties(waiting: Waiting, verdict: Verdict, now: datetime) -> list[dict[str, Any]]:
    """Build the rows of what the sides have to do from now on; they arise when the content goes for the first time."""
    if waiting.attempts:
        return []
    of = Of(waiting.id, verdict.decision_id, waiting.test)
    sides = {Bound.ABSENDER: waiting.sender, Bound.EMPFAENGER: waiting.recipient}
    return [duty_row(one, sides[one.bound], of, now) for one in verdict.owing]


@dataclass(frozen=True, slots=True)
class Opened:
    """A content that may go, and its key."""

    waiting: Waiting
    content: bytes
    key: bytes


def _open(gateway: Gateway, waiting: Waiting, verdict: Verdict, taker: Taker) -> Opened | _End:
    """Open what the law lets pass, or say how the transfer ends."""
    if not verdict.still_permitted:
        withdrawn = verdict.code in CODES_OF_WITHDRAWAL and waiting.state is not State.HANDING_OVER
        return _End(State.WITHDRAWN if withdrawn else State.RETURNED, verdict.shown_code(waiting.sender))
    try:
        content, key = open_content(gateway, waiting)
    except SealBroken:  # a human has to look; other cases do not wait for it
        log.error("content does not open", extra={"transfer": waiting.id, "reason": SEAL_BROKEN})  # noqa: TRY400 - the text of the error is not for the log
        return _End(State.DEAD, SEAL_BROKEN)
    if taker.way is Way.PUSH and waiting.attempts - waiting.attempts_before >= gateway.settings.retry_attempts:
        return _End(State.DEAD, NEVER_ENDED)
    return Opened(waiting, content, key)


async def _end(connection: AsyncConnection, ids: Sequence[str], end: _End, now: datetime, actor: str) -> None:
    """End transfers; the content of what the law no longer lets pass goes with them."""
    await advance(connection, ids, end.state, now, actor, end.reason)
    if end.state is not State.DEAD:
        await forget_sealed(connection, ids)


async def _released(
    connection: AsyncConnection, opened: Sequence[Opened], until: datetime, *, again: bool
) -> list[Released]:
    """Add lease, number of the attempt, and the recipient agency's branch at the sender's place."""
    ways = [(one.waiting.agency, one.waiting.sender.partition(":")[0]) for one in opened]
    branches = await branches_towards(connection, ways)
    return [
        Released(one.waiting, one.content, one.key, until, one.waiting.attempts + (not again), branches.get(way))
        for one, way in zip(opened, ways, strict=True)
    ]


def _evidence(released: Released, taker: Taker, decision_id: str) -> AuditEvent:
    waiting = released.transfer
    data = {"decision": decision_id, "attempt": released.attempt, "way": taker.way.value}
    return AuditEvent(
        "transfer.handing_over", taker.actor, waiting.sender, waiting.recipient, waiting.id, data,
        {"client": taker.client},
    )  # fmt: skip


def open_content(gateway: Gateway, waiting: Waiting) -> tuple[bytes, bytes]:
    """Unwrap the key, unseal, and compare with the digest that was decided on; return content and key.

    Raises `SealBroken`.
    """
    _, wrapping_key = gateway.keys.sealing_key(waiting.recipient, waiting.sealing_kid)
    key = unwrap(waiting.wrapped, wrapping_key)
    content = unseal(waiting.sealed, key, waiting.id)
    if sha256(content).hexdigest() != waiting.digest:
        raise SealBroken("the content is not the one that was decided on")
    return content, key
