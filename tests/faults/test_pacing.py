"""The senders keep ahead of the hand-over, press on while a fault lasts, and never stand still for good."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from faults import pacing
from faults.pacing import AHEAD, SLICE, Pace
from faults.rounds import OF_A_CASE, RoundFault, Traffic


class Sending(Traffic):
    """Senders that answer at once, up to so many."""

    most = 10**9

    def allow(self, number: int) -> None:
        """Take the limit, and have all of it answered."""
        self.limit = max(self.limit, number // OF_A_CASE * OF_A_CASE)

    def look(self) -> None:
        """Answer what was allowed."""
        self.sent += [{"status": 202}] * (min(self.limit, self.most) - len(self.sent))


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "STEP_SECONDS", 0.005)
    monkeypatch.setattr(pacing, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(pacing, "STALL_SECONDS", 0.3)


@contextmanager
def paced(traffic: Traffic, waiting: Callable[[], int | None]) -> Iterator[Pace]:
    """Give a pace that runs."""
    pace = Pace(traffic, waiting)
    with pace.running():
        yield pace


def silent(text: str) -> None:
    """Take a step without a word."""


def test_reaches_what_is_asked_for_and_no_more(tmp_path: Path) -> None:
    """A goal is a bound too, but for the rest of its last case."""
    traffic = Sending(tmp_path, 1000)
    with paced(traffic, lambda: 0) as pace:
        pace.reach(300, silent)
        time.sleep(0.1)
        assert traffic.limit == 300
        pace.reach(pace.rest(), silent)
    assert traffic.limit == 1000


def test_waits_for_the_hand_over_but_tries_on(tmp_path: Path) -> None:
    """With too many on their way only a case comes now and then, also where nobody can say how many there are."""
    for waits in (AHEAD, None):
        traffic = Sending(tmp_path, 1000)
        with paced(traffic, lambda waits=waits: waits) as pace:  # type: ignore[misc]  # a default as a closure
            pace.reach(2 * OF_A_CASE, silent)
        assert traffic.limit < SLICE


def test_presses_on_while_a_fault_lasts(tmp_path: Path) -> None:
    """Though many wait: first a share at once, then ever more; afterwards some are sent in any case."""
    traffic = Sending(tmp_path, 1000)
    with paced(traffic, lambda: 3 * AHEAD) as pace:
        with pace.pressing():
            end = time.monotonic() + 10
            while traffic.limit < 400 and time.monotonic() < end:
                time.sleep(0.01)
        assert traffic.limit >= 400
        assert pace.rest() >= traffic.limit + 100
    traffic.transfers = 100
    assert pace.rest() == traffic.limit + 10


def test_a_stall_and_a_fault_are_told(tmp_path: Path) -> None:
    """Where nothing is answered any more, or the senders end, the round ends with words."""
    traffic = Sending(tmp_path, 1000)
    traffic.most = 50
    with paced(traffic, lambda: 0) as pace, pytest.raises(RoundFault, match="50 were before"):
        pace.reach(300, silent)
    broken = Sending(tmp_path, 1000)
    broken.look = lambda: broken.sent[0]  # type: ignore[method-assign,assignment,return-value]  # it fails
    with paced(broken, lambda: 0) as pace, pytest.raises(RoundFault, match="index"):
        pace.reach(300, silent)
