"""Reading case files, and what the command prints."""

from __future__ import annotations

from datetime import date
from io import StringIO
from pathlib import Path

import pytest

from consent.casefields import UnreadableCase
from consent.casefile import read_cases
from consent.cases import run_check
from consent.facts import ObjectionScope
from schemas.identifiers import Part

CASE = """\
cases:
- id: X1
  title: t
  facts:
    sender: JOBCENTER
    recipient: SOZIALAMT_SGBXII
    purpose: RECHTSKREISWECHSEL
    date: 2026-03-16
    mode: UNAUFGEFORDERT
    person: {age: 40, situation: s}
    categories: [STAMMDATEN, LEISTUNGSBEZUG]
    origin: {}
    first_collection: null
    consent: null
    objection: null
    declarations: {}
  expected: {outcome: PERMIT}
  norms: [§ 69(1) SGB X]
"""
CONSENT = "consent: {given_by: betroffene Person, granted: 2026-01-01, form: schriftlich}"


@pytest.fixture
def write(tmp_path: Path):  # noqa: ANN201  a function of this fixture
    """Return a function that writes the sample with replacements and gives its path."""

    def written(*changes: tuple[str, str]) -> Path:
        text = CASE
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "faelle.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return written


def test_sample_passes(write) -> None:  # noqa: ANN001
    """The sample is read, an unquoted date included, and passes with strict norms."""
    path = write()
    assert read_cases(path)[0].on == date(2026, 3, 16)
    assert run_check([path], strict_norms=True, out=StringIO()) == 0


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("purpose:", "purpose_:", "facts.purpose_"),
        ("sender: JOBCENTER", "sender: RATHAUS", "facts.sender"),
        ("  norms:", "  quelle: q\n  norms:", "case.quelle"),
        ("declarations: {}", "declarations: {hinweis: 2026-01-01}", "declarations.hinweis"),
        ("declarations: {}", "declarations: {dringend: ja}", "declarations.dringend"),
        ("declarations: {}", "declarations: {par64_2_erfolg_gefaehrdet: vielleicht}", "par64_2_erfolg_gefaehrdet"),
        ("declarations: {}", "declarations: {sorge: halb}", "declarations.sorge"),
        ("declarations: {}", "declarations: {hinweis_par76: 16.03.2026}", "declarations.hinweis_par76"),
        ("declarations: {}", "declarations: {hinweis_par76: 2026-02-30}", "declarations.hinweis_par76"),
        ("declarations: {}", "declarations: {anzahl_personen: viele}", "declarations.anzahl_personen"),
        ("declarations: {}", "declarations: {bedingungen: AUSL}", "declarations.bedingungen"),
        ("age: 40", "age: alt", "person.age"),
        ("age: 40", "alter: 40", "person.alter"),
        ("[STAMMDATEN, LEISTUNGSBEZUG]", "[STAMM]", "facts.categories"),
        ("origin: {}", "origin: {STAMMDATEN: GEHEIM}", "facts.origin.STAMMDATEN"),
        ("origin: {}", "origin: [STAMMDATEN]", "facts.origin"),
        ("mode: UNAUFGEFORDERT", "mode: POST", "facts.mode"),
        ("    date: 2026-03-16\n", "", "facts.date"),
        ("first_collection: null", "first_collection: {asked: 2026-01-01}", "first_collection.status"),
        ("objection: null", "objection: {by: Nachbar, date: 2026-01-01}", "objection.by"),
        ("objection: null", "objection: {scope: ALLE}", "objection.date"),
        ("consent: null", CONSENT.replace("betroffene Person", "Nachbar"), "consent.given_by"),
        ("consent: null", CONSENT.replace("schriftlich", "gemalt"), "consent.form"),
        ("consent: null", CONSENT.replace("form:", "farbe:"), "consent.farbe"),
        ("outcome: PERMIT", "outcome: JA", "expected.outcome"),
        ("outcome: PERMIT", "outcome: DENY, kind: verboten", "expected.kind"),
        ("consent: null", "consent: ja", "consent"),
        ("norms: [§ 69(1) SGB X]", "norms: [69]", "norms"),
        ("  facts:", "  facts_:", "case.facts_"),
        ("  title: t\n", "  title: t\n  same_controller: true\n", "same_controller"),
    ],
)
def test_what_cannot_be_read_is_named(write, old: str, new: str, field: str) -> None:  # noqa: ANN001
    """File, case id and field stand in the message, and the exit status is 2."""
    changes = [(old, new)]
    if field == "same_controller":
        changes.append(("    mode:", "    same_controller: false\n    mode:"))
    path = write(*changes)
    with pytest.raises(UnreadableCase) as caught:
        read_cases(path)
    assert "faelle.yaml" in str(caught.value)
    assert "X1" in str(caught.value)
    assert field in str(caught.value)
    printed = StringIO()
    assert run_check([path], out=printed) == 2
    assert field in printed.getvalue()


