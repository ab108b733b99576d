"""A decision is shown to whom it concerns, with its explanation, and to nobody else."""

from __future__ import annotations

from typing import Any

import httpx

from schemas.identifiers import DataCategory
from tests.flow.test_attacks import NOTICED, OPINION
from tests.flow.test_stops import consented, objection
from tests.flow.world import CORE, JOBCENTER, SOZIALAMT, Kreis, Office, person
from tests.world import evidence

NOBODY = "01900000-0000-7000-8000-000000000000"
REASON = "Beschwerde der betroffenen Person"
HOME, OTHER, STRANGER = "jobcenter-kreis-re", "sozialamt-herten", "jugendamt-marl"
TOO_MUCH = (*CORE, DataCategory.EINGLIEDERUNG)


async def shown(office: Office, decision: str, **params: str) -> dict[str, Any]:
    """Return a decision as an office sees it."""
    answer = await office.get(f"/v1/decisions/{decision}", **params)
    assert answer.status_code == httpx.codes.OK, answer.text
    found: dict[str, Any] = answer.json()
    return found


def said(decision: dict[str, Any], *keys: str) -> str:
    """Return the text of some sections of the explanation, of all where none is named."""
    sections = decision["explanation"]["sections"]
    return " ".join(s["text"] for one in sections if not keys or one["key"] in keys for s in one["sentences"])


def standing(decision: dict[str, Any]) -> dict[tuple[str, str], str]:
    """Return how each duty stands: (duty, side) → standing."""
    return {(duty["duty"], duty["bound"]): duty["standing"] for duty in decision["duties"]}


async def test_the_answer_links_to_its_explanation(kreis: Kreis) -> None:
    """202 names the decision's address; there stand basis, findings, sentences with a stable shape, and duties."""
    jobcenter = await kreis.office(JOBCENTER)
    answer = await jobcenter.submit(SOZIALAMT, TOO_MUCH, ueberhang="entfernen")
    accepted = answer.json()
    decision = await shown(jobcenter, accepted["links"]["decision"].rpartition("/")[2])

    assert decision["id"] == accepted["decision"]["id"]
    assert decision["findings"] == accepted["decision"]["findings"]
    assert decision["removed"] == accepted["removed"]
    assert (decision["outcome"], decision["occasion"]) == ("PERMIT_REDUCED", "submit")
    assert decision["catalogue"] == kreis.gateway.law.shipped.fingerprint
    basis = {"on": "2026-03-16", "switches": [], "engine": "4", "facts_version": 1}
    assert {name: decision[name] for name in basis} == basis
    assert {name: accepted["decision"][name] for name in basis} == basis
    assert [one["key"] for one in decision["explanation"]["sections"]] == [
        "wanted", "outcome", "grounds", "removed", "remedies", "duties", "switches",
    ]  # fmt: skip
    assert "Das Jobcenter wollte unaufgefordert Daten an das Sozialamt (SGB XII) übermitteln." in said(decision)
    assert "Nicht übermittelt: Eingliederung." in said(decision, "removed")
    assert decision["links"]["transfer"] == accepted["links"]["self"]
    assert standing(decision) == {
        ("PROTOKOLL", "broker"): "fulfilled",
        ("INFO_EMPFAENGER", "recipient"): "pending",
        ("ZWECKBINDUNG_67C", "recipient"): "standing",
    }


async def test_a_refused_decision_is_reachable(kreis: Kreis) -> None:
    """The problem links to it; the explanation says why, and what the sender can do."""
    jobcenter = await kreis.office(JOBCENTER)
    answer = await jobcenter.submit(SOZIALAMT, purpose="MIETE_KLAERUNG")
    problem = answer.json()
    decision = await shown(jobcenter, problem["decision"])

    assert answer.status_code == httpx.codes.FORBIDDEN
    assert problem["links"] == {"decision": f"/v1/decisions/{problem['decision']}"}
    assert (decision["outcome"], decision["kind"], decision["code"]) == ("DENY", problem["kind"], problem["code"])
    assert said(decision, "remedies")
    assert "transfer" not in decision["links"]
    assert said(decision, "duties") == "Weil nichts hinausgeht, entstehen keine Pflichten."


async def test_all_or_nothing_is_told(kreis: Kreis) -> None:
    """Where the sender asked to send nothing rather than a part, the decision says that nothing went."""
    jobcenter = await kreis.office(JOBCENTER)
    answer = await jobcenter.submit(SOZIALAMT, TOO_MUCH, ueberhang="ablehnen")
    decision = await shown(jobcenter, answer.json()["decision"])

    assert (answer.json()["code"], decision["rejected"]) == ("UEBERHANG", True)
    assert "Der Absender hatte verlangt, dann nichts zu senden" in said(decision, "outcome")
    assert standing(decision)["INFO_EMPFAENGER", "recipient"] == "lapsed"
    assert "transfer" not in decision["links"]


