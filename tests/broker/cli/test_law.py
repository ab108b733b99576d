"""``amtsbruecke law``: the catalogue read, compared and put in force by an operator."""

from __future__ import annotations

import asyncio
import json
from datetime import date, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from broker.cli.main import app
from broker.clock import day_of, system_clock
from consent.book.entries import entries_of
from consent.catalogue import RULES, load_catalogue
from tests.broker.law.variants import folder_with
from tests.deployment import environment_of
from tests.flow.world import JOBCENTER, SOZIALAMT, open_kreis
from tests.world import on_sqlite

KITA = 'name = "Elternbeitrag für die Kita"'
NEEDED = """"STAMMDATEN", "ORDNUNGSMERKMAL", "ANSCHRIFT", "FAMILIENSTAND", "HAUSHALT", "LEISTUNGSBEZUG",
    "LEISTUNGSHOEHE", """


def call(*words: str) -> Result:
    """Run ``amtsbruecke law`` with these words."""
    return CliRunner().invoke(app, ["law", *words], terminal_width=120)


@pytest.fixture(autouse=True)
def settings(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the service's settings to the command."""
    for name, value in environment_of(data_dir, "law").items():
        monkeypatch.setenv(name, value)
    return data_dir


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """Give a folder with a catalogue in which a purpose has another name, and a route needs less."""
    changes = {("purposes.toml", KITA): 'name = "Kita-Beitrag"'}
    changes[("necessity.toml", NEEDED)] = NEEDED.replace('"LEISTUNGSHOEHE", ', "")
    return folder_with(tmp_path / "other", changes)


async def queue(folder: Path) -> None:
    """Leave a transfer that waits."""
    async with open_kreis(folder) as kreis:
        kreis.clock.goes = True
        await (await kreis.office(JOBCENTER)).accepted(SOZIALAMT)


@on_sqlite
def test_law_is_shown_without_a_database_and_makes_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who only reads gets the shipped catalogue, and no database is made for it."""
    monkeypatch.setenv("AMTSBRUECKE_DATA_DIR", str(tmp_path / "none"))
    shown = call("show", "--purpose", "KITA_BEITRAG")

    assert shown.exit_code == 0
    assert "Keine Rechtsberatung." in shown.stdout
    assert "Von jeder Sozialbehörde an „Jugendamt (Kita-Stelle)“" in " ".join(shown.stdout.split())
    assert "Stand 2018/19" in call("show").stdout
    assert not (tmp_path / "none").exists()


@on_sqlite
def test_rows_are_chosen_and_given_as_json() -> None:
    """By norm and day; --json has the same rows as the API; an unknown purpose and a bad folder are explained."""
    rows = json.loads(call("show", "--norm", "§ 79 SGB X", "--json").stdout)
    early = json.loads(call("show", "--on", "2018-05-24", "--json").stdout)
    unknown = call("show", "--purpose", "NICHTS")

    assert {row["table"] for row in rows["items"]} >= {"procedure", "parameter", "gate", "code"}
    assert rows["fingerprint"] == load_catalogue().fingerprint
    assert early["items"] == []
    assert (unknown.exit_code, "Er kennt:" in unknown.stderr) == (1, True)


@on_sqlite
def test_fingerprint_is_that_of_the_bytes(other: Path, tmp_path: Path) -> None:
    """Of the shipped catalogue and of a folder; a folder that is none is refused with file and fault."""
    broken = folder_with(tmp_path / "broken", {("units.toml", "par35 = true"): 'par35 = "ja"'})
    refused = call("fingerprint", str(broken))

    assert (
        call("fingerprint").stdout.strip()
        == load_catalogue().fingerprint
        == call("fingerprint", str(RULES)).stdout.strip()
    )
    assert call("fingerprint", str(other)).stdout.strip() == load_catalogue(other).fingerprint
    assert (refused.exit_code, "units.toml, Zeile 4 ([[unit]] 1)" in refused.stderr) == (1, True)


@on_sqlite
def test_catalogues_are_compared_field_by_field(other: Path) -> None:
    """Each changed row is named with what it said and what it says, in German and as JSON."""
    told = " ".join(call("diff", "mitgeliefert", str(other)).stdout.split())
    found = json.loads(call("diff", "mitgeliefert", str(other), "--json").stdout)
    same = call("diff", str(RULES), "mitgeliefert")

    assert "0 neu, 0 entfallen, 3 geändert." in told
    assert "~ Geändert: Zweck: Kita-Beitrag" in told
    assert "Name A: Elternbeitrag für die Kita B: Kita-Beitrag" in told
    assert "Leistungshöhe" in told
    assert len(found["changed"]) == 3
    assert "Die Zeilen sagen dasselbe." in same.stdout
    assert call("diff", "mitgeliefert", "nirgends").exit_code == 1


def test_a_catalogue_is_put_in_force(settings: Path, other: Path) -> None:
    """Seen first, done with --yes alone; then it is what counts from its day, by day and by fingerprint."""
    asyncio.run(queue(settings))
    today = day_of(system_clock())
    day = (today + timedelta(days=3)).isoformat()
    looked = call("activate", str(other), "--from", day)
    done = call("activate", str(other), "--from", day, "--yes")
    again = call("activate", str(other), "--from", day, "--yes")
    new = load_catalogue(other).fingerprint
    shown = [json.loads(call("show", "--json", "--on", str(one)).stdout)["fingerprint"] for one in (today, day)]
    compared = " ".join(call("diff", today.isoformat(), day).stdout.split())

    assert (looked.exit_code, done.exit_code, again.exit_code) == (1, 0, 0)
    assert "1 Übermittlungen" in looked.stdout
    assert "Jobcenter → Sozialamt (SGB XII): 1 warten, 1 fallen (1 NICHT_ERFORDERLICH)" in looked.stdout
    assert "Mit --yes" in looked.stderr
    assert "In Kraft gesetzt." in done.stdout
    assert "nichts geändert" in again.stdout
    assert shown == [load_catalogue().fingerprint, new]
    assert f"A: Stand vom {today:%d.%m.%Y}" in compared
    assert "geändert." in compared
    assert call("diff", new[:12], "mitgeliefert").exit_code == 0


def test_what_cannot_be_put_in_force_is_told(settings: Path, other: Path, tmp_path: Path) -> None:
    """A day in the past and a folder with a fault are refused, and nothing is recorded."""
    asyncio.run(queue(settings))
    past = call("activate", str(other), "--from", "2026-01-01", "--yes")
    broken = folder_with(tmp_path / "broken", {("units.toml", "par35 = true"): 'par35 = "ja"'})
    faulty = call("activate", str(broken), "--from", "2099-01-01", "--yes")
    later = json.loads(call("show", "--json", "--on", "2099-12-31").stdout)

    assert (past.exit_code, "Vergangenheit" in past.stderr) == (1, True)
    assert (faulty.exit_code, "par35" in faulty.stderr) == (1, True)
    assert later["fingerprint"] == load_catalogue().fingerprint
    assert date(2099, 12, 31).isoformat() == later["on"]
    assert len(later["items"]) == sum(e.row.valid.covers(date(2099, 12, 31)) for e in entries_of(load_catalogue()))
