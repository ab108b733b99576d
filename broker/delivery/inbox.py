"""Pull: an instance fetches what waits for it; fetching is the moment of handing over."""

from __future__ import annotations

import asyncio

from sqlalchemy.exc import SQLAlchemyError

from broker.delivery.handover import Released, take
from broker.delivery.repository import Queue, Taker, Way, something_waits
from broker.gateway import Gateway

MAX_TURNS = 100
"""So often a turn may bring nothing (all of it ended) before a page is given as it is."""
TOGETHER = 16
"""So many are taken in one transaction, and in the memory of one turn."""
FULL_SECONDS = 2.0
"""A page that is not full by then is given as it is."""
LOOK_SECONDS = 1.0
"""How often a waiting caller looks by itself: another process may have taken the message in."""


async def fetch(gateway: Gateway, recipient: str, client: str, limit: int) -> list[Released]:
    """Lease and open up to `limit` messages, oldest first; what the law no longer lets pass ends and is left out.

    What is leased already is given before anything can come between: a page that takes long is given as it is, and so
    is one in whose middle the database goes away. Otherwise, on a slow database, every caller would hang up before its
    page is full, the messages would wait for their leases to end, and nobody would ever get any.
    """
    released: list[Released] = []
    if not await _something_waits(gateway, recipient):
        return released
    taker, queue = Taker(recipient, client, Way.PULL, holder=client), Queue(recipient=recipient)
    end = asyncio.get_running_loop().time() + FULL_SECONDS
    for _ in range(limit + MAX_TURNS):
        try:
            taken = await take(gateway, taker, queue, min(TOGETHER, limit - len(released)))
        except SQLAlchemyError:
            if released:
                break
            raise
        released += taken or ()
        if taken is None or len(released) == limit or asyncio.get_running_loop().time() >= end:
            break
    return released


async def _something_waits(gateway: Gateway, recipient: str) -> bool:
    """Look without holding up those who write: most looks of a waiting caller find nothing."""
    async with gateway.db.reading() as connection:
        return await something_waits(connection, gateway.clock(), recipient)


async def fetch_or_wait(
    gateway: Gateway, recipient: str, client: str, limit: int, wait_seconds: float
) -> list[Released]:
    """Like `fetch`, waiting for the first message (long poll); at once where the process is to end."""
    loop = asyncio.get_running_loop()
    end = loop.time() + wait_seconds
    while True:
        found = await fetch(gateway, recipient, client, limit)
        left = end - loop.time()
        if found or left <= 0 or gateway.halt.requested:
            return found
        await gateway.inbox_filled.wait(min(LOOK_SECONDS, left))
