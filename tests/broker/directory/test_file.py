"""Reading a directory file: what the shipped one says, and that each mistake is found at its line."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.registry import adapter_for
from broker.directory.document import AgencyEntry, DirectoryDocument
from broker.directory.file import read_directory
from broker.directory.nodes import DirectoryFileError
from schemas.identifiers import UnitCode
from tests.world import DIRECTORY, kreis_directory

SMALL = """\
kreis:
  id: kreis-re
  name: Kreis Recklinghausen
  ags: "05562"
  agencies:
    - id: jobcenter-kreis-re
      name: Jobcenter Kreis Recklinghausen
      kind: jobcenter
      units: [JOBCENTER]
      branches: per-town
towns:
  - {id: herten, name: Herten, ags: "05562020", dms: Doxis}
  - {id: marl, name: Marl, ags: "05562024"}
town_agencies:
  - {id: "sozialamt-{town}", kind: sozialamt, units: [SOZIALAMT_SGBXII, WOHNGELDSTELLE]}
adapters:
  kinds:
    sozialamt: {channel: inbox}
  agencies:
    sozialamt-marl: {channel: folder, path: folders/marl}
"""


def read(tmp_path: Path, text: str) -> DirectoryDocument:
    """Read a text as a directory file."""
    path = tmp_path / "directory.yaml"
    path.write_text(text, encoding="utf-8")
    return read_directory(path, tmp_path / "data")


def agency(document: DirectoryDocument, agency_id: str) -> AgencyEntry:
    """Return one agency of a document."""
    return next(entry for entry in document.agencies if entry.id == agency_id)


def test_the_shipped_file_has_every_town_and_unit(tmp_path: Path) -> None:
    """Five agencies of the Kreis and two in each of ten towns, with 85 instances; the jobcenter is in every town."""
    document = kreis_directory(tmp_path)
    assert len(document.agencies) == 5 + 2 * 10
    assert sum(len(entry.units) for entry in document.agencies) == 5 + 10 * (3 + 5)
    assert len(agency(document, "jobcenter-kreis-re").branches) == 10
    assert [entry.id for entry in document.agencies if entry.channel == "folder"] == ["sozialamt-marl"]


def test_every_agency_of_the_shipped_file_has_an_adapter(tmp_path: Path) -> None:
    """The adapters read the settings as they are stored."""
    for entry in kreis_directory(tmp_path).agencies:
        assert adapter_for(entry.kind, entry.units, entry.settings).pushes is (entry.id == "sozialamt-marl")


def test_town_agencies_take_name_and_place_of_their_town(tmp_path: Path) -> None:
    """A template makes one agency in each town, with the town's name, AGS and DMS."""
    entry = agency(read(tmp_path, SMALL), "sozialamt-herten")
    assert (entry.name, entry.place, entry.ags, entry.dms) == ("Sozialamt Herten", "Herten", "05562020", "Doxis")
    assert entry.units == (UnitCode.SOZIALAMT_SGBXII, UnitCode.WOHNGELDSTELLE)
    assert [str(instance) for instance in entry.instances()] == [
        "sozialamt-herten:SOZIALAMT_SGBXII",
        "sozialamt-herten:WOHNGELDSTELLE",
    ]


def test_branches_are_named_after_their_towns(tmp_path: Path) -> None:
    """``per-town`` makes a branch in each town, each with a place on the channel."""
    entry = agency(read(tmp_path, SMALL), "jobcenter-kreis-re")
    assert [(branch.id, branch.name) for branch in entry.branches] == [("herten", "Herten"), ("marl", "Marl")]
    assert entry.settings["branches"] == {"herten": "herten", "marl": "marl"}


def test_a_relative_path_lies_below_the_data_directory(tmp_path: Path) -> None:
    """The stored path is absolute, so that it means the same to every process."""
    entry = agency(read(tmp_path, SMALL), "sozialamt-marl")
    assert entry.settings["path"] == str((tmp_path / "data" / "folders" / "marl").resolve())


