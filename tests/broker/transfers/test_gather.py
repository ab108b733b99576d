"""What the law gets to see: ages on their day, and the stops on record, surely or nearly the same person's."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.transfers.gather import full_years
from schemas.compose import PersonSpec
from schemas.identifiers import DataCategory
from tests.flow.world import CORE, JOBCENTER, SOZIALAMT, STAMMDATEN, Kreis, consent_body, person
from tests.world import rows

ERIKA = person()
OTHER = "sozialamt-marl:SOZIALAMT_SGBXII"
SAME_ID = "11111111-2222-4333-8444-555555555555"
#: The same person with a slip in one of the parts, as another office may have written her.
NEARLY = {
    "day and month swapped": person(born=date(1961, 9, 3)),
    "another year": person(born=date(1962, 3, 9)),
    "another day": person(born=date(1961, 3, 10)),
    "another given name": person(given="Erna"),
}
SURELY = {
    "capitals": person("BEISPIEL", "ERIKA"),
    "more given names": person(given="Erika Maria"),
    "blanks": person(" Beispiel ", "Erika"),
}


@pytest.mark.parametrize(
    ("born", "on", "age"),
    [
        (date(2008, 2, 29), date(2026, 2, 28), 17),
        (date(2008, 2, 29), date(2026, 3, 1), 18),
        (date(2008, 2, 29), date(2028, 2, 28), 19),
        (date(2008, 2, 29), date(2028, 2, 29), 20),
        (date(2011, 3, 16), date(2026, 3, 15), 14),
        (date(2011, 3, 16), date(2026, 3, 16), 15),
        (date(2026, 3, 16), date(2026, 3, 16), 0),
    ],
)
def test_age_changes_on_the_birthday(born: date, on: date, age: int) -> None:
    """The birthday itself counts; whoever was born on 29 February is older on 1 March where there is no such day."""
    assert full_years(born, on) == age


@given(st.dates(date(1900, 1, 1), date(2090, 12, 31)), st.integers(0, 40_000))
def test_age_grows_by_one_a_year(born: date, days: int) -> None:
    """From one day to the next an age stays or grows by one, and it is the number of birthdays."""
    on = born + timedelta(days=days)
    step = full_years(born, on + timedelta(days=1)) - full_years(born, on)

    assert step in {0, 1}
    assert full_years(born, on) * 365 <= days
    assert days < (full_years(born, on) + 1) * 366


def stop(who: PersonSpec, kind: str, **more: Any) -> dict[str, Any]:
    """Return the body of a stop."""
    return {
        "art": kind,
        "person": {"familienname": who.family, "vornamen": who.given, "geburtsdatum": who.birth.isoformat()},
        "datum": "2026-03-16",
        "erklaert_von": "betroffene Person",
    } | more


async def answered(kreis: Kreis, recorded: dict[str, Any], by: str = JOBCENTER, **parts: Any) -> httpx.Response:
    """Record a stop and submit about Erika."""
    made = await (await kreis.office(by)).post("/v1/objections", recorded)
    assert made.status_code == httpx.codes.CREATED, made.text
    return await (await kreis.office(JOBCENTER)).submit(SOZIALAMT, **({"persons": [ERIKA]} | parts))


@pytest.mark.parametrize("kind", ["WIDERSPRUCH_ART21", "WIDERSPRUCH_PAR76", "OPT_OUT"])
@pytest.mark.parametrize("slip", NEARLY)
async def test_near_match_goes_to_a_human(kreis: Kreis, kind: str, slip: str) -> None:
    """A stop of somebody who may be the same person never lets pass and never says more than that one has to look."""
    answer = await answered(kreis, stop(NEARLY[slip], kind))

    assert (answer.status_code, answer.json()["kind"]) == (403, "human"), answer.text
    assert await kreis.scalar("SELECT count(*) FROM transfers") == 0


@pytest.mark.parametrize("how", SURELY)
async def test_spellings_of_one_person_are_one_person(kreis: Kreis, how: str) -> None:
    """Capitals, blanks and further given names make nobody another person."""
    answer = await answered(kreis, stop(SURELY[how], "OPT_OUT"))

    assert answer.status_code == httpx.codes.FORBIDDEN, answer.text


async def test_another_person_is_not_stopped(kreis: Kreis) -> None:
    """A stop of somebody else, in another case, stops nothing."""
    answer = await answered(kreis, stop(person("Sonst", "Uwe", date(1990, 5, 5)), "OPT_OUT"))

    assert answer.status_code == httpx.codes.ACCEPTED, answer.text


async def test_near_match_on_the_other_side_stays_hidden(kreis: Kreis) -> None:
    """Where the near match is the recipient's record, the sender reads the neutral code, not that somebody is known."""
    answer = await answered(kreis, stop(NEARLY["another day"], "OPT_OUT"), by=SOZIALAMT)

    assert (answer.status_code, answer.json()["kind"], answer.json()["code"]) == (
        403,
        "not_permitted",
        "NICHT_ZULAESSIG",
    )


