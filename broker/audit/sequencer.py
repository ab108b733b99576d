"""The sealer: gives entries their indices, grows the tree, signs checkpoints. One at a time, the others stand by.

A row holds the lease with a fencing number that rises with each holder; it is looked at, and locked, in the transaction
that integrates. So a sealer that slept through the end of its lease is refused, whatever its clock says. Leaves, tiles
and the signed checkpoint are stored in that one transaction; nobody gets a checkpoint that is not stored.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

from sqlalchemy import or_, select, text, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.audit import merkle, tree
from broker.audit.checkpoint import NoCheckpointKey, is_own, sign
from broker.audit.models import AuditPending, AuditSealer
from broker.gateway import ClockOff, Gateway

log = logging.getLogger(__name__)

BATCH = 2000
THE_LEASE = 1
PAUSE_AFTER_FAULT = 1.0
PAUSED_TRANSACTION_SECONDS = 3
"""So long PostgreSQL lets a sealer sleep inside a transaction before it takes its locks away."""


class LeaseLost(Exception):
    """Another sealer has taken over; nothing was written."""


class TreeChanged(Exception):
    """The stored tree does not lead from the last checkpoint to the next: it was tampered with. Nothing is signed."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to seal, until another has a higher fencing number."""

    holder: str
    fence: int


async def take_lease(gateway: Gateway, holder: str) -> Lease | None:
    """Take the lease where it is free, over, or one's own; None while another holds it."""
    now = gateway.clock()
    until = now + timedelta(seconds=gateway.settings.seal_lease_seconds)
    free = or_(AuditSealer.until.is_(None), AuditSealer.until <= now, AuditSealer.holder == holder)
    take = (
        update(AuditSealer)
        .where(AuditSealer.id == THE_LEASE, free)
        .values(holder=holder, fence=AuditSealer.fence + 1, until=until)
        .returning(AuditSealer.fence)
    )
    async with gateway.db.writing() as connection:
        fence = (await connection.execute(take)).scalar()
    return Lease(holder, fence) if fence is not None else None


async def release_lease(gateway: Gateway, lease: Lease) -> None:
    """Give the lease back, so that another need not wait for its end."""
    async with gateway.db.writing() as connection:
        await connection.execute(
            update(AuditSealer)
            .where(AuditSealer.id == THE_LEASE, AuditSealer.fence == lease.fence)
            .values(holder=None, until=None)
        )


async def something_waits(gateway: Gateway) -> bool:
    """Whether any entry is not in the tree yet."""
    async with gateway.db.reading() as connection:
        return (await connection.execute(select(AuditPending.seq).limit(1))).first() is not None


async def seal_batch(gateway: Gateway, lease: Lease, limit: int = BATCH) -> int:
    """Seal up to `limit` entries under one checkpoint, in one transaction; return how many.

    Raises `LeaseLost`, `TreeChanged`, `NoCheckpointKey`; then nothing was written.
    """
    async with gateway.db.writing() as connection:
        await _hold(connection, gateway, lease)
        waiting = await tree.unsealed(connection, limit)
        if waiting:
            before = await tree.head(connection)
            await tree.write_leaves(connection, before.size, waiting)
            after = await _grow(connection, gateway, before, [leaf for _, leaf in waiting])
            await tree.write_checkpoint(connection, after)
            await tree.forget_pending(connection, [seq for seq, _ in waiting])
    return len(waiting)


async def _hold(connection: AsyncConnection, gateway: Gateway, lease: Lease) -> None:
    """Lock the lease to the end of the transaction, check the fence, and prolong. Raises `LeaseLost`."""
    if connection.dialect.name == "postgresql":
        limit = PAUSED_TRANSACTION_SECONDS * 1000
        await connection.execute(text(f"SET LOCAL idle_in_transaction_session_timeout = {limit}"))
    until = gateway.clock() + timedelta(seconds=gateway.settings.seal_lease_seconds)
    held = (
        update(AuditSealer)
        .where(AuditSealer.id == THE_LEASE, AuditSealer.fence == lease.fence)
        .values(until=until)
        .returning(AuditSealer.fence)
    )
    if (await connection.execute(held)).first() is None:
        raise LeaseLost(f"fencing number {lease.fence} is over")


async def _grow(connection: AsyncConnection, gateway: Gateway, before: tree.Head, leaves: list[bytes]) -> tree.Head:
    """Grow the tiles and return the next checkpoint, signed only where it is consistent with the one before."""
    size = before.size + len(leaves)
    spans = merkle.consistency_spans(before.size, size) if before.size else []
    needed = {*merkle.edge(before.size), *merkle.tiles_of([*spans, (0, size)])}
    try:
        stored = await tree.read_tiles(connection, needed)
        grown = merkle.grow(stored, before.size, leaves)
        tiles = stored | grown
        root = merkle.root(tiles, size)
        proof = [merkle.span_hash(tiles, span) for span in spans]
    except merkle.BrokenTree as exc:
        raise TreeChanged(str(exc)) from exc
    await tree.write_tiles(connection, grown)
    origin, keys = gateway.settings.log_origin, gateway.keys.checkpoint
    if before.size and not (
        is_own(keys, origin, before.size, before.root, before.note)
        and merkle.verify_consistency(before.size, size, before.root, root, proof)
    ):
        raise TreeChanged(f"the tree does not lead from the checkpoint at {before.size} to {size}")
    at = gateway.clock()
    return tree.Head(size, root, sign(keys, origin, size, root, at), at)


@dataclass(slots=True)
class Sealer:
    """One sealer of perhaps several, with the lease that it believes to hold."""

    gateway: Gateway
    name: str
    lease: Lease | None = None

    async def seal(self) -> int:
        """Seal what waits, at most one batch; return how many. 0 where nothing waits or another seals.

        Raises `ClockOff`, `LeaseLost`, `TreeChanged`, `NoCheckpointKey`.
        """
        if not await something_waits(self.gateway):
            return 0
        await self.gateway.require_right_clock()  # a lease that ends in another time would keep others out
        self.lease = self.lease or await take_lease(self.gateway, self.name)
        if self.lease is None:
            return 0
        try:
            return await seal_batch(self.gateway, self.lease)
        except LeaseLost:
            self.lease = None
            raise

    async def stop(self) -> None:
        """Give the lease back."""
        if self.lease is not None:
            await release_lease(self.gateway, self.lease)


async def run(gateway: Gateway) -> None:
    """Seal until told to halt, or cancelled. Faults are waited out; a tree that was tampered with is never signed."""
    sealer = Sealer(gateway, str(uuid4()))
    try:
        while not gateway.halt.requested:
            gateway.pulse.beat("sealing")
            if await _seal_or_say_why_not(sealer) < BATCH:
                await gateway.halt.pause(gateway.settings.seal_seconds)
    finally:
        with suppress(SQLAlchemyError):
            await sealer.stop()


async def _seal_or_say_why_not(sealer: Sealer) -> int:
    try:
        return await sealer.seal()
    except LeaseLost:
        log.warning("another sealer has taken over")
    except (TreeChanged, NoCheckpointKey) as exc:
        log.critical("the evidence is not sealed", extra={"error": type(exc).__name__})
    except (SQLAlchemyError, ClockOff) as exc:
        log.warning("sealer waits", extra={"error": type(exc).__name__})
    return 0
