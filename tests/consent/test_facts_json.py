"""Facts as JSON and back."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given

from consent.catalogue import Catalogue
from consent.engine import decide
from consent.facts import FirstCollection, TransferFacts
from consent.facts_json import UnknownFactsVersion, facts_from_json, facts_to_json
from schemas.declarations import Declarations
from tests.consent.samples import DAY, all_cases, facts
from tests.consent.strategies import transfers


def again(given_facts: TransferFacts) -> TransferFacts:
    """Return facts after a way through JSON text."""
    return facts_from_json(json.loads(json.dumps(facts_to_json(given_facts))))


@given(transfers())
def test_facts_survive_json(given_facts: TransferFacts) -> None:
    """What comes back is what went in, but for words that count only as being there; and those are stable."""
    plain = replace(given_facts, declarations=replace(given_facts.declarations, fachkraft=None, anhang=None))
    assert again(plain) == plain
    assert again(again(given_facts)) == again(given_facts)


def test_every_case_is_decided_the_same_again(catalogue: Catalogue) -> None:
    """Stored facts give the same decision, finding by finding."""
    for case in all_cases():
        assert decide(again(case.facts), catalogue, case.on) == decide(case.facts, catalogue, case.on), case.id


def test_free_words_are_not_stored() -> None:
    """Neither the id of a Fachkraft, nor a file's name, nor a text in place of a norm reaches storage."""
    marker = "Erika-Musterfrau"
    secret = facts(
        declarations=Declarations(fachkraft=marker, anhang=f"{marker}.pdf", norm=marker),
        first_collection=FirstCollection("RECHTSNORM", norm=marker),
    )
    stored = json.dumps(facts_to_json(secret), ensure_ascii=False)
    assert marker not in stored
    assert facts_from_json(json.loads(stored)).declarations.fachkraft


def test_another_version_is_refused() -> None:
    """Facts of a version that this code does not read are not guessed at."""
    stored = facts_to_json(facts())
    with pytest.raises(UnknownFactsVersion):
        facts_from_json({**stored, "version": 0})
    with pytest.raises(UnknownFactsVersion):
        facts_from_json({"facts": stored["facts"]})


@pytest.mark.parametrize(("field", "value"), [("mode", "POST"), ("purpose_", "X"), ("items", [{"id": "x"}])])
def test_damage_is_refused(field: str, value: object) -> None:
    """An unknown word, an unknown field and a block without its parts are errors."""
    stored = facts_to_json(facts())
    stored["facts"][field] = value
    with pytest.raises((ValueError, KeyError, TypeError)):
        facts_from_json(stored)
    assert facts_from_json(facts_to_json(facts(transfer_id=str(DAY)))).transfer_id == str(DAY)


def test_a_word_outside_a_closed_list_is_refused() -> None:
    """An answer that § 64 Abs. 2 SGB VIII does not know is damage."""
    stored = facts_to_json(facts())
    stored["facts"]["declarations"]["par64_2_erfolg_gefaehrdet"] = "vielleicht"
    with pytest.raises(ValueError, match="kennt das Format nicht"):
        facts_from_json(stored)
