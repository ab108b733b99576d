"""Delivery hours: Europe/Berlin, working days, holidays, both days of the clock change."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.hours import BERLIN, WORKING_HOURS, Hours, easter, holidays, is_open_day, next_opening

MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis wants naive bounds


@st.composite
def some_hours(draw: st.DrawFn) -> Hours:
    """Draw hours of any days and times."""
    opens, closes = sorted(draw(st.sets(st.integers(0, 23), min_size=2, max_size=2)))
    return Hours(draw(st.frozensets(st.integers(0, 6), min_size=1)), time(opens), time(closes))


@pytest.mark.parametrize(
    ("year", "day"),
    [
        (2008, date(2008, 3, 23)),
        (2024, date(2024, 3, 31)),
        (2025, date(2025, 4, 20)),
        (2026, date(2026, 4, 5)),
        (2038, date(2038, 4, 25)),
    ],
)
def test_easter(year: int, day: date) -> None:
    """Easter falls where the calendars have it, its earliest and latest years of this century included."""
    assert easter(year) == day


def test_holidays_of_north_rhine_westphalia() -> None:
    """The weekdays' holidays of 2026 are those of the state's own list."""
    assert holidays(2026) == {
        date(2026, 1, 1), date(2026, 4, 3), date(2026, 4, 6), date(2026, 5, 1), date(2026, 5, 14), date(2026, 5, 25),
        date(2026, 6, 4), date(2026, 10, 3), date(2026, 11, 1), date(2026, 12, 25), date(2026, 12, 26),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("moment", "opening"),
    [
        ("2026-03-11T05:59:59+01:00", "2026-03-11T06:00:00+01:00"),
        ("2026-03-11T06:00:00+01:00", "2026-03-11T06:00:00+01:00"),
        ("2026-03-11T19:59:59+01:00", "2026-03-11T19:59:59+01:00"),
        ("2026-03-11T20:00:00+01:00", "2026-03-12T06:00:00+01:00"),
        ("2026-04-02T21:00:00+02:00", "2026-04-07T06:00:00+02:00"),
        ("2026-03-27T22:00:00+01:00", "2026-03-30T06:00:00+02:00"),
        ("2026-10-23T22:00:00+02:00", "2026-10-26T06:00:00+01:00"),
        ("2026-12-31T23:30:00+01:00", "2027-01-04T06:00:00+01:00"),
    ],
)
def test_next_opening(moment: str, opening: str) -> None:
    """Evenings, Easter, clock changes and the turn of the year lead to the next working morning."""
    assert next_opening(WORKING_HOURS, datetime.fromisoformat(moment)) == datetime.fromisoformat(opening)


@given(hours=some_hours(), moment=MOMENTS)
def test_an_opening_is_open_and_not_before(hours: Hours, moment: datetime) -> None:
    """The answer is never in the past, lies in the hours, and asked again stays the same."""
    opening = next_opening(hours, moment)
    assert opening >= moment
    assert opening.tzinfo is UTC
    assert is_open_day(hours, opening.astimezone(BERLIN).date())
    assert next_opening(hours, opening) == opening


@given(hours=some_hours(), moment=MOMENTS, share=st.floats(0, 0.999))
def test_no_open_moment_is_passed_over(hours: Hours, moment: datetime, share: float) -> None:
    """Between now and the answer the office is closed throughout."""
    opening = next_opening(hours, moment)
    between = moment + (opening - moment) * share
    if between < opening - timedelta(microseconds=1):
        assert next_opening(hours, between) == opening


@given(moment=MOMENTS)
def test_without_hours_it_is_always_open(moment: datetime) -> None:
    """None means always."""
    assert next_opening(None, moment) == moment
