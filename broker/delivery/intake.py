"""Read the agencies' topics; what arrived waits in `deliveries`, each transfer once."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from time import monotonic

from sqlalchemy.exc import SQLAlchemyError

from broker.bulk import Sql, fetch, insert_rows
from broker.directory.cache import directory_cache
from broker.gateway import Gateway
from broker.lifecycle.models import DeliveryRow
from broker.transport.base import Consumed, Subscription, Transport, TransportUnavailable, topic_of

log = logging.getLogger(__name__)

GROUP = "amtsbruecke.delivery"
WAIT_SECONDS = 2.0
MOST = 100
"""Records that are taken in at once."""
TURN_SECONDS = 0.1
"""Turns that are not full begin so far apart, as the relay's."""
PAUSE_AFTER_FAULT = 1.0
AGENCIES = Sql(
    "SELECT id, agency FROM transfers WHERE id = ANY($1::text[])",
    "SELECT id, agency FROM transfers WHERE id IN (SELECT value FROM json_each(?))",
)


async def take_in(gateway: Gateway, consumed: Sequence[Consumed]) -> None:
    """Write what was read, in one commit; a record that is there already, or belongs to no transfer, is passed over."""
    now = gateway.clock()
    ids = [c.record.record_id for c in consumed if "\0" not in c.record.record_id]  # PostgreSQL has no text for it
    async with gateway.db.writing() as connection:
        agencies = {row.id: row.agency for row in await fetch(connection, AGENCIES, ids)}
        rows = [
            {
                "transfer_id": c.record.record_id,
                "agency": agencies[c.record.record_id],
                "sealed": c.record.value,
                "arrived_at": now,
                "attempts": 0,
                "attempts_before": 0,
            }
            for c in sorted(consumed, key=lambda one: one.record.record_id)
            if agencies.get(c.record.record_id) and c.record.topic == topic_of(agencies[c.record.record_id])
        ]
        await insert_rows(connection, DeliveryRow, rows, passing_over=True)
    gateway.inbox_filled.notify()


async def take_in_once(gateway: Gateway, subscription: Subscription, wait_seconds: float) -> int:
    """Read, write, and only then commit the positions; return how many records were read."""
    consumed = await subscription.fetch(wait_seconds, MOST)
    if consumed:
        await take_in(gateway, consumed)
        await subscription.commit(consumed)
    return len(consumed)


async def run(gateway: Gateway, transport: Transport) -> None:
    """Read the topics of all agencies of the directory until told to halt, or cancelled. Faults are waited out."""
    while not gateway.halt.requested:
        try:
            await _read_on(gateway, transport)
        except (TransportUnavailable, SQLAlchemyError) as exc:
            log.warning("intake waits", extra={"error": type(exc).__name__})
            await gateway.halt.pause(PAUSE_AFTER_FAULT)


async def _read_on(gateway: Gateway, transport: Transport) -> None:
    """Read until the directory names other agencies."""
    agencies = await _agencies(gateway)
    subscription = transport.subscribe([topic_of(agency) for agency in agencies], GROUP)
    try:
        while agencies == await _agencies(gateway) and not gateway.halt.requested:
            gateway.pulse.beat("intake")
            began = monotonic()
            if 0 < await take_in_once(gateway, subscription, WAIT_SECONDS) < MOST:
                await gateway.halt.pause(began + TURN_SECONDS - monotonic())
    finally:
        await subscription.close()


async def _agencies(gateway: Gateway) -> list[str]:
    return sorted((await directory_cache(gateway).current()).kinds)
