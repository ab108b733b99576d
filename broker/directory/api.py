"""Who can be addressed: the agencies, their instances and branches. No path and no secret is shown.

Open to every authenticated client.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from adapters.registry import DIALECTS
from broker.access import Guarded, Over, access
from broker.directory import repository
from broker.errors import ProblemError, invalid
from broker.gateway import Gateway, gateway

router = APIRouter(prefix="/v1", tags=["Verzeichnis"], route_class=Guarded)

LARGEST_PAGE = 200
ID_LENGTH = 128
ID_PATTERN = r"^[a-z0-9-]*$"


class AgencySummary(BaseModel):
    """An agency in a list."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(examples=["sozialamt-marl"])
    name: str = Field(examples=["Sozialamt Marl"])
    kind: str = Field(examples=["sozialamt"])
    ags: str = Field(description="Amtlicher Gemeindeschlüssel", examples=["05562024"])
    place: str = Field(examples=["Marl"])


class AgencyPage(BaseModel):
    """A page of the list; `next_cursor` is missing on the last."""

    model_config = ConfigDict(extra="forbid")

    items: list[AgencySummary]
    next_cursor: str | None = None


class InstanceView(BaseModel):
    """An instance: what a message names as sender or recipient."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(examples=["sozialamt-marl:SOZIALAMT_SGBXII"])
    unit: str = Field(examples=["SOZIALAMT_SGBXII"])
    active: bool


class BranchView(BaseModel):
    """A place inside the agency; may be named for routing."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(examples=["castrop-rauxel"])
    name: str = Field(examples=["Castrop-Rauxel"])


class AgencyView(AgencySummary):
    """An agency with all that a sender needs."""

    dms: str | None = Field(description="System hinter der E-Akte", examples=["VIS"])
    channel: str = Field(description="Art der Zustellung", examples=["inbox"])
    active: bool = Field(description="false: steht nicht mehr im Verzeichnis, nichts wird mehr angenommen")
    instances: list[InstanceView]
    branches: list[BranchView]


def _summary(row: repository.AgencyRow) -> dict[str, Any]:
    return {"id": row.id, "name": row.name, "kind": row.kind, "ags": row.ags, "place": row.place}


@router.get("/agencies", summary="Behörden auflisten")
@access(everyone=Over.NOBODY)
async def list_agencies(
    gateway: Annotated[Gateway, Depends(gateway)],
    kind: Annotated[str | None, Query(description="nur Behörden dieser Art", max_length=32)] = None,
    cursor: Annotated[
        str, Query(description="`next_cursor` der vorigen Seite", max_length=ID_LENGTH, pattern=ID_PATTERN)
    ] = "",
    limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = 50,
) -> AgencyPage:
    """List the active agencies by id."""
    if kind is not None and kind not in DIALECTS:
        raise invalid("query.kind", "Diese Art von Behörde gibt es nicht.", sorted(DIALECTS))
    async with gateway.db.reading() as connection:
        rows = await repository.agencies(connection, kind=kind, after=cursor, limit=limit + 1)
    return AgencyPage(
        items=[AgencySummary(**_summary(row)) for row in rows[:limit]],
        next_cursor=rows[limit - 1].id if len(rows) > limit else None,
    )


@router.get("/agencies/{agency_id}", summary="Eine Behörde ansehen")
@access(everyone=Over.NOBODY)
async def show_agency(
    agency_id: Annotated[str, Path(max_length=ID_LENGTH, pattern=ID_PATTERN)],
    gateway: Annotated[Gateway, Depends(gateway)],
) -> AgencyView:
    """Show one agency, also one that is no longer active."""
    async with gateway.db.reading() as connection:
        row = await repository.agency(connection, agency_id)
        if row is None:
            raise ProblemError("not-found", "Diese Behörde steht nicht im Verzeichnis.")
        units = await repository.instances(connection, agency_id)
        branches = await repository.branches(connection, agency_id)
    return AgencyView(
        **_summary(row), dms=row.dms, channel=row.channel, active=row.active,
        instances=_instances(units), branches=[BranchView(id=b.branch, name=b.name) for b in branches],
    )  # fmt: skip


def _instances(rows: Iterable[repository.InstanceRow]) -> list[InstanceView]:
    return [InstanceView(id=row.id, unit=row.unit, active=row.active) for row in rows]
