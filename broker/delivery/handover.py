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
from broker.delivery.repository import Waiting, lease, next_waiting
from broker.directory.repository import branch_towards
from broker.gateway import Gateway
from broker.lifecycle.progress import advance
from broker.lifecycle.states import State
from broker.metrics import station
from broker.transfers.again import decide_again

log = logging.getLogger(__name__)

SEAL_BROKEN = "seal-broken"
FAULT = "internal-fault"
LAID_ASIDE = timedelta(hours=1)
"""So long what failed in a way that nobody foresaw is out of the way of what comes after it."""
CODES_OF_WITHDRAWAL = frozenset({"EINWILLIGUNG_WIDERRUFEN", "EINWILLIGUNG_VERWEIGERT", "WIDERSPRUCH"})


@dataclass(frozen=True, slots=True)
class Released:
    """A content that may be handed over now, until the lease ends."""

    transfer: Waiting
    content: bytes
    leased_until: datetime
    branch: str | None
    """The recipient agency's branch at the sender's place."""


@dataclass(frozen=True, slots=True)
class Taken:
    """One transfer whose turn it was; `released` None: it ended or was laid aside, and the next may come."""

    released: Released | None


async def take_next(
    gateway: Gateway, actor: str, client: str, *, recipient: str | None = None, agency: str | None = None
) -> Taken | None:
    """Take the oldest transfer that waits for an instance or an agency, in a transaction of its own; None: none waits.

    A fault that one transfer alone meets (a key that is missing, a decision that cannot be taken again) lays it aside
    and leaves the others their way. Faults of the database are raised.
    """
    waiting: Waiting | None = None
    try:
        async with gateway.db.writing() as connection:
            waiting = await next_waiting(connection, gateway.clock(), recipient=recipient, agency=agency)
            if waiting is None:
                return None
            with station("handed_over"):
                return Taken(await release(connection, gateway, waiting, actor, client))
    except SQLAlchemyError:
        raise
    except Exception as exc:
        if waiting is None:
            raise
        log.error(  # noqa: TRY400 - the text of the error is not for the log
            "hand-over failed", extra={"transfer": waiting.id, "reason": FAULT, "error": type(exc).__name__}
        )
    async with gateway.db.writing() as connection:
        await lease(connection, waiting.id, gateway.clock() + LAID_ASIDE, waiting.attempts, FAULT)
    return Taken(None)


async def release(
    connection: AsyncConnection, gateway: Gateway, waiting: Waiting, actor: str, client: str
) -> Released | None:
    """Decide again on this day; open the content, lease it and note it, or end the transfer and return None.

    A content that does not open lies dead.
    """
    now = gateway.clock()
    verdict = await decide_again(connection, gateway, waiting.id, "hand_over")
    if not verdict.still_permitted:
        end = State.WITHDRAWN if verdict.code in CODES_OF_WITHDRAWAL else State.RETURNED
        if waiting.state is State.HANDING_OVER:
            end = State.RETURNED
        await advance(connection, [waiting.id], end, now, actor, verdict.shown_code(waiting.sender))
        return None
    try:
        content = open_content(gateway, waiting)
    except SealBroken:  # a human has to look; other cases do not wait for it
        log.error("content does not open", extra={"transfer": waiting.id, "reason": SEAL_BROKEN})  # noqa: TRY400 - the text of the error is not for the log
        await advance(connection, [waiting.id], State.DEAD, now, actor, SEAL_BROKEN)
        return None
    until = now + timedelta(seconds=gateway.settings.lease_seconds)
    await lease(connection, waiting.id, until, waiting.attempts + 1)
    if waiting.state is not State.HANDING_OVER:
        await advance(connection, [waiting.id], State.HANDING_OVER, now, actor)
    data = {"decision": verdict.decision_id, "attempt": waiting.attempts + 1}
    event = AuditEvent(
        "transfer.handing_over", actor, waiting.sender, waiting.recipient, waiting.id, data, {"client": client}
    )
    await append(connection, [event], now)
    branch = await branch_towards(connection, waiting.agency, waiting.sender.partition(":")[0])
    return Released(waiting, content, until, branch)


def open_content(gateway: Gateway, waiting: Waiting) -> bytes:
    """Unwrap the key, unseal, and compare with the digest that was decided on. Raises `SealBroken`."""
    _, wrapping_key = gateway.keys.sealing_key(waiting.recipient, waiting.sealing_kid)
    content = unseal(waiting.sealed, unwrap(waiting.wrapped, wrapping_key), waiting.id)
    if sha256(content).hexdigest() != waiting.digest:
        raise SealBroken("the content is not the one that was decided on")
    return content
