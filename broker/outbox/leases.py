"""Which relay holds which partitions of the outbox: a fair share each, taken over when one is silent.

A lease keeps relays out of each other's way. What makes it safe is the fence: its number is compared in the transaction
that notes a publication, and the transport refuses the outlet of whoever held the partition before.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from zlib import crc32

from sqlalchemy import Row, delete, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.db import insert_ignore
from broker.outbox.models import OutboxLease, OutboxRelay

PARTITIONS = 8

Fences = Mapping[int, int]
"""Partition → number of the fence under which it is held."""


def partition_of(order_key: str) -> int:
    """Return the partition of a case: all records of one case lie in the same."""
    return crc32(order_key.encode()) % PARTITIONS


async def renew(
    connection: AsyncConnection, relay: str, now: datetime, hold: timedelta, busy: Collection[int] = ()
) -> Fences:
    """Say that this relay is there, keep what it holds, and come closer to its fair share; return what it holds now.

    What is over the share is given back, but for `busy` partitions, whose work is not done; what is missing is taken
    of those that nobody holds any more, with a higher fence.
    """
    share = await _share(connection, relay, now, hold)
    rows = await _leases(connection, now)
    mine = [row for row in rows if row.holder == relay]
    surplus = [row.partition for row in mine if row.partition not in busy][: max(0, len(mine) - share)]
    free = [row for row in rows if row.holder is None or (row.holder != relay and row.until <= now)]
    taken = free[: max(0, share - len(mine))]
    held = {row.partition: row.fence for row in mine if row.partition not in surplus}
    held |= {row.partition: row.fence + 1 for row in taken}
    lease = OutboxLease
    if surplus:
        await connection.execute(update(lease).where(lease.partition.in_(surplus)).values(holder=None))
    if taken:
        places = [row.partition for row in taken]
        await connection.execute(
            update(lease).where(lease.partition.in_(places)).values(holder=relay, fence=lease.fence + 1)
        )
    await connection.execute(update(lease).where(lease.holder == relay).values(until=now + hold))
    return held


async def _share(connection: AsyncConnection, relay: str, now: datetime, hold: timedelta) -> int:
    """Note this relay, forget silent ones, and return how many partitions are its share; together they make up all."""
    await insert_ignore(connection, OutboxRelay, [{"id": relay, "until": now + hold}])
    await connection.execute(update(OutboxRelay).where(OutboxRelay.id == relay).values(until=now + hold))
    relays = (await connection.execute(select(OutboxRelay).order_by(OutboxRelay.id))).all()
    there = [row.id for row in relays if row.until > now]
    silent = [row.id for row in relays if row.until <= now]
    if silent:
        await connection.execute(delete(OutboxRelay).where(OutboxRelay.id.in_(silent)))
    more = there.index(relay) < PARTITIONS % len(there)
    return PARTITIONS // len(there) + more


async def _leases(connection: AsyncConnection, now: datetime) -> list[Row[int, str | None, int, datetime]]:
    """Return all leases in order, locked; at the very first time, make them."""
    columns = (OutboxLease.partition, OutboxLease.holder, OutboxLease.fence, OutboxLease.until)
    query = select(*columns).order_by(OutboxLease.partition).with_for_update()
    rows = list(await connection.execute(query))
    if not rows:
        made = [{"partition": n, "holder": None, "fence": 0, "until": now} for n in range(PARTITIONS)]
        await insert_ignore(connection, OutboxLease, made)
        rows = list(await connection.execute(query))
    return rows


async def still_held(connection: AsyncConnection, relay: str, fences: Fences) -> set[int]:
    """Return those partitions that this relay holds under just these fences; nobody takes them until the commit."""
    query = select(OutboxLease.partition).where(
        OutboxLease.holder == relay, tuple_(OutboxLease.partition, OutboxLease.fence).in_(list(fences.items()))
    )
    return set(await connection.scalars(query.order_by(OutboxLease.partition).with_for_update(read=True)))


async def give_back(connection: AsyncConnection, relay: str) -> None:
    """Give all back at once, so that nobody waits for the leases to end."""
    await connection.execute(update(OutboxLease).where(OutboxLease.holder == relay).values(holder=None))
    await connection.execute(delete(OutboxRelay).where(OutboxRelay.id == relay))
