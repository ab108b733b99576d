"""Station 6: from the outbox to the recipient's topic. Dying anywhere loses nothing and doubles nothing.

Each partition of the outbox has one relay at a time (`broker.outbox.leases`). Claimed, not published → who takes the
partition over publishes; published, not noted → published again, and the reader removes the double by the record's id.
A relay that was paused and wakes is fenced by the transport, and notes nothing, since its fence is not the lease's.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

from sqlalchemy.exc import SQLAlchemyError

from broker.gateway import ClockOff, Gateway
from broker.ids import new_id
from broker.lifecycle.progress import advance
from broker.lifecycle.states import State
from broker.metrics import station
from broker.outbox.leases import Fences, give_back, renew, still_held
from broker.outbox.repository import BATCH, Claimed, anything_waits, claim, forget
from broker.transport.base import Fault, Outlet, Outlets, Pinged, TransportUnavailable

log = logging.getLogger(__name__)

ACTOR = "broker:relay"
PAUSE_AFTER_FAULT = 1.0
TURN_SECONDS, REST_SECONDS = 0.1, 0.5
RESTS = 3
"""After a turn of several records that was not full a relay rests so many times as long as it took, at most 0.5 s:
what a turn costs by itself, a transaction for each partition, is shared by what came meanwhile: the dearer the turn,
the more of them. Where records come one by one, turns begin 0.1 s apart."""
PASSED_OVER_SECONDS = 10.0
"""So long a topic that is missing, forbidden or too narrow is left alone, so that the others go on."""
BARRED_SECONDS = 30.0
"""So long a partition whose outlet did not open is left alone while others are open: trying may take seconds."""
FAREWELL_SECONDS = 2.0
RENEWALS = 5
"""So often a lease is renewed while it runs."""
OF_ONE_TOPIC = (Fault.TOPIC_MISSING, Fault.FORBIDDEN, Fault.TOO_LARGE)
CUT_OFF = (Fault.AWAY, Fault.LOGIN)
"""What another relay may not meet, on another machine: after a lease of it this one stands aside."""


class Relay:
    """One relay: the partitions that it holds, and their outlets."""

    def __init__(self, gateway: Gateway, transport: Outlets, name: str) -> None:
        """Hold nothing yet."""
        self._gateway = gateway
        self._transport = transport
        self._name = name
        self._hold = timedelta(seconds=gateway.settings.relay_lease_seconds)
        self._fences: Fences = {}
        self._outlets: dict[int, tuple[int, Outlet]] = {}
        self._busy: frozenset[int] = frozenset()
        self._passed_over: dict[str, float] = {}
        self._barred: dict[int, float] = {}
        """Partition whose outlet did not open → until when it is left alone."""
        self._lock = asyncio.Lock()
        self._renewed = float("-inf")
        self._failing: float | None = None
        """Since when the transport has not been reached at all."""
        self._aside_until: float | None = None

    async def renew(self, every: float = 0.0) -> None:
        """Renew the leases, take or give back towards the fair share, and open what was taken; not before `every`.

        A relay that has not reached the transport for as long as a lease gives all back, for one that does, and
        takes part again when the transport answers it. Raises `TransportUnavailable` until then, and `ClockOff`.
        """
        async with self._lock:
            if _now() - self._renewed < every:
                return
            await self._gateway.require_right_clock()  # a lease that ends in another time would keep others out
            await self._stand_aside()
            async with self._gateway.db.writing() as connection:
                now = self._gateway.clock()
                self._fences = await renew(connection, self._name, now, self._hold, self._busy)
            self._renewed = _now()
            for partition in set(self._outlets) - set(self._fences):
                await self._shut(partition)
            await self._open()

    async def _stand_aside(self) -> None:
        hold = self._hold.total_seconds()
        if self._aside_until is None:
            if self._failing is None or _now() - self._failing < hold:
                return
            await self.leave()
            self._fences, self._aside_until = {}, _now() + hold
        if _now() < self._aside_until:
            raise TransportUnavailable
        if isinstance(self._transport, Pinged):
            await self._transport.ping()
        self._failing = self._aside_until = None

    def _met(self, since: float, faults: Sequence[BaseException], *, reached: bool) -> None:
        """Note whether the transport was reached."""
        if reached:
            self._failing = None
        elif self._failing is None and any(isinstance(f, TransportUnavailable) and f.fault in CUT_OFF for f in faults):
            self._failing = since

    def _usable(self) -> Fences:
        """Return what is held and has its outlet open."""
        return {p: fence for p, fence in self._fences.items() if self._outlets.get(p, (None,))[0] == fence}

    async def _open(self) -> None:
        """Open the outlets that are missing, all at once. Opening shuts the one that held the partition before out.

        One that does not open is said, and left alone for a while: the others go on. Raises where none is open.
        """
        began, usable = _now(), self._usable()
        waits = {p for p, until in self._barred.items() if until > began} if usable else set()
        missing = {p: f for p, f in self._fences.items() if p not in usable and p not in waits}
        opened = await asyncio.gather(*(self._transport.outlet(p) for p in missing), return_exceptions=True)
        for (partition, fence), outlet in zip(missing.items(), opened, strict=True):
            if not isinstance(outlet, BaseException):
                await self._shut(partition)
                self._outlets[partition] = (fence, outlet)
        shut = {p: fault for p, fault in zip(missing, opened, strict=True) if isinstance(fault, BaseException)}
        self._met(began, list(shut.values()), reached=False)
        self._barred |= dict.fromkeys(shut, _now() + BARRED_SECONDS)
        for fault in shut.values():
            if not isinstance(fault, TransportUnavailable) or not self._usable():
                raise fault
            _say(fault)

    async def turn(self) -> int:
        """Publish what waits, at most one batch, and note it; return how many records went out.

        An outlet is opened before its lease is looked at: whoever takes the lease later shuts it out again. Raises
        `TransportUnavailable` where part of it did not go out; that is tried again.
        """
        if not await self._anything_waits():
            return 0
        async with self._lock:
            await self._open()
            fences = self._usable()
            self._busy = frozenset(fences)
        try:
            claimed = await self._claim(fences)
            if not claimed:
                return 0
            with station("published"):
                published, faults = await self._publish(claimed)
            await self._note(fences, published)
        finally:
            self._busy = frozenset()
        if faults:
            raise faults[0]
        return len(published)

    async def _anything_waits(self) -> bool:
        """Look without a lock, so that an idle relay keeps nobody from writing."""
        async with self._gateway.db.reading() as connection:
            return await anything_waits(connection, self._fences)

    async def _claim(self, fences: Fences) -> list[Claimed]:
        now = _now()
        self._passed_over = {topic: until for topic, until in self._passed_over.items() if until > now}
        async with self._gateway.db.writing() as connection:
            held = await still_held(connection, self._name, fences)
            return await claim(connection, held, self._passed_over, self._gateway.clock()) if held else []

    async def _publish(self, claimed: Sequence[Claimed]) -> tuple[list[Claimed], list[TransportUnavailable]]:
        """Publish each partition's part by its own outlet, side by side; return what went out, and what hindered."""
        parts: dict[int, list[Claimed]] = defaultdict(list)
        for item in claimed:
            parts[item.partition].append(item)
        began = _now()
        results = await asyncio.gather(*(self._publish_part(p, items) for p, items in parts.items()))
        published = [item for items, fault in zip(parts.values(), results, strict=True) if not fault for item in items]
        faults = [fault for fault in results if fault]
        self._met(began, faults, reached=bool(published))
        return published, faults

    async def _publish_part(self, partition: int, items: Sequence[Claimed]) -> TransportUnavailable | None:
        _, outlet = self._outlets[partition]
        try:
            await outlet.publish([item.record for item in items])
        except TransportUnavailable as fault:
            if partition in self._outlets and self._outlets[partition][1] is outlet:
                del self._outlets[partition]
            if fault.topic is not None and fault.fault in OF_ONE_TOPIC:
                self._passed_over[fault.topic] = _now() + PASSED_OVER_SECONDS
            return fault
        return None

    async def _note(self, fences: Fences, published: Sequence[Claimed]) -> None:
        """Note what the transport keeps, of partitions that nobody has taken over; it leaves the outbox."""
        if not published:
            return
        async with self._gateway.db.writing() as connection:
            held = await still_held(connection, self._name, fences)
            mine = [item for item in published if item.partition in held]
            await forget(connection, [item.row_id for item in mine])
            transfers = [item.transfer_id for item in mine if item.carries_transfer]
            await advance(connection, transfers, State.PUBLISHED, self._gateway.clock(), ACTOR)

    async def leave(self) -> None:
        """Give everything back, so that others take it at once."""
        async with self._gateway.db.writing() as connection:
            await give_back(connection, self._name)
        for partition in list(self._outlets):
            await self._shut(partition)

    async def _shut(self, partition: int) -> None:
        before = self._outlets.pop(partition, None)
        if before is not None:
            await before[1].close()


