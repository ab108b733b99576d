"""Whether a clock is right: asked now and then, and at once where it leaps."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from broker import clock as module
from broker.clock import COMPARED_EVERY_SECONDS, MOST_OFFSET_SECONDS, REMEMBERED_SECONDS, Timekeeper, offset
from tests.world import START


class Times:
    """Our clock, the database's, and the monotonic one, which all pass together."""

    def __init__(self) -> None:
        self.ours = self.theirs = START
        self.passed = 0.0
        self.asked = 0

    def pass_by(self, seconds: float) -> None:
        """Let time pass for all."""
        self.ours += timedelta(seconds=seconds)
        self.theirs += timedelta(seconds=seconds)
        self.passed += seconds

    def clock(self) -> datetime:
        """Return our moment."""
        return self.ours

    async def second(self) -> datetime | None:
        """Return the database's."""
        self.asked += 1
        return self.theirs


@pytest.fixture
def times(monkeypatch: pytest.MonkeyPatch) -> Times:
    """Give clocks that stand still."""
    made = Times()
    monkeypatch.setattr(module, "monotonic", lambda: made.passed)
    return made


async def test_a_right_clock_is_compared_seldom(times: Times) -> None:
    """However often it is looked at, the database is asked once in ten seconds."""
    keeper = Timekeeper()
    for _ in range(100):
        assert await keeper.is_right(times.clock, times.second)
        times.pass_by(COMPARED_EVERY_SECONDS / 50)

    assert times.asked == 2


@pytest.mark.parametrize("seconds", [-86_400, -3, 3, 3600])
async def test_a_leap_is_seen_at_once_and_its_end_too(times: Times, seconds: int) -> None:
    """The moment after the clock was set wrong nothing passes; the moment after it was set right, all does."""
    keeper = Timekeeper()
    before = await keeper.is_right(times.clock, times.second)
    times.ours += timedelta(seconds=seconds)
    wrong = [await keeper.is_right(times.clock, times.second) for _ in range(20)]
    asked = times.asked
    times.ours -= timedelta(seconds=seconds)
    times.pass_by(REMEMBERED_SECONDS)
    after = await keeper.is_right(times.clock, times.second)

    assert (before, set(wrong), after) == (True, {False}, True)
    assert asked == 2  # a wrong clock asks no more often than once a second


async def test_a_clock_that_drifts_away_is_found(times: Times) -> None:
    """One that gains a little each second never leaps, and is compared in time."""
    keeper = Timekeeper()
    found = []
    for _ in range(200):
        found.append(await keeper.is_right(times.clock, times.second))
        times.pass_by(1)
        times.ours += timedelta(milliseconds=20)
    furthest = found.index(False) * 0.020

    assert MOST_OFFSET_SECONDS <= furthest <= MOST_OFFSET_SECONDS + 0.020 * (COMPARED_EVERY_SECONDS + 1)


async def test_what_the_question_takes_is_no_offset(times: Times) -> None:
    """A database that answers late is believed as far as its answer says something."""

    async def slow() -> datetime | None:
        times.pass_by(3)
        moment = times.theirs
        times.pass_by(3)
        return moment

    times.ours += timedelta(seconds=2)
    assert await offset(times.clock, slow) == 0
    times.ours += timedelta(seconds=5)
    assert await offset(times.clock, slow) == pytest.approx(4)


async def test_where_there_is_no_second_clock_ours_is_right(times: Times) -> None:
    """The embedded database is a file of the same machine."""

    async def none() -> None:
        return None

    assert await Timekeeper().is_right(times.clock, none)
    assert await Timekeeper().is_right(times.clock, None)
