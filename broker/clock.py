"""Time. A clock is handed in, never read from the air; a legal day is a day in Europe/Berlin."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

Clock = Callable[[], datetime]

BERLIN = ZoneInfo("Europe/Berlin")


def system_clock() -> datetime:
    """Return now, in UTC."""
    return datetime.now(UTC)


def day_of(moment: datetime) -> date:
    """Return the legal day of a moment (settled reading F)."""
    return moment.astimezone(BERLIN).date()


def timestamp(moment: datetime) -> str:
    """Write a moment as RFC 3339 in UTC, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
