"""Queries of the directory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import aliased

from broker.directory.models import Agency, AgencyBranch, AgencyChannel, AgencyInstance
from schemas.identifiers import UnitCode

AgencyRow = Row[str, str, str, str, str | None, str, bool, str]
"""id, name, kind, ags, dms, place, active, channel."""
InstanceRow = Row[str, str, str, bool]
"""id, agency_id, unit, active."""
BranchRow = Row[str, str, str]
"""agency_id, branch, name."""
AGENCY_COLUMNS = (Agency.id, Agency.name, Agency.kind, Agency.ags, Agency.dms, Agency.place, Agency.active)
INSTANCE_COLUMNS = (AgencyInstance.id, AgencyInstance.agency_id, AgencyInstance.unit, AgencyInstance.active)


@dataclass(frozen=True, slots=True)
class ChannelRow:
    """What `adapters.registry.adapter_for` needs of one agency."""

    agency_id: str
    channel: str
    kind: str
    units: tuple[UnitCode, ...]
    settings: dict[str, Any] = field(repr=False)


async def find_instance(connection: AsyncConnection, instance_id: str) -> InstanceRow | None:
    """Return id, agency_id, unit, active of an instance, or None."""
    return (await connection.execute(select(*INSTANCE_COLUMNS).where(AgencyInstance.id == instance_id))).first()


async def instances(connection: AsyncConnection, agency_id: str | None = None) -> Sequence[InstanceRow]:
    """Return id, agency_id, unit, active of all instances (of one agency), by id."""
    statement = select(*INSTANCE_COLUMNS).order_by(AgencyInstance.id)
    if agency_id is not None:
        statement = statement.where(AgencyInstance.agency_id == agency_id)
    return (await connection.execute(statement)).all()


async def branches(connection: AsyncConnection, agency_id: str | None = None) -> Sequence[BranchRow]:
    """Return agency_id, branch, name of the active branches (of one agency), by id."""
    statement = select(AgencyBranch.agency_id, AgencyBranch.branch, AgencyBranch.name)
    statement = statement.where(AgencyBranch.active.is_(True)).order_by(AgencyBranch.id)
    if agency_id is not None:
        statement = statement.where(AgencyBranch.agency_id == agency_id)
    return (await connection.execute(statement)).all()


async def branches_towards(connection: AsyncConnection, ways: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Return, for (agency, agency that writes) where there is one, the branch at the place of the one that writes.

    Who writes from Marl writes to Marl.
    """
    wanted = list(dict.fromkeys(ways))
    writer = aliased(Agency)
    statement = (
        select(AgencyBranch.agency_id, writer.id, AgencyBranch.branch)
        .join(writer, writer.place == AgencyBranch.name)
        .where(AgencyBranch.active.is_(True))
        .where(AgencyBranch.agency_id.in_([to for to, _ in wanted]), writer.id.in_([by for _, by in wanted]))
    )
    found = {(row[0], row[1]): str(row[2]) for row in await connection.execute(statement)}
    return {way: found[way] for way in wanted if way in found}


async def agency(connection: AsyncConnection, agency_id: str) -> AgencyRow | None:
    """Return id, name, kind, ags, dms, place, active, channel of an agency, or None."""
    statement = select(*AGENCY_COLUMNS, AgencyChannel.channel).join(AgencyChannel, AgencyChannel.id == Agency.id)
    return (await connection.execute(statement.where(Agency.id == agency_id))).first()


async def agencies(
    connection: AsyncConnection, *, kind: str | None = None, after: str = "", limit: int | None = None
) -> Sequence[AgencyRow]:
    """Return id, name, kind, ags, dms, place, active, channel of the active agencies whose id is above `after`."""
    statement = (
        select(*AGENCY_COLUMNS, AgencyChannel.channel)
        .join(AgencyChannel, AgencyChannel.id == Agency.id)
        .where(Agency.active.is_(True), Agency.id > after)
        .order_by(Agency.id)
        .limit(limit)
    )
    if kind is not None:
        statement = statement.where(Agency.kind == kind)
    return (await connection.execute(statement)).all()


async def channels(connection: AsyncConnection) -> list[ChannelRow]:
    """Return how each active agency receives, by agency."""
    statement = (
        select(AgencyChannel.id, AgencyChannel.channel, AgencyChannel.settings, Agency.kind, AgencyInstance.unit)
        .join(Agency, Agency.id == AgencyChannel.id)
        .join(AgencyInstance, AgencyInstance.agency_id == Agency.id)
        .where(Agency.active.is_(True), AgencyInstance.active.is_(True))
        .order_by(AgencyChannel.id, AgencyInstance.unit)
    )
    found: dict[str, ChannelRow] = {}
    for row in (await connection.execute(statement)).all():
        units = (*found[row.id].units, UnitCode(row.unit)) if row.id in found else (UnitCode(row.unit),)
        found[row.id] = ChannelRow(row.id, row.channel, row.kind, units, row.settings)
    return list(found.values())
