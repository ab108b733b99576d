"""What stops a transfer on its way: the person, the sender, the end of its time. No content is left behind."""

from __future__ import annotations

import httpx
import pytest
from sqlalchemy import text

from broker.crypto import SealBroken, unseal, unwrap
from schemas.compose import PersonSpec
from schemas.identifiers import DataCategory
from tests.flow.world import (
    ASD,
    JOBCENTER,
    SOZIALAMT,
    STAMMDATEN,
    Kreis,
    Office,
    consent_body,
    person,
)
from tests.world import through_kafka

pytestmark = through_kafka

BLOCKS = (STAMMDATEN, DataCategory.KONTAKT, DataCategory.SCHULDEN)
NAMED = ["STAMMDATEN", "KONTAKT", "SCHULDEN"]


async def consented(jobcenter: Office, who: PersonSpec) -> tuple[str, str]:
    """Record a consent and submit a transfer that relies on it; return both ids."""
    body = consent_body(SOZIALAMT, "CASE_MANAGEMENT", NAMED, who)
    consent = (await jobcenter.post("/v1/consents", body)).json()["id"]
    transfer = await jobcenter.accepted(SOZIALAMT, BLOCKS, purpose="CASE_MANAGEMENT", persons=[who], consents=[consent])
    return consent, transfer


def objection(who: PersonSpec, kind: str = "WIDERSPRUCH_ART21", **more: str) -> dict[str, object]:
    """Return the body of an objection of the person."""
    return {
        "art": kind,
        "person": {"familienname": who.family, "vornamen": who.given, "geburtsdatum": who.birth.isoformat()},
        "datum": "2026-03-16",
        "erklaert_von": "betroffene Person",
    } | more


async def keys_left(kreis: Kreis) -> int:
    """Return how many content keys there are."""
    return int(await kreis.scalar("SELECT count(*) FROM transfer_keys"))


@pytest.mark.parametrize("station", ["accepted", "publishing", "published"])
async def test_withdrawal_ends_what_is_in_flight(kreis: Kreis, station: str) -> None:
    """A withdrawal ends a transfer that is not handed over, at every station, and its key is gone with it."""
    jobcenter, sozialamt, who = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT), person()
    consent, transfer = await consented(jobcenter, who)
    if station == "publishing":
        async with kreis.gateway.db.writing() as connection:
            await connection.execute(text("UPDATE transfers SET state = 'publishing'"))
    elif station == "published":
        await kreis.pump()
    withdrawn = await jobcenter.post(f"/v1/consents/{consent}/withdrawal")
    await kreis.pump()

    assert withdrawn.status_code == httpx.codes.OK, withdrawn.text
    assert await jobcenter.state(transfer) == "withdrawn"
    assert await sozialamt.inbox() == []
    assert await keys_left(kreis) == 0


async def test_withdrawal_after_handing_over_tells_the_recipient(kreis: Kreis) -> None:
    """After the point of no return the recipient gets a notice and says what it did."""
    jobcenter, sozialamt, who = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT), person()
    consent, transfer = await consented(jobcenter, who)
    await kreis.pump()
    [item] = await sozialamt.inbox()
    await sozialamt.answer(item)
    await jobcenter.post(f"/v1/consents/{consent}/withdrawal")
    [notice] = (await sozialamt.get("/v1/notices")).json()["items"]
    done = await sozialamt.post(f"/v1/notices/{notice['id']}/acknowledgement", {"massnahme": "GELOESCHT"})

    assert (notice["transfer_id"], notice["kind"]) == (transfer, "WIDERRUF")
    assert done.status_code == httpx.codes.OK
    assert (await sozialamt.get("/v1/notices")).json()["items"] == []


