"""Consents over HTTP: recorded, withdrawn, looked at."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from broker.consents.repository import standing_stops
from broker.consents.service import year_later
from broker.consents.shapes import ConsentIn
from broker.gateway import Gateway
from broker.subjects.checks import NO_WILDCARD
from broker.subjects.events import SubjectEvent
from broker.subjects.pseudonym import SubjectKeys, pseudonyms
from broker.subjects.state import lock_shared
from schemas.identifiers import DataCategory
from tests.broker.subjects.world import (
    CLOSED,
    JOBCENTER,
    JUGENDAMT,
    MARKER,
    PERSON,
    SOZIALAMT,
    STAFF,
    TODAY,
    As,
)
from tests.world import database_bytes, evidence

DOCTOR = "Dr. Vvdoctormarker"
CONSENT = {
    "person": PERSON,
    "aktenzeichen": "JC 12/345 " + MARKER,
    "erklaert_von": "betroffene Person",
    "erteilt_am": "2026-03-02",
    "zweck": "CASE_MANAGEMENT",
    "empfaenger": [SOZIALAMT],
    "kategorien": ["KONTAKT", "GESUNDHEIT"],
    "form": "schriftlich",
    "hinweise": ["zweck", "folgen_der_verweigerung", "widerruf"],
    "freiwillig": True,
    "entbindung": {"name": DOCTOR, "natuerliche_person": True},
    "nachweis": {"wortlaut_version": "marl-2026.1", "sprache": "uk", "dolmetscher": True, "aufgenommen_von": STAFF},
}
REFUSED = CONSENT | {"erteilt_am": None, "verweigert_am": "2026-03-02"}
WORDING = "body.nachweis.wortlaut_version"
NOBODY = "00000000-0000-4000-8000-000000000000"


async def post(acting: As, path: str, body: dict[str, Any] | None, instance: str = JOBCENTER) -> httpx.Response:
    """Post as an instance."""
    async with acting(instance) as client:
        return await client.post("/v1/consents" + path, json=body)


async def get(acting: As, path: str, instance: str = JOBCENTER) -> httpx.Response:
    """Get as an instance."""
    async with acting(instance) as client:
        return await client.get("/v1/consents" + path)


@pytest.fixture
def keys(gateway: Gateway) -> SubjectKeys:
    """Give the keys of the person in the requests."""
    return pseudonyms(gateway.keys, JOBCENTER, ConsentIn.model_validate(CONSENT).person.identity())


async def number(gateway: Gateway, keys: SubjectKeys) -> int:
    """Return the number of the person's state."""
    async with gateway.db.writing() as connection:
        return (await lock_shared(connection, [(JOBCENTER, keys.stored)]))[JOBCENTER, keys.stored]


async def test_a_consent_is_recorded_with_all_its_fields(acting: As) -> None:
    """What was declared comes back, the end explicit after 12 months, the person and the doctor not."""
    answer = await post(acting, "", CONSENT)
    assert answer.status_code == 201
    shown = answer.json()
    assert (await get(acting, f"/{shown['id']}")).json() == shown
    same = ("erklaert_von", "erteilt_am", "zweck", "empfaenger", "form", "freiwillig")
    assert {field: shown[field] for field in same} == {field: CONSENT[field] for field in same}
    assert (shown["gueltig_ab"], shown["gueltig_bis"]) == ("2026-03-02", "2027-03-02")
    assert sorted(shown["kategorien"]) == ["GESUNDHEIT", "KONTAKT"]
    assert sorted(shown["hinweise"]) == ["folgen_der_verweigerung", "widerruf", "zweck"]
    assert shown["aufgezeichnet_von"] == JOBCENTER
    assert (shown["entbindung_natuerliche_person"], shown["widerrufen_am"]) == (True, None)
    assert (shown["wortlaut_version"], shown["sprache"], shown["dolmetscher"]) == ("marl-2026.1", "uk", True)


