"""Ersuchen that nobody ended: some time after their deadline they end by themselves, and whom they are about goes."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from broker.audit.events import AuditEvent
from broker.audit.log import append
from broker.clock import day_of
from broker.db import one_at_a_time
from broker.gateway import Gateway
from broker.requests.models import Ersuchen, ErsuchenContent
from broker.requests.repository import insert_closing

ACTOR = "broker:cleanup"
REASON = "FRIST"
"""Why it ended, as both sides read it: nobody ended it in time (Art. 5 Abs. 1 Buchst. e DSGVO)."""
STEP = 200


async def end_overdue(gateway: Gateway) -> int:
    """End Ersuchen whose deadline is `ersuchen_days` over, in steps; return how many.

    Person and Aktenzeichen go at once. No transfer may name such an Ersuchen from then on; its record goes like any
    other's that has ended.
    """
    last = day_of(await gateway.surely() - timedelta(days=gateway.settings.ersuchen_days))
    query = select(Ersuchen.id, Ersuchen.requester, Ersuchen.addressee).where(Ersuchen.deadline < last)
    query = query.join(ErsuchenContent, ErsuchenContent.ersuchen_id == Ersuchen.id).limit(STEP)
    ended = 0
    while not gateway.halt.requested:
        async with gateway.db.writing() as connection:
            await one_at_a_time(connection)
            rows, now = (await connection.execute(query)).all(), gateway.clock()
            for row in rows:
                values = {"ersuchen_id": row.id, "closed_on": day_of(now), "reason_code": REASON, "closed_by": ACTOR}
                if await insert_closing(connection, values | {"recorded_at": now}):
                    data = {"reason": REASON}
                    event = AuditEvent("ersuchen.closed", ACTOR, row.requester, row.addressee, row.id, data)
                    await append(connection, [event], now)
        ended += len(rows)
        if len(rows) < STEP:
            break
    return ended
