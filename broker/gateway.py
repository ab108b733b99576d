"""What every part of the running service shares, made once at start and handed in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from random import SystemRandom
from time import monotonic

from fastapi import Request

from broker.clock import Clock, SecondClock, Timekeeper
from broker.config import Settings
from broker.db import Database
from broker.errors import CannotDecide
from broker.in_force import LawInForce
from broker.keys import Keys
from broker.privileges import DbRole

Chance = Callable[[], float]
"""Gives a number of [0, 1)."""


class ClockOff(CannotDecide):
    """This machine's clock is off the database's: nothing is decided by its day. It ends by itself."""

    def __init__(self) -> None:
        """Say so as the problem ``temporarily-unavailable``."""
        super().__init__(
            "temporarily-unavailable",
            "Die Uhr dieses Rechners geht anders als die der Datenbank; bis sie stimmt, wird hier nichts entschieden.",
            headers={"Retry-After": "2"},
        )


class Signal:
    """Wakes those who wait for work in this process; other processes look by themselves."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def notify(self) -> None:
        """Wake all who wait now."""
        event, self._event = self._event, asyncio.Event()
        event.set()

    async def wait(self, seconds: float) -> bool:
        """Wait until notified (True) or until the time is over (False)."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return False
        return True


class Pulse:
    """When each loop of this process last went round; a loop that hangs is seen by its silence."""

    def __init__(self) -> None:
        self._beats: dict[str, float] = {}

    def beat(self, loop: str) -> None:
        """Say that a loop (one of `broker.metrics.LOOPS`) has come round again."""
        self._beats[loop] = monotonic()

    def ages(self) -> dict[str, float]:
        """Return the seconds since the last beat of each loop that has ever beaten."""
        now = monotonic()
        return {loop: now - at for loop, at in self._beats.items()}


class Halt:
    """Told once that this process is to end: loops take nothing new, finish what they hold, and return."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self.fault: str | None = None
        """Type of the error by which a role ended that should have gone on; None: the end was asked for."""

    @property
    def requested(self) -> bool:
        """Whether the process is to end."""
        return self._event.is_set()

    def request(self, fault: str | None = None) -> None:
        """Ask for the end; the first fault is kept."""
        self.fault = self.fault or fault
        self._event.set()

    async def wait(self) -> None:
        """Wait until the process is to end."""
        await self._event.wait()

    async def pause(self, seconds: float) -> None:
        """Wait some seconds, or until the process is to end."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._event.wait()


@dataclass(frozen=True, slots=True)
class Gateway:
    """Settings, clock, database, keys, the law and chance; and the signals between the roles of one process."""

    settings: Settings
    clock: Clock
    db: Database
    keys: Keys
    law: LawInForce
    chance: Chance = SystemRandom().random
    second_clock: SecondClock | None = None
    """The database's clock, beside the machine's; a clock that is handed in (tests) stands alone."""
    outbox_filled: Signal = field(default_factory=Signal)
    topic_filled: Signal = field(default_factory=Signal)
    inbox_filled: Signal = field(default_factory=Signal)
    timekeeper: Timekeeper = field(default_factory=Timekeeper)
    pulse: Pulse = field(default_factory=Pulse)
    halt: Halt = field(default_factory=Halt)

    async def surely(self) -> datetime:
        """Return the earlier of our clock and the second one: what is ended or deleted for good is over by both."""
        ours = self.clock()
        theirs = await self.second_clock() if self.second_clock is not None else None
        return ours if theirs is None else min(ours, theirs)

    async def require_right_clock(self) -> None:
        """Return where our clock agrees with the second one; mostly nobody is asked for it.

        Whoever decides or hands over by the day asks this first: a wrong day may be an unlawful one. Raises `ClockOff`,
        and faults of the database.
        """
        if not await self.timekeeper.is_right(self.clock, self.second_clock):
            raise ClockOff

    def acting(self, role: DbRole, limits: Mapping[str, str] | None = None) -> Gateway:
        """Return the same whose work on the database is done as a role of PostgreSQL, within limits."""
        return replace(self, db=self.db.acting(role, limits))

    def stop(self, fault: str | None = None) -> None:
        """Ask all loops of this process to end, and wake those that wait. `fault`: the type of what went wrong."""
        self.halt.request(fault)
        for signal in (self.outbox_filled, self.topic_filled, self.inbox_filled):
            signal.notify()


async def gateway(request: Request) -> Gateway:
    """Give a route the gateway that `create_app` was made with (async: it would run others in a thread)."""
    state: Gateway = request.app.state.gateway
    return state
