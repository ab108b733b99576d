"""Each row of the law: held against the matrix, on its first and last day, on both sides, and when removed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from typing import Any

import pytest

from consent.catalogue import Catalogue, assemble
from consent.catalogue_checks import VOCABULARY
from consent.decision import Decision, Permit, RefusalKind
from consent.engine import decide
from consent.facts import FirstCollection, TransferFacts
from consent.gates.case import REQUESTED
from consent.rowreader import CatalogueError
from consent.rows import GroundRow, NecessityRow, PurposeRow, Row, SwitchRow
from consent.validity import Validity
from schemas.identifiers import DataCategory, Mode, UnitCode
from tests.consent.ideals import CATALOGUE, LAST, NECESSITY, ROWS, ground_ideals, ideal
from tests.consent.samples import ASKED, MATRIX, RELEASE, all_cases, consent, facts, fallen, kept, permitted, refused

FIRST = date(2018, 5, 25)
REMOVABLE = (
    *("row", "ground", "consent_only", "barred", "proof", "procedure", "default_mark", "key", "deletion"),
    *("collection_reason", "collection_norm", "duty", "switch"),
)


def _purpose(row: NecessityRow) -> PurposeRow:
    return CATALOGUE.as_of(LAST).purposes[row.purpose]


def name(row: Row) -> str:
    """Return a row's place, for the test's name."""
    return row.where


def test_rows_are_those_of_the_matrix() -> None:
    """Purpose, route, necessary and conditional categories, kern and duty are the dossier's, none more, none less."""
    ours = {
        (*_route(row), row.necessary, frozenset(row.conditional.items()), row.kern, row.pflicht, row.nur_auf_ersuchen)
        for row in ROWS
        if row.valid.covers(LAST) and not row.with_switch
    }
    theirs = {
        (
            *(purpose, row["von"], row["an"], tuple(row["n"]), frozenset(row["c"].items()), tuple(row.get("kern", ()))),
            *(row.get("pflicht", False), row.get("nur_auf_ersuchen", False)),
        )
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


def _route(row: NecessityRow) -> tuple[str, str, str]:
    return row.purpose, row.sender, row.recipient


def test_only_the_proof_of_a_claim_began_later() -> None:
    """Rows count from the first day; those that ended or began later differ in § 76 Abs. 2 Nr. 1a SGB X alone."""
    dated = [row for row in ROWS if row.valid != Validity(FIRST)]
    old, new = (next(row for row in dated if row.valid.start is start or row.valid.start == start) for start in STARTS)
    assert len(dated) == len(STARTS)
    assert old.valid == Validity(FIRST, STARTS[1] - timedelta(days=1))
    assert set(new.conditional.items()) - set(old.conditional.items()) == {
        (DataCategory.GESUNDHEIT, "NR1A"),
        (DataCategory.ERWERBSFAEHIGKEIT, "NR1A"),
    }


STARTS = (FIRST, date(2020, 7, 1))


def asked(given: TransferFacts, row: Row, day: date, catalogue: Catalogue = CATALOGUE) -> Decision:
    """Decide with the switch that the row needs, where the catalogue has it on that day."""
    return decide(given, catalogue, day, switched(row) & catalogue.as_of(day).switches)


def day_of(row: Row) -> date:
    """Return a day on which the row counts: its last, or the sample's."""
    return row.valid.end or LAST


@pytest.mark.parametrize("row", NECESSITY, ids=name)
def test_a_row_permits_what_it_names(row: NecessityRow) -> None:
    """With every condition fulfilled all its categories pass; each other category falls and takes nothing along."""
    day = day_of(row)
    full = ideal(row, day)
    every = {item.id for item in full.items}
    assert kept(asked(full, row, day)) == every
    for category in set(DataCategory) - {*row.necessary, *row.conditional}:
        more = ideal(row, day, *row.necessary, *row.conditional, category)
        assert kept(asked(more, row, day)) == every, category


CONDITIONAL = [(row, category, condition) for row in NECESSITY for category, condition in row.conditional.items()]


def declaring(**changes: Any) -> Callable[[TransferFacts, DataCategory], TransferFacts]:
    """Return a function that gives facts with other declarations."""
    return lambda full, _: replace(full, declarations=replace(full.declarations, **changes))


def unlisted(code: str) -> Callable[[TransferFacts, DataCategory], TransferFacts]:
    """Return a function that takes one condition out of the declared ones."""

    def without(full: TransferFacts, category: DataCategory) -> TransferFacts:
        return declaring(bedingungen=full.declarations.bedingungen - {code})(full, category)

    return without


def unnamed(full: TransferFacts, category: DataCategory) -> TransferFacts:
    """Return the facts with a consent that does not name the category."""
    named = tuple(replace(c, categories=c.categories - {category.value}) for c in full.consents)
    return replace(full, consents=named)


WITHOUT: dict[str, Callable[[TransferFacts, DataCategory], TransferFacts]] = {
    **{code: unlisted(code) for code in ("AUSL", "MB", "KOPF", "ARBG", "WEGFALL", "K12")},
    "EW": unnamed,
    "ERS": lambda full, _: replace(full, first_collection=FirstCollection("NICHT_VERSUCHT")),
    "OBJ_OK": declaring(hinweis_par76=None),
    "REL": declaring(gefahrrelevant=frozenset()),
    "NR1A": declaring(nachweis_fuer_anspruch=None),
    "FORT": declaring(fortdauernder_zustand=None),
    "MIET": lambda full, _: replace(full, items=tuple(replace(item, part=None) for item in full.items)),
    "INTERN": lambda full, _: replace(full, same_controller=False),
}
"""For want of exactly this a condition is not fulfilled."""


@pytest.mark.parametrize(("row", "category", "condition"), CONDITIONAL, ids=str)
def test_a_condition_has_two_sides(row: NecessityRow, category: DataCategory, condition: str) -> None:
    """For want of exactly the condition its category does not pass."""
    day = day_of(row)
    full = ideal(row, day)
    wanted = f"p1-{category.value}"
    assert wanted in kept(asked(full, row, day))
    answer = asked(WITHOUT[condition](full, category), row, day)
    assert wanted not in kept(answer)
    if full.sender.unit is UnitCode.JUGENDAMT_BEISTAND:
        assert refused(answer).code == "PAR68"
    else:
        assert wanted in {block for block, _ in fallen(answer)}


@pytest.mark.parametrize(("ground", "given"), ground_ideals(), ids=lambda value: getattr(value, "where", ""))
def test_a_ground_carries_what_it_says(ground: GroundRow, given: TransferFacts) -> None:
    """Each ground of the statute carries a transfer on a route of its purpose, under its norms."""
    assert permitted(asked(replace(given, consents=()), ground, LAST)).grounds == ground.norms


def test_every_ground_has_its_transfer() -> None:
    """No ground of the catalogue is for nothing."""
    carried = {ground.where for ground, _ in ground_ideals()}
    every = {row.where for row in CATALOGUE.tables["ground"] if isinstance(row, GroundRow) and row.purpose != "*"}
    assert carried == every


@pytest.mark.parametrize(
    "row", [row for row in NECESSITY if row.nur_auf_ersuchen or _purpose(row).nur_auf_ersuchen], ids=name
)
def test_on_request_only_is_so(row: NecessityRow) -> None:
    """Unrequested such a row is no ground."""
    answer = refused(asked(replace(ideal(row, LAST), mode=Mode.UNAUFGEFORDERT), row, LAST))
    assert (answer.code, answer.kind) == ("KEIN_GRUND", RefusalKind.NOT_PERMITTED)


def closed(row: Row, last: date) -> Catalogue:
    """Return the catalogue with that row ending on the day `last`."""
    tables = {
        table: tuple(replace(r, valid=Validity(r.valid.start, last)) if r is row else r for r in found)
        for table, found in CATALOGUE.tables.items()
    }
    return assemble(tables, CATALOGUE.source_bytes)


@pytest.mark.parametrize("row", NECESSITY, ids=name)
def test_a_row_counts_from_its_first_to_its_last_day(row: NecessityRow) -> None:
    """The first day permits and the day before does not; closed, the last day permits and the day after does not."""
    first, last = row.valid.start, day_of(row)
    full, eve = ideal(row, first), first - timedelta(days=1)
    assert kept(asked(full, row, first)) == {item.id for item in full.items}
    before = asked(ideal(row, eve), row, eve)
    assert kept(before) < kept(asked(full, row, first))
    if first == FIRST:
        assert refused(before).kind is RefusalKind.GAP
    after = last + timedelta(days=1)
    if row.valid.end:
        assert row not in CATALOGUE.as_of(after).routes.values()
        return
    ended = closed(row, last)
    assert asked(ideal(row, last), row, last, ended) == asked(ideal(row, last), row, last)
    assert gist(asked(ideal(row, after), row, after, ended)) != gist(asked(ideal(row, after), row, after))


def test_every_constellation_is_answered_on_every_first_and_last_day() -> None:
    """On each day on which rows begin or end, and beside it, every case of the folder gets an answer on that day."""
    days = {day + timedelta(days=shift) for day in CATALOGUE.days for shift in (-1, 0)} | {LAST}
    for case in all_cases():
        for day in days:
            assert decide(case.facts, CATALOGUE, day).basis.on == day


NEVER_ASKED = {"Abgleich mit der Ausländerbehörde"}
"""Rows of the dossier that no decision can ask for: this office collects by its own law, so G7 is not asked of it."""


def removable() -> Iterator[tuple[str, Row]]:
    """Every row without which the catalogue may still load."""
    for table in REMOVABLE:
        for row in CATALOGUE.tables[table]:
            yield table, row
    yield from (("parameter", row) for row in CATALOGUE.tables["parameter"] if "FORM" in getattr(row, "code", ""))


def switched(row: Row) -> frozenset[str]:
    """Return the switch with which the row counts, or which it is."""
    return frozenset({row.code} if isinstance(row, SwitchRow) else {row.with_switch} - {""})


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
    ideals = [(ideal(row, day_of(row)), day_of(row)) for row in NECESSITY]
    grounds = [(replace(found, consents=()), LAST) for _, found in ground_ideals()]
    return (
        gist(decide(found, catalogue, day, switches & catalogue.as_of(day).switches))
        for found, day in [*ideals, *grounds, *given]
    )


def gist(answer: Decision) -> object:
    """Return outcome, code, what fell, the grounds and the duties."""
    if isinstance(answer, Permit):
        return answer.kept, fallen(answer), answer.grounds, answer.duties
    return answer.code, answer.kind, fallen(answer)


@pytest.mark.parametrize(("table", "row"), list(removable()), ids=lambda value: getattr(value, "where", value))
def test_a_removed_row_is_missed(table: str, row: Row) -> None:
    """Without the row some case is answered otherwise, or the catalogue does not load."""
    if getattr(row, "name", "") in NEVER_ASKED:
        return
    tables = {**CATALOGUE.tables, table: tuple(other for other in CATALOGUE.tables[table] if other is not row)}
    try:
        less = assemble(tables, CATALOGUE.source_bytes)
    except CatalogueError:
        return
    whole = answers(switched(row))
    assert any(one != other for one, other in zip(answered(less, switched(row)), whole, strict=True))


@pytest.mark.parametrize("table", VOCABULARY)
def test_vocabulary_cannot_be_removed(table: str) -> None:
    """A row that other rows or the gates ask for is missed when the catalogue is loaded."""
    for row in CATALOGUE.tables[table]:
        if getattr(row, "nur_intern", False) or ("FORM" in getattr(row, "code", "") and table == "parameter"):
            continue
        used = table != "condition" or any(row.code in r.conditional.values() for r in NECESSITY)
        tables = {**CATALOGUE.tables, table: tuple(other for other in CATALOGUE.tables[table] if other is not row)}
        if used:
            with pytest.raises(CatalogueError):
                assemble(tables, b"")


def test_request_modes_are_two() -> None:
    """REGELMAESSIG collects nothing: the recipient is served, it does not ask."""
    assert {Mode.ERSUCHEN, Mode.ABRUF} == REQUESTED
