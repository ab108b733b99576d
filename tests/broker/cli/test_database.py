"""``amtsbruecke db logins``: a login for each process, its password in a file for its owner alone."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from broker.cli.main import app
from broker.logins import login_of, verifier
from broker.privileges import PROCESSES
from tests.world import on_postgresql, on_sqlite

USAGE = 2


@on_postgresql
def test_logins_are_made_once_and_their_passwords_are_for_their_owner(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """New passwords lie in files of mode 0600 and are never shown; without ``--rotate`` nothing changes again."""
    monkeypatch.setenv("AMTSBRUECKE_DATABASE_URL", json.loads((data_dir / "settings.json").read_text())["database_url"])
    runner, words = CliRunner(), ["db", "logins", "--out", str(tmp_path / "out")]

    first = runner.invoke(app, [*words, "--rotate"])
    files = {path.name: path.read_text().strip() for path in (tmp_path / "out").iterdir()}
    again = runner.invoke(app, words)

    assert (first.exit_code, again.exit_code) == (0, 0), first.output
    assert set(files) == {login_of(process) for process in PROCESSES}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "out").iterdir()} == {0o600}
    assert not any(password in first.output for password in files.values())
    assert {path.name: path.read_text().strip() for path in (tmp_path / "out").iterdir()} == files


@on_sqlite
def test_an_embedded_database_has_no_logins(data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On SQLite the command says that there are none, and makes no files."""
    monkeypatch.setenv("AMTSBRUECKE_DATA_DIR", str(data_dir))
    done = CliRunner().invoke(app, ["db", "logins", "--out", str(tmp_path / "out")])

    assert done.exit_code == USAGE
    assert not (tmp_path / "out").exists()


def test_the_server_gets_no_password() -> None:
    """What is sent is a SCRAM verifier with a salt of its own."""
    one, other = verifier("geheim"), verifier("geheim")

    assert one.startswith("SCRAM-SHA-256$4096:")
    assert "geheim" not in one
    assert one != other
