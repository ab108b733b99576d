"""How far sealing is behind; and that new transfers wait when it is too far (architecture, section 6)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from weakref import WeakKeyDictionary

from sqlalchemy.ext.asyncio import AsyncEngine

from broker.audit import tree
from broker.errors import ProblemError
from broker.gateway import Gateway

LOOK_AGAIN = timedelta(seconds=1)
"""So old the answer of the last look at the database may be."""


@dataclass(frozen=True, slots=True)
class Sealing:
    """What is sealed: the leaves of the last checkpoint, and since when the oldest of the others waits."""

    size: int
    oldest_unsealed: datetime | None

    def age(self, now: datetime) -> timedelta:
        """Return the age of the oldest entry that stands in no checkpoint."""
        return max(timedelta(), now - self.oldest_unsealed) if self.oldest_unsealed else timedelta()


async def sealing(gateway: Gateway) -> Sealing:
    """Look at the database."""
    async with gateway.db.reading() as connection:
        return Sealing((await tree.head(connection)).size, await tree.oldest_unsealed(connection))


@dataclass(slots=True)
class _Memory:
    """What one process saw of one database."""

    at: datetime | None = None
    seen: Sealing = Sealing(0, None)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def fresh(self, now: datetime) -> bool:
        """Whether the last look still counts; after a clock went back it does not."""
        return self.at is not None and timedelta() <= now - self.at < LOOK_AGAIN


_MEMORIES: WeakKeyDictionary[AsyncEngine, _Memory] = WeakKeyDictionary()


async def require_sealing(gateway: Gateway, *, urgent: bool) -> None:
    """Let a new transfer pass unless the oldest unsealed entry is too old; `urgent` (kinderschutz) has longer.

    Raises the problem ``temporarily-unavailable``; it ends by itself once the sealer has caught up.
    """
    settings, now = gateway.settings, gateway.clock()
    seen = await _last_look(gateway, now)
    bound = settings.unsealed_urgent_seconds if urgent else settings.unsealed_seconds
    if seen.oldest_unsealed is not None and seen.age(now) > timedelta(seconds=bound):
        raise ProblemError(
            "temporarily-unavailable",
            "Das Protokoll wird gerade nicht gesiegelt; neue Übermittlungen warten, bis es aufgeholt hat.",
            headers={"Retry-After": str(max(1, round(settings.seal_seconds * 2)))},
        )


async def _last_look(gateway: Gateway, now: datetime) -> Sealing:
    memory = _MEMORIES.setdefault(gateway.db.engine, _Memory())
    if memory.fresh(now):
        return memory.seen
    async with memory.lock:
        if not memory.fresh(now):
            memory.seen, memory.at = await sealing(gateway), now
    return memory.seen
