"""The moment of handing over: the law is asked again, and only then the key opens the content. One transaction."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.audit.events import AuditEvent
from broker.audit.log import append
from broker.crypto import SealBroken, unseal, unwrap
from broker.delivery.repository import Queue, Taker, Waiting, Way, claim, forget_sealed, lay_aside, lease, next_ids
from broker.directory.repository import branch_towards
from broker.gateway import Gateway
from broker.lifecycle.progress import advance
from broker.lifecycle.states import State
from broker.metrics import station
from broker.transfers.again import Remembered, Verdict, decide_again, hold_persons, remember

log = logging.getLogger(__name__)

SEAL_BROKEN = "seal-broken"
FAULT = "internal-fault"
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


@dataclass(frozen=True, slots=True)
class Taken:
    """One transfer whose turn it was; `released` None: it ended or was laid aside, and the next may come."""

    released: Released | None


async def take_next(gateway: Gateway, taker: Taker, queue: Queue) -> Taken | None:
    """Take the first transfer of a queue that nobody else is taking, in a transaction of its own; None: none waits.

    Any number of processes may do so at once: each transfer goes to one of them.
    """
    passed_over: list[str] = []
    while candidates := await _candidates(gateway, queue, passed_over):
        for candidate in candidates:
            if (taken := await _take(gateway, taker, queue, candidate)) is not None:
                return taken
        passed_over += candidates
    return None


async def _candidates(gateway: Gateway, queue: Queue, passed_over: list[str]) -> list[str]:
    async with gateway.db.reading() as connection:
        return await next_ids(connection, gateway.clock(), queue, passed_over, LOOK_AHEAD)


async def _take(gateway: Gateway, taker: Taker, queue: Queue, transfer_id: str) -> Taken | None:
    """Take one transfer; None: it is no longer to be had.

    A fault that one transfer alone meets (a key that is missing, a decision that cannot be taken again) lays it aside
    and leaves the others their way. Faults of the database are raised.
    """
    try:
        async with gateway.db.writing() as connection:
            remembered = await remember(connection, transfer_id)
            await hold_persons(connection, remembered)
            waiting = await claim(connection, gateway.clock(), transfer_id, queue)
            if waiting is None:
                return None
            with station("handed_over"):
                return Taken(await release(connection, gateway, waiting, remembered, taker))
    except SQLAlchemyError:
        raise
    except Exception as exc:  # noqa: BLE001 - whatever it is, the others must be served
        log.error(  # noqa: TRY400 - the text of the error is not for the log
            "hand-over failed", extra={"transfer": transfer_id, "reason": FAULT, "error": type(exc).__name__}
        )
    async with gateway.db.writing() as connection:
        now = gateway.clock()
        await lay_aside(connection, transfer_id, now, now + LAID_ASIDE, FAULT)
    return Taken(None)


async def release(
    connection: AsyncConnection,
    gateway: Gateway,
    waiting: Waiting,
    remembered: Remembered,
    taker: Taker,
    *,
    again: datetime | None = None,
) -> Released | None:
    """Decide again on this day; open the content, lease it and note it, or end the transfer and return None.

    The one way to a content. The caller has locked persons and transfer. A content that does not open lies dead, and so
    does one whose attempts all ended with the death of who brought it. `again`: the taker has the lease until then, and
    gets the same once more.
    """
    now, actor = gateway.clock(), taker.actor
    verdict = await decide_again(connection, gateway, remembered, "hand_over")
    if not verdict.still_permitted:
        await _end(connection, gateway, waiting, verdict, actor)
        return None
    try:
        content, key = open_content(gateway, waiting)
    except SealBroken:  # a human has to look; other cases do not wait for it
        log.error("content does not open", extra={"transfer": waiting.id, "reason": SEAL_BROKEN})  # noqa: TRY400 - the text of the error is not for the log
        await advance(connection, [waiting.id], State.DEAD, now, actor, SEAL_BROKEN)
        return None
    if taker.way is Way.PUSH and waiting.attempts - waiting.attempts_before >= gateway.settings.retry_attempts:
        await advance(connection, [waiting.id], State.DEAD, now, actor, NEVER_ENDED)
        return None
    until = again or now + timedelta(seconds=gateway.settings.lease_seconds)
    attempt = waiting.attempts + (again is None)
    if again is None:
        await lease(connection, waiting, taker, until)
    if waiting.state is not State.HANDING_OVER:
        await advance(connection, [waiting.id], State.HANDING_OVER, now, actor)
    branch = await branch_towards(connection, waiting.agency, waiting.sender.partition(":")[0])
    released = Released(waiting, content, key, until, attempt, branch)
    await append(connection, [_evidence(released, taker, verdict.decision_id)], now)
    return released


async def _end(connection: AsyncConnection, gateway: Gateway, waiting: Waiting, verdict: Verdict, actor: str) -> None:
    """End what the law no longer lets pass; its content goes with it."""
    end = State.WITHDRAWN if verdict.code in CODES_OF_WITHDRAWAL else State.RETURNED
    if waiting.state is State.HANDING_OVER:
        end = State.RETURNED
    await advance(connection, [waiting.id], end, gateway.clock(), actor, verdict.shown_code(waiting.sender))
    await forget_sealed(connection, [waiting.id])


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
