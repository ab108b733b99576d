"""Pauses grow, are bounded, and are drawn."""

from __future__ import annotations

from datetime import timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from broker.config import Settings
from broker.delivery.pauses import pause_after

SETTINGS = Settings(retry_first_seconds=5, retry_longest_seconds=3600)


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_pause_is_never_too_short_and_never_too_long(attempts: int, drawn: float) -> None:
    """Whatever is drawn after however many attempts, the pause lies between the shortest and the longest."""
    pause = pause_after(attempts, SETTINGS, lambda: drawn)

    assert timedelta(seconds=5) <= pause <= timedelta(seconds=3600)


def test_bound_of_the_draw_doubles() -> None:
    """At the highest draw the pauses double until the bound; at the lowest they stay the shortest."""
    highest = [pause_after(n, SETTINGS, lambda: 1.0).total_seconds() for n in range(1, 12)]

    assert highest == [10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600]
    assert {pause_after(n, SETTINGS, lambda: 0.0).total_seconds() for n in range(1, 12)} == {5}


def test_what_failed_together_does_not_come_back_together() -> None:
    """A hundred transfers that failed at once are spread over the whole span; the same seed draws the same."""
    chance, again = Random(7), Random(7)  # noqa: S311 - a draw that can be repeated
    drawn = [pause_after(6, SETTINGS, chance.random).total_seconds() for _ in range(100)]

    assert max(drawn) - min(drawn) > 250
    assert drawn == [pause_after(6, SETTINGS, again.random).total_seconds() for _ in range(100)]
