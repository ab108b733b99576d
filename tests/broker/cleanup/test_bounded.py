"""Years of use leave the tables no larger than one life of their rows: what grows for ever is the evidence alone."""

from __future__ import annotations

import re
from datetime import timedelta

import httpx
from sqlalchemy import text

from broker.audit.sequencer import Sealer
from broker.cleanup.role import clean_up
from broker.tables import METADATA
from tests.flow.test_stops import objection
from tests.flow.world import (
    FOLDER_AGENCY,
    JOBCENTER,
    SOZIALAMT,
    Kreis,
    Office,
    attempt_body,
    consent_body,
    ersuchen_body,
    person,
)
from tests.house.source import ROOT

YEARS = 1300
"""Days; longer than anything is kept."""
NAMES = ("Eins", "Zwei", "Drei", "Vier")
FOLDER = f"{FOLDER_AGENCY}:SOZIALAMT_SGBXII"


def kept_for_ever() -> set[str]:
    """Return the tables of which docs/operations.md says that nobody takes rows out."""
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([^|]+) \| [^|]+ \| (?:never|nobody)\b[^|]* \|$", page, re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`([a-z_]+)`", row)}


async def made(office: Office, what: str, body: dict[str, object]) -> str:
    """Record something; return its id."""
    answer = await office.post(f"/v1/{what}", body)
    assert answer.status_code == httpx.codes.CREATED, answer.text
    return str(answer.json()["id"])


async def ended(office: Office, path: str, body: dict[str, object] | None = None) -> None:
    """End what was recorded."""
    answer = await office.post(f"/v1/{path}", body)
    assert answer.is_success, answer.text


async def live(kreis: Kreis) -> None:
    """Let everything happen that makes rows: declared, carried, answered, stopped, recalled, left to expire."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    today, later = kreis.clock().date(), kreis.clock().date() + timedelta(days=45)
    consent = await made(jobcenter, "consents", consent_body(SOZIALAMT, "CASE_MANAGEMENT", ["KONTAKT"], person()))
    asked = ersuchen_body(JOBCENTER, person(family="Dritte"), frist=later.isoformat())
    ersuchen = await made(sozialamt, "ersuchen", asked)
    await made(sozialamt, "first-collections", attempt_body(person(family="Vierte")))
    ids = [await jobcenter.accepted(SOZIALAMT, persons=[person(family=name)]) for name in NAMES]
    await jobcenter.accepted(FOLDER)
    await kreis.pump()
    items = {item["transfer_id"]: item for item in await sozialamt.inbox(limit=2)}
    for item in items.values():
        await sozialamt.answer(item, "VERARBEITET")
    [recalled, _] = [one for one in ids if one not in items]
    await ended(jobcenter, f"transfers/{recalled}/recall")
    against = objection(person(family=NAMES[0]), datum=today.isoformat())
    stop = await made(jobcenter, "objections", against)
    await ended(jobcenter, f"objections/{stop}/end", {"grund": "IRRTUM"})
    await ended(jobcenter, f"consents/{consent}/withdrawal")
    await ended(sozialamt, f"ersuchen/{ersuchen}/close", {"grund": "ERLEDIGT"})
    await kreis.transport.keep_house()


async def sizes(kreis: Kreis) -> dict[str, int]:
    """Return how many rows each table has."""
    query = " UNION ALL ".join(f"SELECT '{name}', count(*) FROM \"{name}\"" for name in sorted(METADATA.tables))  # noqa: S608 - names of our own models
    async with kreis.gateway.db.reading() as connection:
        return {row[0]: row[1] for row in await connection.execute(text(query))}


async def test_tables_are_bounded(kreis: Kreis) -> None:
    """After each life and the years that its rows are kept as much is left as after the first one."""
    sealer, left = Sealer(kreis.gateway, "one"), []
    full: dict[str, int] = {}
    for _ in range(3):
        await live(kreis)
        full = await sizes(kreis)
        kreis.clock.move(days=YEARS)
        await clean_up(kreis.gateway)
        await clean_up(kreis.gateway)  # what the first run ended goes its time after that
        await sealer.seal()
        left.append(await sizes(kreis))
    await sealer.stop()
    grown = {name for name in left[0] if left[2][name] > left[0][name]}

    assert grown <= kept_for_ever(), left
    assert sum(1 for name, count in full.items() if count > left[2][name]) > 15, full
