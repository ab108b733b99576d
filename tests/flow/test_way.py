"""A transfer's way from the sender to the recipient's answer."""

from __future__ import annotations

import httpx
from lxml import etree

from schemas.identifiers import DataCategory
from tests.flow.world import (
    ANSCHRIFT,
    BEZUG,
    CORE,
    HOEHE,
    JOBCENTER,
    KITA,
    SOZIALAMT,
    STAMMDATEN,
    Kreis,
    consent_body,
    ersuchen_body,
    person,
)
from tests.world import through_kafka

pytestmark = through_kafka


async def test_permitted_transfer_reaches_the_recipient_and_is_answered(kreis: Kreis) -> None:
    """What is permitted is handed over word for word, answered, and both sides see each state."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    sent = jobcenter.message(SOZIALAMT)
    answer = await jobcenter.post_xml("/v1/transfers", sent)
    transfer_id = answer.json()["transfer_id"]
    await kreis.pump()
    [item] = await sozialamt.inbox()
    quittung = await sozialamt.answer(item)
    processed = await sozialamt.answer(item, "VERARBEITET")
    seen = (await jobcenter.get(f"/v1/transfers/{transfer_id}")).json()

    assert answer.status_code == httpx.codes.ACCEPTED
    assert answer.json()["decision"]["outcome"] == "PERMIT"
    assert any("§ 69" in ground for ground in answer.json()["decision"]["grounds"])
    assert item["message"].encode() == sent
    assert (quittung.json()["state"], processed.json()["state"]) == ("acknowledged", "processed")
    states = [event["state"] for event in seen["history"]]
    assert states == ["accepted", "published", "handing_over", "acknowledged", "processed"]


async def test_refusal_names_the_finding_and_queues_nothing(kreis: Kreis) -> None:
    """An Ersuchen without a first collection is refused with code, norm and what is missing."""
    jobcenter, sozialamt, who = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT), person()
    collected = {"ersterhebung": {"status": "NICHT_VERSUCHT"}}
    ersuchen = (await sozialamt.post("/v1/ersuchen", ersuchen_body(JOBCENTER, who, **collected))).json()["id"]
    answer = await jobcenter.submit(SOZIALAMT, mode="ERSUCHEN", ersuchen=ersuchen, persons=[who])

    assert answer.status_code == httpx.codes.FORBIDDEN
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (body["type"], body["code"], body["kind"]) == (
        "/problems/transfer-refused",
        "ERSTERHEBUNG_FEHLT",
        "incomplete",
    )
    assert any("§ 67a" in norm for finding in body["findings"] for norm in finding["norms"])
    assert await kreis.scalar("SELECT count(*) FROM transfers") == 0
    assert await kreis.scalar("SELECT count(*) FROM outbox") == 0
    assert await kreis.scalar("SELECT count(*) FROM audit_entries WHERE event = 'transfer.refused'") == 1


async def test_excess_is_refused_unless_the_sender_lets_it_be_taken_out(kreis: Kreis) -> None:
    """Too much is refused with the whole list; with `entfernen` the rest passes, and the recipient gets a statement."""
    jobcenter, kita = await kreis.office(JOBCENTER), await kreis.office(KITA)
    blocks = (STAMMDATEN, BEZUG, HOEHE, DataCategory.EINKOMMEN)
    refused = await jobcenter.submit(KITA, blocks, purpose="KITA_BEITRAG")
    reduced = await jobcenter.submit(KITA, blocks, purpose="KITA_BEITRAG", ueberhang="entfernen")
    await kreis.pump()
    [item] = await kita.inbox()

    assert (refused.status_code, refused.json()["code"]) == (403, "UEBERHANG")
    assert {r["category"] for r in refused.json()["removed"]} == {"LEISTUNGSHOEHE", "EINKOMMEN"}
    assert reduced.status_code == httpx.codes.ACCEPTED
    assert {r["category"] for r in reduced.json()["removed"]} == {"LEISTUNGSHOEHE", "EINKOMMEN"}
    arrived = {block.tag for block in etree.fromstring(item["message"].encode()).find("daten")}
    assert arrived == {"stammdaten", "leistungsbezug"}
    assert item["statement"] == reduced.json()["statement"]


async def test_request_on_record_carries_the_transfer(kreis: Kreis) -> None:
    """A transfer on request passes by the recipient's own record of the first collection."""
    jobcenter, sozialamt, who = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT), person()
    ersuchen = (await sozialamt.post("/v1/ersuchen", ersuchen_body(JOBCENTER, who))).json()["id"]
    answer = await jobcenter.submit(SOZIALAMT, mode="ERSUCHEN", ersuchen=ersuchen, persons=[who])

    assert answer.status_code == httpx.codes.ACCEPTED, answer.text


