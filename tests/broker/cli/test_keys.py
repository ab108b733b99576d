"""``amtsbruecke keys`` as an operator sees it."""

from __future__ import annotations

import asyncio
import base64
import json
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import Result
from sqlalchemy import update
from typer.testing import CliRunner

from broker.cli.keys import app
from broker.config import Settings
from broker.key_checks import KeyCheck
from broker.start import open_gateway


@pytest.fixture
def keys_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the commands work on a data directory."""
    monkeypatch.setenv("AMTSBRUECKE_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data" / "keys"


def run(*words: str) -> Result:
    """Run ``amtsbruecke keys``."""
    return CliRunner().invoke(app, list(words))


def grown_old(folder: Path) -> None:
    """Let all keys on record be used from fifteen days earlier on."""

    async def change() -> None:
        async with open_gateway(Settings(data_dir=folder.parent)) as gateway, gateway.db.writing() as connection:
            for row in (await connection.execute(KeyCheck.__table__.select())).all():
                earlier = row.used_from - timedelta(days=15)
                same = (KeyCheck.purpose == row.purpose, KeyCheck.kid == row.kid)
                await connection.execute(update(KeyCheck).where(*same).values(used_from=earlier))

    asyncio.run(change())


def test_show_names_keys_and_no_secret(keys_dir: Path) -> None:
    """Each key with since when, what hangs on it and whether its file is here; as JSON too."""
    first = run("show")
    run("rotate", "sealing")
    both = run("show", "--json")
    secrets = {json.loads(path.read_text())["key"] for path in keys_dir.glob("sealing-*.json")}

    assert first.exit_code == both.exit_code == 0
    assert "sealing-1" in first.output
    assert "0 Übermittlungen, 0 Ersuchen" in first.output
    assert [(key["kid"], key["verdict"], key["here"]) for key in json.loads(both.output)] == [
        ("2", "next", True),
        ("1", "in-use", True),
    ]
    assert len(secrets) == 2
    for secret in secrets:
        for form in (secret, base64.b64decode(secret).hex()):
            assert form not in first.output + both.output


def test_rotate_says_where_the_file_lies_and_from_when_it_counts(keys_dir: Path) -> None:
    """Said twice it is the same key; one that is wanted at once is another and counts earlier."""
    said = [run("rotate", "sealing").output for _ in range(2)]
    soon = run("rotate", "sealing", "--at-once").output

    assert said[0] == said[1]
    assert str(keys_dir / "sealing-2.json") in said[0]
    assert "sealing-3.json" in soon
    assert sorted(path.name for path in keys_dir.glob("sealing-*")) == [f"sealing-{n}.json" for n in (1, 2, 3)]


def test_prune_deletes_what_is_over_and_says_what_it_would_do(keys_dir: Path) -> None:
    """A dry run changes nothing and says the same; what is in use stays."""
    run("rotate", "sealing")
    young = run("prune", "sealing")
    grown_old(keys_dir)
    run("rotate", "sealing", "--at-once")
    dry = run("prune", "sealing", "--dry-run").output
    before = sorted(path.name for path in keys_dir.glob("sealing-*"))
    done = run("prune", "sealing").output
    after = sorted(path.name for path in keys_dir.glob("sealing-*"))

    assert "sealing-1        ab" in young.output
    assert "in Gebrauch" in young.output
    assert before == ["sealing-1.json", "sealing-2.json", "sealing-3.json"]
    assert after == before[1:]
    assert "sealing-1        würde gelöscht" in dry
    assert "sealing-1        gelöscht" in done
    assert "sealing-1        gelöscht" not in run("prune", "sealing").output


def test_after_a_loss_the_next_key_gets_a_new_number(keys_dir: Path) -> None:
    """Without the newest file the command says where to go; told that it is lost, it makes one of the next number."""
    run("show")
    (keys_dir / "sealing-1.json").rename(keys_dir.parent / "away")
    (keys_dir / "sealing-0.json").touch(mode=0o600)
    (keys_dir / "sealing-0.json").write_text((keys_dir.parent / "away").read_text().replace('"1"', '"0"'))
    refused = run("rotate", "sealing")
    made = run("rotate", "sealing", "--lost")

    assert refused.exit_code != 0
    assert "sealing-1.json liegt nicht" in str(refused.exception)
    assert "sealing-2.json" in made.output


def test_other_purposes_are_not_rotated_by_command(keys_dir: Path) -> None:
    """`pseudonym` is changed by hand, with thought: the command refuses it."""
    assert run("rotate", "pseudonym").exit_code == 2
    assert run("prune", "pseudonym").exit_code == 2
    assert not keys_dir.exists()
