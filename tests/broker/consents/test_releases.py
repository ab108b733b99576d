"""Releases from secrecy: recorded, seen, and what they open until they end."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from schemas.compose import BlockSpec
from schemas.identifiers import DataCategory, OriginMark
from tests.broker.consents.test_api import CONSENT
from tests.broker.subjects.world import JOBCENTER as JC
from tests.broker.subjects.world import JUGENDAMT, MARKER, As
from tests.broker.subjects.world import SOZIALAMT as MARL
from tests.flow.world import ASD, BEZUG, JOBCENTER, SOZIALAMT, STAMMDATEN, Kreis, consent_body, person

DOCTOR = {"name": "Dr. Vvdoctormarker", "natuerliche_person": True}
RELEASE = {
    **{name: value for name, value in CONSENT.items() if name != "entbindung"},
    "entbunden": DOCTOR,
    "kategorien": ["GESUNDHEIT"],
}
CAPACITY = DataCategory.ERWERBSFAEHIGKEIT
MEDICAL = BlockSpec(CAPACITY, marks=(OriginMark.ARZT_203,))


async def post(acting: As, path: str, body: dict[str, Any], instance: str = JC) -> httpx.Response:
    """Post as an instance."""
    async with acting(instance) as client:
        return await client.post("/v1/releases" + path, json=body)


async def test_seen_by_its_sides_and_by_nobody_else(acting: As) -> None:
    """Recorder and named recipient see it; a third gets the 404 for nothing, and so does a consent asked for here."""
    made = await post(acting, "", RELEASE)
    assert made.status_code == httpx.codes.CREATED, made.text
    path = f"/v1/releases/{made.json()['id']}"
    seen = {}
    for instance in (JC, MARL, JUGENDAMT):
        async with acting(instance) as client:
            seen[instance] = await client.get(path)
    async with acting(JC) as client:
        plain = {name: value for name, value in CONSENT.items() if name != "entbindung"}
        consent = (await client.post("/v1/consents", json=plain)).json()["id"]
        other = await client.get(f"/v1/releases/{consent}")
        listed = (await client.get("/v1/releases")).json()["items"]

    assert seen[JC].content == seen[MARL].content == made.content
    assert (seen[JUGENDAMT].status_code, seen[JUGENDAMT].content) == (404, other.content)
    assert [item["id"] for item in listed] == [made.json()["id"]]
    assert made.json()["entbindung_natuerliche_person"] is True
    assert "Vvdoctormarker" not in made.text


async def test_the_first_withdrawal_stands(acting: As) -> None:
    """Again gets the same answer; a third cannot withdraw."""
    release = (await post(acting, "", RELEASE)).json()["id"]
    foreign = await post(acting, f"/{release}/withdrawal", {}, JUGENDAMT)
    answers = [await post(acting, f"/{release}/withdrawal", {}, side) for side in (MARL, JC)]

    assert foreign.status_code == httpx.codes.NOT_FOUND
    assert [answer.json()["widerrufen_am"] for answer in answers] == ["2026-03-16"] * 2


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"form": "muendlich"}, "body.form"),
        ({"entbunden": {"natuerliche_person": True}}, "body.entbunden.name"),
        ({"kategorien": []}, "body.kategorien"),
        ({"kategorien": ["*"]}, "kategorien"),
        ({"erteilt_am": "2026-03-17"}, "erteilt_am"),
        ({"verweigert_am": "2026-03-02"}, "body.verweigert_am"),
        ({"empfaenger": [MARKER]}, "empfaenger"),
    ],
)
async def test_what_is_wrong_is_named_without_the_value(acting: As, change: dict[str, Any], field: str) -> None:
    """A release is in writing, names whom it releases, and is bound as a consent is."""
    answer = await post(acting, "", RELEASE | change)

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)
    assert MARKER not in answer.text


def release_body(purpose: str, category: str, **more: Any) -> dict[str, Any]:
    """Return the body of a release of Erika's physician towards the Sozialamt."""
    return consent_body(SOZIALAMT, purpose, [category], person()) | {"entbunden": DOCTOR} | more


async def sent(kreis: Kreis, **parts: Any) -> httpx.Response:
    """Submit what a physician said, towards the Sozialamt."""
    given = {"blocks": (STAMMDATEN, BEZUG, MEDICAL), "purpose": "RECHTSKREISWECHSEL", "persons": [person()]} | parts
    return await (await kreis.office(JOBCENTER)).submit(SOZIALAMT, **given)


async def recorded(kreis: Kreis, by: str = JOBCENTER, **more: Any) -> str:
    """Record a release; return its id."""
    body = release_body("RECHTSKREISWECHSEL", CAPACITY, **more)
    made = await (await kreis.office(by)).post("/v1/releases", body)
    assert made.status_code == httpx.codes.CREATED, made.text
    return str(made.json()["id"])


