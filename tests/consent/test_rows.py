"""Each row of the law: held against the matrix, on its first and last day, on both sides, and when removed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from consent.catalogue import Catalogue, assemble, load_catalogue
from consent.decision import Decision, Permit, Refusal, RefusalKind
from consent.engine import decide
from consent.facts import FirstCollection, TransferFacts
from consent.gates.case import REQUESTED
from consent.rowreader import CatalogueError
from consent.rows import ANY, KeyRow, NecessityRow, Row, SwitchRow
from consent.validity import Validity
from schemas.declarations import Declarations
from schemas.identifiers import DataCategory, Mode, OriginMark, Purpose
from tests.consent.samples import ASKED, RELEASE, all_cases, consent, facts, fallen, items, kept, party

MATRIX = yaml.safe_load((Path(__file__).parent / "matrix.yaml").read_text("utf-8"))["zwecke"]
CATALOGUE = load_catalogue()
NECESSITY = [row for row in CATALOGUE.tables["row"] if isinstance(row, NecessityRow)]
LAST = date(2026, 6, 30)
REMOVABLE = ("row", "ground", "consent_only", "default_mark", "key", "deletion", "collection_reason", "collection_norm")


def name(row: Row) -> str:
    """Return a row's place, for the test's name."""
    return row.where


def test_rows_are_those_of_the_matrix() -> None:
    """Purpose, route, necessary and conditional categories, kern and duty are the dossier's, none more, none less."""
    ours = {
        (row.purpose, row.sender, row.recipient, row.necessary, frozenset(row.conditional.items())) for row in NECESSITY
    }
    theirs = {
        (purpose, row["von"], row["an"], tuple(row["n"]), frozenset(row["c"].items()))
        for purpose, entry in MATRIX.items()
        for row in entry["routen"]
    }
    assert ours == theirs
    for purpose, entry in MATRIX.items():
        row = CATALOGUE.as_of(LAST).purposes[purpose]
        assert (list(row.kern), row.pflicht, row.nur_auf_ersuchen) == (
            entry.get("kern", []),
            entry.get("pflicht", False),
            entry.get("nur_auf_ersuchen", False),
        )


def ideal(row: NecessityRow, day: date, *categories: DataCategory) -> TransferFacts:
    """Return a transfer on the row's route with every condition fulfilled."""
    sender = "WOHNGELDSTELLE" if row.sender == ANY else row.sender
    recipient = "KRANKENKASSE" if row.recipient == ANY else row.recipient
    found = categories or (*row.necessary, *row.conditional)
    marked = {c: OriginMark.GUTACHTEN for c in found if row.conditional.get(c) == "OBJ_OK"}
    told, granted = date(2018, 1, 1), day - timedelta(days=3)
    blocks = tuple(
        replace(item, marks=frozenset({marked.get(item.category, OriginMark.SELBST)})) for item in items(*found)
    )
    return facts(
        sender=party(sender),
        recipient=party(recipient),
        purpose=Purpose(row.purpose),
        items=blocks,
        first_collection=FirstCollection("UNVERHAELTNISMAESSIG", reason_code="NUR_BEI_STELLE"),
        consents=(consent(*found, to=recipient, purpose=row.purpose, granted=granted),),
        declarations=Declarations(
            par64_2_erfolg_gefaehrdet="nein",
            fachkraft="F",
            hinweis_par76=told,
            verfahrensbeginn=told,
            bedingungen=frozenset({"MB", "AUSL"}),
            haushaltsmitglieder_eingewilligt=True,
            verpflichtung_privat=granted,
        ),
    )


@pytest.mark.parametrize("row", NECESSITY, ids=name)
def test_a_row_permits_what_it_names(row: NecessityRow) -> None:
    """With every condition fulfilled all its categories pass; each other category falls and takes nothing along."""
    full = ideal(row, LAST)
    answer = decide(full, CATALOGUE, LAST)
    assert kept(answer) == {item.id for item in full.items}
    for category in set(DataCategory) - {*row.necessary, *row.conditional}:
        more = ideal(row, LAST, *row.necessary, *row.conditional, category)
        assert kept(decide(more, CATALOGUE, LAST)) == {item.id for item in full.items}, category


CONDITIONAL = [(row, category, condition) for row in NECESSITY for category, condition in row.conditional.items()]


@pytest.mark.parametrize(("row", "category", "condition"), CONDITIONAL, ids=str)
def test_a_condition_has_two_sides(row: NecessityRow, category: DataCategory, condition: str) -> None:
    """For want of exactly the condition its category does not pass."""
    full = ideal(row, LAST)
    wanted = f"p1-{category.value}"
    without = {
        "EW": lambda: replace(full, consents=tuple(_without(c, category) for c in full.consents)),
        "AUSL": lambda: replace(full, declarations=replace(full.declarations, bedingungen=frozenset({"MB"}))),
        "MB": lambda: replace(full, declarations=replace(full.declarations, bedingungen=frozenset({"AUSL"}))),
        "ERS": lambda: replace(full, first_collection=FirstCollection("NICHT_VERSUCHT")),
        "OBJ_OK": lambda: replace(full, declarations=replace(full.declarations, hinweis_par76=None)),
    }[condition]()
    assert wanted in kept(decide(full, CATALOGUE, LAST))
    answer = decide(without, CATALOGUE, LAST)
    assert wanted not in kept(answer)
    assert wanted in {block for block, _ in fallen(answer)}


