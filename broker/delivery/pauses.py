"""How long a failed hand-over waits before it is tried again."""

from __future__ import annotations

from datetime import timedelta

from broker.config import Settings
from broker.gateway import Chance

DOUBLINGS = 60
"""More would only make the number longer; the bound is reached long before."""


def pause_after(attempts: int, settings: Settings, chance: Chance) -> timedelta:
    """Return the pause after so many failed attempts (1, 2, …): drawn between the shortest and one that doubles.

    The draw keeps many transfers that failed together from coming back together; where chance gives its highest, the
    pauses double up to the bound of the settings.
    """
    first, longest = settings.retry_first_seconds, settings.retry_longest_seconds
    ceiling = min(first * 2.0 ** min(attempts, DOUBLINGS), longest)
    return timedelta(seconds=min(first, longest) + chance() * max(ceiling - first, 0))
