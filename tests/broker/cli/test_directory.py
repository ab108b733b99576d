"""``amtsbruecke directory`` as the operator sees it."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from broker.cli.directory import app
from tests.world import DIRECTORY


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the commands work on a fresh data directory."""
    monkeypatch.setenv("AMTSBRUECKE_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


def test_a_file_is_loaded_and_shown(data_dir: Path) -> None:
    """The first load tells each change and makes the folder, the second tells that there is none; then it is shown."""
    first = CliRunner().invoke(app, ["load", str(DIRECTORY)])
    assert first.exit_code == 0, first.output
    assert "+ sozialamt-marl:WOHNGELDSTELLE" in first.output
    assert "25 Behörden, 85 Instanzen; 120 Änderungen." in first.output
    assert (data_dir / "folders" / "sozialamt-marl").is_dir()
    second = CliRunner().invoke(app, ["load", str(DIRECTORY)])
    assert second.output == "25 Behörden, 85 Instanzen; keine Änderung.\n"
    shown = CliRunner().invoke(app, ["show"]).output.splitlines()
    assert len(shown) == 85
    assert shown[0].split() == ["auslaenderamt-kreis-re:AUSLAENDERBEHOERDE", "outside-35-sgb1", "inbox"]


def test_an_empty_directory_says_what_to_do() -> None:
    """Before the first load `show` names the command for it."""
    result = CliRunner().invoke(app, ["show"])
    assert result.exit_code == 0
    assert "directory load" in result.output


def test_a_mistake_is_told_in_one_line(tmp_path: Path) -> None:
    """File, line and field are told, nothing is loaded, and no traceback is shown."""
    path = tmp_path / "bad.yaml"
    path.write_text(DIRECTORY.read_text(encoding="utf-8").replace("[JOBCENTER]", "[JOBZENTER]"), encoding="utf-8")
    result = CliRunner().invoke(app, ["load", str(path)])
    assert result.exit_code == 1
    assert result.stderr.startswith(
        "Nichts geladen. bad.yaml, Zeile 13, kreis.agencies[0].units[0]: unbekannte Einheit"
    )
    assert "Traceback" not in result.output
    assert "directory load" in CliRunner().invoke(app, ["show"]).output


def test_an_absent_share_is_told_after_the_load(tmp_path: Path) -> None:
    """A folder outside the data directory that is not there is no reason to load nothing, but one to say so."""
    path = tmp_path / "outside.yaml"
    text = DIRECTORY.read_text(encoding="utf-8").replace('"folders/{agency}"', str(tmp_path / "mount" / "marl"))
    path.write_text(text, encoding="utf-8")
    result = CliRunner().invoke(app, ["load", str(path)])
    assert result.exit_code == 1
    assert "120 Änderungen" in result.stdout
    assert "ein Ordner ist nicht bereit" in result.stderr
    assert not (tmp_path / "mount").exists()
