"""Rows as entries: lasting ids, German titles and sentences, every field by its German name."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from datetime import date

import pytest

from consent import rows
from consent.book import words
from consent.book.entries import HIDDEN, KINDS, LABELS, Entry, chosen, entries_of
from consent.book.names import names_of
from consent.book.sentences import sentence
from consent.catalogue import TABLES, Catalogue
from consent.decision import RefusalKind
from consent.rows import Bound, CategoryClass, Fulfilled, KeyCondition, Lasts, Occasion, Proof, Regime
from schemas.identifiers import Mode, OriginMark, Part

DAY = date(2026, 3, 16)


@pytest.fixture(scope="module")
def entries(catalogue: Catalogue) -> dict[str, Entry]:
    """Give the entries of the shipped catalogue by id."""
    return {entry.id: entry for entry in entries_of(catalogue)}


def test_every_row_is_an_entry(catalogue: Catalogue, entries: dict[str, Entry]) -> None:
    """No row is lost, and no two have one id; an id can stand in an address as it is."""
    assert len(entries) == sum(len(table) for table in catalogue.tables.values())
    assert set(KINDS) == set(TABLES)
    assert [found for found in entries if not re.fullmatch(r"[A-Za-z0-9_.+-]{3,200}", found)] == []


def test_every_field_has_a_german_name() -> None:
    """A field that is added to a row gets one, or is hidden on purpose."""
    named = {one.name for _, kind in TABLES.values() for one in fields(kind)}

    assert named - HIDDEN == set(LABELS)


@pytest.mark.parametrize(
    ("spoken", "vocabulary"),
    [
        (words.REGIMES, Regime), (words.SENDERS, Regime), (words.CLASSES, CategoryClass), (words.MARKS, OriginMark),
        (words.MODES, Mode), (words.KEY_CONDITIONS, KeyCondition), (words.PROOFS, Proof), (words.OCCASIONS, Occasion),
        (words.FULFILLED, Fulfilled), (words.PARTS, Part), (words.KINDS, RefusalKind), (words.GRADES, ["V", "S", "K"]),
        (words.BOUND, Bound), (words.LASTS, Lasts),
    ],
)  # fmt: skip
def test_every_word_of_a_vocabulary_is_said_in_german(spoken: object, vocabulary: object) -> None:
    """A word that is added to a vocabulary of the rows gets German words too."""
    assert set(spoken) == set(vocabulary)  # type: ignore[call-overload]


def test_every_lock_has_its_german_name(catalogue: Catalogue) -> None:
    """What a key opens is named, and so is the code under which an item falls."""
    named = {row.lock for row in catalogue.tables["key"] if isinstance(row, rows.KeyRow)}
    named |= {row.code for row in catalogue.tables["lock"] if isinstance(row, rows.LockRow)}

    assert named == set(words.LOCKS)


def test_every_sentence_is_one(entries: dict[str, Entry]) -> None:
    """Each begins with a capital letter or a quote, ends, leaves nothing open, and names no raw code of a category."""
    for entry in entries.values():
        assert re.match(r"[A-ZÄÖÜ„]", entry.text), entry.id
        assert entry.text.endswith((".", "“")), entry.id
        assert not re.search(r"\{\w+\}|  |\(\)|: \.", entry.text), entry.id


def test_a_sentence_is_true_to_its_route(entries: dict[str, Entry]) -> None:
    """It names both sides, what is needed, each condition, and whether it is an obligation."""
    text = entries["row.KITA_BEITRAG.alle.JUGENDAMT_KITA.2018-05-25"].text

    assert "Von jeder Sozialbehörde an „Jugendamt (Kita-Stelle)“ darf übermittelt werden (KANN)" in text
    assert "Stammdaten, Leistungsbezug" in text
    assert "Alles andere entfällt." in text
    assert "Mit dem Schalter KITA_NUR_AUF_ERSUCHEN zählte diese Zeile nicht" in text


DECIDES = [
    (table, one.name)
    for table, (_, kind) in TABLES.items()
    for one in fields(kind)
    if one.type in {"bool", "int"} or str(one.type).startswith("tuple")
    if one.name not in {"norms", "without_switches"}
]
"""Table and field of what decides something by being there or not, or by its number."""


@pytest.mark.parametrize(("table", "name"), DECIDES)
def test_what_decides_shows_in_the_sentence(catalogue: Catalogue, table: str, name: str) -> None:
    """A yes turned into a no, a list emptied, a number raised: some row of the table is said otherwise then."""
    names = names_of(catalogue.tables)
    table_rows = [row for row in catalogue.tables[table] if getattr(row, name) or isinstance(getattr(row, name), bool)]

    assert any(sentence(otherwise(row, name), names) != sentence(row, names) for row in table_rows)


def otherwise(row: rows.Row, name: str) -> rows.Row:
    """Return the row with one field turned round, emptied, or raised by one."""
    value = getattr(row, name)
    changed = not value if isinstance(value, bool) else value + 1 if isinstance(value, int) else ()
    return replace(row, **{name: changed})  # type: ignore[arg-type]


def test_rows_are_chosen_by_purpose_norm_and_day(entries: dict[str, Entry]) -> None:
    """By purpose: its own rows; by norm: any of the same paragraph, however it is written; by day: what counts then."""
    about = {entry.table for entry in chosen(entries.values(), purpose="KITA_BEITRAG")}
    cites = list(chosen(entries.values(), norm="§ 74 SGB X"))

    assert about == {"purpose", "row", "ground"}
    assert {entry.row.norms[0] for entry in cites} >= {"SGB X § 74 Abs. 1", "SGB X § 74"}
    assert list(chosen(entries.values(), norm="§ 9999 SGB X")) == []
    assert list(chosen(entries.values(), on=date(2018, 5, 24))) == []
    assert "key.PAR76.Nachweis-des-Anspruchs.2020-07-01" not in {
        e.id for e in chosen(entries.values(), on=date(2020, 6, 30))
    }
    assert len(list(chosen(entries.values(), on=DAY))) > 300


def test_norms_are_cited_as_lawyers_do() -> None:
    """The statute stands last, and a range has its dash."""
    assert words.cited("SGB X § 69 Abs. 1 Nr. 1 Alt. 3") == "§ 69 Abs. 1 Nr. 1 Alt. 3 SGB X"
    assert words.cited("SGB X §§ 102-114") == "§§ 102–114 SGB X"
    assert words.cited("DSG NRW") == "DSG NRW"
    assert words.cited("DSGVO Art. 6 Abs. 1 Buchst. a") == "Art. 6 Abs. 1 Buchst. a DSGVO"
