"""Consents over HTTP. Seen by the instance that recorded one, and by the recipients that it names."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from broker.access import Guarded, Over, access
from broker.auth.caller import Caller
from broker.auth.dependencies import caller, reading_as
from broker.consents import repository, service
from broker.consents.shapes import ConsentIn, ConsentOut, ConsentPage, WithdrawalIn
from broker.gateway import Gateway, gateway
from broker.subjects.checks import Cursor, PageSize, RecordId
from broker.subjects.events import SubjectChanged, subject_changed

router = APIRouter(prefix="/v1", tags=["Einwilligungen"], route_class=Guarded)

TheGateway = Annotated[Gateway, Depends(gateway)]
TheCaller = Annotated[Caller, Depends(caller)]
TheHook = Annotated[SubjectChanged, Depends(subject_changed)]


@router.post("/consents", status_code=201, summary="Einwilligung oder Verweigerung aufzeichnen")
@access(instance=Over.RECORDED)
async def post_consent(body: ConsentIn, shared: TheGateway, who: TheCaller, changed: TheHook) -> ConsentOut:
    """Record a declaration; the same body under the same `kennung` gets the first answer again."""
    async with shared.db.writing() as connection:
        row, event = await service.record(connection, shared, who, body)
        if event is not None:
            await changed(connection, event)
    return ConsentOut.of(row)


@router.post("/consents/{consent_id}/withdrawal", summary="Einwilligung widerrufen")
@access(instance=Over.NAMED)
async def post_withdrawal(
    consent_id: RecordId, shared: TheGateway, who: TheCaller, changed: TheHook, body: WithdrawalIn | None = None
) -> ConsentOut:
    """Withdraw; it works from that day on, also on transfers that are not handed over yet."""
    async with shared.db.writing() as connection:
        row, event = await service.withdraw(connection, shared, who, consent_id, body.widerrufen_am if body else None)
        if event is not None:
            await changed(connection, event)
    return ConsentOut.of(row)


@router.get("/consents/{consent_id}", summary="Einwilligung ansehen")
@access(instance=Over.NAMED)
async def get_consent(consent_id: RecordId, shared: TheGateway, who: TheCaller) -> ConsentOut:
    """Show a consent that the caller recorded or is named in."""
    async with reading_as(shared, who).reading() as connection:
        return ConsentOut.of(await service.visible(connection, who, consent_id))


@router.get("/consents", summary="Eigene Aufzeichnungen, älteste zuerst")
@access(instance=Over.RECORDED)
async def get_consents(
    shared: TheGateway,
    who: TheCaller,
    cursor: Cursor = None,
    limit: PageSize = 100,
) -> ConsentPage:
    """List what the calling instance recorded."""
    instance = who.as_instance()
    async with reading_as(shared, who).reading() as connection:
        after = (await service.visible(connection, who, cursor)).seq if cursor else 0
        rows = await repository.own_consents(connection, instance, after, limit + 1)
    page = [ConsentOut.of(row) for row in rows[:limit]]
    return ConsentPage(items=page, next_cursor=page[-1].id if len(rows) > limit else None)
