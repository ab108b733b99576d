"""Conditions that rows may name, tried on a row made for it: declared, by the part of an element, by a child's age."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from consent.catalogue import Catalogue, assemble
from consent.engine import decide
from consent.facts import PersonFacts, TransferFacts
from consent.rows import NecessityRow
from consent.validity import Validity
from schemas.declarations import Declarations
from schemas.identifiers import DataCategory, Mode, Part
from tests.consent.samples import DAY, facts, items, kept

ROUTE = ("RECHTSKREISWECHSEL", "JOBCENTER", "SOZIALAMT_SGBXII")
SINCE_ALL_CONDITIONS = Validity(date(2020, 7, 1))


def with_condition(catalogue: Catalogue, condition: str) -> Catalogue:
    """Return the catalogue with debts on the sample's route under a condition."""
    table = tuple(
        replace(row, conditional={DataCategory.SCHULDEN: condition}, valid=SINCE_ALL_CONDITIONS)
        if isinstance(row, NecessityRow) and (row.purpose, row.sender, row.recipient) == ROUTE
        else row
        for row in catalogue.tables["row"]
    )
    return assemble({**catalogue.tables, "row": table}, b"")


def passes(catalogue: Catalogue, condition: str, **changes: object) -> bool:
    """Whether debts pass under the condition."""
    given: TransferFacts = facts("STAMMDATEN", "LEISTUNGSBEZUG", "SCHULDEN", **changes)
    return "p1-SCHULDEN" in kept(decide(given, with_condition(catalogue, condition), DAY))


@pytest.mark.parametrize("condition", ["AUSL", "MB", "K12", "KOPF", "ARBG", "WEGFALL"])
def test_a_declared_condition_is_fulfilled_where_it_is_listed(catalogue: Catalogue, condition: str) -> None:
    """A code that is not listed is not fulfilled, and another one does not do."""
    for listed, fulfilled in (({condition}, True), (set(), False), ({"ANDERE"}, False)):
        declarations = Declarations(bedingungen=frozenset(listed))
        assert passes(catalogue, condition, declarations=declarations) is fulfilled


@pytest.mark.parametrize("condition", ["EW", "ERS", "OBJ_OK", "MIET", "FORT", "REL", "NR1A", "INTERN"])
def test_what_is_not_the_sender_s_to_declare_is_not_fulfilled_by_listing_it(
    catalogue: Catalogue, condition: str
) -> None:
    """These are fulfilled by facts of their own (a consent, the request, the element, another declaration)."""
    every = Declarations(bedingungen=frozenset({"EW", "ERS", "OBJ_OK", "MIET", "FORT", "REL", "NR1A", "INTERN"}))
    given = facts("STAMMDATEN", "LEISTUNGSBEZUG", "SCHULDEN", declarations=every, mode=Mode.UNAUFGEFORDERT)
    assert kept(decide(given, with_condition(catalogue, condition), DAY)) == {"p1-STAMMDATEN", "p1-LEISTUNGSBEZUG"}


@pytest.mark.parametrize("part", [Part.ARBG, Part.WEGFALL, Part.MIET])
def test_an_element_of_its_own_fulfils_its_condition(catalogue: Catalogue, part: Part) -> None:
    """The part says that the element holds nothing more; another part, or none, says nothing."""
    for given, fulfilled in ((part, True), (None, False), (Part.STEUER_IDNR, False)):
        blocks = (*items("STAMMDATEN", "LEISTUNGSBEZUG"), replace(items("SCHULDEN")[0], part=given))
        assert passes(catalogue, part.value, items=blocks) is fulfilled


@pytest.mark.parametrize(
    ("age", "is_child", "fulfilled"),
    [(11, True, False), (12, True, True), (17, True, True), (18, True, False), (14, False, False), (None, True, False)],
)
def test_an_older_child_fulfils_its_condition(
    catalogue: Catalogue, age: int | None, is_child: bool, fulfilled: bool
) -> None:
    """K12: the person is the child, 12 to 17; who is no child of the case does not count."""
    persons = (PersonFacts("p1", age, is_child=is_child),)
    assert passes(catalogue, "K12", persons=persons) is fulfilled
