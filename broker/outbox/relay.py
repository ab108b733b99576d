"""Station 6: from the outbox to the recipient's topic. Dying anywhere loses nothing and doubles nothing.

claimed, not published → the claim ends, another relay takes the row; published, not noted → published again, and the
reader removes the double by the transfer's id.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from uuid import uuid4

from sqlalchemy.exc import SQLAlchemyError

from broker.gateway import Gateway
from broker.lifecycle.progress import advance
from broker.lifecycle.states import State
from broker.metrics import station
from broker.outbox.repository import claim_due, note_published
from broker.transport.base import Record, Transport, TransportUnavailable

log = logging.getLogger(__name__)

ACTOR = "broker:relay"
BATCH = 100
PAUSE_AFTER_FAULT = 1.0


async def publish_due(gateway: Gateway, transport: Transport, relay: str) -> int:
    """Publish what waits, at most one batch; return how many records went out.

    Raises `TransportUnavailable`: the rows stay claimed by this relay and are tried again.
    """
    records = await _claim(gateway, relay)
    if not records:
        return 0
    with station("published"):
        outlet = await transport.outlet(0)
        await outlet.publish(records)
        await outlet.close()
    now = gateway.clock()
    ids = [r.record_id for r in records]
    async with gateway.db.writing() as connection:
        await note_published(connection, ids, now)
        await advance(connection, ids, State.PUBLISHED, now, ACTOR)
    return len(records)


async def _claim(gateway: Gateway, relay: str) -> list[Record]:
    now = gateway.clock()
    hold = timedelta(seconds=gateway.settings.claim_seconds)
    async with gateway.db.writing() as connection:
        claimed = await claim_due(connection, relay, now, hold, BATCH)
        await advance(connection, [transfer_id for transfer_id, _ in claimed], State.PUBLISHING, now, ACTOR)
    return [record for _, record in claimed]


async def run(gateway: Gateway, transport: Transport) -> None:
    """Relay until told to halt, or cancelled. Faults of transport and database are waited out."""
    relay = str(uuid4())
    while not gateway.halt.requested:
        gateway.pulse.beat("relay")
        try:
            if await publish_due(gateway, transport, relay) == 0:
                await gateway.outbox_filled.wait(gateway.settings.relay_seconds)
        except (TransportUnavailable, SQLAlchemyError) as exc:
            log.warning("relay waits", extra={"error": type(exc).__name__})
            await gateway.halt.pause(PAUSE_AFTER_FAULT)
