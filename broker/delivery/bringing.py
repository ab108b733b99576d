"""Bring messages to one office by its channel, one after another, and note how each ended."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from time import monotonic
from uuid import uuid4

from adapters.base import AgencyAdapter, Delivery, DeliveryError
from broker import metrics
from broker.delivery.handover import Released, take
from broker.delivery.leases import LEASES, Leases
from broker.delivery.pauses import pause_after
from broker.delivery.repository import FAULT, Queue, Taker, Way, hold, let_go, note_failure
from broker.delivery.strand import Strand
from broker.gateway import Gateway
from broker.lifecycle.progress import advance
from broker.lifecycle.states import State
from schemas.identifiers import AgencyId, Instance, MessageId, TransferId

log = logging.getLogger(__name__)

ACTOR = "broker:delivery"
WORKER = str(uuid4())
"""This process, as the holder of leases."""
TOGETHER = 8
"""So many are taken in one transaction; they are brought one after another."""
FRESH_SECONDS = 2.0
"""So long what waits behind another is brought by the decision that it was taken with."""


@dataclass(frozen=True, slots=True)
class Office:
    """An agency that is pushed to, and the one thread that uses its channel."""

    agency: str
    adapter: AgencyAdapter
    strand: Strand = field(default_factory=Strand)


def longest(gateway: Gateway) -> float:
    """Return the seconds that a channel may take for one thing."""
    return float(LEASES * gateway.settings.lease_seconds)


async def push(gateway: Gateway, office: Office) -> int:
    """Bring some of what waits for an office; return how many were looked at, 0 where nothing waits."""
    taker = Taker(ACTOR, "", Way.PUSH, holder=WORKER)
    taken = await take(gateway, taker, Queue(agency=office.agency), TOGETHER)
    if taken is None:
        return 0
    await bring_all(gateway, office, taken)
    return len(taken) or 1


async def bring_all(gateway: Gateway, office: Office, taken: Sequence[Released]) -> None:
    """Hand over one after another; what was not begun soon, or before the process is to end, is let go at once.

    So nothing is brought long after the law was asked: who takes it next asks again.
    """
    leases, begun, decided = Leases(gateway, taken), 0, monotonic()
    try:
        async with leases.prolonged():
            for released in taken:
                late = begun > 0 and monotonic() - decided > FRESH_SECONDS
                if late or office.strand.hangs or gateway.halt.requested:
                    break
                begun += 1
                await bring(gateway, office, released, leases)
    finally:
        if not_begun := taken[begun:]:
            now = await gateway.surely()  # by a clock that is ahead it would wait until then
            async with gateway.db.writing() as connection:
                await let_go(connection, [(one.transfer.id, one.attempt) for one in not_begun], now)


async def bring(gateway: Gateway, office: Office, released: Released, leases: Leases) -> None:
    """Hand over outside of any transaction, then note it; dying between the two hands over the same file again."""
    failed = await _deliver(gateway, office, released, leases)
    await leases.forget(released.transfer.id)
    if failed is not None:
        await _failed(gateway, released, failed)
        return
    async with gateway.db.writing() as connection:
        await advance(connection, [released.transfer.id], State.DELIVERED, gateway.clock(), ACTOR)


async def _deliver(gateway: Gateway, office: Office, released: Released, leases: Leases) -> DeliveryError | None:
    """Use the channel; return why it failed."""
    delivery = _delivery(released, leases)
    try:
        await office.strand.run(partial(office.adapter.deliver, delivery), longest(gateway))
    except DeliveryError as exc:
        return exc
    except Exception:  # noqa: BLE001 - a fault of ours in one dialect or channel; tried again like a broken share
        return DeliveryError(retryable=True, reason_code=FAULT)
    return None


def _delivery(released: Released, leases: Leases) -> Delivery:
    transfer = released.transfer
    recipient = Instance.parse(transfer.recipient)
    return Delivery(
        transfer_id=TransferId(transfer.id),
        message_id=MessageId(transfer.message_id),
        agency=AgencyId(transfer.agency),
        unit=recipient.unit,
        branch=released.branch,
        message_type=transfer.message_type,
        version=transfer.version,
        content=released.content,
        statement=transfer.statement.encode() if transfer.statement else None,
        created_at=transfer.accepted_at,
        may_go=partial(leases.stand, transfer.id),
    )


async def _failed(gateway: Gateway, released: Released, error: DeliveryError) -> None:
    """Try again after a growing pause, or lay the transfer dead with the reason; unless a later attempt has begun."""
    transfer_id, attempt, settings = released.transfer.id, released.attempt, gateway.settings
    log.warning("hand-over failed", extra={"transfer": transfer_id, "reason": error.reason_code})
    now = await gateway.surely()  # by a clock that is ahead the pause would last until then
    tries = attempt - released.transfer.attempts_before
    again = error.retryable and tries < settings.retry_attempts
    until = now + pause_after(tries, settings, gateway.chance) if again else now
    async with gateway.db.writing() as connection:
        await hold(connection, transfer_id)  # before its delivery, like everybody
        noted = await note_failure(connection, transfer_id, attempt, until, error.reason_code)
        if noted and again:
            metrics.delivery_retry()
        if noted and not again:
            await advance(connection, [transfer_id], State.DEAD, now, ACTOR, error.reason_code)
