"""Each command under the login that docs/operations.md names for it: PostgreSQL refuses none of them anything."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from sqlalchemy import text
from typer.testing import CliRunner

from broker.audit.sequencer import Sealer
from broker.cli.main import app
from consent.catalogue import load_catalogue
from tests.broker.law.variants import folder_with
from tests.deployment import environment_of, process_of, surroundings
from tests.flow.world import JOBCENTER, SOZIALAMT, open_kreis
from tests.house.source import ROOT
from tests.world import DIRECTORY, on_postgresql

pytestmark = on_postgresql
#: Command lines in an order in which each finds something to do; `{…}` is filled in.
LINES = (
    "directory load {directory}",
    "directory show",
    "client add --instance {sozialamt} --out {out}",
    "client list",
    "client encryption-key {client} --out {out}",
    "client revoke {client}",
    "topics acl",
    "duties list",
    "dead list",
    "dead list --agency sozialamt-herten",
    "dead show {first}",
    "dead release {first} --reason EILIG",
    "dead discard {first} --reason IRRTUM",
    "dead retry {second}",
    "law show",
    "law diff mitgeliefert 2026-01-01",
    "law activate {law} --from 2099-01-01",
    "law activate {law} --from 2099-01-01 --yes",
    "law replay --since 2026-01-01",
    "audit key",
    "audit export --to {out}/export",
    "audit verify",
    "audit erase --reason ANTRAG --transfer {first} --dry-run",
    "audit erase --reason ANTRAG --transfer {first}",
    "keys show",
    "keys rotate sealing",
    "keys prune sealing --dry-run",
    "keys prune sealing",
    "cleanup --once --dry-run",
    "cleanup --once",
    "db upgrade",
)
#: It says what it would do.
ENDS_WITH = {"law activate {law} --from 2099-01-01": 1}
#: No database is asked; or Kafka is, after the look at the directory that `topics acl` has too; or they run on: the
#: roles are started under their logins elsewhere, and `db logins` is the owner's.
OTHERS = {
    *("message validate", "message show", "message example", "law fingerprint", "law check", "client token"),
    *("topics apply", "topics show", "topics asyncapi", "run", "serve", "relay", "deliver", "seal", "db logins"),
}


@pytest.fixture
def filled(data_dir: Path, tmp_path: Path) -> dict[str, str]:
    """Leave two dead letters, a duty and sealed evidence; return what the command lines name."""

    async def fill() -> list[str]:
        async with open_kreis(data_dir) as kreis:
            jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
            ids = [await jobcenter.accepted(SOZIALAMT, case_sender=f"BG-{n}") for n in range(3)]
            await kreis.pump()
            [item, *_] = await sozialamt.inbox()
            await sozialamt.answer(item)
            dead = [one for one in ids if one != item["transfer_id"]]
            async with kreis.gateway.db.writing() as connection:
                query = text("UPDATE transfers SET state = 'dead' WHERE id = ANY(:ids)")
                await connection.execute(query, {"ids": dead})
            await jobcenter.accepted(SOZIALAMT, case_sender="BG-3")
            sealer = Sealer(kreis.gateway, "one")
            await sealer.seal()
            await sealer.stop()
            client = sozialamt.client.client_id
        return [*dead, client]

    first, second, client = asyncio.run(fill())
    (tmp_path / "out").mkdir()
    given = {"first": first, "second": second, "client": client, "out": tmp_path / "out", "sozialamt": SOZIALAMT}
    given |= {"law": ROOT / "consent" / "rules", "directory": DIRECTORY}
    return {name: str(value) for name, value in given.items()}


def leaves(command: Any, *words: str) -> Iterator[str]:
    """Give the words of each command."""
    if not hasattr(command, "commands"):
        yield " ".join(words)
    for name, one in getattr(command, "commands", {}).items():
        yield from leaves(one, *words, name)


def test_every_command_may_do_its_work(data_dir: Path, filled: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command line ends as it should under its login."""
    unexpected = {}
    for line in LINES:
        words = line.format(**filled).split()
        for name, value in (environment_of(data_dir, *words) | {"AMTSBRUECKE_KAFKA_BOOTSTRAP": "127.0.0.1:1"}).items():
            monkeypatch.setenv(name, value)
        done = CliRunner().invoke(app, words)
        if done.exit_code != ENDS_WITH.get(line, 0):
            unexpected[line] = (process_of(*words), done.exit_code, done.output[-300:], repr(done.exception)[-300:])

    assert unexpected == {}
    every = set(leaves(typer.main.get_command(app)))
    assert {one for one in every if any(f"{line} ".startswith(f"{one} ") for line in LINES)} == every - OTHERS


def run(folder: Path, where: Path, *words: str, login: str = "") -> tuple[int, str]:
    """Run a command as a process of its own in a folder, under its login or another's; return status and output."""
    given = surroundings() | environment_of(folder, *((login,) if login else words))
    done = subprocess.run(
        [sys.executable, "-m", "broker", *words], cwd=where, env=given, capture_output=True, check=False
    )
    return done.returncode, (done.stdout + done.stderr).decode()


def test_another_law_comes_into_force_under_the_narrow_logins(
    data_dir: Path, filled: dict[str, str], tmp_path: Path
) -> None:
    """As real processes: `law activate` keeps it and lets it count, `law replay` reads it back, neither the other's."""
    assert filled
    new = load_catalogue(folder_with(tmp_path / "law", {}, remark="another")).fingerprint
    activating = ("law", "activate", "law", "--from", "2099-01-01")
    looked, done = run(data_dir, tmp_path, *activating), run(data_dir, tmp_path, *activating, "--yes")
    shown = run(data_dir, tmp_path, "law", "show", "--on", "2099-01-01")
    replayed = run(data_dir, tmp_path, "law", "replay", "--since", "2026-01-01", "--catalogue", new)
    refused = run(data_dir, tmp_path, *activating, "--yes", login="replay")

    assert (looked[0], done[0], "In Kraft gesetzt." in done[1]) == (1, 0, True), (looked, done)
    assert (shown[0], f"Regelkatalog {new}" in shown[1]) == (0, True), shown
    assert replayed[0] == 0, replayed
    assert (refused[0], "amtsbruecke db logins" in refused[1], "Traceback" in refused[1]) == (78, True, False), refused


def test_another_login_is_told_whose_command_it_is(
    data_dir: Path, filled: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under the login of another process a command does nothing, and says which role it needs."""
    for line, other in (("dead list", "relay"), ("dead retry {second}", "cleanup"), ("keys show", "admin")):
        for name, value in environment_of(data_dir, other if other in {"relay", "cleanup"} else "dead").items():
            monkeypatch.setenv(name, value)
        done = CliRunner().invoke(app, line.format(**filled).split())

        assert done.exit_code, line
        assert "amtsbruecke db logins" in str(done.exception), (line, done.exception)