@pytest.mark.parametrize(
    "text", ["cases: {}", "faelle: []", "- 1", "cases: [", "cases: []\ncases: []", "cases:\n- id: A\n  id: B"]
)
def test_broken_files_are_unreadable(tmp_path: Path, text: str) -> None:
    """Another shape, broken YAML and a key that stands twice give exit status 2."""
    path = tmp_path / "f.yaml"
    path.write_text(text, encoding="utf-8")
    assert run_check([path], out=StringIO()) == 2


def test_a_file_of_too_many_levels_is_unreadable(tmp_path: Path) -> None:
    """A file of nothing but lists in lists is refused; it does not exhaust the stack."""
    path = tmp_path / "f.yaml"
    path.write_text("cases:\n" + "- " * 500_000, encoding="utf-8")
    with pytest.raises(UnreadableCase, match="mehr als 50 Ebenen ineinander"):
        read_cases(path)


def test_absent_file_is_unreadable(tmp_path: Path) -> None:
    """A file that is not there gives exit status 2, not a stack trace."""
    printed = StringIO()
    assert run_check([tmp_path / "fehlt.yaml"], out=printed) == 2
    assert "fehlt.yaml" in printed.getvalue()


def test_an_id_stands_once(tmp_path: Path) -> None:
    """Two cases of one id are unreadable."""
    path = tmp_path / "f.yaml"
    path.write_text(CASE + CASE.removeprefix("cases:\n"), encoding="utf-8")
    with pytest.raises(UnreadableCase, match="zweimal"):
        read_cases(path)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("outcome: PERMIT", "outcome: DENY, code: PAR65", "outcome"),
        ("outcome: PERMIT", "outcome: PERMIT_REDUCED, remove: [STAMMDATEN]", "outcome"),
        ("{outcome: PERMIT}", "{outcome: PERMIT, duties: [LOESCHUNG]}", "duties"),
    ],
)
def test_a_differing_case_fails(write, old: str, new: str, words: str) -> None:  # noqa: ANN001
    """One line names id, expectation and answer; the exit status is 1."""
    printed = StringIO()
    assert run_check([write((old, new))], out=printed) == 1
    first, last = printed.getvalue().splitlines()
    assert first.startswith(f"X1 ({words})")
    assert last == "0 passed, 1 failed"


@pytest.mark.parametrize(
    ("expected", "words"),
    [
        ("{outcome: DENY, code: KEIN_GRUND}", "code"),
        ("{outcome: DENY, kind: human}", "kind"),
        ("{outcome: DENY, code: null}", ""),
        ("{outcome: DENY, code: NICHT_ERFORDERLICH, kind: not_permitted}", ""),
    ],
)
def test_code_and_kind_of_a_refusal_are_compared(write, expected: str, words: str) -> None:  # noqa: ANN001
    """A wrong code or kind fails; a null code is any."""
    path = write(("declarations: {}", "declarations: {konkreter_bedarf: false}"), ("{outcome: PERMIT}", expected))
    printed = StringIO()
    assert run_check([path], out=printed) == (1 if words else 0)
    assert f"X1 ({words})" in printed.getvalue() or not words


def test_removed_categories_are_compared(write) -> None:  # noqa: ANN001
    """Exactly the categories that fall."""
    more = ("[STAMMDATEN, LEISTUNGSBEZUG]", "[STAMMDATEN, LEISTUNGSBEZUG, SCHULDEN]")
    right = write(more, ("outcome: PERMIT", "outcome: PERMIT_REDUCED, remove: [SCHULDEN]"))
    assert run_check([right], out=StringIO()) == 0
    wrong = write(more, ("outcome: PERMIT", "outcome: PERMIT_REDUCED, remove: [LEISTUNGSBEZUG]"))
    assert run_check([wrong], out=StringIO()) == 1