def test_an_own_channel_takes_nothing_from_the_kind(tmp_path: Path) -> None:
    """Settings of a kind's folder do not reach an agency that names the inbox for itself."""
    text = SMALL.replace("{channel: inbox}", '{channel: folder, path: "f/{agency}"}')
    text = text.replace("{channel: folder, path: folders/marl}", "{channel: inbox}")
    document = read(tmp_path, text)
    assert agency(document, "sozialamt-marl").settings == {"channel": "inbox"}
    assert agency(document, "sozialamt-herten").settings["path"].endswith("/f/sozialamt-herten")


MARL = "adapters.agencies.sozialamt-marl"

MISTAKES = {
    "twice": ("  name: Kreis Recklinghausen\n", "  name: A\n  name: B\n", 4, "kreis.name", "zweimal"),
    "unknown key": ("  ags:", "  colour: red\n  ags:", 4, "kreis.colour", "unbekannte Angabe"),
    "missing key": ("      kind: jobcenter\n", "", 6, "kreis.agencies[0]", "„kind“ fehlt"),
    "unknown kind": ("kind: jobcenter", "kind: finanzamt", 8, "kreis.agencies[0].kind", "erlaubt: jobcenter"),
    "unknown unit": ("[JOBCENTER]", "[JOBZENTER]", 9, "kreis.agencies[0].units[0]", "erlaubt: JOBCENTER"),
    "unit twice": ("[JOBCENTER]", "[JOBCENTER, JOBCENTER]", 9, "kreis.agencies[0].units[1]", "zweimal"),
    "no unit": ("[JOBCENTER]", "[]", 9, "kreis.agencies[0].units", "mindestens eine"),
    "unit of another kind": ("[JOBCENTER]", "[JUGENDAMT_ASD]", 9, "kreis.agencies[0].units", "gehört zu keiner"),
    "bad id": ("id: jobcenter-kreis-re", "id: Jobcenter_RE", 6, "kreis.agencies[0].id", "Kleinbuchstaben"),
    "AGS as a number": ('ags: "05562"', "ags: 05562", 4, "kreis.ags", "Anführungszeichen"),
    "AGS too short": ('ags: "05562"', 'ags: "0556"', 4, "kreis.ags", "fünf"),
    "AGS of elsewhere": ('"05562024"', '"05513024"', 13, "towns[1].ags", "05562"),
    "town twice": ("id: marl,", "id: herten,", 13, "towns[1]", "zweimal"),
    "template without town": ("sozialamt-{town}", "sozialamt", 15, "town_agencies[0].id", "{town}"),
    "agency twice": ("id: jobcenter-kreis-re", "id: sozialamt-marl", 15, "town_agencies[0]", "steht zweimal"),
    "branch of nowhere": ("per-town", "[bonn]", 10, "kreis.agencies[0].branches[0]", "Ort aus `towns`"),
    "channel of nobody": (
        "    sozialamt-marl:", "    sozialamt-bonn:", 20, "adapters.agencies.sozialamt-bonn", "steht nicht",
    ),
    "unknown channel": ("{channel: inbox}", "{channel: fax}", 18, "adapters.kinds.sozialamt.channel", "erlaubt:"),
    "unknown setting": ("path: folders/marl", "pfad: x, path: a", 20, f"{MARL}.pfad", "unbekannte"),
    "path outside": ("folders/marl", "../marl", 20, f"{MARL}.path", "„..“"),
    "path missing": (", path: folders/marl", "", 15, "town_agencies[0]", "path"),
    "hours without end": (
        "path: folders/marl", 'path: a, hours: {from: "06:00"}', 20, f"{MARL}.hours", "hours.to",
    ),
    "one folder for two": (
        "{channel: inbox}", "{channel: folder, path: folders/marl}", 20, MARL, "§ 35",
    ),
    "a folder inside another": (
        "{channel: inbox}", "{channel: folder, path: folders}", 20, MARL, "ineinander",
    ),
    "list for a text": ("name: Kreis Recklinghausen", "name: [a]", 3, "kreis.name", "ein Text"),
    "text for a list": ("units: [JOBCENTER]", "units: JOBCENTER", 9, "kreis.agencies[0].units", "eine Liste"),
    "empty text": ("name: Kreis Recklinghausen", 'name: " "', 3, "kreis.name", "leer"),
    "alias": ('ags: "05562"', 'ags: &a "05562"\n  x: *a', 5, "", "Verweis"),
    "no YAML": ("[JOBCENTER]", "[JOBCENTER", 10, "", "kein gültiges YAML"),
    "tag of a program": ("per-town", "!!python/name:os.system x", 10, "kreis.agencies[0].branches", "kein Text"),
    "setting twice": ("path: folders/marl", "path: a, path: b", 20, f"{MARL}.path", "zweimal"),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "line", "field", "text"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_told_with_its_place(tmp_path: Path, old: str, new: str, line: int, field: str, text: str) -> None:
    """Each mistake names file, line and field, and what to write instead."""
    assert old in SMALL
    with pytest.raises(DirectoryFileError) as caught:
        read(tmp_path, SMALL.replace(old, new, 1))
    error = caught.value
    assert (error.file, error.line, error.field) == ("directory.yaml", line, field)
    assert text in error.text
    assert str(error).startswith(f"directory.yaml, Zeile {line}")


def test_a_town_agency_of_a_plain_kind_needs_a_name(tmp_path: Path) -> None:
    """A kind without a German name of its own says what is missing; with one, the town's name goes in."""
    plain = SMALL.replace("kind: sozialamt, units: [SOZIALAMT_SGBXII, WOHNGELDSTELLE]", "kind: other, units: [SCHULE]")
    plain = plain[: plain.index("adapters:")]
    with pytest.raises(DirectoryFileError, match="„name“ fehlt"):
        read(tmp_path, plain)
    named = read(tmp_path, plain.replace("kind: other", 'name: "Schulamt {town}", kind: other'))
    assert agency(named, "sozialamt-marl").name == "Schulamt Marl"


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"# nothing\n", b"a: \x00", b"x" * 1_000_001])
def test_a_file_that_is_no_directory_is_refused(tmp_path: Path, content: bytes) -> None:
    """Empty files, other encodings and overlong files end in the same kind of error."""
    path = tmp_path / "d.yaml"
    path.write_bytes(content)
    with pytest.raises(DirectoryFileError):
        read_directory(path, tmp_path)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    """The error names the file that is not there."""
    with pytest.raises(DirectoryFileError, match=r"gone\.yaml"):
        read_directory(tmp_path / "gone.yaml", tmp_path)