async def test_objection_at_the_recipient_returns_it_without_saying_so(kreis: Kreis) -> None:
    """An objection recorded by the other side stops the transfer; the sender reads a neutral code alone."""
    jobcenter, sozialamt, who = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT), person()
    await sozialamt.post("/v1/objections", objection(who))
    answer = await jobcenter.submit(SOZIALAMT, persons=[who])
    own = await jobcenter.submit(SOZIALAMT, persons=[person("Sonst", "Jemand")])

    assert (answer.status_code, answer.json()["code"]) == (403, "NICHT_ZULAESSIG")
    assert "WIDERSPRUCH" not in answer.text
    assert "21" not in " ".join(norm for finding in answer.json()["findings"] for norm in finding["norms"])
    assert own.status_code == httpx.codes.ACCEPTED


async def test_own_objection_is_shown_in_full(kreis: Kreis) -> None:
    """What the sender itself has recorded is named with code and norm."""
    jobcenter, who = await kreis.office(JOBCENTER), person()
    await jobcenter.post("/v1/objections", objection(who))
    answer = await jobcenter.submit(SOZIALAMT, persons=[who])

    assert (answer.json()["code"], answer.json()["kind"]) == ("WIDERSPRUCH", "human")


async def test_objection_in_flight_ends_the_transfer(kreis: Kreis) -> None:
    """An objection ends what is on its way, under another spelling of the name too."""
    jobcenter, who = await kreis.office(JOBCENTER), person("Müller-Lüdenscheidt", "Änne")
    transfer = await jobcenter.accepted(SOZIALAMT, persons=[who])
    same = person("MÜLLER LÜDENSCHEIDT", "Änne")
    answer = await jobcenter.post("/v1/objections", objection(same))

    assert answer.status_code == httpx.codes.CREATED, answer.text
    assert await jobcenter.state(transfer) == "withdrawn"


async def test_protected_address_at_a_third_office_stops_the_address(kreis: Kreis) -> None:
    """A protected address protects everywhere, and no side learns where it is on record."""
    jobcenter, jugendamt, who = await kreis.office(JOBCENTER), await kreis.office(ASD), person()
    await jugendamt.post("/v1/objections", objection(who, "SCHUTZANSCHRIFT"))
    with_address = await jobcenter.submit(SOZIALAMT, persons=[who])
    without = await jobcenter.submit(
        SOZIALAMT, (STAMMDATEN, DataCategory.LEISTUNGSBEZUG, DataCategory.LEISTUNGSHOEHE), persons=[who]
    )

    assert (with_address.status_code, with_address.json()["code"]) == (403, "NICHT_ZULAESSIG")
    assert "SCHUTZ" not in with_address.text
    assert without.status_code == httpx.codes.ACCEPTED, without.text


async def test_ended_objection_stops_nothing_more(kreis: Kreis) -> None:
    """From the day of its end on, a stop stops nothing."""
    jobcenter, who = await kreis.office(JOBCENTER), person()
    stop = (await jobcenter.post("/v1/objections", objection(who, "OPT_OUT"))).json()["id"]
    refused = await jobcenter.submit(SOZIALAMT, persons=[who])
    await jobcenter.post(f"/v1/objections/{stop}/end", {"grund": "ZURUECKGENOMMEN"})
    again = await jobcenter.submit(SOZIALAMT, persons=[who])

    assert (refused.status_code, again.status_code) == (403, 202)


async def test_recall_before_handing_over_ends_it(kreis: Kreis) -> None:
    """A recall ends what is not handed over; a second recall gets the same answer."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    transfer = await jobcenter.accepted(SOZIALAMT)
    await kreis.pump()
    answers = [await jobcenter.post(f"/v1/transfers/{transfer}/recall") for _ in range(2)]

    assert [answer.json()["state"] for answer in answers] == ["recalled", "recalled"]
    assert await sozialamt.inbox() == []
    assert await keys_left(kreis) == 0


async def test_recall_after_handing_over_becomes_a_notice(kreis: Kreis) -> None:
    """What is handed over cannot be recalled: its recipient is told, once."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    transfer = await jobcenter.accepted(SOZIALAMT)
    await kreis.pump()
    await sozialamt.inbox()
    answers = [await jobcenter.post(f"/v1/transfers/{transfer}/recall") for _ in range(2)]
    notices = (await sozialamt.get("/v1/notices")).json()["items"]

    assert [answer.json()["state"] for answer in answers] == ["notice-sent", "notice-sent"]
    assert [notice["kind"] for notice in notices] == ["RUECKRUF"]


