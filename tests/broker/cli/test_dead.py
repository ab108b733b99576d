"""``amtsbruecke dead``: what an operator sees and decides."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner, Result

from broker.cli.main import app
from tests.deployment import environment_of
from tests.flow.world import JOBCENTER, SOZIALAMT, open_kreis

UNKNOWN = "00000000-0000-4000-8000-000000000000"


def call(*words: str) -> Result:
    """Run ``amtsbruecke dead`` with these words."""
    return CliRunner().invoke(app, ["dead", *words])


async def two_dead(folder: Path) -> list[str]:
    """Let two transfers lie dead; return their ids."""
    async with open_kreis(folder) as kreis:
        jobcenter = await kreis.office(JOBCENTER)
        ids = [await jobcenter.accepted(SOZIALAMT, case_sender=f"BG-{n}") for n in range(2)]
        await kreis.pump()
        async with kreis.gateway.db.writing() as connection:
            await connection.execute(text("UPDATE transfers SET state = 'dead'"))
    return ids


@pytest.fixture
def letters(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Give two dead letters, and the service's settings to the command."""
    for name, value in environment_of(data_dir, "dead").items():
        monkeypatch.setenv(name, value)
    return asyncio.run(two_dead(data_dir))


def test_pages_of_the_list_follow_each_other(letters: list[str]) -> None:
    """With --json each page names the next; a bad cursor is explained."""
    first = json.loads(call("list", "--json", "--limit", "1").stdout)
    second = json.loads(call("list", "--json", "--cursor", first["next_cursor"]).stdout)

    assert [item["transfer_id"] for item in first["items"] + second["items"]] == letters
    assert second["next_cursor"] is None
    assert "Cursor" in call("list", "--cursor", "x").stderr
    assert all(one in call("list").stdout for one in letters)


def test_an_agency_that_is_not_in_the_directory_is_no_empty_list(letters: list[str]) -> None:
    """A mistyped id is told, with those like it; an agency without dead letters has an empty list."""
    mistyped, strange = call("list", "--agency", "sozialamt-herte"), call("list", "--agency", "nope")
    right = call("list", "--agency", SOZIALAMT.partition(":")[0])
    other = call("list", "--agency", JOBCENTER.partition(":")[0])

    assert (mistyped.exit_code, "sozialamt-herten" in mistyped.stderr) == (2, True)
    assert (strange.exit_code, "„nope“ steht nicht im Verzeichnis" in strange.stderr) == (2, True)
    assert all(one in right.stdout for one in letters)
    assert (other.exit_code, other.stdout.strip()) == (0, "Keine tote Übermittlung.")


def test_operator_decides(letters: list[str]) -> None:
    """Retried and discarded ones are off the list; a reason is demanded, and what is not dead is explained."""
    without = call("discard", letters[0])
    done = [call("release", letters[0], "--reason", "EILIG"), call("discard", letters[0], "--reason", "IRRTUM")]
    done.append(call("retry", letters[1]))
    again = call("retry", letters[1])

    assert (without.exit_code, "--reason" in without.stderr) == (2, True)
    assert [one.exit_code for one in done] == [0, 0, 0], [one.output for one in done]
    assert (again.exit_code, "published" in again.stderr) == (1, True)
    assert call("list").stdout.strip() == "Keine tote Übermittlung."
    assert call("show", UNKNOWN).exit_code == 1


def test_one_is_shown_with_its_history(letters: list[str]) -> None:
    """Show gives state and history, as text and as JSON."""
    shown = json.loads(call("show", letters[0], "--json").stdout)

    assert [event["state"] for event in shown["history"]] == ["accepted", "published"]
    assert letters[0] in call("show", letters[0]).stdout
