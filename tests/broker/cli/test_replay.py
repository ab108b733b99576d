"""``amtsbruecke law replay``: what it prints, and how it ends."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from sqlalchemy import insert, select
from typer.testing import CliRunner, Result

from broker.cli.main import app
from broker.cli.replay import DIFFERS, NOT_ALL, UNUSABLE
from broker.transfers.models import DecisionRow
from consent.catalogue import load_catalogue
from schemas.identifiers import DataCategory
from tests.broker.law.variants import folder_with
from tests.deployment import environment_of
from tests.flow.world import ASD, JOBCENTER, SOZIALAMT, open_kreis, person

MARKER = "Quarzsand"
LIST = '"LEISTUNGSHOEHE", "EINKOMMEN", "UNTERKUNFT", "KRANKENVERSICHERUNG", "ERWERBSFAEHIGKEIT",'
ROUTE = "JOBCENTER → SOZIALAMT_SGBXII"


def call(*words: str, since: str = "2026-03-16") -> Result:
    """Run ``amtsbruecke law replay`` with these words."""
    return CliRunner().invoke(app, ["law", "replay", "--since", since, *words])


async def decide(folder: Path) -> None:
    """Let two transfers be decided, one yes and one no."""
    async with open_kreis(folder) as kreis:
        jobcenter = await kreis.office(JOBCENTER)
        await jobcenter.accepted(SOZIALAMT, persons=[person(family=MARKER)])
        await jobcenter.submit(ASD, [DataCategory.STAMMDATEN], persons=[person(family=MARKER)])


async def store_again(folder: Path, **changes: str) -> None:
    """Store the first permit once more, with changes."""
    async with open_kreis(folder) as kreis, kreis.gateway.db.writing() as connection:
        query = select(DecisionRow.__table__).where(DecisionRow.outcome == "PERMIT")
        row = (await connection.execute(query)).mappings().first()
        assert row is not None
        await connection.execute(insert(DecisionRow), [{**row, "id": "0" * 36, **changes}])


@pytest.fixture
def folder(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a service that has decided, and its settings to the command."""
    for name, value in environment_of(data_dir, "law", "replay").items():
        monkeypatch.setenv(name, value)
    asyncio.run(decide(data_dir))
    return data_dir


def summary(result: Result) -> dict[str, object]:
    """Return the last line of JSON."""
    found: dict[str, object] = json.loads(result.stdout.splitlines()[-1])["summary"]
    return found


def test_all_the_same_ends_with_0(folder: Path) -> None:
    """Each decision comes out as it is stored; a later day or another agency has none."""
    assert folder.exists()
    whole, later = call(), call(since="2026-03-17")

    assert (whole.exit_code, later.exit_code) == (0, 0)
    assert "gleich: 2" in whole.stdout
    assert "gleich: 0" in later.stdout
    assert summary(call("--json", "--agency", "jugendamt-herten"))["same"] == 1
    assert summary(call("--json", "--purpose", "BUT"))["same"] == 0
    assert summary(call("--json", "--until", "2026-03-16"))["same"] == 2


def test_a_difference_is_named_and_ends_with_1(folder: Path) -> None:
    """The id, what differs, and nothing of the person; in JSON each in a line of its own."""
    asyncio.run(store_again(folder, outcome="DENY", code="PAR65"))
    plain, lines = call(), call("--json")
    first = json.loads(lines.stdout.splitlines()[0])

    assert (plain.exit_code, lines.exit_code) == (DIFFERS, DIFFERS)
    assert f"{'0' * 36}  RECHTSKREISWECHSEL  {ROUTE}  anders  DENY PAR65 → PERMIT" in plain.stdout
    assert "outcome: DENY → PERMIT" in plain.stdout
    assert (first["decision"], first["result"]) == ("0" * 36, "differs")
    assert {"part": "code", "then": ["PAR65"], "now": [""]} in first["differences"]
    assert summary(lines)["differs"] == 1
    assert MARKER not in plain.output + lines.output


def test_what_cannot_be_read_ends_with_3(folder: Path) -> None:
    """A decision whose catalogue is not kept is named."""
    asyncio.run(store_again(folder, catalogue="f" * 64))
    result = call()

    assert result.exit_code == NOT_ALL
    assert "0" * 36 in result.stdout
    assert "nicht lesbar (Fakten oder Katalog): 1" in result.stdout


def test_another_engine_does_not_change_the_end(folder: Path) -> None:
    """What another version decided is counted apart."""
    asyncio.run(store_again(folder, engine_version="1", code="PAR65"))
    result = call()

    assert result.exit_code == 0
    assert "    Version 1, heute anders: 1" in result.stdout
    assert summary(call("--json"))["engines"] == [{"engine_version": "1", "differs": True, "decisions": 1}]


def test_another_catalogue_is_tried_in_the_shadow(folder: Path, tmp_path: Path) -> None:
    """Counts by purpose and route, ids only when asked for; its own catalogue changes nothing."""
    assert folder.exists()
    other = folder_with(tmp_path / "law", {("necessity.toml", LIST): LIST.replace('"LEISTUNGSHOEHE", ', "")})
    counted, named = call("--catalogue", str(other)), call("--catalogue", str(other), "--ids", "--json")
    own = call("--catalogue", load_catalogue().fingerprint[:12])

    assert counted.exit_code == DIFFERS
    assert f"RECHTSKREISWECHSEL  {ROUTE}  PERMIT → PERMIT_REDUCED  1" in counted.stdout
    assert not [line for line in counted.stdout.splitlines() if line.startswith("    ")]
    assert json.loads(named.stdout.splitlines()[0])["change"] == "PERMIT → PERMIT_REDUCED"
    assert (own.exit_code, "anders: 0" in own.stdout) == (0, True)


def test_what_is_no_catalogue_ends_with_2(folder: Path, tmp_path: Path) -> None:
    """A folder without a law, an unknown fingerprint and too short a one are explained."""
    assert folder.exists()
    for name in (str(tmp_path), "f" * 64, load_catalogue().fingerprint[:4]):
        result = call("--catalogue", name)
        assert (result.exit_code, result.stderr.startswith("Nichts entschieden.")) == (UNUSABLE, True), name