async def test_nobody_recalls_for_another(kreis: Kreis) -> None:
    """The recipient, and any other instance, gets the same answer as for an unknown transfer."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    transfer = await jobcenter.accepted(SOZIALAMT)
    foreign = await sozialamt.post(f"/v1/transfers/{transfer}/recall")
    unknown = await sozialamt.post("/v1/transfers/00000000-0000-4000-8000-000000000000/recall")

    assert foreign.status_code == unknown.status_code == httpx.codes.NOT_FOUND
    assert foreign.json() == unknown.json()


async def test_law_is_asked_again_at_handing_over(kreis: Kreis) -> None:
    """A consent that ended while the message waited gives no key: the transfer goes back, unopened."""
    jobcenter, sozialamt, who = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT), person()
    body = consent_body(SOZIALAMT, "CASE_MANAGEMENT", NAMED, who, gueltig_bis="2026-03-18")
    consent = (await jobcenter.post("/v1/consents", body)).json()["id"]
    transfer = await jobcenter.accepted(SOZIALAMT, BLOCKS, purpose="CASE_MANAGEMENT", persons=[who], consents=[consent])
    await kreis.pump()
    kreis.clock.move(days=4)

    assert await sozialamt.inbox() == []
    assert await jobcenter.state(transfer) == "returned"
    assert await keys_left(kreis) == 0


async def test_unclaimed_transfer_expires_with_its_content(kreis: Kreis) -> None:
    """After fourteen days nobody can read what nobody fetched."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    transfer = await jobcenter.accepted(SOZIALAMT)
    await kreis.pump()
    kreis.clock.move(days=15)
    await kreis.pump()

    assert await jobcenter.state(transfer) == "expired"
    assert await sozialamt.inbox() == []
    assert await keys_left(kreis) == 0


async def test_after_the_receipt_no_key_opens_any_copy(kreis: Kreis) -> None:
    """A copy of ciphertext and wrapped key taken before the receipt aside, nothing that is left opens the content."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    transfer = await jobcenter.accepted(SOZIALAMT)
    await kreis.pump()
    sealed = await kreis.scalar("SELECT sealed FROM deliveries")
    wrapped = await kreis.scalar("SELECT wrapped FROM transfer_keys")
    _, wrapping = kreis.gateway.keys.sealing_key(SOZIALAMT)
    readable = unseal(sealed, unwrap(wrapped, wrapping), transfer)
    [item] = await sozialamt.inbox()
    await sozialamt.answer(item)
    await kreis.gateway.db.shred()

    assert readable.decode() == item["message"]
    assert await keys_left(kreis) == 0
    assert wrapped not in kreis.database_bytes()
    with pytest.raises(SealBroken):
        unseal(sealed, wrapping, transfer)


async def test_lease_keeps_a_message_from_being_fetched_twice_and_ends(kreis: Kreis) -> None:
    """A fetched message comes again only after its lease, as the next attempt, until it is answered."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    await jobcenter.accepted(SOZIALAMT)
    await kreis.pump()
    first, during = await sozialamt.inbox(), await sozialamt.inbox()
    kreis.clock.move(seconds=121)
    second = await sozialamt.inbox()
    await sozialamt.answer(second[0])
    kreis.clock.move(seconds=121)

    assert (len(first), len(during)) == (1, 0)
    assert [item["attempt"] for item in first + second] == [1, 2]
    assert await sozialamt.inbox() == []