BLOCKS = (STAMMDATEN, DataCategory.KONTAKT)
NAMED = ["STAMMDATEN", "KONTAKT"]


def refused(who: PersonSpec, **more: Any) -> dict[str, Any]:
    """Return the body of a refusal to case management with the Sozialamt."""
    return stop(who, "VERWEIGERUNG", zweck="CASE_MANAGEMENT", empfaenger=SOZIALAMT, **more)


async def consented(kreis: Kreis) -> dict[str, Any]:
    """Record Erika's consent; return what a transfer names to rely on it."""
    body = consent_body(SOZIALAMT, "CASE_MANAGEMENT", NAMED, ERIKA)
    consent = await (await kreis.office(JOBCENTER)).post("/v1/consents", body)
    return {"blocks": BLOCKS, "purpose": "CASE_MANAGEMENT", "consents": [consent.json()["id"]]}


async def test_refusal_is_found_by_the_case_reference(kreis: Kreis) -> None:
    """A refusal recorded under another name is found by the Aktenzeichen, and counts for that case alone."""
    relied = await consented(kreis)
    other = person("Ganz", "Anders", date(1980, 1, 1))
    recorded = refused(other, aktenzeichen="BG-77")
    same = await answered(kreis, recorded, case_sender="BG-77", **relied)
    elsewhere = await (await kreis.office(JOBCENTER)).submit(SOZIALAMT, persons=[ERIKA], case_sender="BG-78", **relied)

    assert (same.status_code, same.json()["code"]) == (403, "EINWILLIGUNG_VERWEIGERT"), same.text
    assert elsewhere.status_code == httpx.codes.ACCEPTED, elsewhere.text


async def test_refusal_counts_for_its_purpose_alone(kreis: Kreis) -> None:
    """Whoever refused case management is still transferred to the office that is responsible by law."""
    answer = await answered(kreis, refused(ERIKA), blocks=CORE)

    assert answer.status_code == httpx.codes.ACCEPTED, answer.text


@pytest.mark.parametrize("slip", NEARLY)
async def test_near_match_of_a_refusal_goes_to_a_human(kreis: Kreis, slip: str) -> None:
    """Who may have refused is not transferred on another's consent without somebody having looked."""
    relied = await consented(kreis)
    answer = await answered(kreis, refused(NEARLY[slip]), **relied)

    assert (answer.status_code, answer.json()["kind"]) == (403, "human"), answer.text


async def test_reply_keeps_to_the_thread_of_the_office_it_answers(kreis: Kreis) -> None:
    """Ids of messages are each sender's own: a stranger who used the same one takes no reply into its case's order."""
    jobcenter, others = await kreis.office(JOBCENTER), (SOZIALAMT, OTHER)
    firsts = [await (await kreis.office(one)).accepted(JOBCENTER, message_id=SAME_ID) for one in others]
    replies = [await jobcenter.accepted(to, reply_to=SAME_ID) for to in others]
    found = await rows(kreis.gateway, "SELECT id, order_key FROM transfers")
    keys = {row.id: row.order_key for row in found}

    assert [keys[one] for one in replies] == [keys[one] for one in firsts]
    assert keys[firsts[0]] != keys[firsts[1]]