def _now() -> float:
    return asyncio.get_running_loop().time()


async def publish_due(gateway: Gateway, transport: Outlets, relay: str) -> int:
    """Be a relay for one turn: take what nobody holds, publish what waits, give back; return how many went out.

    Raises `TransportUnavailable`; then the leases stay as if the relay had died.
    """
    one = Relay(gateway, transport, relay)
    await one.renew()
    count = await one.turn()
    await one.leave()
    return count


async def run(gateway: Gateway, transport: Outlets) -> None:
    """Relay until told to halt, or cancelled. Faults of transport and database are waited out."""
    relay = Relay(gateway, transport, new_id())
    keeping = asyncio.create_task(_keep_leases(gateway, relay))
    try:
        await _work(gateway, relay)
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        with suppress(TimeoutError, SQLAlchemyError):
            async with asyncio.timeout(FAREWELL_SECONDS):
                await relay.leave()


async def _keep_leases(gateway: Gateway, relay: Relay) -> None:
    """Renew well before the leases end, however long a turn lasts; what is over the share goes back between turns."""
    every = gateway.settings.relay_lease_seconds / RENEWALS
    while True:
        with suppress(TransportUnavailable, SQLAlchemyError, ClockOff):  # the turns meet and tell them too
            await relay.renew(every)
        await asyncio.sleep(every)


async def _work(gateway: Gateway, relay: Relay) -> None:
    every = gateway.settings.relay_lease_seconds / RENEWALS
    while not gateway.halt.requested:
        gateway.pulse.beat("relay")
        try:
            await relay.renew(every)
            began = _now()
            if (count := await relay.turn()) == 0:
                await gateway.outbox_filled.wait(gateway.settings.relay_seconds)
            elif count < BATCH:
                await gateway.halt.pause(rest_after(count, _now() - began))
        except (TransportUnavailable, SQLAlchemyError, ClockOff) as exc:
            _say(exc)
            await gateway.halt.pause(PAUSE_AFTER_FAULT)


def rest_after(count: int, seconds: float) -> float:
    """Return for how long to rest after a turn of some records, but not full, that took so many seconds."""
    at_least = max(TURN_SECONDS - seconds, 0.0)
    return min(max(at_least, RESTS * seconds), REST_SECONDS) if count > 1 else at_least


def _say(exc: TransportUnavailable | SQLAlchemyError | ClockOff) -> None:
    reason = {"reason": exc.fault.value} if isinstance(exc, TransportUnavailable) else {}
    log.warning("relay waits", extra={"error": type(exc).__name__, **reason})
