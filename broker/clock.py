"""Time. A clock is handed in, never read from the air; a legal day is a day in Europe/Berlin."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, time
from time import monotonic
from zoneinfo import ZoneInfo

Clock = Callable[[], datetime]
SecondClock = Callable[[], Awaitable[datetime | None]]
"""Gives the moment by a clock that is not this machine's, or None where there is none."""

MOST_OFFSET_SECONDS = 2.0
"""So far a machine's clock may be off the database's; both are set by a time service."""
COMPARED_EVERY_SECONDS = 10.0
LEAP_SECONDS = 0.5
"""A clock that moved so much more or less than the time that passed was set: it is compared at once."""
REMEMBERED_SECONDS = 1.0
"""So long a clock that was found wrong is not compared again."""

BERLIN = ZoneInfo("Europe/Berlin")


def system_clock() -> datetime:
    """Return now, in UTC."""
    return datetime.now(UTC)


def day_of(moment: datetime) -> date:
    """Return the legal day of a moment (settled reading F)."""
    return moment.astimezone(BERLIN).date()


def day_begins(day: date) -> datetime:
    """Return the moment in UTC at which a legal day begins."""
    return datetime.combine(day, time.min, BERLIN).astimezone(UTC)


def timestamp(moment: datetime) -> str:
    """Write a moment as RFC 3339 in UTC, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def offset(clock: Clock, second: SecondClock) -> float:
    """Return by how many seconds, at least, a clock is ahead of (or, below 0, behind) the second one.

    What the question itself takes is no offset: the second clock was read at some moment of it. 0 where there is none.
    """
    before = clock()
    theirs = await second()
    after = clock()
    if theirs is None:
        return 0.0
    ahead, behind = (before - theirs).total_seconds(), (theirs - after).total_seconds()
    return max(ahead, 0.0) - max(behind, 0.0)


class Timekeeper:
    """Knows whether a process's clock is right, and asks the second clock now and then only.

    In between a leap is seen by the monotonic clock, which nobody sets: what the clock has moved since it was compared
    must be what has passed.
    """

    def __init__(self) -> None:
        """Know nothing yet."""
        self._right: tuple[float, datetime] | None = None
        """When the clock was last found right: by the monotonic clock, and by itself."""
        self._wrong_until = float("-inf")
        self._lock = asyncio.Lock()

    async def is_right(self, clock: Clock, second: SecondClock | None) -> bool:
        """Whether the clock is at most `MOST_OFFSET_SECONDS` off the second one. Raises what asking that one raises."""
        if second is None or self._goes_on(clock()):
            return True
        async with self._lock:
            if self._goes_on(clock()):
                return True
            if monotonic() < self._wrong_until:
                return False
            self._right = None
            if abs(await offset(clock, second)) > MOST_OFFSET_SECONDS:
                self._wrong_until = monotonic() + REMEMBERED_SECONDS
                return False
            self._right = (monotonic(), clock())
            return True

    def _goes_on(self, now: datetime) -> bool:
        """Whether the clock was right a short while ago and has only gone on since."""
        if self._right is None:
            return False
        at, then = self._right
        passed = monotonic() - at
        return passed < COMPARED_EVERY_SECONDS and abs((now - then).total_seconds() - passed) < LEAP_SECONDS
