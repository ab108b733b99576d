"""What the sender reads of a decision does not depend on what others have on record, or says so in neutral words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.transfers.answers import NEUTRAL_CODE, findings_body, removed_body
from consent.catalogue import load_catalogue
from consent.consents import Consent, stops
from consent.decision import Decision
from consent.engine import decide
from consent.facts import TransferFacts
from tests.consent.samples import DAY, consent, management
from tests.consent.strategies import consents, objections, transfers
from tests.flow.test_attacks import NOTICED, OPINION, stop_body
from tests.flow.test_stops import BLOCKS, NAMED
from tests.flow.world import JOBCENTER, SOZIALAMT, Kreis, consent_body, person

CATALOGUE = load_catalogue()
OTHER = "b:JUGENDAMT_ASD"


@st.composite
def opposed(draw: st.DrawFn) -> tuple[TransferFacts, TransferFacts]:
    """Draw a transfer about which the sender has records alone, and the same with what another has against it."""
    bare = draw(transfers())
    own = bare.sender.instance
    bare = replace(
        bare,
        consents=tuple(replace(one, recorded_by=own) for one in bare.consents),
        objections=tuple(replace(one, recorded_by=own) for one in bare.objections),
    )
    others = [draw(consents(f"{place}x", 2, bare.recipient.instance, bare.purpose)) for place in draw(PLACES)]
    noes = tuple(replace(one, recorded_by=OTHER) for one in others if _says_no(one, bare))
    against = tuple(replace(one, recorded_by=OTHER) for one in draw(st.lists(objections(2), max_size=1)))
    return bare, replace(bare, consents=bare.consents + noes, objections=bare.objections + against)


PLACES = st.lists(st.sampled_from("bz"), min_size=1, max_size=2, unique=True)
"""Beginnings of ids, before and after the sender's own."""


def _says_no(consent: Consent, facts: TransferFacts) -> bool:
    return stops(consent, facts.purpose, facts.recipient.instance, DAY) is not None


def told(decision: Decision, viewer: str) -> list[dict[str, Any]]:
    """Return what a viewer reads: findings, and what fell."""
    return [*findings_body(decision.findings, viewer), *removed_body(decision, viewer)]


@given(opposed())
def test_nothing_shows_that_another_has_something_on_record(drawn: tuple[TransferFacts, TransferFacts]) -> None:
    """With another's refusals, withdrawals and objections the sender reads the same, or neutral words for it."""
    bare, with_others = drawn
    viewer = bare.sender.instance
    before, after = (told(decide(one, CATALOGUE, DAY), viewer) for one in drawn)

    assert with_others.sender == bare.sender
    assert after == before or NEUTRAL_CODE in {one.get("code") for one in after}


@pytest.mark.parametrize("place", ["a", "z"])
def test_a_no_elsewhere_is_not_taken_for_a_fault_of_the_own_consent(place: str) -> None:
    """The sender's consent is in order but for a refusal at the other side: in whatever order, that is not told."""
    asked = ("STAMMDATEN", "KONTAKT")
    yes = consent(*asked, recorded_by="JOBCENTER")
    no = consent(id=place, granted=None, refused=DAY, recorded_by=OTHER)
    seen = told(decide(management(*asked, consents=(yes, no)), CATALOGUE, DAY), "JOBCENTER")

    assert [one["code"] for one in seen] == [NEUTRAL_CODE]


def test_the_own_no_is_told_whether_another_has_one_or_not() -> None:
    """What the sender has on record itself it reads as before: a neutral word would say that others have it, too."""
    asked = ("STAMMDATEN", "KONTAKT")
    own = consent(id="m", granted=None, refused=DAY, recorded_by="JOBCENTER")
    both = (own, consent(id="a", granted=None, refused=DAY, recorded_by=OTHER))
    one, two = (told(decide(management(*asked, consents=c), CATALOGUE, DAY), "JOBCENTER") for c in ((own,), both))

    assert one == two
    assert one[-1]["code"] == "EINWILLIGUNG_VERWEIGERT"


async def test_no_gate_is_missing_where_a_block_falls_by_anothers_record(kreis: Kreis) -> None:
    """A list of what was passed that leaves one gate out would name it: only the permit itself is told."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    await sozialamt.post("/v1/objections", stop_body(person(), "WIDERSPRUCH_PAR76"))
    answer = await jobcenter.submit(SOZIALAMT, OPINION, declarations=NOTICED, ueberhang="entfernen")
    decision = (await jobcenter.get(answer.json()["links"]["decision"])).json()

    assert [one["gate"] for one in answer.json()["decision"]["findings"]] == ["G10"]
    assert [one["gate"] for one in decision["findings"]] == ["G10"]


async def test_refusal_at_the_recipient_is_neutral_for_a_sender_with_a_consent(kreis: Kreis) -> None:
    """The person said yes here and no there: the answer, the explanation and the decision tell the sender neither."""
    jobcenter, sozialamt, who = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT), person()
    body = consent_body(SOZIALAMT, "CASE_MANAGEMENT", NAMED, who)
    named = [(await jobcenter.post("/v1/consents", body)).json()["id"] for _ in range(6)]
    no = stop_body(who, "VERWEIGERUNG") | {"zweck": "CASE_MANAGEMENT", "empfaenger": SOZIALAMT}
    await sozialamt.post("/v1/objections", no)
    more = {"purpose": "CASE_MANAGEMENT", "persons": [who], "consents": named}
    answer = await jobcenter.submit(SOZIALAMT, BLOCKS, **more)
    decision = await jobcenter.get(f"/v1/decisions/{answer.json()['decision']}")

    assert (answer.status_code, answer.json()["code"]) == (httpx.codes.FORBIDDEN, NEUTRAL_CODE)
    for text in (answer.text, decision.text):
        assert "VERWEIGERT" not in text
        assert "verweigert" not in text
