"""Loading: idempotent, on record, nothing deleted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from adapters.base import DeliveryError
from broker.directory import repository
from broker.directory.document import DirectoryDocument
from broker.directory.models import AgencyInstance
from broker.directory.service import Action, Change, load, prepare_channels
from broker.gateway import Gateway
from tests.world import START, MovableClock, evidence, kreis_directory


def without(document: DirectoryDocument, agency_id: str) -> DirectoryDocument:
    """Return the document less one agency."""
    return DirectoryDocument(tuple(entry for entry in document.agencies if entry.id != agency_id))


def renamed(document: DirectoryDocument, agency_id: str) -> DirectoryDocument:
    """Return the document with another name for one agency."""
    return DirectoryDocument(
        tuple(replace(entry, name="Neuer Name") if entry.id == agency_id else entry for entry in document.agencies)
    )


async def test_the_first_load_adds_everything_and_says_so(gateway: Gateway, tmp_path: Path) -> None:
    """Agencies, instances and branches are added, and one entry of the evidence lists their ids."""
    changes = await load(gateway, kreis_directory(tmp_path))
    assert {change.action for change in changes} == {Action.ADDED}
    assert len(changes) == 25 + 85 + 10
    [(entry, _)] = await evidence(gateway, "directory.changed")
    assert entry.actor == "operator:*"
    assert entry.data["added"] == sorted(change.id for change in changes)
    assert (entry.data["changed"], entry.data["removed"]) == ([], [])


async def test_the_same_file_again_changes_nothing(gateway: Gateway, tmp_path: Path, clock: MovableClock) -> None:
    """The second load of a file gives no change and no entry."""
    await load(gateway, kreis_directory(tmp_path))
    clock.move(days=1)
    assert await load(gateway, kreis_directory(tmp_path)) == []
    assert len(await evidence(gateway, "directory.changed")) == 1


async def test_what_is_gone_becomes_inactive(gateway: Gateway, tmp_path: Path, clock: MovableClock) -> None:
    """A removed agency stays in the tables with its instances, inactive, because the evidence refers to them."""
    document = kreis_directory(tmp_path)
    await load(gateway, document)
    clock.move(days=1)
    changes = await load(gateway, without(document, "sozialamt-marl"))
    assert {change.action for change in changes} == {Action.REMOVED}
    assert {change.id for change in changes} == {
        "sozialamt-marl",
        "sozialamt-marl:SOZIALAMT_SGBXII",
        "sozialamt-marl:SOZIALAMT_ASYLBLG",
        "sozialamt-marl:WOHNGELDSTELLE",
    }
    async with gateway.db.reading() as connection:
        row = await repository.find_instance(connection, "sozialamt-marl:WOHNGELDSTELLE")
        changed = select(AgencyInstance.changed_at).where(AgencyInstance.id == "sozialamt-marl:WOHNGELDSTELLE")
        assert await connection.scalar(changed) == clock.now
        assert "sozialamt-marl" not in {row.agency_id for row in await repository.channels(connection)}
    assert row is not None
    assert not row.active


async def test_what_comes_back_is_added_again(gateway: Gateway, tmp_path: Path) -> None:
    """An agency that was removed and stands in the file again is active again."""
    document = kreis_directory(tmp_path)
    for state in (document, without(document, "jugendamt-herten")):
        await load(gateway, state)
    changes = await load(gateway, document)
    assert Change(Action.ADDED, "jugendamt-herten:JUGENDAMT_ASD") in changes
    async with gateway.db.reading() as connection:
        row = await repository.find_instance(connection, "jugendamt-herten:JUGENDAMT_ASD")
    assert row is not None
    assert row.active


async def test_only_what_differs_is_written(gateway: Gateway, tmp_path: Path, clock: MovableClock) -> None:
    """A new name is one change; every other row keeps its moment."""
    document = kreis_directory(tmp_path)
    await load(gateway, document)
    clock.move(days=1)
    assert await load(gateway, renamed(document, "sozialamt-marl")) == [Change(Action.CHANGED, "sozialamt-marl")]
    async with gateway.db.reading() as connection:
        moments = (await connection.execute(select(AgencyInstance.changed_at).distinct())).scalars().all()
        row = await repository.agency(connection, "sozialamt-marl")
    assert moments == [START]
    assert row is not None
    assert row.name == "Neuer Name"


async def test_a_change_of_channel_is_a_change_of_the_agency(gateway: Gateway, tmp_path: Path) -> None:
    """Other settings of a channel are told under the agency's id, without a path in the evidence."""
    await load(gateway, kreis_directory(tmp_path))
    assert await load(gateway, kreis_directory(tmp_path / "elsewhere")) == [Change(Action.CHANGED, "sozialamt-marl")]
    entries = await evidence(gateway, "directory.changed")
    assert str(tmp_path) not in str(entries)


async def test_channels_have_what_an_adapter_needs(gateway: Gateway, tmp_path: Path) -> None:
    """Each active agency has one row with kind, units and settings; one agency can be asked for alone."""
    await load(gateway, kreis_directory(tmp_path))
    async with gateway.db.reading() as connection:
        rows = await repository.channels(connection)
        one = next((row for row in await repository.channels(connection) if row.agency_id == "sozialamt-marl"), None)
    assert len(rows) == 25
    assert one in rows
    assert one is not None
    assert (one.channel, one.kind, len(one.units)) == ("folder", "sozialamt", 3)


async def test_folders_below_the_data_directory_are_made(tmp_path: Path) -> None:
    """The share and a place for each unit are there after the load; a second time changes nothing."""
    document = kreis_directory(tmp_path)
    for _ in range(2):
        assert await prepare_channels(document, tmp_path) == ["sozialamt-marl"]
    share = tmp_path / "folders" / "sozialamt-marl"
    assert share.stat().st_mode & 0o777 == 0o700
    assert len([place for place in share.iterdir() if not place.name.startswith(".")]) == 3


async def test_folders_elsewhere_are_not_made(tmp_path: Path) -> None:
    """A share outside the data directory may be an absent mount: it is not made, and its absence is an error."""
    with pytest.raises(DeliveryError):
        await prepare_channels(kreis_directory(tmp_path / "data"), tmp_path / "other")
    assert not (tmp_path / "data").exists()
