"""``amtsbruecke duties``: what is still to be done."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from broker.cli.main import app
from tests.deployment import environment_of
from tests.flow.world import JOBCENTER, SOZIALAMT, open_kreis


def call(*words: str) -> Result:
    """Run ``amtsbruecke duties`` with these words."""
    return CliRunner().invoke(app, ["duties", *words])


async def two_handed_over(folder: Path) -> list[str]:
    """Hand two transfers over; return their ids."""
    async with open_kreis(folder) as kreis:
        jobcenter = await kreis.office(JOBCENTER)
        ids = [await jobcenter.accepted(SOZIALAMT, case_sender=f"BG-{n}") for n in range(2)]
        await kreis.pump()
        for item in await (await kreis.office(SOZIALAMT)).inbox():
            await (await kreis.office(SOZIALAMT)).answer(item)
        await (await kreis.office(SOZIALAMT)).inbox()
    return ids


@pytest.fixture
def owed(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Give two transfers that oblige, and the service's settings to the command."""
    for name, value in environment_of(data_dir, "duties").items():
        monkeypatch.setenv(name, value)
    return asyncio.run(two_handed_over(data_dir))


def test_the_list_names_what_is_owed(owed: list[str]) -> None:
    """Pages follow each other; filters are kept; a bad cursor is explained."""
    first = json.loads(call("list", "--json", "--limit", "1").stdout)
    second = json.loads(call("list", "--json", "--cursor", first["next_cursor"]).stdout)
    found = [item["transfer_id"] for item in first["items"] + second["items"]]

    assert sorted(found) == sorted(owed)
    assert second["next_cursor"] is None
    assert {item["duty"] for item in first["items"]} == {"INFO_EMPFAENGER"}
    assert "Cursor" in call("list", "--cursor", "x").stderr
    assert all(one in call("list", "--agency", "sozialamt-herten").stdout for one in owed)
    assert "Keine solche Pflicht." in call("list", "--agency", "jobcenter-kreis-re").stdout
    assert "Keine solche Pflicht." in call("list", "--due-before", "2026-01-01").stdout
    assert "Weiter mit --cursor" in call("list", "--limit", "1").stdout
