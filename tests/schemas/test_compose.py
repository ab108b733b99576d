"""Whatever is composed is valid, and reads back as what it was composed from."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.compose import compose_uebermittlung
from schemas.identifiers import DataCategory, OriginMark, Part
from schemas.message import Identity
from schemas.samples import SAMPLES
from schemas.xml import validate, validate_quittung
from tests.schemas.messages import BlockSpec, PersonSpec, message, receipt

NAMES = st.text(st.sampled_from("abcxyzÄÖÜäöüßŁłńğİ' -"), min_size=1, max_size=40).filter(
    lambda text: text.strip() != "" and "  " not in text and text == text.strip()
)
MARKS = st.sets(st.sampled_from([mark for mark in OriginMark if mark is not OriginMark.EMPFANGEN]), max_size=3)


def test_there_is_content_for_every_category_and_part() -> None:
    """All 35 categories and all four parts have a default, and each element its own name."""
    assert {category for category, part in SAMPLES if part is None} == set(DataCategory)
    assert {part for _, part in SAMPLES if part is not None} == set(Part)
    assert len({name for name, _ in SAMPLES.values()}) == len(SAMPLES) == 39


@pytest.mark.parametrize(("category", "part"), SAMPLES)
def test_each_default_is_valid_and_of_its_category(category: DataCategory, part: Part | None) -> None:
    """Alone in a message, each block is understood as what it was written for."""
    (block,) = validate(message([(category, part)])).blocks
    assert (block.category, block.part) == (category, part)


@given(st.lists(st.tuples(st.sampled_from(sorted(SAMPLES, key=str)), MARKS, st.booleans()), min_size=1, max_size=20))
@settings(max_examples=60)
def test_any_mixture_reads_back(chosen: list[tuple[tuple[DataCategory, Part | None], set[OriginMark], bool]]) -> None:
    """Categories, parts, marks and contested flags come back in their order."""
    people = [PersonSpec(f"p{n}") for n in range(1, len(chosen) + 1)]
    specs = [
        BlockSpec(*key, person=f"p{n}", marks=tuple(sorted(marks)), contested=contested)
        for n, (key, marks, contested) in enumerate(chosen, start=1)
    ]
    blocks = validate(message(specs, persons=people)).blocks
    assert [(b.category, b.part, b.person, b.marks) for b in blocks] == [
        (s.category, s.part, s.person, frozenset(s.marks)) for s in specs
    ]
    assert [b.contested for b in blocks] == [s.contested or OriginMark.STRITTIG in s.marks for s in specs]


@given(NAMES, NAMES, st.dates(date(1920, 1, 1), date(2026, 11, 1)))
def test_names_read_back(family: str, given_names: str, birth: date) -> None:
    """Any name of the allowed letters survives writing and reading."""
    person = validate(message(persons=[PersonSpec(family=family, given=given_names, birth=birth)])).persons[0]
    assert person.identity == Identity(family, None, given_names, birth)


def test_markup_in_values_stays_text() -> None:
    """An ampersand in an employer's name is escaped; a tag in it opens no element."""
    content = (("name", "A & B <b>"), ("anschrift", (("strasse", "X"), ("plz", "45770"), ("ort", "Marl"))))
    sent = message([BlockSpec(DataCategory.BILDUNG_ARBEIT, Part.ARBG, content=content)])
    assert b"A &amp; B &lt;b&gt;" in sent
    assert validate(sent).blocks[0].part is Part.ARBG


def test_receipts_are_valid() -> None:
    """A composed receipt passes the gate."""
    assert validate_quittung(receipt(status="VERARBEITET")).status == "VERARBEITET"


def test_what_the_format_does_not_know_is_refused() -> None:
    """A declaration that is not the sender's, and a part of another category, are mistakes of the caller."""
    with pytest.raises(KeyError, match="anzahl_personen"):
        message(declarations={"anzahl_personen": 51})
    with pytest.raises(KeyError):
        message([(DataCategory.ANSCHRIFT, Part.MIET)])


def test_a_category_alone_belongs_to_the_first_person() -> None:
    """The first of several persons is meant."""
    sent = compose_uebermittlung(
        message_id="11111111-2222-4333-8444-555555555555",
        sender="jugendamt-marl:JUGENDAMT_UVG",
        recipient="jobcenter-kreis-re:JOBCENTER",
        purpose="UVG_BEWILLIGUNG",
        persons=[PersonSpec("kind", "kind"), PersonSpec("mutter", "elternteil")],
        blocks=[DataCategory.LEISTUNGSBEZUG],
    )
    assert validate(sent).blocks[0].person == "kind"