def test_deep_nesting_is_refused(tmp_path: Path) -> None:
    """A file that is nested beyond reason is an error of the file, found before time is lost on it."""
    with pytest.raises(DirectoryFileError, match="Ebenen"):
        read(tmp_path, "kreis: " + "[" * 50_000 + "]" * 50_000)


LINES = SMALL.splitlines(keepends=True)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
@given(
    line=st.integers(0, len(LINES) - 1),
    text=st.one_of(
        st.text(max_size=30), st.sampled_from(["", "- a\n", "  x: {a: b}\n", "? [a]\n: b\n", "<<: {a: 1}\n"])
    ),
)
def test_any_damage_is_an_error_of_the_file_or_harmless(tmp_path: Path, line: int, text: str) -> None:
    """Whatever replaces a line, reading ends in a document or in a `DirectoryFileError` inside the file."""
    damaged = "".join([*LINES[:line], text, *LINES[line + 1 :]])
    try:
        read(tmp_path, damaged)
    except DirectoryFileError as error:
        assert 1 <= error.line <= damaged.count("\n") + damaged.count("\r") + damaged.count("\x85") + 3  # noqa: PT017


@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.dates()),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=5,
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_settings_of_any_shape_are_read_or_refused(tmp_path: Path, value: object) -> None:
    """Plain YAML data of any shape as an agency's settings ends in a document or in a `DirectoryFileError`."""
    data = yaml.safe_load(SMALL)
    data["adapters"]["agencies"]["sozialamt-marl"] = value
    try:
        read(tmp_path, yaml.safe_dump(data, allow_unicode=True))
    except DirectoryFileError as error:
        assert error.text  # noqa: PT017


def test_the_shipped_file_is_the_packages_own() -> None:
    """The file lies in the package, so that the wheel can carry it."""
    assert DIRECTORY.is_file()
