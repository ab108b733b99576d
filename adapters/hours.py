"""Delivery hours of an office: days and times of Europe/Berlin, with the public holidays of North Rhine-Westphalia.

A message in a folder is readable; outside the hours nobody looks after it, so it stays sealed at the broker.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import count
from zoneinfo import ZoneInfo

BERLIN = ZoneInfo("Europe/Berlin")
FIXED_HOLIDAYS = ((1, 1), (5, 1), (10, 3), (11, 1), (12, 25), (12, 26))
AFTER_EASTER = (-2, 1, 39, 50, 60)
"""Karfreitag, Ostermontag, Christi Himmelfahrt, Pfingstmontag, Fronleichnam, in days from Easter Sunday."""


@dataclass(frozen=True, slots=True)
class Hours:
    """Weekdays (0 = Monday) and the local times between which a hand-over may happen; `closes` is excluded."""

    days: frozenset[int]
    opens: time
    closes: time


WORKING_HOURS = Hours(frozenset(range(5)), time(6), time(20))


def easter(year: int) -> date:
    """Return Easter Sunday of the Gregorian calendar (Meeus, Jones and Butcher)."""
    century, of_century = divmod(year, 100)
    golden = year % 19
    moon = (19 * golden + century - century // 4 - (century - (century + 8) // 25 + 1) // 3 + 15) % 30
    weekday = (32 + 2 * (century % 4) + 2 * (of_century // 4) - moon - of_century % 4) % 7
    late = (golden + 11 * moon + 22 * weekday) // 451
    month, day = divmod(moon + weekday - 7 * late + 114, 31)
    return date(year, month, day + 1)


@cache
def holidays(year: int) -> frozenset[date]:
    """Return the public holidays (§ 2 Feiertagsgesetz NW) that can fall on a weekday."""
    sunday = easter(year)
    fixed = {date(year, month, day) for month, day in FIXED_HOLIDAYS}
    return frozenset(fixed | {sunday + timedelta(days=days) for days in AFTER_EASTER})


def is_open_day(hours: Hours, day: date) -> bool:
    """Whether a hand-over may happen on that day."""
    return day.weekday() in hours.days and day not in holidays(day.year)


def next_opening(hours: Hours | None, moment: datetime) -> datetime:
    """Return `moment` (aware) in UTC if it lies in the hours, else their next beginning. None: always open."""
    if hours is None:
        return moment.astimezone(UTC)
    local = moment.astimezone(BERLIN)
    if is_open_day(hours, local.date()) and hours.opens <= local.time() < hours.closes:
        return moment.astimezone(UTC)
    for ahead in count():
        day = local.date() + timedelta(days=ahead)
        opening = datetime.combine(day, hours.opens, BERLIN).astimezone(UTC)
        if opening > moment and is_open_day(hours, day):
            return opening
    raise AssertionError("count() does not end")  # pragma: no cover