async def test_no_name_is_kept(gateway: Gateway, acting: As) -> None:
    """Person, Aktenzeichen and doctor reach neither database nor answers; the staff id lies beside the evidence."""
    consent = await post(acting, "", CONSENT)
    texts = [consent.text, (await post(acting, f"/{consent.json()['id']}/withdrawal", {})).text]
    texts += [(await post(acting, "", REFUSED)).text, (await get(acting, "")).text]
    kept = database_bytes(gateway)
    for marker in (MARKER, MARKER.lower(), DOCTOR, DOCTOR.casefold(), "1990-02-03", "JC 12/345"):
        assert marker.encode() not in kept
        assert not any(marker in text for text in texts)
    assert not any(STAFF in text for text in texts)
    entries = await evidence(gateway)
    assert not any(STAFF in str(entry) for entry, _ in entries)
    assert entries[0][1]["staff"] == STAFF


async def test_the_evidence_holds_codes_and_days(gateway: Gateway, acting: As, keys: SubjectKeys) -> None:
    """Recording and withdrawing are entries; who withdrew where is seen by both controllers' officers."""
    consent = (await post(acting, "", CONSENT)).json()["id"]
    await post(acting, f"/{consent}/withdrawal", {}, SOZIALAMT)
    (recorded, side), (withdrawn, withdrawn_side) = await evidence(gateway)
    assert recorded.data == {
        "purpose": "CASE_MANAGEMENT",
        "recipients": [SOZIALAMT],
        "categories": ["GESUNDHEIT", "KONTAKT"],
        "given_by": "betroffene Person",
        "form": "schriftlich",
        "granted": "2026-03-02",
        "valid_from": "2026-03-02",
        "valid_until": "2027-03-02",
    }
    assert (recorded.event, recorded.sender, recorded.reference) == ("consent.recorded", JOBCENTER, consent)
    assert (withdrawn.event, withdrawn.actor) == ("consent.withdrawn", SOZIALAMT)
    assert (withdrawn.sender, withdrawn.recipient) == (JOBCENTER, SOZIALAMT)
    assert withdrawn.data["revoked_on"] == "2026-03-16"
    assert side["pseudonym"] == withdrawn_side["pseudonym"] == keys.stored
    assert (side["client"], withdrawn_side["client"]) == ("client-of-" + JOBCENTER, "client-of-" + SOZIALAMT)


async def test_a_withdrawal_works_at_once_and_once(
    gateway: Gateway, acting: As, events: list[Any], keys: SubjectKeys
) -> None:
    """It raises the number, tells the hook, and stands; again gives the first answer and changes nothing."""
    consent = (await post(acting, "", CONSENT)).json()["id"]
    assert (events, await number(gateway, keys)) == ([], 1)
    first = await post(acting, f"/{consent}/withdrawal", {"widerrufen_am": "2026-03-10"})
    again = await post(acting, f"/{consent}/withdrawal", None)
    assert (first.status_code, first.json()["widerrufen_am"]) == (200, "2026-03-10")
    assert again.json() == first.json()
    assert await number(gateway, keys) == 3
    case = gateway.keys.case_key(JOBCENTER, str(CONSENT["aktenzeichen"]))
    (event,) = events
    assert (event.event, event.controller, event.pseudonym) == ("consent.withdrawn", JOBCENTER, keys.stored)
    assert (set(event.near), event.case_key, event.consent_id) == (set(keys.stored_near), case, consent)
    async with gateway.db.reading() as connection:
        (stop,) = await standing_stops(connection, keys.exact, [], [], TODAY)
    assert stop.consent.id == consent


async def test_concurrent_withdrawals_are_one(gateway: Gateway, acting: As, events: list[Any]) -> None:
    """Of many at once, at the office and at the recipient, one is recorded and all get its answer."""
    consent = (await post(acting, "", CONSENT)).json()["id"]
    who = (JOBCENTER, SOZIALAMT) * 5
    answers = await asyncio.gather(*(post(acting, f"/{consent}/withdrawal", {}, instance) for instance in who))
    assert {answer.status_code for answer in answers} == {200}
    assert len(events) == 1
    assert [entry.event for entry, _ in await evidence(gateway)] == ["consent.recorded", "consent.withdrawn"]


async def test_a_failing_hook_takes_the_withdrawal_back(app: FastAPI, acting: As) -> None:
    """A withdrawal that could not reach transfers in flight is not half recorded."""
    consent = (await post(acting, "", CONSENT)).json()["id"]

    async def fail(*_: object) -> None:
        raise LookupError

    app.state.subject_changed = fail
    assert (await post(acting, f"/{consent}/withdrawal", {})).status_code == 500
    assert (await get(acting, f"/{consent}")).json()["widerrufen_am"] is None