async def test_a_check_is_explained_too(kreis: Kreis) -> None:
    """What was only checked says so, and obliges nobody to inform."""
    jobcenter = await kreis.office(JOBCENTER)
    answer = await jobcenter.post_xml("/v1/transfers/check", jobcenter.message(SOZIALAMT))
    decision = await shown(jobcenter, answer.json()["links"]["decision"].rpartition("/")[2])

    assert "Geprüft wurde am 16.03.2026, ohne etwas zu senden." in said(decision, "wanted")
    assert standing(decision)["INFO_EMPFAENGER", "recipient"] == "lapsed"


async def test_both_languages(kreis: Kreis) -> None:
    """`lang` goes before Accept-Language; German where nothing is said."""
    jobcenter = await kreis.office(JOBCENTER)
    decision = (await jobcenter.submit(SOZIALAMT)).json()["decision"]["id"]
    path = f"/v1/decisions/{decision}"
    headers = await jobcenter.headers() | {"accept-language": "fr, en-GB;q=0.8, de;q=0.3"}
    by_header = await jobcenter.http.get(path, headers=headers)
    by_parameter = await jobcenter.http.get(path, params={"lang": "de"}, headers=headers)
    wrong = await jobcenter.get(path, lang="fr")

    assert by_header.headers["content-language"] == "en"
    assert "This is lawful in full." in said(by_header.json())
    assert by_parameter.headers["content-language"] == "de"
    assert "Das ist in vollem Umfang zulässig." in said(by_parameter.json())
    assert wrong.status_code == httpx.codes.UNPROCESSABLE_ENTITY


async def test_the_recipient_sees_what_it_was_given_and_no_more(kreis: Kreis) -> None:
    """The decision of the hand-over, its ground and the own duties; not what fell, and not the first decision."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    accepted = (await jobcenter.submit(SOZIALAMT, TOO_MUCH, ueberhang="entfernen")).json()
    first = accepted["decision"]["id"]
    before = (await sozialamt.get(f"/v1/transfers/{accepted['transfer_id']}")).json()
    await kreis.pump()
    await sozialamt.inbox()
    seen = (await sozialamt.get(f"/v1/transfers/{accepted['transfer_id']}")).json()
    [given] = seen["decisions"]
    decision = await shown(sozialamt, given["id"])

    assert before["decisions"] == []
    assert (await sozialamt.get(f"/v1/decisions/{first}")).status_code == httpx.codes.NOT_FOUND
    assert (given["occasion"], given["link"]) == ("hand_over", f"/v1/decisions/{given['id']}")
    assert (decision["outcome"], decision["removed"], decision["consents"]) == ("PERMIT", [], [])
    assert [finding["gate"] for finding in decision["findings"]] == ["G5"]
    assert decision["kept"] == accepted["decision"]["kept"]
    assert "Eingliederung" not in said(decision)
    assert "§ 69 Abs. 1 Nr. 1 Alt. 3 SGB X" in said(decision, "grounds")
    assert "spätestens am 16.04.2026" in said(decision, "duties")
    assert standing(decision)["INFO_EMPFAENGER", "recipient"] == "open"


async def test_the_sender_sees_every_decision_about_its_transfer(kreis: Kreis) -> None:
    """The first and the one at the hand-over; that the recipient has informed is the recipient's."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    transfer = await jobcenter.accepted(SOZIALAMT)
    await kreis.pump()
    await sozialamt.inbox()
    [duty] = (await sozialamt.get("/v1/duties")).json()["items"]
    await sozialamt.post(duty["links"]["done"])
    listed = (await jobcenter.get(f"/v1/transfers/{transfer}")).json()["decisions"]
    decisions = [await shown(jobcenter, one["id"]) for one in listed]

    assert [one["occasion"] for one in decisions] == ["submit", "hand_over"]
    assert [standing(one)["INFO_EMPFAENGER", "recipient"] for one in decisions] == ["not_shown"] * 2
    assert standing(await shown(sozialamt, listed[1]["id"]))["INFO_EMPFAENGER", "recipient"] == "done"