def _without(given: Any, category: DataCategory) -> Any:
    return replace(given, categories=given.categories - {category.value})


def closed(row: Row, last: date) -> Catalogue:
    """Return the catalogue with that row ending on the day `last`."""
    tables = {
        table: tuple(replace(r, valid=Validity(r.valid.start, last)) if r is row else r for r in found)
        for table, found in CATALOGUE.tables.items()
    }
    return assemble(tables, CATALOGUE.source_bytes)


@pytest.mark.parametrize("row", NECESSITY, ids=name)
def test_a_row_counts_from_its_first_to_its_last_day(row: NecessityRow) -> None:
    """The first day permits and the day before is a gap; closed, the last day permits and the day after does not."""
    first = row.valid.start
    assert isinstance(decide(ideal(row, first), CATALOGUE, first), Permit)
    before = decide(ideal(row, first), CATALOGUE, first - timedelta(days=1))
    assert isinstance(before, Refusal)
    assert before.kind is RefusalKind.GAP
    ended = closed(row, LAST)
    assert decide(ideal(row, LAST), ended, LAST) == decide(ideal(row, LAST), CATALOGUE, LAST)
    day_after = LAST + timedelta(days=1)
    assert decide(ideal(row, day_after), ended, day_after) != decide(ideal(row, day_after), CATALOGUE, day_after)


def test_every_constellation_is_answered_on_every_first_and_last_day() -> None:
    """On each day on which rows begin or end, and beside it, every case of the folder gets an answer on that day."""
    days = {day + timedelta(days=shift) for day in CATALOGUE.days for shift in (-1, 0)} | {LAST}
    for case in all_cases():
        for day in days:
            assert decide(case.facts, CATALOGUE, day).basis.on == day


def removable() -> Iterator[tuple[str, Row]]:
    """Every row without which the catalogue may still load."""
    for table in (*REMOVABLE, "duty", "switch"):
        for row in CATALOGUE.tables[table]:
            yield table, row
    yield from (("parameter", row) for row in CATALOGUE.tables["parameter"] if "FORM" in getattr(row, "code", ""))


def switched(row: Row) -> frozenset[str]:
    """Return the switch with which the row counts, or which it is."""
    if isinstance(row, SwitchRow):
        return frozenset({row.code})
    counts = isinstance(row, KeyRow) or getattr(row, "switch_adds", False)
    return frozenset({getattr(row, "switch", "") if counts else ""} - {""})


def extra_facts() -> list[tuple[TransferFacts, date]]:
    """Return what the case format cannot say: several consents of one person."""
    no = consent("STAMMDATEN", purpose="RECHTSKREISWECHSEL", id="c0", refused=date(2026, 1, 1))
    yes = consent("STAMMDATEN", "LEISTUNGSBEZUG", purpose="RECHTSKREISWECHSEL", id="c1", release_of=RELEASE)
    return [(facts(consents=(no, yes), mode=Mode.UNAUFGEFORDERT, first_collection=ASKED), date(2026, 3, 16))]


@cache
def answers(switches: frozenset[str]) -> list[object]:
    """Return how everything is answered by the whole catalogue with these switches."""
    return list(answered(CATALOGUE, switches))


def answered(catalogue: Catalogue, switches: frozenset[str]) -> Iterator[object]:
    """Give what counts of each answer, one after the other."""
    given = [(case.facts, case.on) for case in all_cases()] + extra_facts()
    ideals = [(ideal(row, LAST), LAST) for row in NECESSITY]
    return (
        gist(decide(found, catalogue, day, switches & catalogue.as_of(day).switches)) for found, day in given + ideals
    )


def gist(answer: Decision) -> object:
    """Return outcome, code, what fell and the duties."""
    if isinstance(answer, Permit):
        return answer.kept, fallen(answer), answer.duties
    return answer.code, answer.kind, fallen(answer)


@pytest.mark.parametrize(("table", "row"), list(removable()), ids=lambda value: getattr(value, "where", value))
def test_a_removed_row_is_missed(table: str, row: Row) -> None:
    """Without the row some case is answered otherwise, or the catalogue does not load."""
    tables = {**CATALOGUE.tables, table: tuple(other for other in CATALOGUE.tables[table] if other is not row)}
    try:
        less = assemble(tables, CATALOGUE.source_bytes)
    except CatalogueError:
        return
    whole = answers(switched(row))
    assert any(one != other for one, other in zip(answered(less, switched(row)), whole, strict=True))


@pytest.mark.parametrize("table", ["unit", "category", "purpose", "condition", "code", "gate", "lock", "parameter"])
def test_vocabulary_cannot_be_removed(table: str) -> None:
    """A row that other rows or the gates ask for is missed when the catalogue is loaded."""
    for row in CATALOGUE.tables[table]:
        if row.note == "nur dem Namen nach bekannt" or ("FORM" in getattr(row, "code", "") and table == "parameter"):
            continue
        used = table != "condition" or any(row.code in r.conditional.values() for r in NECESSITY)
        tables = {**CATALOGUE.tables, table: tuple(other for other in CATALOGUE.tables[table] if other is not row)}
        if used:
            with pytest.raises(CatalogueError):
                assemble(tables, b"")


def test_request_modes_are_two() -> None:
    """REGELMAESSIG collects nothing: the recipient is served, it does not ask."""
    assert {Mode.ERSUCHEN, Mode.ABRUF} == REQUESTED
