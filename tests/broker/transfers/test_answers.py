"""What the sender is told: everything about its own side, and of another's records nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from broker.transfers.answers import NEUTRAL_CODE, decision_body, findings_body, refusal_body
from consent.decision import Basis, Finding, Missing, Outcome, Refusal, RefusalKind
from schemas.identifiers import DataCategory
from tests.flow.world import ASD, BEZUG, CORE, HOEHE, JOBCENTER, SOZIALAMT, STAMMDATEN, Kreis, person

VIEWER, OTHER = "jobcenter-kreis-re:JOBCENTER", "sozialamt-herten:SOZIALAMT_SGBXII"
SECRET = "Zzsecret"
BASIS = Basis(date(2026, 3, 16), "f" * 64, "1", 1, ())


def secret(kind: RefusalKind = RefusalKind.HUMAN, **parts: Any) -> Finding:
    """Return a finding that rests on the other side's record, each of its words a marker."""
    words = {"text": SECRET, "code": SECRET, "norms": (SECRET,), "items": (SECRET,)}
    missing = (Missing(SECRET, "recipient"),)
    given_parts = {"gate": SECRET, "outcome": Outcome.DENY, "kind": kind, "missing": missing, "rests_on": OTHER}
    return Finding(**(words | given_parts | parts))


own = st.builds(
    Finding,
    gate=st.sampled_from(["locks", "grounds", "necessity"]),
    outcome=st.sampled_from(Outcome),
    text=st.just("eigener Befund"),
    norms=st.just(("§ 69 SGB X",)),
    code=st.none() | st.just("KEIN_GRUND"),
    rests_on=st.none() | st.just(VIEWER),
)
foreign = st.builds(secret, outcome=st.sampled_from(Outcome), kind=st.sampled_from(RefusalKind))


def refusal(deciding: Finding, findings: tuple[Finding, ...]) -> Refusal:
    """Return a refusal."""
    return Refusal("t", "d", deciding.kind or RefusalKind.NOT_PERMITTED, deciding, findings, (), BASIS)


@given(st.lists(own | foreign, max_size=6))
def test_no_word_of_anothers_record_is_shown(findings: list[Finding]) -> None:
    """Whatever else was found, gate, code, norms, text, blocks and what is missing stay hidden; an officer sees all."""
    shown = findings_body(findings, VIEWER)

    assert SECRET not in str(shown)
    assert len(findings_body(findings, None)) == len(findings)
    if not any(one.rests_on == OTHER for one in findings):
        assert [one["text"] for one in shown] == [one.text for one in findings]


@given(st.lists(own, max_size=4), st.lists(own, max_size=4), st.sampled_from(RefusalKind))
def test_two_hidden_refusals_cannot_be_told_apart(
    before: list[Finding], others: list[Finding], kind: RefusalKind
) -> None:
    """Which of another's records it was, where in the order, and beside what, makes no difference to the answer."""
    one, another = secret(), secret(kind, gate="interests", code="WIDERSPRUCH", text="x", norms=())
    answers = [
        refusal_body(refusal(one, (*before, one)), "id", VIEWER),
        refusal_body(refusal(another, (*others, another, secret())), "id", VIEWER),
    ]

    assert answers[0] == answers[1]
    assert (answers[0]["kind"], answers[0]["code"]) == ("not_permitted", NEUTRAL_CODE)
    assert SECRET not in str(answers)


@given(st.sampled_from(RefusalKind), st.lists(own, max_size=3))
def test_own_record_is_shown_in_full(kind: RefusalKind, more: list[Finding]) -> None:
    """What rests on the viewer's own record comes with kind, code, norms and what is missing."""
    deciding = replace(secret(kind), rests_on=VIEWER)
    body = decision_body(refusal(deciding, (*more, deciding)), "id", VIEWER)

    assert (body["outcome"], body["kind"], body["code"]) == ("DENY", kind.value, SECRET)
    assert body["findings"][-1]["missing"] == [{"field": SECRET, "by": "recipient"}]
    assert body["findings"][-1]["norms"] == [SECRET]


async def test_taking_out_does_not_tell_of_a_protected_address(kreis: Kreis) -> None:
    """With `entfernen`, too, the sender cannot learn that another office protects the person's address."""
    jobcenter, jugendamt, who = await kreis.office(JOBCENTER), await kreis.office(ASD), person()
    body = {
        "art": "SCHUTZANSCHRIFT",
        "person": {"familienname": who.family, "vornamen": who.given, "geburtsdatum": who.birth.isoformat()},
        "datum": "2026-03-16",
        "erklaert_von": "betroffene Person",
    }
    sent = [CORE, (*CORE, DataCategory.SCHULDEN), (STAMMDATEN, BEZUG, HOEHE)]
    before = [await jobcenter.submit(SOZIALAMT, blocks, persons=[who], ueberhang="entfernen") for blocks in sent]
    await jugendamt.post("/v1/objections", body)
    after = [await jobcenter.submit(SOZIALAMT, blocks, persons=[who], ueberhang="entfernen") for blocks in sent]

    assert [answer.status_code for answer in before + after] == [202, 202, 202, 403, 403, 202]
    assert [(answer.json()["code"], len(answer.json()["findings"])) for answer in after[:2]] == [(NEUTRAL_CODE, 1)] * 2
    assert not [answer for answer in after[:2] if "removed" in answer.json() or "SCHUTZA" in answer.text.upper()]
    parts = ("findings", "kept", "duties", "grounds", "outcome")
    told = [{part: answer.json()["decision"][part] for part in parts} for answer in (before[2], after[2])]
    assert told[0] == told[1]
