"""What is evidence is only added to: the database itself refuses to change it."""

from __future__ import annotations

import runpy
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from broker.audit.sequencer import Sealer
from broker.law.repository import set_day
from broker.migrations import SCRIPTS
from broker.tables import METADATA
from tests.flow.world import (
    JOBCENTER,
    SOZIALAMT,
    Kreis,
    attempt_body,
    consent_body,
    ersuchen_body,
    person,
    procedure_body,
)
from tests.world import START, on_sqlite

#: The migrations, in their order; some make tables append-only, and name them.
MIGRATIONS: list[dict[str, Any]] = [runpy.run_path(str(path)) for path in sorted((SCRIPTS / "versions").glob("*.py"))]
FIXED: tuple[str, ...] = tuple(table for migration in MIGRATIONS for table in migration.get("FIXED", ()))
ERASABLE: tuple[str, ...] = tuple(table for migration in MIGRATIONS for table in migration.get("ERASABLE", ()))

#: Tables whose rows may change, each for a reason: state, work in progress, ciphertext, the directory as it is.
MAY_CHANGE = {
    "agencies",
    "agency_channels",
    "assertion_jtis",
    "audit_pending",
    "audit_sealer",
    "audit_tiles",
    "branches",
    "case_releases",
    "client_keys",
    "clients",
    "deliveries",
    "duties",
    "encryption_keys",
    "embedded_positions",
    "embedded_records",
    "erasure_horizons",
    "ersuchen_contents",
    "instances",
    "key_checks",
    "notices",
    "outbox",
    "outbox_leases",
    "outbox_relays",
    "route_persons",
    "subject_state",
    "transfer_keys",
    "transfer_lookup",
    "transfer_subjects",
    "transfers",
}


async def fill(kreis: Kreis) -> None:
    """Leave at least one row in every table of the evidence."""
    jobcenter, sozialamt, who = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT), person()
    consent = await jobcenter.post("/v1/consents", consent_body(SOZIALAMT, "CASE_MANAGEMENT", ["KONTAKT"], who))
    await jobcenter.post(f"/v1/consents/{consent.json()['id']}/withdrawal")
    stop = {
        "art": "OPT_OUT",
        "person": {"familienname": who.family, "vornamen": who.given, "geburtsdatum": who.birth.isoformat()},
        "datum": "2026-03-16",
        "erklaert_von": "betroffene Person",
    }
    objection = await jobcenter.post("/v1/objections", stop)
    await jobcenter.post(f"/v1/objections/{objection.json()['id']}/end", {"grund": "IRRTUM"})
    ersuchen = await sozialamt.post("/v1/ersuchen", ersuchen_body(JOBCENTER, who))
    await sozialamt.post(f"/v1/ersuchen/{ersuchen.json()['id']}/close", {"grund": "ERLEDIGT"})
    attempt = await sozialamt.post("/v1/first-collections", attempt_body(who))
    await sozialamt.post(f"/v1/first-collections/{attempt.json()['id']}/outcome", {"ergebnis": "UNZUSTELLBAR"})
    procedure = await jobcenter.post("/v1/procedures", procedure_body(JOBCENTER, SOZIALAMT, "ABRUF"))
    await jobcenter.post(f"/v1/procedures/{procedure.json()['id']}/end", {"grund": "IRRTUM"})
    await jobcenter.accepted(SOZIALAMT)
    await kreis.pump()
    [item] = await sozialamt.inbox()
    await sozialamt.answer(item)
    await Sealer(kreis.gateway, "test").seal()
    async with kreis.gateway.db.writing() as connection:
        await set_day(connection, START.date(), kreis.gateway.law.shipped.fingerprint, START)


async def refused(kreis: Kreis, statement: str) -> bool:
    """Whether the database refuses the statement as one on evidence."""
    try:
        async with kreis.gateway.db.writing() as connection:
            await connection.execute(text(statement))
    except IntegrityError as exc:
        return "append-only" in str(exc)
    return False


@on_sqlite
async def test_no_row_of_the_evidence_can_be_changed_or_deleted(kreis: Kreis) -> None:
    """Every table of the evidence refuses UPDATE and DELETE; what lies beside an entry can be deleted, not changed."""
    await fill(kreis)
    for table in FIXED + ERASABLE:
        before = await kreis.scalar(f"SELECT count(*) FROM {table}")  # noqa: S608 - fixed names
        column = f'"{next(iter(METADATA.tables[table].columns.keys()))}"'

        assert before > 0, table
        assert await refused(kreis, f"UPDATE {table} SET {column} = {column}"), table  # noqa: S608 - fixed names
        assert await refused(kreis, f"DELETE FROM {table}") == (table in FIXED), table  # noqa: S608 - fixed names
        if table in FIXED:
            assert await kreis.scalar(f"SELECT count(*) FROM {table}") == before  # noqa: S608 - fixed names


@on_sqlite
async def test_replacing_a_row_does_not_get_round_it(kreis: Kreis) -> None:
    """INSERT OR REPLACE under the number of an entry neither changes nor removes it."""
    before = await kreis.scalar("SELECT leaf FROM audit_entries WHERE seq = 1")
    columns = "seq, id, at, event, actor, data, commitments"
    replace = f"INSERT OR REPLACE INTO audit_entries ({columns}, leaf) SELECT {columns}, x'00' FROM audit_entries"  # noqa: S608 - fixed names
    await refused(kreis, replace)

    assert await kreis.scalar("SELECT leaf FROM audit_entries WHERE seq = 1") == before


def test_every_table_is_decided_about() -> None:
    """A table is evidence or stands on the list of those that may change."""
    assert set(METADATA.tables) == {*FIXED, *ERASABLE} | MAY_CHANGE
    assert not {*FIXED, *ERASABLE} & MAY_CHANGE


@pytest.mark.parametrize("table", FIXED)
def test_the_code_never_asks_for_it(table: str) -> None:
    """The tables of the evidence are those of our models; a name that is none would be protected in vain."""
    assert table in METADATA.tables
