"""Loading the catalogue: what is refused, with file and row, and what a loaded one promises."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import FrozenInstanceError
from datetime import date
from pathlib import Path

import pytest

from consent.catalogue import FILES, RULES, Catalogue, catalogue_from_bytes, load_catalogue, read_catalogue
from consent.gates.duties import OCCASIONS
from consent.gates.keys import CONDITIONS
from consent.gates.necessity import FULFILLED
from consent.gates.proofs import PROOFS
from consent.rowreader import CatalogueError
from consent.rows import Fulfilled, KeyCondition, Occasion, Proof
from schemas.identifiers import DataCategory, OriginMark, UnitCode
from tests.consent.samples import DAY, PURPOSES
from tests.house.source import ROOT

ROUTE = 'purpose = "RECHTSKREISWECHSEL"\nsender = "JOBCENTER"\nrecipient = "SOZIALAMT_SGBXII"\n'
ROW = """
[[row]]
purpose = "KOSTENBEITRAG_JH"
sender = "{sender}"
recipient = "{recipient}"
necessary = ["STAMMDATEN"]
valid_from = {start}
norms = ["SGB VIII § 91"]
source = "Probe"
checked_on = 2026-11-22
grade = "K"
"""


def changed(name: str, old: str, new: str) -> Mapping[str, bytes]:
    """Return the files of the package with one text replaced, once, in one of them."""
    files = {path.name: path.read_bytes() for path in RULES.glob("*.toml")}
    assert old.encode() in files[name]
    files[name] = files[name].replace(old.encode(), new.encode(), 1)
    return files


def added(name: str, text: str) -> Mapping[str, bytes]:
    """Return the files of the package with a text at the end of one."""
    files = {path.name: path.read_bytes() for path in RULES.glob("*.toml")}
    files[name] += text.encode()
    return files


@pytest.mark.parametrize(
    ("name", "old", "new", "says"),
    [
        ("necessity.toml", ROUTE, ROUTE + 'farbe = "rot"\n', "unbekannte Schlüssel: farbe"),
        ("necessity.toml", 'norms = ["SGB X § 69 Abs. 1 Nr. 1 Alt. 3"]', 'norms = ["Paragraf 69"]', "keine Norm"),
        ("necessity.toml", 'norms = ["SGB X § 69 Abs. 1 Nr. 1 Alt. 3"]', "norms = []", "norms"),
        ("necessity.toml", "checked_on = 2026-11-22\n", "", "checked_on"),
        ("necessity.toml", "checked_on = 2026-11-22\n", 'checked_on = "2026-11-22"\n', "checked_on"),
        ("necessity.toml", "checked_on = 2026-11-22\n", "checked_on = 2026-11-22T00:00:00\n", "checked_on"),
        ("necessity.toml", "valid_from = 2018-05-25\n", "", "valid_from"),
        ("necessity.toml", "valid_from = 2018-05-25\n", "valid_from = 2018-05-25\nvalid_to = 2018-05-24\n", "valid_to"),
        ("necessity.toml", 'grade = "S"', 'grade = "A"', "grade"),
        ("necessity.toml", '"STAMMDATEN"', '"STAMM"', "STAMM"),
        ("necessity.toml", 'sender = "JOBCENTER"', 'sender = "RATHAUS"', "RATHAUS"),
        ("necessity.toml", 'purpose = "RECHTSKREISWECHSEL"', 'purpose = "WECHSEL"', "WECHSEL"),
        ("necessity.toml", 'BANKVERBINDUNG = "EW"', 'BANKVERBINDUNG = "JA"', "JA"),
        ("necessity.toml", "[[row]]", "[[zeile]]", "zeile"),
        ("necessity.toml", "[[row]]", "[[row]", "TOML"),
        ("necessity.toml", "[[row]]", "[[row]", "Zeile 5, Stelle"),
        ("necessity.toml", "valid_from = 2018-05-25\n", "valid_from = 25.05.2018\n", "Ein Tag heißt 2026-11-22"),
        ("necessity.toml", "valid_from = 2018-05-25\n", 'valid_from = "2018-05-25"\n', "ein Tag wie 2026-11-22"),
        ("necessity.toml", '"STAMMDATEN"', '"STAMDATEN"', "Zeile 5 ([[row]] 1), necessary: „STAMDATEN“"),
        ("necessity.toml", '"STAMMDATEN"', '"STAMDATEN"', "gemeint ist vielleicht „STAMMDATEN“"),
        ("necessity.toml", '"STAMMDATEN"', '"STAMMDATEN", "STAMMDATEN"', "steht zweimal: STAMMDATEN"),
        ("necessity.toml", '"STAMMDATEN"', '"STAMMDATEN", "BANKVERBINDUNG"', "nennen beide: BANKVERBINDUNG"),
        ("necessity.toml", 'norms = ["SGB X § 69', 'norms = ["SGBX § 69', "gemeint ist vielleicht „SGB X“"),
        ("necessity.toml", 'norms = ["SGB X § 69', 'norms = ["XYZG § 69', "ein neues Gesetz wird in consent/norm.py"),
        ("necessity.toml", "source = ", "sorce = ", "verschrieben ist es vielleicht als „sorce“"),
        ("necessity.toml", ROUTE, ROUTE + 'pflicht = "ja"\n', "true oder false, ohne Anführungszeichen"),
        ("necessity.toml", ROUTE, ROUTE + 'farbe = "rot"\n', "diese Tabelle kennt: checked_on, conditional"),
        ("necessity.toml", "[[row]]", "[[zeile]]", "in dieser Datei stehen: [[row]]"),
        ("grounds.toml", 'recipient = "*"', 'recipient = "RATHAUS"', "RATHAUS"),
        ("grounds.toml", 'regime = "SOZIALDATEN"', 'regime = "FREI"', "FREI"),
        ("grounds.toml", 'code = "PAR68"', 'code = "PAR99"', "PAR99"),
        ("grounds.toml", 'with_switch = "ASYLBLG_NUR_EINWILLIGUNG"', 'with_switch = "UNBEKANNT"', "UNBEKANNT"),
        ("grounds.toml", 'without_switches = ["ASD_UNAUFGEFORDERT_GESETZ"]', 'without_switches = ["NIE"]', "NIE"),
        ("grounds.toml", 'proof = "mahnung_74"', 'proof = "mahnung"', "mahnung"),
        ("grounds.toml", 'senders = ["SOZIALAMT_ASYLBLG"]', 'senders = ["ASYL"]', "ASYL"),
        ("locks.toml", 'purposes = ["KINDERSCHUTZ"]', 'purposes = ["SCHUTZ"]', "SCHUTZ"),
        ("collection.toml", 'purpose = "ABGLEICH_52A"', 'purpose = "ABGLEICH"', "ABGLEICH"),
        ("declarations.toml", 'code = "alter"', 'code = "jahre"', "alter"),
        ("units.toml", 'with_switch = "ASYLBLG_ALS_SGB_AUFGABE"\n', "", "dieselben Tage"),
        ("parameters.toml", 'without_switches = ["EINSICHT_AB_16"]\n', "", "dieselben Tage"),
        ("grounds.toml", '"KINDERSCHUTZ"', '"KINDER"', "KINDER"),
        ("locks.toml", '"erklaert"', '"gefragt"', "gefragt"),
        ("locks.toml", 'lock = "PAR203"', 'lock = "PAR204"', "PAR204"),
        ("locks.toml", 'purpose = "ABGLEICH_52A"', 'purpose = "ABGLEICH"', "ABGLEICH"),
        ("locks.toml", 'sender = "JUGENDAMT_ASD"', 'sender = "ASD"', "ASD"),
        ("units.toml", "par35 = true", 'par35 = "ja"', "par35"),
        ("units.toml", 'code = "JOBCENTER"', 'code = "JOBZENTRUM"', "JOBZENTRUM"),
        ("parameters.toml", "value = 15", "value = true", "value"),
        ("parameters.toml", 'code = "EINSICHT_ALTER"', 'code = "ALTER"', "EINSICHT_ALTER"),
        ("codes.toml", 'gates = ["G0"]', 'gates = ["G11"]', "G11"),
        ("codes.toml", 'gates = ["G0"]', 'gates = ["G9"]', "UNVOLLSTAENDIG"),
        ("codes.toml", 'kind = "incomplete"', 'kind = "maybe"', "maybe"),
        ("gates.toml", 'gate = "REST"', 'gate = "RESTE"', "REST"),
        ("conditions.toml", 'how = "ersuchen"', 'how = "raten"', "raten"),
        ("categories.toml", 'code = "KONTAKT"', 'code = "STAMMDATEN"', "dieselben Tage"),
        ("duties.toml", 'when = "immer"', 'when = "nie"', "nie"),
        ("grounds.toml", 'modes = ["UNAUFGEFORDERT"]', 'modes = ["UNGEFRAGT"]', "UNGEFRAGT"),
        ("grounds.toml", 'except_controllers = ["SGB8"]', 'except_controllers = ["SGB9"]', "SGB9"),
        ("codes.toml", "{fehlt}", "{fehlend}", "fehlend"),
        ("codes.toml", "{fehlt}", "{fehlt", "Klammer"),
        ("gates.toml", "{absender}", "{absenderin}", "absenderin"),
        ("parameters.toml", "{wert}", "{zahl}", "zahl"),
        ("parameters.toml", "text = ", "texte = ", "text"),
    ],
)
def test_faulty_rows_are_refused(name: str, old: str, new: str, says: str) -> None:
    """Each fault is refused at start-up; file and fault stand in the message."""
    with pytest.raises(CatalogueError) as caught:
        read_catalogue(changed(name, old, new))
    assert name in str(caught.value)
    assert says in str(caught.value)


def test_a_table_is_a_list_of_rows() -> None:
    """A single table where a list belongs is refused."""
    files = added("switches.toml", "")
    with pytest.raises(CatalogueError, match=r"\[\[switch\]\]"):
        read_catalogue({**files, "switches.toml": b"[switch]\n"})


def test_a_row_without_source_is_refused() -> None:
    """Neither an absent nor an empty source lets anyone check the row."""
    source = next(line for line in (RULES / "units.toml").read_text("utf-8").splitlines() if line.startswith("source"))
    for new in ("", 'source = " "'):
        with pytest.raises(CatalogueError, match=r"units.toml, Zeile \d+ \(\[\[unit\]\] 1\).*source"):
            read_catalogue(changed("units.toml", source, new))


@pytest.mark.parametrize(
    ("sender", "recipient", "start", "refused"),
    [
        ("*", "JUGENDAMT_WJH", "2026-01-01", True),
        ("JOBCENTER", "*", "2026-01-01", True),
        ("JOBCENTER", "JUGENDAMT_WJH", "2026-01-01", False),
        ("*", "*", "2026-01-01", False),
        ("POLIZEI", "*", "2026-01-01", False),
    ],
)
def test_rows_of_equal_precision_must_not_overlap(sender: str, recipient: str, start: str, refused: bool) -> None:
    """Two rows that meet on a route on a day, neither more explicit, are refused; a more explicit one is not."""
    files = added("necessity.toml", ROW.format(sender=sender, recipient=recipient, start=start))
    if not refused:
        read_catalogue(files)
        return
    with pytest.raises(CatalogueError, match=r"necessity\.toml"):
        read_catalogue(files)


def test_a_closed_row_may_be_followed_by_another() -> None:
    """Rows are closed and appended: the day decides which of the two counts."""
    text = (RULES / "necessity.toml").read_text("utf-8")
    start = text.index('purpose = "KOSTENBEITRAG_JH"')
    old = text[start : text.index("norms", start)]
    closed = old.replace("valid_from = 2018-05-25\n", "valid_from = 2018-05-25\nvalid_to = 2026-05-31\n")
    files = dict(changed("necessity.toml", old, closed))
    files["necessity.toml"] += ROW.format(sender="*", recipient="JUGENDAMT_WJH", start="2026-06-01").encode()
    catalogue = read_catalogue(files)
    route = ("KOSTENBEITRAG_JH", *_units("JOBCENTER", "JUGENDAMT_WJH"))
    before, after = (catalogue.as_of(day).routes[route] for day in (date(2026, 5, 31), date(2026, 6, 1)))
    assert [len(before.necessary), len(after.necessary)] == [4, 1]
    assert date(2026, 6, 1) in catalogue.days


def _units(*codes: str) -> tuple[object, ...]:
    return codes


def test_files_must_be_all_there_and_no_others(tmp_path: Path) -> None:
    """A folder that lacks a file, or has one more, is refused by name."""
    files = {path.name: path.read_bytes() for path in RULES.glob("*.toml")}
    for name in FILES:
        with pytest.raises(CatalogueError, match=name):
            read_catalogue({other: content for other, content in files.items() if other != name})
    with pytest.raises(CatalogueError, match=r"weitere\.toml"):
        read_catalogue({**files, "weitere.toml": b""})
    with pytest.raises(CatalogueError):
        load_catalogue(tmp_path)


def test_fingerprint_is_over_the_bytes(catalogue: Catalogue) -> None:
    """SHA-256 of the canonical bytes; the same files give the same, any change gives another."""
    assert catalogue.fingerprint == hashlib.sha256(catalogue.source_bytes).hexdigest()
    assert load_catalogue().fingerprint == catalogue.fingerprint
    assert read_catalogue(added("units.toml", "# x\n")).fingerprint != catalogue.fingerprint


def test_line_ends_do_not_change_the_fingerprint(catalogue: Catalogue) -> None:
    """A checkout with CRLF is the same catalogue."""
    files = {path.name: path.read_bytes().replace(b"\n", b"\r\n") for path in RULES.glob("*.toml")}
    assert read_catalogue(files).fingerprint == catalogue.fingerprint


def test_a_catalogue_is_read_back_from_its_bytes(catalogue: Catalogue) -> None:
    """What is stored beside a decision is enough to decide again; other bytes are refused."""
    again = catalogue_from_bytes(catalogue.source_bytes)
    assert (again.fingerprint, again.tables) == (catalogue.fingerprint, catalogue.tables)
    for damaged in (b"x", catalogue.source_bytes[:-1], b"codes.toml\n-1\n"):
        with pytest.raises(CatalogueError):
            catalogue_from_bytes(damaged)


def test_a_catalogue_cannot_be_changed(catalogue: Catalogue) -> None:
    """Neither the catalogue nor the tables of a day take an assignment."""
    day = catalogue.as_of(DAY)
    with pytest.raises(FrozenInstanceError):
        catalogue.fingerprint = ""
    with pytest.raises(TypeError):
        day.units[next(iter(day.units))] = None
    with pytest.raises(TypeError):
        next(iter(day.routes.values())).conditional["x"] = "EW"


def test_a_day_is_a_lookup(catalogue: Catalogue) -> None:
    """Days between two changes share one view, so asking costs nothing on the hot path."""
    assert catalogue.as_of(date(2026, 3, 16)) is catalogue.as_of(date(2026, 3, 17))
    assert catalogue.as_of(date(2019, 11, 25)) is not catalogue.as_of(date(2019, 11, 26))


def test_purposes_have_a_first_day(catalogue: Catalogue) -> None:
    """Every purpose counts from 2018-05-25; the day before there are none."""
    assert catalogue.purposes_on(date(2018, 5, 25)) == PURPOSES
    assert catalogue.purposes_on(date(2018, 5, 24)) == frozenset()


def test_every_row_was_checked_on_the_dossier_s_day(catalogue: Catalogue) -> None:
    """No row claims to have been checked later, and each one has norms or is a code that takes its gate's."""
    for table in catalogue.tables.values():
        for row in table:
            assert row.checked_on == date(2026, 11, 22), row.where
            assert row.norms, row.where


