"""First-collection attempts over HTTP. Seen by the instance that recorded one, and by no other."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from broker.access import Guarded, Over, access
from broker.attempts import repository, service
from broker.attempts.shapes import AttemptIn, AttemptOut, AttemptPage, OutcomeIn
from broker.auth.caller import Caller
from broker.auth.dependencies import caller, reading_as
from broker.gateway import Gateway, gateway
from broker.subjects.checks import Cursor, PageSize, RecordId
from broker.subjects.events import SubjectChanged, subject_changed

router = APIRouter(prefix="/v1", tags=["Ersterhebung"], route_class=Guarded)

TheGateway = Annotated[Gateway, Depends(gateway)]
TheCaller = Annotated[Caller, Depends(caller)]
TheHook = Annotated[SubjectChanged, Depends(subject_changed)]


@router.post("/first-collections", status_code=201, summary="Aufzeichnen, dass die Person zuerst gefragt wurde")
@access(instance=Over.RECORDED)
async def post_attempt(body: AttemptIn, shared: TheGateway, who: TheCaller) -> AttemptOut:
    """Record an attempt; the own Ersuchen about this person rest on it from then on."""
    async with shared.db.writing() as connection:
        return AttemptOut.of(await service.record(connection, shared, who, body))


@router.post("/first-collections/{attempt_id}/outcome", summary="Aufzeichnen, was die Nachfrage ergab")
@access(instance=Over.RECORDED)
async def post_outcome(
    attempt_id: RecordId, body: OutcomeIn, shared: TheGateway, who: TheCaller, changed: TheHook
) -> AttemptOut:
    """Record an outcome; where the person answered, what is not handed over yet ends."""
    async with shared.db.writing() as connection:
        row, event = await service.conclude(connection, shared, who, attempt_id, body)
        if event is not None:
            await changed(connection, event)
    return AttemptOut.of(row)


@router.get("/first-collections/{attempt_id}", summary="Eine eigene Nachfrage ansehen")
@access(instance=Over.RECORDED)
async def get_attempt(attempt_id: RecordId, shared: TheGateway, who: TheCaller) -> AttemptOut:
    """Show an attempt that the calling instance recorded."""
    async with reading_as(shared, who).reading() as connection:
        return AttemptOut.of(await service.own(connection, who, attempt_id))


@router.get("/first-collections", summary="Eigene Nachfragen, älteste zuerst")
@access(instance=Over.RECORDED)
async def get_attempts(shared: TheGateway, who: TheCaller, cursor: Cursor = None, limit: PageSize = 100) -> AttemptPage:
    """List what the calling instance recorded."""
    async with reading_as(shared, who).reading() as connection:
        after = (await service.own(connection, who, cursor)).seq if cursor else 0
        rows = await repository.own_attempts(connection, who.as_instance(), after, limit + 1)
    page = [AttemptOut.of(row) for row in rows[:limit]]
    return AttemptPage(items=page, next_cursor=page[-1].id if len(rows) > limit else None)
