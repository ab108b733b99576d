"""The command line as a whole: every command helps, in German, and ends with a status that scripts can use."""

from __future__ import annotations

import re
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from broker.cli.main import app
from broker.config import Settings, WrongSettings
from schemas.examples import EXAMPLE_TYPES
from schemas.xml import validate, validate_quittung
from tests.deployment import DATABASE, environment_of, surroundings

ROOT = Path(__file__).resolve().parents[3]
CASES = ROOT / "tests" / "consent" / "cases" / "mode.yaml"
SECONDS = 60


def commands(group: Any, *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every command and group with the words that call it."""
    yield path, group
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, *path, name)


TREE = dict(commands(typer.main.get_command(app)))
GROUPS = [path for path, command in TREE.items() if hasattr(command, "commands")]


def call(*words: str) -> Result:
    """Run ``amtsbruecke`` with these words."""
    return CliRunner().invoke(app, list(words))


def is_german(text: str) -> bool:
    """Whether a text has none of the words that every English sentence has."""
    return not re.search(r"\b(the|and|of|for|with|is|are|to|all)\b", text)


@pytest.mark.parametrize("path", TREE, ids=" ".join)
def test_every_command_helps(path: tuple[str, ...]) -> None:
    """--help says in German what the command and each of its options is for, and ends with 0."""
    result = call(*path, "--help")
    command = TREE[path]

    assert result.exit_code == 0, result.output
    assert command.help
    assert is_german(command.help), command.help
    for parameter in command.params:
        told = getattr(parameter, "help", None)
        assert told, parameter.name
        if parameter.name != "help":
            assert is_german(told), told


@pytest.mark.parametrize("path", GROUPS, ids=" ".join)
def test_a_group_alone_lists_its_commands(path: tuple[str, ...]) -> None:
    """Whoever types too little is shown what there is."""
    output = call(*path).output

    assert all(name in output for name in TREE[path].commands)


def test_an_unknown_command_ends_with_2() -> None:
    """A mistyped command is an error of use."""
    assert call("senden").exit_code == 2


@pytest.mark.parametrize("message_type", EXAMPLE_TYPES)
def test_an_example_is_valid_and_new(message_type: str, tmp_path: Path) -> None:
    """`message example` prints a message that `message validate` and the gateway's own gate take, each time anew."""
    one, other = call("message", "example", message_type), call("message", "example", message_type)
    file = tmp_path / "example.xml"
    file.write_text(one.stdout, encoding="utf-8")
    checked = call("message", "validate", str(file))

    assert one.exit_code == checked.exit_code == 0
    assert one.stdout != other.stdout
    assert "gültig" in checked.stdout
    (validate if message_type == "uebermittlung" else validate_quittung)(one.stdout.encode())


def test_an_unknown_example_names_the_known_ones() -> None:
    """A type without an example ends with 2 and says which there are."""
    result = call("message", "example", "brief")

    assert result.exit_code == 2
    assert all(name in result.stderr for name in EXAMPLE_TYPES)


def test_validate_tells_every_fault_and_ends_with_1(tmp_path: Path) -> None:
    """One bad file among good ones is told with line, path and rule, and makes the status 1."""
    good, bad, other = tmp_path / "good.xml", tmp_path / "bad.xml", tmp_path / "other.xml"
    text = call("message", "example", "uebermittlung").stdout
    good.write_text(text, encoding="utf-8")
    bad.write_text(text.replace("<zweck>", "<zwekk>").replace("</zweck>", "</zwekk>"), encoding="utf-8")
    other.write_text("<brief/>", encoding="utf-8")
    result = call("message", "validate", str(good), str(bad), str(other))

    assert result.exit_code == 1
    assert f"{good}: gültig" in result.stdout
    assert re.search(r"Zeile \d+, /uebermittlung/grundlage", result.stdout)
    assert "bekannt: " in result.stdout


def test_show_gives_the_outline(tmp_path: Path) -> None:
    """`message show` names sender, purpose and each block with its category; what is invalid ends with 1."""
    file = tmp_path / "message.xml"
    file.write_text(call("message", "example", "uebermittlung").stdout, encoding="utf-8")
    shown = call("message", "show", str(file))
    file.write_text("<kaputt", encoding="utf-8")
    broken = call("message", "show", str(file))

    assert shown.exit_code == 0
    assert all(word in shown.stdout for word in ("Zweck", "STAMMDATEN"))
    assert (broken.exit_code, broken.stdout) == (1, "")
    assert "ungültig" in broken.stderr


def test_show_says_that_a_quittung_has_no_outline(tmp_path: Path) -> None:
    """A valid message of another type is told apart, without a traceback."""
    file = tmp_path / "quittung.xml"
    file.write_text(call("message", "example", "quittung").stdout, encoding="utf-8")
    result = call("message", "show", str(file))

    assert (result.exit_code, type(result.exception)) == (1, SystemExit)
    assert "uebermittlung" in result.stderr


def test_law_check_ends_with_what_it_found(tmp_path: Path) -> None:
    """0: all cases as expected; 1: one differs; 2: a file is no case file, or the case to be explained is not there."""
    wrong, unreadable = tmp_path / "wrong.yaml", tmp_path / "unreadable.yaml"
    wrong.write_text(CASES.read_text(encoding="utf-8").replace("outcome: PERMIT", "outcome: DENY", 1), encoding="utf-8")
    unreadable.write_text("cases: [{id: X", encoding="utf-8")

    assert call("law", "check", str(CASES)).exit_code == 0
    assert call("law", "check", str(CASES), str(wrong)).exit_code == 1
    assert call("law", "check", str(unreadable)).exit_code == 2
    assert call("law", "check", str(CASES), "--explain", "nicht-da").exit_code == 2


def test_db_upgrade_makes_the_database_and_can_be_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder gets a database in the newest shape; the second time nothing is to be done."""
    monkeypatch.setenv("AMTSBRUECKE_DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "data").mkdir()
    results = [call("db", "upgrade") for _ in range(2)]
    with sqlite3.connect(tmp_path / "data" / DATABASE) as connection:
        version = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    connection.close()
    newest = max(path.name[:4] for path in (ROOT / "alembic" / "versions").glob("0*.py"))

    assert [result.exit_code for result in results] == [0, 0]
    assert version == [(newest,)]


def test_db_upgrade_makes_the_folder_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first command on a new machine need not be preceded by mkdir."""
    monkeypatch.setenv("AMTSBRUECKE_DATA_DIR", str(tmp_path / "new" / "data"))

    assert call("db", "upgrade").exit_code == 0
    assert (tmp_path / "new" / "data" / DATABASE).is_file()


def test_serving_on_a_taken_port_says_so_and_ends(data_dir: Path) -> None:
    """Where another program has the port, `serve` ends with an error that names it, and without a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        environment = surroundings() | environment_of(data_dir)
        command = [sys.executable, "-m", "broker", "serve", "--port", str(port)]
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )

    assert done.returncode not in {0, None}
    assert str(port) in done.stderr
    assert "Traceback" not in done.stderr


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each setting has its variable with the prefix; what is out of bounds is refused at the start."""
    monkeypatch.setenv("AMTSBRUECKE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("AMTSBRUECKE_PORT", "9000")

    assert (Settings().port, Settings().data_dir) == (9000, tmp_path)
    monkeypatch.setenv("AMTSBRUECKE_PORT", "70000")
    with pytest.raises(WrongSettings, match="PORT"):
        Settings()
