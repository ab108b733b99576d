"""Who may declare for another, and who consented beside: as proven with the consent, not as the sender says alone."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from schemas.compose import PersonSpec
from schemas.identifiers import DataCategory
from tests.flow.world import JOBCENTER, SOZIALAMT, STAMMDATEN, Kreis, consent_body, person

CHILD = person(given="Kim", born=date(2014, 5, 4))
ADULT = person()
BLOCKS = (STAMMDATEN, DataCategory.KONTAKT, DataCategory.SCHULDEN)


async def answered(
    kreis: Kreis,
    who: PersonSpec,
    recorded: dict[str, Any],
    declared: dict[str, Any],
    blocks: tuple[DataCategory, ...] = BLOCKS,
) -> int:
    """Record a consent, submit what relies on it and return the status."""
    jobcenter, named = await kreis.office(JOBCENTER), [block.value for block in blocks]
    made = await jobcenter.post("/v1/consents", consent_body(SOZIALAMT, "CASE_MANAGEMENT", named, who, **recorded))
    assert {name: made.json()[name] for name in recorded} == recorded, made.text
    given = {"purpose": "CASE_MANAGEMENT", "persons": [who], "consents": [made.json()["id"]]}
    return (await jobcenter.submit(SOZIALAMT, blocks, declarations=declared, **given)).status_code


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


@pytest.mark.parametrize(
    ("recorded", "declared", "status"),
    [
        (None, {}, 403),
        (None, {"haushaltsmitglieder_eingewilligt": True}, 202),
        (True, {}, 202),
        (False, {"haushaltsmitglieder_eingewilligt": True}, 403),
        (True, {"haushaltsmitglieder_eingewilligt": False}, 403),
    ],
)
async def test_the_other_members_of_a_household(
    kreis: Kreis, recorded: bool | None, declared: dict[str, bool], status: int
) -> None:
    """Who lives there passes where the others consented too, and not where anything says that they did not."""
    consent = {"haushaltsmitglieder_eingewilligt": recorded}
    blocks = (STAMMDATEN, DataCategory.KONTAKT, DataCategory.HAUSHALT)

    assert await answered(kreis, ADULT, consent, declared, blocks) == status


async def test_a_record_about_something_else_says_nothing_of_the_household(kreis: Kreis) -> None:
    """Two consents: the one that does not name the household does not count for it, whatever it says."""
    jobcenter = await kreis.office(JOBCENTER)
    ids = []
    for categories, agreed in ((["STAMMDATEN", "HAUSHALT"], None), (["KONTAKT"], True)):
        more = {"haushaltsmitglieder_eingewilligt": agreed}
        body = consent_body(SOZIALAMT, "CASE_MANAGEMENT", categories, ADULT, **more)
        ids.append((await jobcenter.post("/v1/consents", body)).json()["id"])
    blocks = (STAMMDATEN, DataCategory.KONTAKT, DataCategory.HAUSHALT)
    given: dict[str, Any] = {"purpose": "CASE_MANAGEMENT", "persons": [ADULT], "consents": ids}
    answer = await jobcenter.submit(SOZIALAMT, blocks, ueberhang="entfernen", **given)

    removed = [(one["category"], one["code"]) for one in answer.json()["removed"]]
    assert (answer.status_code, removed) == (202, [("HAUSHALT", "EINWILLIGUNG_FALSCHE_PERSON")])
