"""The law against case files: the given ones, and both sides of each condition."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest

from consent.casefile import read_cases
from consent.cases import check_file, outcome, run_check
from consent.catalogue import Catalogue
from consent.decision import Refusal, RefusalKind
from consent.engine import decide
from schemas.identifiers import Purpose
from tests.consent.samples import GIVEN, OWN, all_cases


def test_given_cases_pass(catalogue: Catalogue) -> None:
    """Outcome, removed categories, code, kind, duties and norms are those of the file."""
    results = check_file(GIVEN, catalogue)
    assert len(results) == 91
    assert [result.case.id for result in results if result.differences or result.norms_differ] == []


def test_an_unknown_purpose_is_a_gap(catalogue: Catalogue) -> None:
    """A purpose without rows is never answered wrongly: kind gap, KEIN_GRUND."""
    for case in read_cases(GIVEN):
        answer = decide(replace(case.facts, purpose=Purpose("UNBEKANNT")), catalogue, case.on)
        assert isinstance(answer, Refusal)
        assert (answer.kind, answer.code) == (RefusalKind.GAP, "KEIN_GRUND")


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.stem)
def test_own_cases_pass(path: Path) -> None:
    """Each file of both sides passes as the command runs it."""
    printed = StringIO()
    assert run_check([path], out=printed) == 0, printed.getvalue()


def test_every_code_stops_some_case(catalogue: Catalogue) -> None:
    """No reason code of the catalogue is without a case whose answer it decides."""
    answers = [decide(case.facts, catalogue, case.on) for case in all_cases()]
    decided = {answer.code for answer in answers if isinstance(answer, Refusal)}
    known = {code for code, _ in catalogue.as_of(all_cases()[0].on).codes}
    assert known - decided == set()


def test_nothing_hangs_on_id_or_title(catalogue: Catalogue) -> None:
    """The same facts under another transfer id get the same answer."""
    for case in all_cases():
        one = decide(case.facts, catalogue, case.on)
        other = decide(replace(case.facts, transfer_id="anders"), catalogue, case.on)
        assert outcome(one) == outcome(other)
        assert one.findings == other.findings


def test_day_of_a_case_is_its_own(catalogue: Catalogue) -> None:
    """A case of 2022 is decided on its day."""
    case = next(case for case in read_cases(GIVEN) if case.id == "C038")
    answer = decide(case.facts, catalogue, case.on)
    assert answer.basis.on == case.on
    assert answer.basis.on.year == 2022
