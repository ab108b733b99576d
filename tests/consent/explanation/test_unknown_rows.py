"""A catalogue may say more than the program knows: its rows' names explain it. What no calendar holds is refused."""

from __future__ import annotations

import re

import pytest

from consent.catalogue import Catalogue, read_catalogue
from consent.engine import decide
from consent.explanation.argument import explain, reasons_of
from consent.explanation.sentences import Language
from consent.rowreader import CatalogueError
from tests.broker.law.variants import files_with
from tests.consent.samples import DAY, facts

TERM = "months = 1"
DUTY = """
[[duty]]
code = "NEUE_PFLICHT"
name = "Akte {neu} binden"
when = "immer"
bound = ["empfaenger"]
lasts = "frist"
months = 2
valid_from = 2018-05-25
norms = ["DSGVO Art. 5 Abs. 2"]
source = "Test"
checked_on = 2026-11-22
grade = "K"
"""


def with_a_duty() -> Catalogue:
    """Return the shipped catalogue with a duty that no sentence is there for."""
    files = files_with({})
    return read_catalogue(files | {"duties.toml": files["duties.toml"] + DUTY.encode()})


@pytest.mark.parametrize("language", Language)
def test_a_duty_without_a_sentence_is_told_by_its_name(language: Language) -> None:
    """The decision stays readable, and says what is owed and until when."""
    catalogue = with_a_duty()
    decision = decide(facts(), catalogue, DAY)
    told = explain(reasons_of(decision, facts(), handed_over=DAY), catalogue, language)
    sentences = [one for section in told if section.key == "duties" for one in section.sentences]
    [new] = [one for one in sentences if one.code == "NEUE_PFLICHT"]

    assert "Akte {neu} binden, " in new.text
    assert new.due is not None


def test_a_condition_without_a_sentence_is_told_by_its_name() -> None:
    """A condition that was named anew in the catalogue, where data passed by it and where they fell."""
    files = {name: re.sub(rb'"ERS"', b'"ERS_NEU"', content) for name, content in files_with({}).items()}
    catalogue = read_catalogue(files)
    asked = facts("STAMMDATEN", "LEISTUNGSBEZUG", "BANKVERBINDUNG", "VERMOEGEN", "EINKOMMEN", "KONTAKT")
    told = explain(reasons_of(decide(asked, catalogue, DAY), asked), catalogue, Language.DE)
    text = " ".join(one.text for section in told for one in section.sentences if one.code == "ERS_NEU")

    assert "Die Bedingung „" in text


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("duties.toml", TERM, "months = 90000"),
        ("parameters.toml", "value = 14", "value = 99999999"),
        ("parameters.toml", "value = 14", "value = -1"),
    ],
)
def test_a_figure_that_no_calendar_holds_is_refused(file: str, old: str, new: str) -> None:
    """At loading, and not when the first decision is taken by it."""
    with pytest.raises(CatalogueError, match=file.partition(".")[0]):
        read_catalogue(files_with({(file, old): new}))