@pytest.mark.parametrize("day", ["2026-03-01", "2026-03-17"])
async def test_a_withdrawal_before_the_grant_or_in_the_future_is_refused(acting: As, day: str) -> None:
    """The day of the withdrawal lies between grant and today."""
    consent = (await post(acting, "", CONSENT)).json()["id"]
    answer = await post(acting, f"/{consent}/withdrawal", {"widerrufen_am": day})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "widerrufen_am")


async def test_a_refusal_is_recorded_stands_and_cannot_be_withdrawn(
    gateway: Gateway, acting: As, events: list[Any], keys: SubjectKeys
) -> None:
    """It stops transfers at once, has no validity, and categories are not needed for it."""
    answer = await post(acting, "", REFUSED | {"kategorien": []})
    shown = answer.json()
    assert (answer.status_code, shown["verweigert_am"], shown["gueltig_bis"]) == (201, "2026-03-02", None)
    assert events == [
        SubjectEvent(
            "consent.recorded",
            JOBCENTER,
            keys.stored,
            keys.stored_near,
            gateway.keys.case_key(JOBCENTER, str(CONSENT["aktenzeichen"])),
            consent_id=shown["id"],
        )
    ]
    async with gateway.db.reading() as connection:
        (stop,) = await standing_stops(connection, keys.exact, [], [], TODAY)
    assert stop.to_law("p1").refused == date(2026, 3, 2)
    again = await post(acting, f"/{shown['id']}/withdrawal", {})
    assert (again.status_code, again.json()["type"]) == (409, "/problems/state-conflict")


async def test_the_recorder_and_named_recipients_see_it_others_get_the_404_for_nothing(acting: As) -> None:
    """Whether a consent exists elsewhere cannot be told from the answer."""
    consent = (await post(acting, "", CONSENT)).json()["id"]
    assert (await get(acting, f"/{consent}", SOZIALAMT)).status_code == 200
    shown = [await get(acting, f"/{known}", JUGENDAMT) for known in (consent, NOBODY)]
    tried = [await post(acting, f"/{known}/withdrawal", {}, JUGENDAMT) for known in (consent, NOBODY)]
    assert {answer.status_code for answer in (*shown, *tried)} == {404}
    assert len({answer.content for answer in (*shown, *tried)}) == 1
    assert (await get(acting, f"/{consent}")).json()["widerrufen_am"] is None
    assert (await get(acting, "", SOZIALAMT)).json() == {"items": [], "next_cursor": None}


@pytest.mark.parametrize("path", ["/%00", "/no-id%00", "?cursor=%00", "/" + "a" * 37])
async def test_what_cannot_be_an_id_is_refused_before_the_database(acting: As, path: str) -> None:
    """A malformed id is a 422 that does not come back in the answer."""
    answer = await get(acting, path)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-request")
    assert "no-id" not in answer.text


async def test_pages_hold_everything_once(acting: As) -> None:
    """Following the cursor gives all own records in the order of recording."""
    ids = [(await post(acting, "", CONSENT)).json()["id"] for _ in range(5)]
    first = (await get(acting, "?limit=3")).json()
    second = (await get(acting, f"?limit=3&cursor={first['next_cursor']}")).json()
    assert [item["id"] for item in (*first["items"], *second["items"])] == ids
    assert second["next_cursor"] is None


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"zweck": "*"}, "zweck"),
        ({"empfaenger": [SOZIALAMT, "*"]}, "empfaenger"),
        ({"empfaenger": ["sozialamt-marl:*"]}, "empfaenger"),
        ({"kategorien": ["KONTAKT", " * "]}, "kategorien"),
    ],
)
async def test_a_wildcard_is_refused_with_its_rule(acting: As, change: dict[str, Any], field: str) -> None:
    """There is no general consent: the problem names the field and the rule."""
    answer = await post(acting, "", CONSENT | change)
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert (error["field"], error["rule"]) == (field, NO_WILDCARD)
    assert (await get(acting, "")).json()["items"] == []


