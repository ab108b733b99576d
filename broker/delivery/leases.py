"""The leases of what is being brought: prolonged while a slow channel is at work, and not relied on when they end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.exc import SQLAlchemyError

from broker.delivery.handover import Released
from broker.delivery.repository import keep_leases
from broker.gateway import ClockOff, Gateway

RENEWALS = 3
"""So often a lease is prolonged in its time while an office's channel is slow."""
LEASES = 3
"""So many leases a channel may take for one message; then it hangs, and the attempt is over."""


@dataclass(frozen=True, slots=True)
class _Held:
    attempt: int
    until: datetime


class Leases:
    """The attempts that one worker holds. They end in the database by themselves where it stands still."""

    def __init__(self, gateway: Gateway, taken: Iterable[Released]) -> None:
        """Hold what was taken."""
        self._gateway = gateway
        self._span = timedelta(seconds=gateway.settings.lease_seconds)
        self._held = {one.transfer.id: _Held(one.attempt, one.leased_until) for one in taken}
        self._lock = asyncio.Lock()

    def stand(self, transfer_id: str) -> bool:
        """Whether a transfer is ours beyond doubt: nobody else begins it in the next moment. From any thread."""
        held = self._held.get(transfer_id)
        return held is not None and self._gateway.clock() < held.until - self._span / RENEWALS

    async def forget(self, transfer_id: str) -> None:
        """Prolong this one no more; what is being prolonged is over first, and overwrites nothing that follows."""
        async with self._lock:
            self._held.pop(transfer_id, None)

    @asynccontextmanager
    async def prolonged(self) -> AsyncIterator[None]:
        """Prolong what is held while the body runs, so that nobody else brings it to a slow office too."""
        task = asyncio.create_task(self._keep())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(self._span.total_seconds() / RENEWALS)
            with suppress(SQLAlchemyError, ClockOff):  # then they run out, and `stand` says so
                await self._prolong()

    async def _prolong(self) -> None:
        """Prolong by a clock that agrees with the database's; what somebody else has taken is ours no more."""
        async with self._lock:
            await self._gateway.require_right_clock()
            async with self._gateway.db.writing() as connection:
                until = self._gateway.clock() + self._span
                attempts = [(transfer, held.attempt) for transfer, held in self._held.items()]
                kept = await keep_leases(connection, attempts, until)
            self._held = {one: _Held(held.attempt, until) for one, held in self._held.items() if one in kept}
