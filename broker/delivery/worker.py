"""Push: bring messages to offices whose software does not fetch them, and pick up what they answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from time import monotonic
from uuid import uuid4

from sqlalchemy.exc import SQLAlchemyError

from adapters.base import AgencyAdapter, Delivery, DeliveryError, ReceivedQuittung
from adapters.registry import adapter_for
from adapters.settings import AdapterSettingsError
from broker import metrics
from broker.delivery.handover import Released, take
from broker.delivery.in_flight import expire_due
from broker.delivery.pauses import pause_after
from broker.delivery.quittung import Brought, accept_quittung
from broker.delivery.repository import FAULT, Queue, Taker, Way, hold, keep_leases, let_go, note_failure
from broker.directory.repository import channels
from broker.errors import CannotDecide, ProblemError
from broker.gateway import Gateway
from broker.lifecycle.progress import advance
from broker.lifecycle.states import State
from schemas.errors import SchemasError
from schemas.identifiers import AgencyId, Instance, MessageId, TransferId
from schemas.xml import validate_quittung

log = logging.getLogger(__name__)

ACTOR = "broker:delivery"
WORKER = str(uuid4())
"""This process, as the holder of leases."""
TOGETHER = 8
"""So many are taken in one transaction; they are brought one after another."""
FRESH_SECONDS = 2.0
"""So long what waits behind another is brought by the decision that it was taken with."""
RENEWALS = 3
"""So often a lease is prolonged in its time while an office's channel is slow."""
PAUSE_AFTER_FAULT = 1.0


async def adapters_of(gateway: Gateway) -> dict[str, AgencyAdapter]:
    """Return the adapter of each active agency, as the directory configures it; one with bad settings is left out."""
    async with gateway.db.reading() as connection:
        rows = await channels(connection)
    adapters: dict[str, AgencyAdapter] = {}
    for row in rows:
        try:
            adapters[row.agency_id] = adapter_for(row.kind, row.units, row.settings)
        except AdapterSettingsError as exc:
            log.warning("office cannot be served", extra={"agency": row.agency_id, "error": type(exc).__name__})
    return adapters


async def deliver_once(gateway: Gateway, adapters: Mapping[str, AgencyAdapter]) -> int:
    """Bring what waits to every pushing agency that is open, pick up quittungen, end what is over; return how many."""
    done = 0
    for agency, adapter in adapters.items():
        if adapter.pushes and not gateway.halt.requested:
            done += await _serve(gateway, agency, adapter)
    return done + await expire_due(gateway)


async def _serve(gateway: Gateway, agency: str, adapter: AgencyAdapter) -> int:
    """Serve one office; a fault that it alone meets stops no other office."""
    try:
        now = gateway.clock()
        done = await _push(gateway, agency, adapter) if adapter.opens_at(now) <= now else 0
        return done + await pick_up(gateway, agency, adapter)
    except (SQLAlchemyError, CannotDecide):
        raise
    except Exception as exc:  # noqa: BLE001 - whatever it is, the others must be served
        log.warning("office cannot be served", extra={"agency": agency, "error": type(exc).__name__})
        return 0


async def _push(gateway: Gateway, agency: str, adapter: AgencyAdapter) -> int:
    done, taker = 0, Taker(ACTOR, "", Way.PUSH, holder=WORKER)
    while not gateway.halt.requested:
        taken = await take(gateway, taker, Queue(agency=agency), TOGETHER)
        if taken is None:
            break
        await _bring_all(gateway, adapter, taken)
        done += len(taken) or 1
    return done


async def _bring_all(gateway: Gateway, adapter: AgencyAdapter, taken: Sequence[Released]) -> None:
    """Hand over one after another; what was not begun soon, or before the process is to end, is let go at once.

    So nothing is brought long after the law was asked: who takes it next asks again.
    """
    left, begun, decided = list(taken), False, monotonic()
    try:
        async with _leased(gateway, left):
            while left and not gateway.halt.requested:
                begun = True
                await _bring(gateway, adapter, left[0])
                begun = False
                del left[0]
                if monotonic() - decided > FRESH_SECONDS:
                    break
    finally:
        if not_begun := left[1:] if begun else left:
            async with gateway.db.writing() as connection:
                await let_go(connection, [(one.transfer.id, one.attempt) for one in not_begun], gateway.clock())