def test_a_permit_removes_nothing(write) -> None:  # noqa: ANN001
    """A full permit where the file names categories that fall differs."""
    printed = StringIO()
    path = write(("outcome: PERMIT", "outcome: PERMIT, remove: [LEISTUNGSBEZUG]"))
    assert run_check([path], out=printed) == 1
    assert printed.getvalue().startswith("X1 (remove)")


def test_a_lacking_duty_is_named(write) -> None:  # noqa: ANN001
    """The line says which of the listed duties the answer does not contain."""
    printed = StringIO()
    path = write(("{outcome: PERMIT}", "{outcome: PERMIT, duties: [PROTOKOLL, LOESCHUNG]}"))
    assert run_check([path], out=printed) == 1
    assert "erwartet PERMIT mit LOESCHUNG;" in printed.getvalue()


def test_null_is_no_mark(write) -> None:  # noqa: ANN001
    """A category whose mark is null is undeclared: the default mark of the sender counts."""
    path = write(("origin: {}", "origin: {LEISTUNGSBEZUG: null}"))
    assert {item.marks for item in read_cases(path)[0].facts.items} == {frozenset()}


def test_norms_are_a_remark_unless_strict(write) -> None:  # noqa: ANN001
    """Another paragraph is remarked upon, and fails with strict norms."""
    path = write(("§ 69(1) SGB X", "§ 12 BGB"))
    printed = StringIO()
    assert run_check([path], out=printed) == 0
    assert printed.getvalue().startswith("Bemerkung X1 (norms)")
    assert run_check([path], strict_norms=True, out=StringIO()) == 1


def test_explain_prints_the_whole_trace(write) -> None:  # noqa: ANN001
    """Every gate stands in the trace; an id that is not there gives exit status 2."""
    printed = StringIO()
    assert run_check([write()], explain="X1", out=printed) == 0
    for gate in ("G0", "G4 EMPFANGEN", "G5", "G10", "→ PERMIT"):
        assert gate in printed.getvalue()
    assert run_check([write()], explain="X2", out=StringIO()) == 2


def test_explain_says_what_is_missing_and_why_it_is_refused(write) -> None:  # noqa: ANN001
    """The trace of a refusal ends with code and kind, names what is missing and who owes it; then it is explained."""
    path = write(("mode: UNAUFGEFORDERT", "mode: ERSUCHEN"), ("{outcome: PERMIT}", "{outcome: DENY}"))
    printed = StringIO()
    assert run_check([path], explain="X1", out=printed) == 0
    assert "(fehlt: first_collection, recipient)" in printed.getvalue()
    assert "→ DENY UNVOLLSTAENDIG (incomplete)\nWas übermittelt werden sollte: " in printed.getvalue()
    assert "Was der Absender tun kann: Bitten Sie " in printed.getvalue()


def test_same_controller_may_stand_beside_the_facts(write) -> None:  # noqa: ANN001
    """It is read under the case as well as inside the facts."""
    assert read_cases(write(("  title: t\n", "  title: t\n  same_controller: true\n")))[0].facts.same_controller is True
    assert read_cases(write(("    mode:", "    same_controller: true\n    mode:")))[0].facts.same_controller is True


def test_an_unknown_scope_is_everything(write) -> None:  # noqa: ANN001
    """An objection of any other scope is read as ALLE, one without a signatory as the person's."""
    read = read_cases(write(("objection: null", "objection: {date: 2026-01-01, scope: OPT_OUT}")))
    assert read[0].facts.objections[0].scope is ObjectionScope.ALLE


def test_kind_of_debt_becomes_a_part(write) -> None:  # noqa: ANN001
    """Rent arrears are an element of their own."""
    path = write(("LEISTUNGSBEZUG]", "SCHULDEN]"), ("declarations: {}", "declarations: {schulden_typ: MIET}"))
    assert [item.part for item in read_cases(path)[0].facts.items] == [None, Part.MIET]
