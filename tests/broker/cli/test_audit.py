"""``amtsbruecke audit`` as operator and officer see it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import Result
from sqlalchemy import text
from typer.testing import CliRunner

from broker.audit.events import AuditEvent
from broker.audit.log import append
from broker.audit.sequencer import Sealer
from broker.cli.audit import app
from broker.clock import system_clock
from broker.config import Settings
from broker.start import open_gateway
from tests.broker.audit.exported import Log, note, promise, vkey

LOG = Log().add(3).add(2)


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the commands work on a data directory with a sealed log of four entries."""
    folder = tmp_path / "data"
    monkeypatch.setenv("AMTSBRUECKE_DATA_DIR", str(folder))

    async def fill() -> None:
        async with open_gateway(Settings(data_dir=folder)) as gateway:
            async with gateway.db.writing() as connection:
                events = [AuditEvent("client.added", "operator:*", side={"client_id": "c-1"})] * 4
                await append(connection, events, system_clock())
            await Sealer(gateway, "test").seal()

    asyncio.run(fill())
    return folder


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Give the file of an export."""
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"".join(LOG.lines()))
    return path


@pytest.fixture
def no_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let any look for a database or keys fail: their place is a file."""
    (tmp_path / "nothing").touch()
    monkeypatch.setenv("AMTSBRUECKE_DATA_DIR", str(tmp_path / "nothing"))


def run(*words: object) -> Result:
    """Run ``amtsbruecke audit``."""
    return CliRunner().invoke(app, [str(word) for word in words])


def test_a_database_is_exported_verified_and_shows_its_key(data_dir: Path, tmp_path: Path) -> None:
    """The file is for its owner alone and verifies with the key that is shown; so does the database itself."""
    file = tmp_path / "out.jsonl"
    written = run("export", "--to", file)
    key = run("key").stdout.strip()
    checked, direct = run("verify", file, "--key", key), run("verify")

    assert (data_dir.is_dir(), written.exit_code, file.stat().st_mode & 0o077) == (True, 0, 0)
    assert (checked.exit_code, checked.stdout.splitlines()[-1]) == (0, "Alles stimmt.")
    assert checked.stdout.startswith("4 Einträge, 1 Prüfpunkte nachgerechnet; 4 Nebendaten")
    assert direct.exit_code == 0
    assert "--checkpoint von anderswo" in direct.stdout


@pytest.mark.usefixtures("data_dir")
def test_an_entry_that_was_kept_from_being_sealed_is_named() -> None:
    """Whoever takes an entry out of the queue keeps it out of the log: the database's own check says which it is."""

    async def hide() -> str:
        async with open_gateway() as gateway, gateway.db.writing() as connection:
            events = [AuditEvent("client.revoked", "operator:*"), AuditEvent("client.added", "operator:*")]
            first, _ = await append(connection, events, system_clock())
            await connection.execute(text("DELETE FROM audit_pending WHERE seq = (SELECT min(seq) FROM audit_pending)"))
            return first

    hidden = asyncio.run(hide())
    result = run("verify")

    assert result.exit_code == 1
    assert [line.split(":")[:2] for line in result.stdout.splitlines() if line.startswith("ABWEICHUNG")] == [
        ["ABWEICHUNG", f" Kennung {hidden}"]
    ]


@pytest.mark.usefixtures("data_dir")
def test_an_export_is_on_record(tmp_path: Path) -> None:
    """The entry about the export is written before anything is shown."""
    run("export", "--to", tmp_path / "one.jsonl", "--no-side")

    async def events() -> list[str]:
        async with open_gateway() as gateway:
            await Sealer(gateway, "test").seal()
        run_again = await asyncio.to_thread(run, "export", "--to", tmp_path / "two.jsonl")
        assert run_again.exit_code == 0
        lines = [json.loads(line) for line in (tmp_path / "two.jsonl").read_text().splitlines()]
        return [line["entry"]["event"] for line in lines if "entry" in line]

    assert asyncio.run(events()) == ["client.added"] * 4 + ["audit.exported"]


@pytest.mark.usefixtures("no_database")
def test_verifying_a_file_needs_no_database(file: Path, tmp_path: Path) -> None:
    """With key, checkpoint and promises from elsewhere everything is judged."""
    (tmp_path / "note").write_text(note(LOG.leaves()[:3]), encoding="utf-8")
    (tmp_path / "answer.json").write_text(json.dumps({"promise": promise("entry-1", LOG.leaves()[1])}))
    result = run(
        "verify", file, "--key", vkey(), "--checkpoint", tmp_path / "note", "--promise", tmp_path / "answer.json"
    )

    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, "Alles stimmt."), result.output
    assert "Zusagen: 1 gehalten" in result.stdout


@pytest.mark.usefixtures("no_database")
def test_the_first_difference_is_named_and_what_to_do(file: Path) -> None:
    """Index and id of the changed entry stand in the first line; the exit code is 1."""
    file.write_bytes(file.read_bytes().replace(b'"reference":"transfer-3"', b'"reference":"transfer-9"'))
    result = run("verify", file)

    assert result.exit_code == 1
    assert result.stdout.startswith("ABWEICHUNG: [Index 3, Kennung entry-3] ")
    assert "Datenschutzbeauftragten verständigen" in result.stdout


@pytest.mark.usefixtures("no_database")
def test_a_broken_promise_is_told(file: Path, tmp_path: Path) -> None:
    """A 202 whose entry is not in the log ends with exit code 1, though the log itself holds."""
    (tmp_path / "promises").write_text(promise("entry-9", LOG.leaves()[1]) + "\n")
    result = run("verify", file, "--promise", tmp_path / "promises")

    assert result.exit_code == 1
    assert result.stdout.startswith("ZUSAGE GEBROCHEN: Eintrag entry-9")


@pytest.mark.usefixtures("no_database")
def test_a_checkpoint_beyond_the_file_cannot_be_judged(file: Path, tmp_path: Path) -> None:
    """Exit code 3 says that nothing differs, but that a newer export is needed."""
    (tmp_path / "note").write_text(note(Log().add(9).leaves()), encoding="utf-8")
    result = run("verify", file, "--checkpoint", tmp_path / "note")

    assert result.exit_code == 3
    assert "Jetzt neu ausführen" in result.stdout


@pytest.mark.usefixtures("no_database")
@pytest.mark.parametrize("words", [("/nowhere/log",), ("{file}", "--key", "x"), ("{file}", "--promise", "/nowhere/p")])
def test_what_cannot_be_used_is_told_in_one_line(file: Path, words: tuple[str, ...]) -> None:
    """No file, no key, no promise: exit code 2 and one line, no traceback."""
    result = run("verify", *(word.replace("{file}", str(file)) for word in words))

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("Nicht geprüft: ")
    assert "Traceback" not in result.output


@pytest.mark.usefixtures("no_database")
def test_another_file_is_no_export(tmp_path: Path) -> None:
    """A file that is none is said to be none."""
    (tmp_path / "x").write_text("hello\n")
    assert run("verify", tmp_path / "x").exit_code == 2
    assert "kein Export" in run("verify", tmp_path / "x").stderr
