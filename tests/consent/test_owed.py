"""Terms of duties: whom they bind, until when."""

from __future__ import annotations

import re
from datetime import date

import pytest

from consent.catalogue import load_catalogue
from consent.owed import owed
from consent.rows import Bound, Lasts
from tests.house.source import ROOT

ON = date(2026, 1, 31)
TERMS = {
    "INFO_EMPFAENGER": {(Bound.EMPFAENGER, date(2026, 2, 28))},
    "LOESCHUNG": {(Bound.EMPFAENGER, date(2026, 2, 14))},
    "STRITTIG_VERMERK": {(Bound.ABSENDER, date(2026, 2, 14)), (Bound.EMPFAENGER, date(2026, 2, 14))},
    "INFO_AUFSCHUB": {(Bound.ABSENDER, date(2026, 2, 14)), (Bound.EMPFAENGER, date(2026, 2, 14))},
    "PSEUDONYM": {(Bound.ABSENDER, ON)},
    "VERPFLICHTUNG_PRIVAT": {(Bound.EMPFAENGER, ON)},
}


def test_terms_are_those_of_the_norms() -> None:
    """A month to inform (Art. 14 Abs. 3 DSGVO), in calendar months; what has no term is owed by no day."""
    day = load_catalogue().as_of(ON)
    codes = [row.code for row in day.duties]
    found: dict[str, set[tuple[Bound, date]]] = {}
    for one in owed(day, codes, ON):
        found.setdefault(one.duty, set()).add((one.bound, one.due))

    assert found == TERMS
    assert {row.code for row in day.duties if row.lasts is not Lasts.FRIST} == set(codes) - set(TERMS)


@pytest.mark.parametrize("code", sorted(TERMS))
def test_nothing_is_owed_that_the_permit_does_not_name(code: str) -> None:
    """One duty alone gives its own rows alone."""
    day = load_catalogue().as_of(ON)
    assert {one.duty for one in owed(day, [code], ON)} == {code}
    assert owed(day, [], ON) == ()


def test_the_page_for_offices_says_the_same() -> None:
    """docs/reasons.md lists every duty with a term, whom it binds and in how many days."""
    page = (ROOT / "docs" / "reasons.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.+) \|$", page, re.MULTILINE)
    found = {code: (bound, term) for code, bound, term in rows}
    sides = {Bound.EMPFAENGER: "recipient", Bound.ABSENDER: "sender"}

    assert set(found) == set(TERMS)
    for code, terms in TERMS.items():
        bound, term = found[code]
        [due] = {due for _, due in terms}
        words = {0: "the day itself", 14: "14 days", 28: "one calendar month"}[(due - ON).days]
        assert bound == ("both" if len(terms) > 1 else sides[next(iter(terms))[0]]), code
        assert words in term, code
