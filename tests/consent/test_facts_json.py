"""Facts as JSON and back."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.catalogue import Catalogue
from consent.decision import Permit
from consent.engine import decide
from consent.facts import FACTS_VERSION, FirstCollection, TransferFacts
from consent.facts_json import (
    ILLEGIBLE,
    PRESENT,
    UPCASTERS,
    UnknownFactsVersion,
    UnreadableFacts,
    facts_from_json,
    facts_to_json,
    upcast,
)
from consent.norm import UnparsableNorm, cited
from schemas.declarations import Declarations
from tests.consent.samples import DAY, all_cases, facts
from tests.consent.strategies import transfers

SAMPLES = [
    sample
    for path in sorted((Path(__file__).parent / "facts").glob("version_*.json"))
    for sample in json.loads(path.read_text("utf-8"))
]
"""Facts as they were stored, each with its day and the answer of that time."""


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


def plainly(value: Any, field: str = "") -> Any:
    """Say once more, slowly and for any class, what is written of a fact."""
    if is_dataclass(value):
        return {member.name: plainly(getattr(value, member.name), member.name) for member in fields(value)}
    if isinstance(value, frozenset):
        return sorted(plainly(item) for item in value)
    if isinstance(value, tuple):
        return [plainly(item) for item in value]
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str) and field in ("fachkraft", "anhang"):
        return PRESENT if value else ""
    if isinstance(value, str) and field == "norm":
        try:
            return "; ".join(str(norm) for norm in cited(value))
        except UnparsableNorm:
            return ILLEGIBLE
    return value


WORDS = st.sampled_from([None, "", "Frau Muster", "§ 69(1) Nr. 1 SGB X", "SGB X § 69 Abs. 1", "§§ 103, 104 SGB X"])


@given(transfers(), WORDS, WORDS, WORDS, WORDS)
def test_the_writer_says_what_the_plain_walk_says(
    given_facts: TransferFacts, fachkraft: str | None, anhang: str | None, norm: str | None, collected: str | None
) -> None:
    """Writing with the library's encoder gives, value by value, what walking through every field gives."""
    said = replace(given_facts.declarations, fachkraft=fachkraft, anhang=anhang, norm=norm)
    whole = replace(given_facts, declarations=said, first_collection=FirstCollection("RECHTSNORM", norm=collected))
    for one in (given_facts, whole):
        assert facts_to_json(one) == {"version": FACTS_VERSION, "facts": plainly(one)}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample["name"])
def test_stored_facts_stay_readable(catalogue: Catalogue, sample: dict[str, Any]) -> None:
    """What an earlier engine stored is raised, read, written the same again, and decided as then by the day's rows."""
    stored = facts_from_json(sample["stored"])
    assert facts_to_json(stored) == {"version": FACTS_VERSION, "facts": upcast(sample["stored"])}
    answer = decide(stored, catalogue, date.fromisoformat(sample["on"]))
    found = {"kept": list(answer.kept)} if isinstance(answer, Permit) else {"code": answer.code}
    assert found == sample["answer"]


def test_each_version_of_the_facts_has_samples() -> None:
    """Facts of a version that nobody kept a sample of could become unreadable unseen."""
    assert {sample["stored"]["version"] for sample in SAMPLES} == set(range(1, FACTS_VERSION + 1))


def test_each_earlier_version_has_its_step() -> None:
    """From each version before the newest there is a step to the next, and from no other."""
    assert UPCASTERS.keys() == set(range(1, FACTS_VERSION))


def test_facts_are_raised_step_by_step() -> None:
    """Each step is taken once, in order, from the version that is stored; what is stored stays as it is."""
    steps = {1: lambda old: {**old, "steps": "1"}, 2: lambda old: {**old, "steps": old.get("steps", "") + "2"}}
    stored = {"version": 1, "facts": {"purpose": "BUT"}}
    assert upcast(stored, steps, 3) == {"purpose": "BUT", "steps": "12"}
    assert upcast(stored | {"version": 2}, steps, 3) == {"purpose": "BUT", "steps": "2"}
    assert upcast(stored | {"version": 3}, steps, 3) == {"purpose": "BUT"}
    assert stored == {"version": 1, "facts": {"purpose": "BUT"}}
    for version in (0, 4, None, "1", 1.5):
        with pytest.raises(UnknownFactsVersion):
            upcast(stored | {"version": version}, steps, 3)


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


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("mode", "POST"),
        ("purpose_", "X"),
        ("items", [{"id": "x"}]),
        ("items", 7),
        ("purpose", None),
        ("declarations", []),
        ("persons", [{"ref": "p1", "age": "38"}]),
        ("sender", "JOBCENTER"),
    ],
)
def test_damage_is_refused(field: str, value: object) -> None:
    """An unknown word or field, a block without its parts and a value of another kind are errors of one kind."""
    stored = facts_to_json(facts())
    stored["facts"][field] = value
    with pytest.raises(UnreadableFacts):
        facts_from_json(stored)
    assert facts_from_json(facts_to_json(facts(transfer_id=str(DAY)))).transfer_id == str(DAY)


def test_a_word_outside_a_closed_list_is_refused() -> None:
    """An answer that § 64 Abs. 2 SGB VIII does not know is damage."""
    stored = facts_to_json(facts())
    stored["facts"]["declarations"]["par64_2_erfolg_gefaehrdet"] = "vielleicht"
    with pytest.raises(ValueError, match="kennt das Format nicht"):
        facts_from_json(stored)
