"""Ersuchen over HTTP. Recorded by the recipient-to-be, seen by both sides, opened by the addressee alone."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query

from broker.access import Guarded, Over, access
from broker.auth.caller import Caller
from broker.auth.dependencies import caller, reading_as
from broker.gateway import Gateway, gateway
from broker.requests import repository, service
from broker.requests.shapes import ClosingIn, ErsuchenIn, ErsuchenOut, ErsuchenPage
from broker.subjects.checks import Cursor, PageSize, RecordId

router = APIRouter(prefix="/v1", tags=["Ersuchen"], route_class=Guarded)

TheGateway = Annotated[Gateway, Depends(gateway)]
TheCaller = Annotated[Caller, Depends(caller)]


@router.post("/ersuchen", status_code=201, summary="Eine andere Stelle um Daten ersuchen")
@access(instance=Over.RECORDED)
async def post_ersuchen(body: ErsuchenIn, shared: TheGateway, who: TheCaller) -> ErsuchenOut:
    """Record an Ersuchen; a transfer in mode ERSUCHEN or ABRUF names its id."""
    async with shared.db.writing() as connection:
        row = await service.record(connection, shared, who, body)
    return ErsuchenOut.of(row)


@router.post("/ersuchen/{ersuchen_id}/close", summary="Ein Ersuchen beenden")
@access(instance=Over.NAMED)
async def post_closing(ersuchen_id: RecordId, body: ClosingIn, shared: TheGateway, who: TheCaller) -> ErsuchenOut:
    """End an Ersuchen; who was asked about is deleted."""
    async with shared.db.writing() as connection:
        row = await service.close(connection, shared, who, ersuchen_id, body.grund)
    return ErsuchenOut.of(row)


@router.get("/ersuchen/{ersuchen_id}", summary="Ein Ersuchen ansehen")
@access(instance=Over.NAMED)
async def get_ersuchen(ersuchen_id: RecordId, shared: TheGateway, who: TheCaller) -> ErsuchenOut:
    """Show an Ersuchen to its two sides; person and Aktenzeichen to the addressee alone."""
    async with reading_as(shared, who).reading() as connection:
        row = await service.visible(connection, who, ersuchen_id)
        return await service.shown(connection, shared.keys, who, row)


@router.get("/ersuchen", summary="Eingegangene oder eigene Ersuchen, älteste zuerst")
@access(instance=Over.NAMED)
async def list_ersuchen(
    shared: TheGateway,
    who: TheCaller,
    richtung: Annotated[Literal["eingehend", "ausgehend"], Query()] = "eingehend",
    cursor: Cursor = None,
    limit: PageSize = 100,
) -> ErsuchenPage:
    """List what the calling instance was asked, or asks; without sealed content."""
    incoming = richtung == "eingehend"
    async with reading_as(shared, who).reading() as connection:
        after = (await service.visible(connection, who, cursor)).seq if cursor else 0
        rows = await repository.ersuchen_of(connection, who.as_instance(), after, limit + 1, incoming=incoming)
    page = [ErsuchenOut.of(row) for row in rows[:limit]]
    return ErsuchenPage(items=page, next_cursor=page[-1].id if len(rows) > limit else None)