async def test_a_release_opens_what_a_physician_said(kreis: Kreis) -> None:
    """Locked without it, open with it though the message does not name it, locked again after the withdrawal."""
    without = await sent(kreis)
    release = await recorded(kreis)
    opened = await sent(kreis)
    await (await kreis.office(JOBCENTER)).post(f"/v1/releases/{release}/withdrawal")
    after = await sent(kreis)

    assert (without.status_code, [r["code"] for r in without.json()["removed"]]) == (403, ["PAR76"])
    assert opened.status_code == httpx.codes.ACCEPTED, opened.text
    assert opened.json()["decision"]["consents"] == [release]
    assert after.status_code == httpx.codes.FORBIDDEN


async def test_it_ends_with_its_last_day(kreis: Kreis) -> None:
    """On its last day it opens, on the next no more."""
    await recorded(kreis, gueltig_bis="2026-03-17")
    kreis.clock.move(days=1)
    last = await sent(kreis)
    kreis.clock.move(days=1)

    assert (last.status_code, (await sent(kreis)).status_code) == (202, 403)


async def test_withdrawal_ends_what_is_in_flight(kreis: Kreis) -> None:
    """What waits to be handed over ends with the withdrawal, and its key goes."""
    release = await recorded(kreis)
    transfer = (await sent(kreis)).json()["transfer_id"]
    await kreis.pump()
    await (await kreis.office(SOZIALAMT)).post(f"/v1/releases/{release}/withdrawal")

    assert await (await kreis.office(JOBCENTER)).state(transfer) == "withdrawn"
    assert await kreis.scalar("SELECT count(*) FROM transfer_keys") == 0


@pytest.mark.parametrize(
    "more",
    [
        {"entbunden": DOCTOR | {"natuerliche_person": False}},
        {"zweck": "ERSTATTUNG"},
        {"empfaenger": [ASD]},
        {"kategorien": ["GESUNDHEIT"]},
        {"freiwillig": False},
        {"person": {"familienname": "Anders", "vornamen": "Erika", "geburtsdatum": "1961-03-09"}},
    ],
    ids=["no person", "purpose", "recipient", "category", "not free", "somebody else"],
)
async def test_it_opens_nothing_else(kreis: Kreis, more: dict[str, Any]) -> None:
    """It counts for the person, purpose, recipient and categories that it names, and where it was given freely."""
    await recorded(kreis, **more)

    assert (await sent(kreis)).status_code == httpx.codes.FORBIDDEN


async def test_the_recipients_own_counts_where_it_is_named(kreis: Kreis) -> None:
    """The sender does not learn by the answer that the recipient has one; told its id, it may rely on it."""
    release = await recorded(kreis, by=SOZIALAMT)
    unnamed = await sent(kreis)
    named = await sent(kreis, consents=[release])

    assert (unnamed.status_code, release in unnamed.text) == (403, False)
    assert named.status_code == httpx.codes.ACCEPTED, named.text


@pytest.mark.parametrize("said", ["anvertraut_von", "absender_beruf_203"])
async def test_it_opens_the_other_two_secrets(kreis: Kreis, said: str) -> None:
    """What was entrusted opens by a release of who entrusted it, what an employee learned by one that names her."""
    asd = await kreis.office(ASD)
    status = DataCategory.JUGENDHILFE_STATUS
    own = {"par65_key": "Nr. 1", "anvertraut_von": "betroffene Person"}
    told = own if said == "anvertraut_von" else {"absender_beruf_203": [status]}
    marks = (OriginMark.ANVERTRAUT_65,) if said == "anvertraut_von" else ()
    given = {
        "blocks": (STAMMDATEN, BlockSpec(status, marks=marks)),
        "purpose": "RECHTSKREISWECHSEL",
        "declarations": told | {"par64_2_erfolg_gefaehrdet": "nein", "fachkraft": "ASD-17"},
    }
    without = await asd.submit(SOZIALAMT, **given)
    body = release_body("RECHTSKREISWECHSEL", status) | {"kategorien": [status, STAMMDATEN]}
    release = (await asd.post("/v1/releases", body)).json()["id"]
    opened = await asd.submit(SOZIALAMT, **given)
    await asd.post(f"/v1/releases/{release}/withdrawal")
    after = await asd.submit(SOZIALAMT, **given)

    code = "PAR65" if said == "anvertraut_von" else "PAR203"
    assert (without.status_code, without.json()["code"]) == (403, code), without.text
    assert opened.status_code == httpx.codes.ACCEPTED, opened.text
    assert after.status_code == httpx.codes.FORBIDDEN