async def test_request_of_another_serves_nobody(kreis: Kreis) -> None:
    """A sender cannot certify for the other side: an Ersuchen that is not the recipient's is no Ersuchen."""
    jobcenter, who = await kreis.office(JOBCENTER), person()
    own = (await jobcenter.post("/v1/ersuchen", ersuchen_body(SOZIALAMT, who))).json()["id"]
    answer = await jobcenter.submit(SOZIALAMT, mode="ERSUCHEN", ersuchen=own, persons=[who])
    unknown = await jobcenter.submit(
        SOZIALAMT, mode="ERSUCHEN", ersuchen="00000000-0000-4000-8000-000000000000", persons=[who]
    )

    assert answer.status_code == unknown.status_code == httpx.codes.UNPROCESSABLE_ENTITY
    assert answer.json() == unknown.json()
    assert answer.json()["type"] == "/problems/unknown-ersuchen"


async def test_consent_carries_what_it_names(kreis: Kreis) -> None:
    """Case management passes on a recorded consent alone, and only with what it names."""
    jobcenter, who = await kreis.office(JOBCENTER), person()
    blocks = (STAMMDATEN, DataCategory.KONTAKT, DataCategory.SCHULDEN)
    body = consent_body(SOZIALAMT, "CASE_MANAGEMENT", ["STAMMDATEN", "KONTAKT", "SCHULDEN"], who)
    without = await jobcenter.submit(SOZIALAMT, blocks, purpose="CASE_MANAGEMENT", persons=[who])
    consent = (await jobcenter.post("/v1/consents", body)).json()["id"]
    answer = await jobcenter.submit(SOZIALAMT, blocks, purpose="CASE_MANAGEMENT", persons=[who], consents=[consent])

    assert (without.status_code, without.json()["code"]) == (403, "KEIN_GRUND")
    assert answer.status_code == httpx.codes.ACCEPTED, answer.text
    assert answer.json()["decision"]["consents"] == [consent]


async def test_consent_of_another_person_is_none(kreis: Kreis) -> None:
    """A consent named by its id serves only the person who gave it."""
    jobcenter, who, other = await kreis.office(JOBCENTER), person(), person("Anders", "Uwe")
    body = consent_body(SOZIALAMT, "CASE_MANAGEMENT", ["STAMMDATEN", "KONTAKT"], other)
    consent = (await jobcenter.post("/v1/consents", body)).json()["id"]
    blocks = (STAMMDATEN, DataCategory.KONTAKT)
    answer = await jobcenter.submit(SOZIALAMT, blocks, purpose="CASE_MANAGEMENT", persons=[who], consents=[consent])

    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/unknown-consent")


async def test_check_decides_and_sends_nothing(kreis: Kreis) -> None:
    """A check answers like a transfer, is on record, and leaves no transfer and no used-up message id."""
    jobcenter = await kreis.office(JOBCENTER)
    message = jobcenter.message(SOZIALAMT)
    checked = await jobcenter.post_xml("/v1/transfers/check", message)
    nothing = await kreis.scalar("SELECT count(*) FROM transfers")
    sent = await jobcenter.post_xml("/v1/transfers", message)

    assert (checked.status_code, checked.json()["decision"]["outcome"]) == (200, "PERMIT")
    assert nothing == 0
    assert await kreis.scalar("SELECT count(*) FROM audit_entries WHERE event = 'transfer.checked'") == 1
    assert sent.status_code == httpx.codes.ACCEPTED


