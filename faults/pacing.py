"""How many transfers the senders may begin: a little more at a time, so that a fault meets work at every station.

Before and after a fault the senders keep just ahead of the hand-over, as a load test that lasts must; while it lasts
they press on, until thousands wait behind them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from faults.ledger import moment
from faults.rounds import IN_FLIGHT, OF_A_CASE, RoundFault, Traffic

BEFORE, DURING, LEAST_AFTER = 0.3, 0.3, 0.1
"""Shares of the transfers: before the fault, at most in its first time, and at least after healing."""
AHEAD, PRESSED = 600, 2000
"""So many transfers may be on their way while nothing is broken, and while a fault lasts."""
SLICE = IN_FLIGHT * OF_A_CASE
STEP_SECONDS, LOOK_SECONDS = 0.25, 1.0
TRICKLE = 250
"""When a fault outlasts its share, every second another 250th of the transfers, at least a case."""
STALL_SECONDS = 90.0
"""With no answer for so long the round cannot go on."""


@dataclass(slots=True)
class Pace:
    """Raises the limit of the senders. `waiting` says how many transfers are on their way; None: nobody can say now."""

    traffic: Traffic
    waiting: Callable[[], int | None]
    _goal: float = 0.0
    _pressing: bool = False
    _room: int = AHEAD
    _fault: Exception | None = None
    _over: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Keep the pace while the body runs."""
        thread = threading.Thread(target=self._run, name="pace", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def reach(self, number: int, progress: Callable[[str], None]) -> None:
        """Return when so many transfers are answered. Raises `RoundFault` when nothing moves."""
        self._goal = max(self._goal, number)
        moved, before = moment(), -1
        while (answered := len(self.traffic.sent)) < number:
            if self._fault is not None:
                raise RoundFault(str(self._fault)) from self._fault
            if answered != before:
                moved, before = moment(), answered
            if moment() - moved > STALL_SECONDS:
                raise RoundFault(f"no transfer was answered for {STALL_SECONDS:.0f} s, {before} were before")
            progress(f"{answered:,} of {number:,} answered")
            time.sleep(STEP_SECONDS)

    @contextmanager
    def pressing(self) -> Iterator[None]:
        """Hold nobody back while the body runs, short of `PRESSED`."""
        self._goal += self.traffic.transfers * DURING
        self._pressing = True
        try:
            yield
        finally:
            self._pressing = False

    def rest(self) -> int:
        """Return how many have to be answered in the end: all, and some after now in any case."""
        return max(self.traffic.transfers, self.traffic.limit + cases(self.traffic.transfers * LEAST_AFTER))

    def _run(self) -> None:
        try:
            looked = 0.0
            while not self._over.wait(STEP_SECONDS):
                self.traffic.look()
                if moment() - looked >= LOOK_SECONDS:
                    looked = moment()
                    self._each_second()
                self.traffic.allow(self._allowance())
        except Exception as exc:  # noqa: BLE001 - told by whoever waits
            self._fault = exc

    def _each_second(self) -> None:
        if self._pressing and len(self.traffic.sent) + SLICE > self._goal:
            self._goal += max(OF_A_CASE, self.traffic.transfers / TRICKLE)
        waits, bound = self.waiting(), PRESSED if self._pressing else AHEAD
        self._room = max(0, bound - waits) if waits is not None else SLICE * self._pressing
        if not self._room:  # somebody has to find out that it works again
            self.traffic.allow(min(int(self._goal), self.traffic.limit + OF_A_CASE))

    def _allowance(self) -> int:
        return min(int(self._goal), len(self.traffic.sent) + min(SLICE, self._room))


def cases(transfers: float) -> int:
    """Return a number of transfers as whole cases, at least one."""
    return max(1, round(transfers / OF_A_CASE)) * OF_A_CASE
