"""The directory in memory: seen at once in this process, within seconds in others."""

from __future__ import annotations

import asyncio
from pathlib import Path

from sqlalchemy import update

from broker.directory.cache import FRESH, directory_cache
from broker.directory.document import DirectoryDocument
from broker.directory.models import Agency
from broker.directory.service import load
from broker.gateway import Gateway
from schemas.identifiers import Instance, UnitCode
from tests.world import MovableClock, kreis_directory


async def test_an_active_instance_is_found_with_its_agency(gateway: Gateway, tmp_path: Path) -> None:
    """An entry says agency, unit, kind and channel."""
    await load(gateway, kreis_directory(tmp_path))
    entry = await directory_cache(gateway).find("sozialamt-marl:WOHNGELDSTELLE")
    assert entry is not None
    assert entry.instance == Instance.parse("sozialamt-marl:WOHNGELDSTELLE")
    assert (entry.kind, entry.channel) == ("sozialamt", "folder")


async def test_a_load_in_this_process_is_seen_at_once(gateway: Gateway, tmp_path: Path) -> None:
    """No time needs to pass between a load and the next question."""
    cache = directory_cache(gateway)
    assert await cache.find("sozialamt-marl:WOHNGELDSTELLE") is None
    await load(gateway, kreis_directory(tmp_path))
    assert await cache.find("sozialamt-marl:WOHNGELDSTELLE") is not None
    await load(gateway, DirectoryDocument(()))
    assert (await directory_cache(gateway).current()).instances == {}


async def test_a_load_elsewhere_is_seen_when_the_memory_is_old(
    gateway: Gateway, tmp_path: Path, clock: MovableClock
) -> None:
    """What another process wrote is seen after `FRESH`, not before."""
    await load(gateway, kreis_directory(tmp_path))
    cache = directory_cache(gateway)
    before = await cache.current()
    async with gateway.db.writing() as connection:
        await connection.execute(update(Agency).where(Agency.id == "jugendamt-marl").values(active=False))
    clock.move(seconds=FRESH.total_seconds() - 0.1)
    assert await cache.current() is before
    clock.move(seconds=0.1)
    assert await cache.find("jugendamt-marl:JUGENDAMT_ASD") is None
    assert await cache.find("jugendamt-herten:JUGENDAMT_ASD") is not None


async def test_a_load_during_a_read_is_not_lost(gateway: Gateway, tmp_path: Path) -> None:
    """Whoever asks after a load sees it, also if a read had begun before."""
    cache = directory_cache(gateway)
    reading = [asyncio.create_task(cache.current()) for _ in range(5)]
    await asyncio.sleep(0)
    await load(gateway, kreis_directory(tmp_path))
    await asyncio.gather(*reading)
    assert await cache.find("sozialamt-marl:WOHNGELDSTELLE") is not None


async def test_traeger_and_units_are_known(gateway: Gateway, tmp_path: Path) -> None:
    """Offices of one town have one Träger, the Kreis is another, an unknown agency its own; units are any's."""
    await load(gateway, kreis_directory(tmp_path))
    directory = await directory_cache(gateway).current()
    assert directory.traeger("sozialamt-marl") == directory.traeger("jugendamt-marl") == "05562024"
    assert directory.traeger("jobcenter-kreis-re") == "05562"
    assert directory.traeger("polizei-marl") == "polizei-marl"
    assert UnitCode.JUGENDAMT_ASD in directory.units
    assert UnitCode.POLIZEI not in directory.units
    assert directory.branches["jobcenter-kreis-re"] >= {"marl", "castrop-rauxel"}