async def test_same_message_gets_the_first_answer_and_other_bytes_a_conflict(kreis: Kreis) -> None:
    """A repeat is answered as at first and queues nothing; the same id with other bytes is refused."""
    jobcenter = await kreis.office(JOBCENTER)
    message_id = "11111111-2222-4333-8444-555555555555"
    message = jobcenter.message(SOZIALAMT, message_id=message_id)
    first = await jobcenter.post_xml("/v1/transfers", message)
    again = await jobcenter.post_xml("/v1/transfers", message)
    other = await jobcenter.submit(SOZIALAMT, (STAMMDATEN, ANSCHRIFT, BEZUG), message_id=message_id)

    assert first.json() == again.json()
    assert again.headers["idempotent-replayed"] == "true"
    assert (other.status_code, other.json()["type"]) == (409, "/problems/message-conflict")
    assert await kreis.scalar("SELECT count(*) FROM transfers") == 1


async def test_order_of_a_case_is_kept(kreis: Kreis) -> None:
    """Transfers of one case are handed over in the order of their acceptance, one after the other."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    ids = [await jobcenter.accepted(SOZIALAMT, case_sender="BG-1") for _ in range(5)]
    await kreis.pump()
    fetched = [item["transfer_id"] for item in await sozialamt.inbox(limit=10)]

    assert fetched == ids


async def test_core_is_handed_over_to_its_instance_alone(kreis: Kreis) -> None:
    """Another instance of the same agency sees neither the inbox item nor the transfer."""
    jobcenter = await kreis.office(JOBCENTER)
    neighbour = await kreis.office("sozialamt-herten:WOHNGELDSTELLE")
    transfer_id = await jobcenter.accepted(SOZIALAMT, CORE)
    await kreis.pump()

    assert await neighbour.inbox() == []
    assert (await neighbour.get(f"/v1/transfers/{transfer_id}")).status_code == httpx.codes.NOT_FOUND
    assert (await neighbour.get("/v1/transfers")).json()["items"] == []


async def test_branch_is_the_one_at_the_senders_place(kreis: Kreis) -> None:
    """What a town's office sends to the Kreis's Jobcenter names the Bezirksstelle of that town."""
    sozialamt, jobcenter = await kreis.office(SOZIALAMT), await kreis.office(JOBCENTER)
    await sozialamt.accepted(JOBCENTER)
    await kreis.pump()

    assert [item["branch"] for item in await jobcenter.inbox()] == ["herten"]


async def test_what_goes_only_on_request_must_have_been_asked_for(kreis: Kreis) -> None:
    """Assets pass on request alone: on an Ersuchen that names them, and not on one that does not."""
    jobcenter, sozialamt, who = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT), person()
    blocks = (*CORE, DataCategory.VERMOEGEN)
    codes = []
    for asked in (["LEISTUNGSBEZUG"], ["LEISTUNGSBEZUG", "VERMOEGEN"]):
        body = ersuchen_body(JOBCENTER, who, kategorien=asked)
        ersuchen = (await sozialamt.post("/v1/ersuchen", body)).json()["id"]
        answer = await jobcenter.submit(SOZIALAMT, blocks, mode="ERSUCHEN", ersuchen=ersuchen, persons=[who])
        codes.append(answer.status_code)

    assert codes == [403, 202]


async def test_trace_goes_from_the_request_to_the_reader(kreis: Kreis) -> None:
    """The record carries on the trace of the request that caused it, with a span of ours: the reader finds both."""
    jobcenter, trace = await kreis.office(JOBCENTER), "0af7651916cd43dd8448eb211c80319c"
    own = await jobcenter.headers() | {"content-type": "application/xml"}
    own |= {"traceparent": f"00-{trace}-b7ad6b7169203331-01"}
    answer = await jobcenter.http.post("/v1/transfers", content=jobcenter.message(SOZIALAMT), headers=own)
    await kreis.publish()
    [record] = await kreis.carried()
    _, carried, span, _ = record.headers["traceparent"].split("-")

    assert answer.status_code == httpx.codes.ACCEPTED
    assert (carried, span != "b7ad6b7169203331") == (trace, True)