async def test_a_second_decision_on_the_way_is_explained(kreis: Kreis) -> None:
    """After the withdrawal of its own record the sender reads why its transfer ended; nothing is owed any more."""
    jobcenter, who = await kreis.office(JOBCENTER), person()
    consent, transfer = await consented(jobcenter, who)
    await jobcenter.post(f"/v1/consents/{consent}/withdrawal")
    listed = (await jobcenter.get(f"/v1/transfers/{transfer}")).json()["decisions"]
    first, second = [await shown(jobcenter, one["id"]) for one in listed]

    assert [one["occasion"] for one in (first, second)] == ["submit", "event"]
    assert second["outcome"] == "DENY" or second["removed"]
    assert "während die Nachricht unterwegs war" in said(second, "wanted")
    assert "widerrufen" in said(second)
    assert standing(first)["INFO_EMPFAENGER", "recipient"] == "lapsed"


async def test_what_another_office_has_on_record_is_not_told(kreis: Kreis) -> None:
    """The sender reads a neutral code and a neutral sentence; both sides' officers read the reason."""
    jobcenter, sozialamt, who = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT), person()
    await sozialamt.post("/v1/objections", objection(who))
    answer = await jobcenter.submit(SOZIALAMT, persons=[who])
    path = answer.json()["decision"]
    decision = await shown(jobcenter, path)
    officers = [await shown(await kreis.officer(agency), path, reason=REASON) for agency in (HOME, OTHER)]

    assert (decision["kind"], decision["code"]) == ("not_permitted", "NICHT_ZULAESSIG")
    assert [finding["gate"] for finding in decision["findings"]] == [""]
    assert "Widerspruch" not in str(decision)
    assert "WIDERSPRUCH" not in str(decision)
    assert "die Datenschutzbeauftragten können ihn einsehen" in said(decision, "outcome")
    assert said(decision, "remedies").startswith("Klären Sie die Sache außerhalb des Brokers")
    assert [one["code"] for one in officers] == ["WIDERSPRUCH"] * 2
    assert "Ein Widerspruch der betroffenen Person" in said(officers[0], "outcome")
    assert (await sozialamt.get(f"/v1/decisions/{path}")).status_code == httpx.codes.NOT_FOUND


async def test_what_falls_by_anothers_record_is_told_without_a_reason(kreis: Kreis) -> None:
    """The category is named, and neither the lock nor what would open it."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    await sozialamt.post("/v1/objections", objection(person(), "WIDERSPRUCH_PAR76"))
    answer = await jobcenter.submit(SOZIALAMT, OPINION, declarations=NOTICED, ueberhang="entfernen")
    decision = await shown(jobcenter, answer.json()["decision"]["id"])

    assert "Nicht übermittelt: Erwerbsfähigkeit (Ergebnis). Der Grund kann hier nicht genannt werden" in said(decision)
    assert "76" not in said(decision)
    assert "Schweigepflicht" not in said(decision)


async def test_foreign_and_unknown_decisions_look_alike(kreis: Kreis) -> None:
    """To others than the sides the answer is the one for an id that nobody has."""
    decision = (await (await kreis.office(JOBCENTER)).submit(SOZIALAMT)).json()["decision"]["id"]
    third, officer = await kreis.office("sozialamt-marl:SOZIALAMT_SGBXII"), await kreis.officer(STRANGER)
    answers = [await third.get(f"/v1/decisions/{one}") for one in (decision, NOBODY)]
    answers += [await officer.get(f"/v1/decisions/{one}", reason=REASON) for one in (decision, NOBODY)]

    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.text for answer in answers}) == 1
    assert (await (await kreis.operator()).get(f"/v1/decisions/{decision}")).status_code == httpx.codes.FORBIDDEN


async def test_an_officers_look_is_recorded_first(kreis: Kreis) -> None:
    """Without a reason nothing is shown; with one, the look stands in the evidence, its reason beside it."""
    decision = (await (await kreis.office(JOBCENTER)).submit(SOZIALAMT)).json()["decision"]["id"]
    officer = await kreis.officer(HOME)
    without = await officer.get(f"/v1/decisions/{decision}")
    none = len(await evidence(kreis.gateway, "decision.read"))
    await shown(officer, decision, reason=REASON)
    [(entry, side)] = await evidence(kreis.gateway, "decision.read")

    assert (without.status_code, without.json()["errors"][0]["field"], none) == (422, "reason", 0)
    assert (entry.actor, entry.data) == (f"officer:{HOME}", {"decision": decision})
    assert side == {"client": officer.client.client_id, "reason": REASON}


async def test_no_personal_data_in_an_explanation(kreis: Kreis) -> None:
    """Names, days of birth and file numbers of the message stand nowhere in what is shown."""
    jobcenter, who = await kreis.office(JOBCENTER), person("Wiedererkennbar", "Xanthippe")
    answer = await jobcenter.submit(SOZIALAMT, persons=[who], case_sender="BG-4711")
    text = str(await shown(jobcenter, answer.json()["decision"]["id"]))

    for word in ("Wiedererkennbar", "Xanthippe", "1961-03-09", "4711"):
        assert word not in text
