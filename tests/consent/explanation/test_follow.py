"""Advice is true: whoever does what an explanation says is not refused for the same reason again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import pytest
from hypothesis import given, settings

from consent.casefile import CaseRecord
from consent.catalogue import Catalogue, load_catalogue
from consent.decision import Decision, Permit
from consent.engine import decide
from consent.explanation.argument import Sentence, explain, reasons_of
from consent.explanation.sentences import Language, sentences
from consent.facts import TransferFacts
from schemas.identifiers import DataCategory
from tests.consent.explanation.follow import FOLLOWED, LATER, NOTHING_HELPS, OTHERWISE, Follow, Key, keys
from tests.consent.explanation.page import cases
from tests.consent.samples import DAY
from tests.consent.strategies import transfers

CATALOGUE = load_catalogue()
ALL = tuple(cases().values())
STEPS = 12
"""More advices in a row than any case needs."""


def advice(decision: Decision, facts: TransferFacts, catalogue: Catalogue) -> tuple[Sentence, ...]:
    """Return what the explanation of a decision advises."""
    sections = explain(reasons_of(decision, facts), catalogue, Language.DE)
    return next((section.sentences for section in sections if section.key == "remedies"), ())


def helpful(sentence: Sentence) -> Key | None:
    """Return the advice that can be followed, None where it says that nothing helps."""
    found = keys(sentence.text)
    return next((key for key in sorted(found) if key in FOLLOWED), None) if not found & NOTHING_HELPS else None


def test_every_advice_is_followed_or_says_that_nothing_helps() -> None:
    """A new advice needs its entry: what it makes of the facts."""
    said = sentences()
    told = set(said.codes) | {(code, "", "") for code in said.conditions}

    assert told == FOLLOWED.keys() | NOTHING_HELPS
    assert not FOLLOWED.keys() & NOTHING_HELPS


@pytest.mark.parametrize("second", [False, True], ids=["first", "second"])
@pytest.mark.parametrize("case", ALL, ids=lambda case: case.id)
def test_whoever_follows_advice_is_not_refused_for_the_same_again(
    catalogue: Catalogue, case: CaseRecord, *, second: bool
) -> None:
    """Step by step each advice takes its reason away, until all passes or an explanation says that nothing helps."""
    follow_to_the_end(catalogue, case.facts, case.on, {**FOLLOWED, **OTHERWISE} if second else FOLLOWED)


@settings(max_examples=150, deadline=None)
@given(drawn=transfers(people=1))
def test_of_any_transfer_too(drawn: TransferFacts) -> None:
    """Whatever is wanted by whom: no advice is given twice, and each way ends."""
    follow_to_the_end(CATALOGUE, drawn, DAY, FOLLOWED)


def follow_to_the_end(catalogue: Catalogue, facts: TransferFacts, on: date, ways: Mapping[Key, Follow]) -> None:
    """Follow all advice, decide again on a later day, and so on; fail where an advice comes back."""
    followed: set[tuple[Key, tuple[DataCategory, ...], str]] = set()
    for _ in range(STEPS):
        decision = decide(facts, catalogue, on)
        told = advice(decision, facts, catalogue)
        if isinstance(decision, Permit) and not decision.removed:
            return
        assert told or facts.purpose not in catalogue.as_of(on).purposes_with_rows, followed
        step = [(key, sentence) for sentence in told if (key := helpful(sentence)) is not None]
        if not step:
            return
        on += LATER
        again = {(key, sentence.categories, sentence.text) for key, sentence in step}
        assert not again & followed, f"advised twice: {again & followed}"
        followed |= again
        for key, sentence in step:
            facts = ways[key](facts, on, sentence)
        if not facts.items:
            return
    pytest.fail(f"advice without end: {followed}")
