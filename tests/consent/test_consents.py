"""Single tests of a declaration that stand behind others in the engine, and have to hold by themselves."""

from __future__ import annotations

from dataclasses import replace

from consent.consents import Circumstances, decides_alone
from tests.consent.samples import DAY

ADULT = Circumstances(
    purpose="CASE_MANAGEMENT",
    recipient="SOZIALAMT_SGBXII",
    on=DAY,
    age=18,
    sole_custody=False,
    carer_covers=False,
    insight_age=15,
    adult_age=18,
    default_months=12,
    health_form=True,
    one_parent_for_e=False,
)


def test_who_decides_alone() -> None:
    """Adults do, from 15 on whoever has insight, and nobody whose age is not known."""
    found = {
        (age, insight): decides_alone(replace(ADULT, age=age), insight)
        for age in (None, 14, 15, 18)
        for insight in (None, True, False)
    }
    assert [pair for pair, alone in found.items() if alone] == [
        *((15, None), (15, True)),
        *((18, None), (18, True), (18, False)),
    ]
