"""Registered procedures over HTTP. Seen, and ended, by their two sides alone."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from broker.access import Guarded, Over, access
from broker.auth.caller import Caller
from broker.auth.dependencies import caller, reading_as
from broker.clock import day_of
from broker.gateway import Gateway, gateway
from broker.procedures import repository, service
from broker.procedures.counter import counted_on, written
from broker.procedures.repository import ProcedureRow
from broker.procedures.shapes import ApprovalIn, EndIn, NoticeIn, ProcedureIn, ProcedureOut, ProcedurePage
from broker.subjects.checks import Cursor, PageSize, RecordId

router = APIRouter(prefix="/v1", tags=["Verfahren"], route_class=Guarded)

TheGateway = Annotated[Gateway, Depends(gateway)]
TheCaller = Annotated[Caller, Depends(caller)]


@router.post("/procedures", status_code=201, summary="Ein Abruf- oder Lieferverfahren registrieren")
@access(instance=Over.NAMED)
async def post_procedure(body: ProcedureIn, shared: TheGateway, who: TheCaller) -> ProcedureOut:
    """Register a procedure; approvals and notice are recorded afterwards."""
    async with shared.db.writing() as connection:
        row = await service.register(connection, shared, who, body)
    return (await _shown(shared, [row]))[0]


@router.post("/procedures/{procedure_id}/approval", summary="Genehmigung der eigenen Aufsicht aufzeichnen")
@access(instance=Over.NAMED)
async def post_approval(procedure_id: RecordId, body: ApprovalIn, shared: TheGateway, who: TheCaller) -> ProcedureOut:
    """Record the approval of the calling side's supervising authority."""
    async with shared.db.writing() as connection:
        row = await service.approve(connection, shared, who, procedure_id, body)
    return (await _shown(shared, [row]))[0]


@router.post("/procedures/{procedure_id}/notice", summary="Unterrichtung der Datenschutzaufsicht aufzeichnen")
@access(instance=Over.NAMED)
async def post_notice(procedure_id: RecordId, body: NoticeIn, shared: TheGateway, who: TheCaller) -> ProcedureOut:
    """Record that the data-protection authority was told."""
    async with shared.db.writing() as connection:
        row = await service.notify(connection, shared, who, procedure_id, body)
    return (await _shown(shared, [row]))[0]


@router.post("/procedures/{procedure_id}/end", summary="Ein Verfahren beenden")
@access(instance=Over.NAMED)
async def post_end(procedure_id: RecordId, body: EndIn, shared: TheGateway, who: TheCaller) -> ProcedureOut:
    """End a procedure; what it carried and is not handed over goes back."""
    async with shared.db.writing() as connection:
        row = await service.end(connection, shared, who, procedure_id, body)
    return (await _shown(shared, [row]))[0]


@router.get("/procedures/{procedure_id}", summary="Ein Verfahren ansehen, mit dem Stand seines Zählers")
@access(instance=Over.NAMED)
async def get_procedure(procedure_id: RecordId, shared: TheGateway, who: TheCaller) -> ProcedureOut:
    """Show a procedure to its two sides."""
    async with reading_as(shared, who).reading() as connection:
        row = await service.visible(connection, who, procedure_id)
    return (await _shown(shared, [row]))[0]


@router.get("/procedures", summary="Verfahren, an denen die Instanz beteiligt ist, älteste zuerst")
@access(instance=Over.NAMED)
async def get_procedures(
    shared: TheGateway, who: TheCaller, cursor: Cursor = None, limit: PageSize = 100
) -> ProcedurePage:
    """List the procedures that the calling instance is a side of."""
    async with reading_as(shared, who).reading() as connection:
        after = (await service.visible(connection, who, cursor)).seq if cursor else 0
        rows = await repository.procedures_of(connection, who.as_instance(), after, limit + 1)
    page = await _shown(shared, rows[:limit])
    return ProcedurePage(items=page, next_cursor=page[-1].id if len(rows) > limit else None)


async def _shown(shared: Gateway, rows: list[ProcedureRow]) -> list[ProcedureOut]:
    """Show entries with the number of persons of their routes, which both sides know: it is their traffic."""
    today = day_of(shared.clock())
    async with shared.db.reading() as connection:
        counted = await counted_on(connection, [row.route for row in rows], today)
    return [ProcedureOut.of(row, today, counted.get(written(row.route), 0)) for row in rows]
