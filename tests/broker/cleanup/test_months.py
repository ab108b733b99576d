"""Months of PostgreSQL's growing tables: made in advance, dropped when empty and old, and never in anybody's way."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from time import monotonic

from sqlalchemy import text

from broker.cleanup.months import keep_months
from broker.clock import system_clock
from tests.flow.world import JOBCENTER, SOZIALAMT, Kreis
from tests.world import on_postgresql, rows

GROWING = ("audit_entries", "audit_side", "decisions", "transfer_events")
MONTHS = "SELECT relname FROM pg_class WHERE relnamespace = 'amtsbruecke_parts'::regnamespace AND relkind = 'r'"
TOLD = "SELECT DISTINCT tableoid::regclass::text AS part FROM {}"


async def months(kreis: Kreis) -> set[str]:
    """Return the parts that there are."""
    return {row.relname for row in await rows(kreis.gateway, MONTHS.replace(":", "\\:"))}


@on_postgresql
async def test_rows_lie_in_their_month_or_in_the_rest(kreis: Kreis) -> None:
    """What is written now lies in this month; a moment that has no month lies in the rest and is found all the same."""
    jobcenter = await kreis.office(JOBCENTER)
    await jobcenter.accepted(SOZIALAMT)  # the world's clock says March, for which nobody made a month
    kreis.clock.goes = True
    now = kreis.clock()
    transfer = await (await kreis.office(JOBCENTER)).accepted(SOZIALAMT)
    parts = {
        table: {row.part for row in await rows(kreis.gateway, TOLD.format(table).replace(":", "\\:"))}
        for table in GROWING
    }

    this = f"_p{now:%Y_%m}"
    assert all(any(this in part for part in found) for found in parts.values()), parts
    assert "amtsbruecke_parts.transfer_events_rest" in parts["transfer_events"]
    assert await jobcenter.state(transfer) == "accepted"


@on_postgresql
async def test_the_clean_up_makes_the_next_months_and_drops_old_empty_ones(kreis: Kreis) -> None:
    """Years later the next months are there, the empty old ones are gone, the evidence keeps all of its own."""
    before = await months(kreis)
    kreis.clock.now = datetime(system_clock().year + 5, 1, 15, tzinfo=UTC)
    await keep_months(kreis.gateway)
    after = await months(kreis)

    assert {f"{table}_p{kreis.clock.now:%Y}_02" for table in GROWING} <= after
    assert {part for part in before - after if part.startswith("audit_entries")} == set()
    assert {part for part in before - after if part.startswith("decisions_p")}
    assert {f"{table}_rest" for table in GROWING} <= after


@on_postgresql
async def test_months_keep_nobody_waiting_behind_a_long_look(kreis: Kreis) -> None:
    """While somebody reads the evidence for long, no month is made, and nobody who writes waits for that."""
    jobcenter = await kreis.office(JOBCENTER)
    await jobcenter.accepted(SOZIALAMT)
    before, reading = await months(kreis), asyncio.Event()

    async def export() -> None:
        async with kreis.gateway.db.reading() as connection:
            await connection.execute(text("SELECT count(*) FROM audit_entries"))
            reading.set()
            await connection.execute(text("SELECT pg_sleep(3)"))

    looking = asyncio.create_task(export())
    await reading.wait()
    submitted = kreis.clock.now
    kreis.clock.now = datetime(system_clock().year + 5, 1, 15, tzinfo=UTC)
    keeping = asyncio.create_task(keep_months(kreis.gateway))
    await asyncio.sleep(0.05)
    kreis.clock.now, began = submitted, monotonic()
    await jobcenter.accepted(SOZIALAMT)
    waited = monotonic() - began
    await asyncio.gather(keeping, looking)
    kept = await months(kreis)

    assert waited < 2
    assert kept == before
