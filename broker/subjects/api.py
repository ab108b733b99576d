"""Objections, opt-outs, refusals and protected addresses over HTTP. An instance sees its own alone."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from broker.access import Guarded, Over, access
from broker.auth.caller import Caller
from broker.auth.dependencies import caller, reading_as
from broker.gateway import Gateway, gateway
from broker.subjects import repository
from broker.subjects.checks import Cursor, PageSize, RecordId
from broker.subjects.events import SubjectChanged, subject_changed
from broker.subjects.models import StopKind
from broker.subjects.service import StopEndIn, StopIn, end_stop, record_stop, visible_stop

router = APIRouter(prefix="/v1", tags=["Widersprüche und Sperren"], route_class=Guarded)

TheGateway = Annotated[Gateway, Depends(gateway)]
TheCaller = Annotated[Caller, Depends(caller)]
TheHook = Annotated[SubjectChanged, Depends(subject_changed)]


class StopOut(BaseModel):
    """A recorded stop; the person is not part of it."""

    id: str
    art: StopKind
    datum: date
    erklaert_von: str
    zweck: str | None
    empfaenger: str | None
    aufgezeichnet_am: datetime
    beendet_am: date | None
    beendet_grund: str | None


class StopPage(BaseModel):
    """A page of stops; `next_cursor` is None on the last."""

    items: list[StopOut]
    next_cursor: str | None


@router.post("/objections", status_code=201, summary="Widerspruch, Opt-out, Verweigerung, Schutzanschrift aufzeichnen")
@access(instance=Over.RECORDED)
async def post_objection(body: StopIn, shared: TheGateway, who: TheCaller, changed: TheHook) -> StopOut:
    """Record a stop; it works at once, also on transfers that are not handed over yet.

    The same body under the same `kennung` gets the first answer again, whatever came after.
    """
    async with shared.db.writing() as connection:
        stop_id, event = await record_stop(connection, shared, who, body)
        if event is not None:
            await changed(connection, event)
        shown = _shown(await visible_stop(connection, who, stop_id))
    return shown.model_copy(update={"beendet_am": None, "beendet_grund": None})


@router.post("/objections/{stop_id}/end", summary="Einen eigenen Eintrag beenden")
@access(instance=Over.RECORDED)
async def post_objection_end(stop_id: RecordId, body: StopEndIn, shared: TheGateway, who: TheCaller) -> StopOut:
    """End a stop; it stays on record."""
    async with shared.db.writing() as connection:
        await end_stop(connection, shared, who, stop_id, body)
        return _shown(await visible_stop(connection, who, stop_id))


@router.get("/objections/{stop_id}", summary="Einen eigenen Eintrag ansehen")
@access(instance=Over.RECORDED)
async def get_objection(stop_id: RecordId, shared: TheGateway, who: TheCaller) -> StopOut:
    """Show a stop that the calling instance recorded."""
    async with reading_as(shared, who).reading() as connection:
        return _shown(await visible_stop(connection, who, stop_id))


@router.get("/objections", summary="Eigene Einträge, älteste zuerst")
@access(instance=Over.RECORDED)
async def get_objections(
    shared: TheGateway,
    who: TheCaller,
    cursor: Cursor = None,
    limit: PageSize = 100,
) -> StopPage:
    """List what the calling instance recorded."""
    instance = who.as_instance()
    async with reading_as(shared, who).reading() as connection:
        after = (await visible_stop(connection, who, cursor)).seq if cursor else 0
        rows = await repository.own_stops(connection, instance, after, limit + 1)
    page = [_shown(row) for row in rows[:limit]]
    return StopPage(items=page, next_cursor=page[-1].id if len(rows) > limit else None)


def _shown(row: Any) -> StopOut:  # noqa: ANN401 - a Row
    return StopOut(
        id=row.id,
        art=StopKind(row.kind),
        datum=row.dated,
        erklaert_von=row.given_by,
        zweck=row.purpose,
        empfaenger=row.recipient,
        aufgezeichnet_am=row.recorded_at,
        beendet_am=row.ended_on,
        beendet_grund=row.reason_code,
    )