@pytest.mark.parametrize(
    ("change", "slug", "field", "allows"),
    [
        ({"zweck": MARKER}, "unknown-purpose", "zweck", "CASE_MANAGEMENT"),
        ({"empfaenger": [SOZIALAMT, MARKER]}, "unknown-agency", "empfaenger", SOZIALAMT),
        ({"empfaenger": [CLOSED]}, "unknown-agency", "empfaenger", SOZIALAMT),
        ({"kategorien": [MARKER]}, "invalid-request", "kategorien", DataCategory.SCHWANGERSCHAFT.value),
    ],
)
async def test_what_is_unknown_is_refused_with_what_is_allowed(
    acting: As, change: dict[str, Any], slug: str, field: str, allows: str
) -> None:
    """Unknown purposes, recipients and categories come back as the list of what is known, never as what was sent."""
    answer = await post(acting, "", CONSENT | change)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/" + slug)
    (error,) = answer.json()["errors"]
    assert error["field"] == field
    assert allows in error["allowed"]
    assert CLOSED not in error["allowed"]
    assert MARKER not in answer.text


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"erteilt_am": "2026-03-17"}, "erteilt_am"),
        ({"erteilt_am": None}, "erteilt_am"),
        ({"verweigert_am": "2026-03-02"}, "erteilt_am"),
        ({"erteilt_am": None, "verweigert_am": "2026-03-17"}, "verweigert_am"),
        ({"erteilt_am": None, "verweigert_am": "2026-03-02", "gueltig_bis": "2026-04-01"}, "gueltig_ab"),
        ({"gueltig_ab": "2026-03-01"}, "gueltig_ab"),
        ({"gueltig_ab": "2026-04-01", "gueltig_bis": "2026-03-31"}, "gueltig_bis"),
        ({"gueltig_ab": "2027-04-01"}, "gueltig_bis"),
        ({"gueltig_bis": "2026-03-01"}, "gueltig_bis"),
        ({"person": PERSON | {"geburtsdatum": "2026-03-17"}}, "person.geburtsdatum"),
        ({"kategorien": []}, "kategorien"),
        ({"empfaenger": []}, "body.empfaenger"),
        ({"entbindung": {"natuerliche_person": True}}, "entbindung.name"),
        ({"erklaert_von": MARKER}, "body.erklaert_von"),
        ({"form": MARKER}, "body.form"),
        ({"hinweise": [MARKER]}, "body.hinweise.0"),
        (
            {"nachweis": {"wortlaut_version": "für " + MARKER, "aufgenommen_von": STAFF}},
            "body.nachweis.wortlaut_version",
        ),
        ({"notiz": MARKER}, "body.notiz"),
    ],
)
async def test_what_is_wrong_is_named_without_the_value(acting: As, change: dict[str, Any], field: str) -> None:
    """Each refusal is a 422 that names the field; nothing is recorded and no value comes back."""
    answer = await post(acting, "", CONSENT | change)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field
    assert MARKER not in answer.text
    assert STAFF not in answer.text
    assert (await get(acting, "")).json()["items"] == []


async def test_the_same_kennung_means_the_same_answer(gateway: Gateway, acting: As) -> None:
    """At once, again, and after a withdrawal the first answer comes; another body is a conflict."""
    body = CONSENT | {"kennung": "6f1c2a34-0000-4000-8000-000000000001"}
    answers = await asyncio.gather(*(post(acting, "", body) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert len(await evidence(gateway)) == 1
    await post(acting, f"/{answers[0].json()['id']}/withdrawal", {})
    assert (await post(acting, "", body)).content == answers[0].content
    conflict = await post(acting, "", body | {"person": PERSON | {"vornamen": "Berta"}})
    assert (conflict.status_code, conflict.json()["type"]) == (409, "/problems/message-conflict")
    assert (await post(acting, "", body, JUGENDAMT)).json()["id"] != answers[0].json()["id"]


@given(st.dates(date(1990, 1, 1), date(2100, 1, 1)))
def test_twelve_months_keep_day_and_month(day: date) -> None:
    """Only the leap day moves, to 28 February."""
    later = year_later(day)
    assert later.year == day.year + 1
    leap = (day.month, day.day) == (2, 29)
    assert (later.month, later.day) == ((2, 28) if leap else (day.month, day.day))
