"""Who may declare for another: as proven when the consent was taken, and not as the sender says alone."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from schemas.compose import PersonSpec
from schemas.identifiers import DataCategory
from tests.flow.world import JOBCENTER, SOZIALAMT, STAMMDATEN, Kreis, consent_body, person

CHILD = person(given="Kim", born=date(2014, 5, 4))
ADULT = person()
NAMED = ["STAMMDATEN", "KONTAKT", "SCHULDEN"]
BLOCKS = (STAMMDATEN, DataCategory.KONTAKT, DataCategory.SCHULDEN)


async def answered(kreis: Kreis, who: PersonSpec, recorded: dict[str, Any], declared: dict[str, Any]) -> int:
    """Record a consent, submit what relies on it and return the status."""
    jobcenter = await kreis.office(JOBCENTER)
    made = await jobcenter.post("/v1/consents", consent_body(SOZIALAMT, "CASE_MANAGEMENT", NAMED, who, **recorded))
    assert {name: made.json()[name] for name in recorded} == recorded, made.text
    given = {"purpose": "CASE_MANAGEMENT", "persons": [who], "consents": [made.json()["id"]]}
    return (await jobcenter.submit(SOZIALAMT, BLOCKS, declarations=declared, **given)).status_code


@pytest.mark.parametrize(
    ("recorded", "declared", "status"),
    [
        (None, {}, 403),
        (None, {"sorge": "allein"}, 202),
        ("allein", {}, 202),
        ("gemeinsam", {"sorge": "allein"}, 403),
        ("allein", {"sorge": "gemeinsam"}, 403),
    ],
)
async def test_custody(kreis: Kreis, recorded: str | None, declared: dict[str, str], status: int) -> None:
    """One parent declares alone for elevated data where custody is sole; where anything says joint it is joint."""
    consent = {"erklaert_von": "Mutter", "sorge": recorded}

    assert await answered(kreis, CHILD, consent, declared) == status


@pytest.mark.parametrize(
    ("recorded", "declared", "status"),
    [
        (None, {}, 403),
        (None, {"betreuer_aufgabenkreis": True}, 202),
        (True, {}, 202),
        (False, {"betreuer_aufgabenkreis": True}, 403),
        (True, {"betreuer_aufgabenkreis": False}, 403),
    ],
)
async def test_the_task_of_a_betreuer(
    kreis: Kreis, recorded: bool | None, declared: dict[str, bool], status: int
) -> None:
    """A Betreuer declares where the task covers it, and not where anything says that it does not."""
    consent = {"erklaert_von": "Betreuer", "betreuer_aufgabenkreis": recorded}

    assert await answered(kreis, ADULT, consent, declared) == status
