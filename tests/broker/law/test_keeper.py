"""A running process takes on what was recorded, without a restart."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from broker.gateway import Gateway
from broker.health import REASONS, checks_of, failure
from broker.in_force import LawUnknown
from broker.law import keeper, repository
from broker.law.keeper import look, run
from consent.catalogue import Catalogue, read_catalogue
from tests.broker.law.variants import files_with
from tests.world import START, on_sqlite

TODAY = START.date()


@pytest.fixture(scope="module")
def other() -> Catalogue:
    """Give another catalogue than the shipped one."""
    return read_catalogue(files_with({}, remark="another"))


async def record(gateway: Gateway, catalogue: Catalogue, day: date, **columns: Any) -> None:
    """Let a catalogue count from a day on."""
    content = columns.get("content", catalogue.source_bytes)
    async with gateway.db.writing() as connection:
        await repository.keep(connection, catalogue.fingerprint, content, gateway.clock())
        await repository.set_day(connection, day, catalogue.fingerprint, gateway.clock())


async def test_what_was_recorded_counts_from_its_day(gateway: Gateway, other: Catalogue) -> None:
    """After a look the other catalogue is in memory before its day, and counts from that day on."""
    await record(gateway, other, TODAY + timedelta(days=1))
    await look(gateway)

    assert gateway.law.on(TODAY) is gateway.law.shipped
    assert gateway.law.on(TODAY + timedelta(days=1)).fingerprint == other.fingerprint


async def test_a_look_that_finds_nothing_new_reads_nothing_again(gateway: Gateway, other: Catalogue) -> None:
    """A catalogue that is in memory is the same object after further looks."""
    await record(gateway, other, TODAY)
    await look(gateway)
    first = gateway.law.on(TODAY)
    await look(gateway)

    assert gateway.law.on(TODAY) is first


@on_sqlite
async def test_yesterdays_catalogue_stays_until_nobody_can_ask(gateway: Gateway, other: Catalogue) -> None:
    """What came in before midnight is decided by yesterday's catalogue; what ended before is forgotten."""
    first = read_catalogue(files_with({}, remark="first"))
    await record(gateway, first, TODAY - timedelta(days=9))
    await record(gateway, other, TODAY - timedelta(days=5))
    await record(gateway, gateway.law.shipped, TODAY)
    await look(gateway)

    assert gateway.law.on(TODAY - timedelta(days=1)).fingerprint == other.fingerprint
    assert gateway.law.known(first.fingerprint) is None


@on_sqlite
@pytest.mark.parametrize("content", [b"", b"no catalogue", b"units.toml\n3\nx=1", b"\xff\n" + b"9" * 5000])
async def test_what_cannot_be_read_is_named_and_decides_nothing(
    gateway: Gateway, other: Catalogue, content: bytes
) -> None:
    """A catalogue of another program version stops decisions on its days, and not the process."""
    await record(gateway, other, TODAY + timedelta(days=1), content=content)
    await look(gateway)

    codes = {check.name: await failure(check) for check in checks_of(gateway) if check.name.startswith("law")}
    assert codes == {"law": None, "law-to-come": "law-unreadable"}
    assert gateway.law.unreadable == {other.fingerprint}
    assert gateway.law.on(TODAY) is gateway.law.shipped
    with pytest.raises(LawUnknown):
        gateway.law.on(TODAY + timedelta(days=1))


@on_sqlite
async def test_who_cannot_read_todays_law_is_not_ready(gateway: Gateway, other: Catalogue) -> None:
    """Its readiness says why, and how to mend it."""
    await record(gateway, other, TODAY, content=b"no catalogue")
    await look(gateway)
    [check] = [check for check in checks_of(gateway) if check.name == "law"]

    assert await failure(check) == "law-unknown"
    assert "amtsbruecke law show" in REASONS["law-unknown"][0]
    assert not check.warns


@on_sqlite
async def test_a_running_process_takes_it_on(
    gateway: Gateway, other: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop looks by itself, waits a database out that fails, and ends when told to halt."""
    monkeypatch.setattr(keeper, "LOOK_SECONDS", 0.02)
    async with gateway.db.writing() as connection:
        await connection.execute(text("ALTER TABLE catalogue_days RENAME TO away"))
    loop = asyncio.create_task(run(gateway))
    await asyncio.sleep(0.1)
    still_running = not loop.done()
    async with gateway.db.writing() as connection:
        await connection.execute(text("ALTER TABLE away RENAME TO catalogue_days"))
    await record(gateway, other, TODAY)
    await asyncio.sleep(1)
    gateway.stop()
    await loop

    assert still_running
    assert gateway.law.fingerprint_on(TODAY) == other.fingerprint
