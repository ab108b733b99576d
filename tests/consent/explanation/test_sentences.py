"""Every row that an explanation can speak of has its sentences, in both languages, and no sentence is left over."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterator

import pytest

from consent import rows
from consent.catalogue import Catalogue
from consent.explanation.sentences import USUAL, CodeSaid, ConditionSaid, Said, Sentences, sentences
from schemas.identifiers import Mode

#: What may stand in a sentence, beside what only one kind knows.
SIDES = {
    "absender",
    "Absender",
    "dem_absender",
    "vom_absender",
    "empfaenger",
    "Empfaenger",
    "dem_empfaenger",
    "den_empfaenger",
    "zweck",
}
ANYWHERE = SIDES | {"modus", "uebermittelt", "uebermitteln"}
WHY = ANYWHERE | {"fehlt", "tage", "monate"}
REMEDY = ANYWHERE | {"kategorien", "einwilligung", "vertretung", "alter", "tage", "monate", "frist", "ab"}
FRAMES = ANYWHERE | {"kategorien", "tag", "grund", "normen", "zahl", "fehlt", "schalter"}


@pytest.fixture(scope="module")
def said() -> Sentences:
    """Give all sentences."""
    return sentences()


def codes(catalogue: Catalogue, table: str) -> set[str]:
    """Return the codes of a table of the catalogue, whenever they count."""
    return {str(getattr(row, "code")) for row in catalogue.tables[table]}  # noqa: B009 - rows of several kinds


def test_every_reason_code_is_explained_at_each_of_its_gates(catalogue: Catalogue, said: Sentences) -> None:
    """Why, and what the sender can do; a code without a sentence fails here."""
    wanted = {
        (row.code, gate) for row in catalogue.tables["code"] if isinstance(row, rows.CodeRow) for gate in row.gates
    }
    usual = {(code, gate) for code, gate, variant in said.codes if variant == USUAL}

    assert wanted - usual == set()
    assert {(code, gate) for code, gate, _ in said.codes} - wanted == {("KEIN_GRUND", "G0")}


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ("condition", lambda s: s.conditions),
        ("duty", lambda s: s.duties),
        ("unit", lambda s: s.units),
        ("purpose", lambda s: s.names["purpose"]),
        ("category", lambda s: s.names["category"]),
        ("declaration", lambda s: s.names["declaration"]),
        ("switch", lambda s: s.names["switch"]),
        ("duty", lambda s: s.names["duty"]),
    ],
)
def test_every_row_has_its_words(
    catalogue: Catalogue, said: Sentences, table: str, told: Callable[..., object]
) -> None:
    """Conditions, duties, units, purposes, categories, declarations, disputed points: none without, none over."""
    found = told(said)
    assert isinstance(found, dict) or hasattr(found, "keys")
    assert set(found) == codes(catalogue, table)  # type: ignore[call-overload]  # a mapping, as asserted


def test_every_mode_has_its_words(said: Sentences) -> None:
    """A transfer came about in one of these ways."""
    assert set(said.modes) == {mode.value for mode in Mode}


def spoken(said: Sentences) -> Iterator[tuple[str, Said, set[str]]]:
    """Yield every sentence, with what may stand in it."""
    for key, code in said.codes.items():
        yield f"{key} why", code.why, WHY
        yield f"{key} remedy", code.remedy, REMEDY
    for name, condition in said.conditions.items():
        yield f"{name} met", condition.met, ANYWHERE
        yield f"{name} unmet", condition.unmet, ANYWHERE
        yield f"{name} remedy", condition.remedy, REMEDY
    for name, duty in said.duties.items():
        yield name, duty, SIDES | {"frist"}
    for name, gate in said.gates.items():
        yield name, gate, SIDES
    for name, frame in said.frames.items():
        yield name, frame, FRAMES


def places(text: str) -> set[str]:
    """Return the placeholders of a sentence."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_every_sentence_can_be_filled(said: Sentences) -> None:
    """Its placeholders are known, both languages use the same, and it is a sentence: begun large, ended by a stop."""
    for where, one, known in spoken(said):
        assert places(one.de) <= known, where
        assert places(one.de) - SIDES == places(one.en) - SIDES, where
        for text in (one.de, one.en):
            assert text == text.strip(), where
            assert "  " not in text, where
            if not where.startswith("frist_") and where != "conditional":
                assert re.match(r"[A-ZÄÖÜ{§]", text), where
                assert text.endswith((".", "}")), where


def test_german_sentences_are_german(said: Sentences) -> None:
    """Real umlauts, German quotation marks, and no English ones."""
    for where, one, _ in spoken(said):
        assert not re.search(r"\b(?:fuer|ueber|duerfen|koennen|muss en)\b", one.de), where
        assert "“" not in one.de.replace("“", "", one.de.count("„")), where
        assert '"' not in one.de + one.en, where


def test_a_row_without_a_sentence_is_seen(catalogue: Catalogue, said: Sentences) -> None:
    """The comparison can fail."""
    assert isinstance(said.codes["PAR65", "G4 a", USUAL], CodeSaid)
    assert isinstance(said.conditions["EW"], ConditionSaid)
    assert codes(catalogue, "duty") - (set(said.duties) - {"LOESCHUNG"}) == {"LOESCHUNG"}
