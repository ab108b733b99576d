"""Which catalogue counts on which day, in memory."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker import in_force
from broker.in_force import LawInForce, LawUnknown
from consent.catalogue import Catalogue, load_catalogue, read_catalogue
from tests.broker.law.variants import files_with

SHIPPED = load_catalogue()
DAY = date(2026, 4, 1)


@pytest.fixture(scope="module")
def other() -> Catalogue:
    """Give another catalogue than the shipped one."""
    return read_catalogue(files_with({}, remark="another"))


def test_before_any_day_counts_what_the_program_brings(other: Catalogue) -> None:
    """The shipped catalogue counts until the first day, the other one from that day on."""
    law = LawInForce(SHIPPED)
    before = law.on(DAY)
    law.learn([(DAY, other.fingerprint)], [other])

    assert before is SHIPPED
    assert (law.on(DAY - timedelta(days=1)), law.on(DAY), law.on(DAY + timedelta(days=999))) == (SHIPPED, other, other)


def test_of_one_day_the_later_record_counts(other: Catalogue) -> None:
    """Who changes his mind records the day again."""
    law = LawInForce(SHIPPED)
    law.learn([(DAY, other.fingerprint), (DAY, SHIPPED.fingerprint)], [other])

    assert law.on(DAY) is SHIPPED


@given(st.lists(st.tuples(st.dates(), st.sampled_from("abc")), max_size=6), st.dates())
def test_the_last_day_that_has_come_counts(starts: list[tuple[date, str]], day: date) -> None:
    """Of all days that have come the greatest counts, and of that the last that was recorded."""
    law = LawInForce(SHIPPED)
    law.learn(starts, [])
    come = [(start, place, name) for place, (start, name) in enumerate(starts) if start <= day]

    assert law.fingerprint_on(day) == (max(come)[2] if come else SHIPPED.fingerprint)


def test_what_cannot_be_read_decides_nothing(other: Catalogue) -> None:
    """On the days of a catalogue that is not in memory nobody decides by another one."""
    law = LawInForce(SHIPPED)
    law.learn([(DAY, other.fingerprint)], [], [other.fingerprint])

    assert law.on(DAY - timedelta(days=1)) is SHIPPED
    with pytest.raises(LawUnknown):
        law.on(DAY)


def test_who_has_not_looked_for_long_decides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that stood still decides again only once it has looked."""
    law = LawInForce(SHIPPED)
    law.looked()
    now = in_force.monotonic()
    monkeypatch.setattr(in_force, "monotonic", lambda: now + in_force.STALE_SECONDS + 1)
    with pytest.raises(LawUnknown):
        law.on(DAY)
    law.looked()

    assert law.on(DAY) is SHIPPED