def test_every_word_of_a_row_has_code() -> None:
    """A word that a row may use has the function that answers it."""
    assert set(CONDITIONS) == set(KeyCondition)
    assert set(OCCASIONS) == set(Occasion)
    assert set(PROOFS) == set(Proof)
    assert set(FULFILLED) | {Fulfilled.EINWILLIGUNG} == set(Fulfilled)


def test_a_switch_makes_a_view_of_its_own(catalogue: Catalogue) -> None:
    """Rows of disputed points count with their switch, or not with it; each view is made once."""
    on = frozenset({"EINSICHT_AB_16"})
    with_it = catalogue.as_of(DAY, on)
    assert catalogue.as_of(DAY, on) is with_it
    assert [view.parameters["EINSICHT_ALTER"] for view in (catalogue.as_of(DAY), with_it)] == [15, 16]
    both = catalogue.as_of(DAY, frozenset({"EINSICHT_AB_14", "EINSICHT_AB_16"}))
    assert both.parameters["EINSICHT_ALTER"] == 16


def test_a_mark_of_what_was_received_is_none_of_what_is_sent(catalogue: Catalogue) -> None:
    """A default mark with ``received_only`` goes with what came from that unit, and not with what it sends itself."""
    day = catalogue.as_of(DAY)
    where = UnitCode.JUGENDAMT_BEISTAND, DataCategory.STAMMDATEN
    assert OriginMark.BEISTAND in day.received_marks[where]
    assert OriginMark.BEISTAND not in day.sent_marks[where]


def test_the_example_for_lawyers_is_a_row() -> None:
    """Whoever closes the old row and adds the one of docs/katalog-aendern.md has a catalogue that loads."""
    page = (ROOT / "docs" / "katalog-aendern.md").read_text(encoding="utf-8")
    row = page.split("```toml\n")[1].split("```")[0]
    start = (
        RULES.joinpath("necessity.toml")
        .read_text("utf-8")
        .split('purpose = "WOHNUNGSSICHERUNG"')[1]
        .split("[[row]]")[0]
    )
    closed = start.replace("valid_from = 2018-05-25\n", "valid_from = 2018-05-25\nvalid_to = 2026-12-31\n")
    files = dict(changed("necessity.toml", start, closed))
    files["necessity.toml"] += f"\n{row}".encode()
    changed_rows = read_catalogue(files)

    route = ("WOHNUNGSSICHERUNG", UnitCode("JOBCENTER"), UnitCode("SOZIALAMT_SGBXII"))
    assert DataCategory.HAUSHALT in changed_rows.as_of(date(2026, 12, 31)).routes[route].necessary
    assert changed_rows.as_of(date(2027, 1, 1)).routes[route].conditional[DataCategory.HAUSHALT] == "KOPF"