async def _bring(gateway: Gateway, adapter: AgencyAdapter, released: Released) -> None:
    """Hand over outside of any transaction, then note it; dying between the two hands over the same file again."""
    transfer = released.transfer
    try:
        await asyncio.to_thread(adapter.deliver, _delivery(released))
    except DeliveryError as exc:
        await _failed(gateway, released, exc)
        return
    except Exception:  # noqa: BLE001 - a fault of ours in one dialect or channel; tried again like a broken share
        await _failed(gateway, released, DeliveryError(retryable=True, reason_code=FAULT))
        return
    async with gateway.db.writing() as connection:
        await advance(connection, [transfer.id], State.DELIVERED, gateway.clock(), ACTOR)


@asynccontextmanager
async def _leased(gateway: Gateway, left: Sequence[Released]) -> AsyncIterator[None]:
    """Prolong the leases of what is left while the body runs, so that nobody else brings it to a slow office too."""
    task = asyncio.create_task(_prolong(gateway, left))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _prolong(gateway: Gateway, left: Sequence[Released]) -> None:
    span = timedelta(seconds=gateway.settings.lease_seconds)
    while True:
        await asyncio.sleep(span.total_seconds() / RENEWALS)
        with suppress(SQLAlchemyError):
            async with gateway.db.writing() as connection:
                until = gateway.clock() + span
                await keep_leases(connection, [(one.transfer.id, one.attempt) for one in left], until)


def _delivery(released: Released) -> Delivery:
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
    )


async def _failed(gateway: Gateway, released: Released, error: DeliveryError) -> None:
    """Try again after a growing pause, or lay the transfer dead with the reason; unless a later attempt has begun."""
    transfer_id, attempt, settings = released.transfer.id, released.attempt, gateway.settings
    log.warning("hand-over failed", extra={"transfer": transfer_id, "reason": error.reason_code})
    now = gateway.clock()
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


async def pick_up(gateway: Gateway, agency: str, adapter: AgencyAdapter) -> int:
    """Take in the quittungen that an office has left; return how many."""
    try:
        received = await asyncio.to_thread(lambda: list(adapter.collect(gateway.clock())))
        for quittung in received:
            reason = await _take_in(gateway, agency, quittung)
            await asyncio.to_thread(quittung.settle, reason)
    except DeliveryError as exc:
        log.warning("pick-up failed", extra={"agency": agency, "reason": exc.reason_code})
        return 0
    return len(received)


async def _take_in(gateway: Gateway, agency: str, received: ReceivedQuittung) -> str | None:
    """Let a quittung count; return why it does not (None: it does). Committed before the file is put away."""
    try:
        quittung = validate_quittung(received.content)
        if quittung.sender.unit not in received.units:
            return "wrong-unit"
        async with gateway.db.writing() as connection:
            await accept_quittung(connection, gateway, Brought(quittung, agency))
    except SchemasError:
        return "schema-violation"
    except ProblemError as exc:
        return exc.slug
    return None


async def run(gateway: Gateway) -> None:
    """Deliver until told to halt, or cancelled. Faults of the database are waited out."""
    while not gateway.halt.requested:
        gateway.pulse.beat("delivery")
        try:
            if await deliver_once(gateway, await adapters_of(gateway)) == 0:
                await gateway.inbox_filled.wait(gateway.settings.deliver_seconds)
        except (SQLAlchemyError, CannotDecide) as exc:
            log.warning("delivery waits", extra={"error": type(exc).__name__})
            await gateway.halt.pause(PAUSE_AFTER_FAULT)
