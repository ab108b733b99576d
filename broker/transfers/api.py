"""Transfers over HTTP: submit, check, look."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field

from broker.access import Guarded, Over, access
from broker.audit.freshness import require_sealing
from broker.auth.caller import Caller
from broker.auth.dependencies import caller, reading_as
from broker.auth.direct import DirectRoute
from broker.batcher import Batcher
from broker.directory.cache import directory_cache
from broker.gateway import Gateway, gateway
from broker.large_xml import LargeMessages
from broker.lifecycle.states import State
from broker.metrics import station
from broker.pages import opened_cursor, sealed_cursor
from broker.problems import MEDIA_TYPE, PROBLEMS
from broker.transfers import feed
from broker.transfers.answers import links_of
from broker.transfers.preconditions import URGENT_PURPOSES, admit
from broker.transfers.submission import Answer, Submitted
from broker.xml_body import declared_bytes, read_xml
from schemas.message import ValidatedPayload
from schemas.xml import validate

router = APIRouter(prefix="/v1", tags=["Übermittlung"], route_class=Guarded)
direct = APIRouter(prefix="/v1", tags=["Übermittlung"], route_class=DirectRoute)

Shared = Annotated[Gateway, Depends(gateway)]
Who = Annotated[Caller, Depends(caller)]

#: A message above this many bytes is validated in a process of its own, which has a time limit.
LARGE_ABOVE = 32_768

XML_BODY = {"requestBody": {"required": True, "content": {"application/xml": {"schema": {"type": "string"}}}}}


#: In these a hand-over that failed is tried again.
TRIED_AGAIN = (State.PUBLISHED, State.HANDING_OVER)


class Event(BaseModel):
    """One state in the history."""

    state: str
    reason: str | None
    at: datetime


class DecisionRef(BaseModel):
    """A decision about the transfer that the reader may see."""

    id: str
    occasion: str = Field(description="submit, hand_over or event")
    at: datetime
    link: str


class TransferView(BaseModel):
    """A transfer as its sides see it."""

    transfer_id: str
    message_id: str
    sender: str
    recipient: str
    purpose: str
    test: bool
    state: str
    state_at: datetime
    accepted_at: datetime
    expires_at: datetime
    decision: str
    statement: str | None
    attempts: int = Field(description="hand-overs so far")
    last_reason: str | None = Field(description="code of why the last one failed")
    next_try_at: datetime | None = Field(description="not before then the next one, where one failed and it waits")
    history: list[Event]
    decisions: list[DecisionRef] = Field(description="in their order; explained under their links")


class Change(BaseModel):
    """One change of state of one of the caller's transfers."""

    transfer_id: str
    message_id: str
    sender: str
    recipient: str
    purpose: str
    state: str
    reason: str | None
    at: datetime


class Changes(BaseModel):
    """A page of the feed; ask again with `next_cursor`, which is there even where nothing new is."""

    items: list[Change]
    next_cursor: str


async def _understood(request: Request) -> ValidatedPayload:
    """Stations 1 and 2: read and validate; large messages off the loop."""
    with station("received"):
        content = await read_xml(request)
    with station("understood"):
        if len(content) > LARGE_ABOVE:
            large: LargeMessages = request.app.state.large
            return await large.validate(content)
        return validate(content)


async def _admitted(request: Request, shared: Gateway, who: Caller, *, only_check: bool) -> Submitted:
    who.as_instance()
    payload = await _understood(request)
    await require_sealing(shared, urgent=payload.head.purpose in URGENT_PURPOSES)
    directory = await directory_cache(shared).current()
    return admit(shared, directory, who, payload, only_check=only_check)


async def _answered(request: Request, shared: Gateway, who: Caller, *, only_check: bool) -> Response:
    batcher: Batcher[Submitted, Answer] = request.app.state.batcher
    with batcher.room(declared_bytes(request)):
        submitted = await _admitted(request, shared, who, only_check=only_check)
        return _response(await batcher.submit(submitted))


def _response(answer: Answer) -> Response:
    media_type = MEDIA_TYPE if answer.status == PROBLEMS["transfer-refused"].status else "application/json"
    headers = {"Idempotent-Replayed": "true"} if answer.repeated else None
    return Response(orjson.dumps(answer.body), status_code=answer.status, media_type=media_type, headers=headers)


@direct.post(
    "/transfers",
    summary="Eine Nachricht übermitteln: prüfen, entscheiden, annehmen",
    status_code=202,
    openapi_extra=XML_BODY,
    response_class=JSONResponse,
)
@access(instance=Over.SENDER)
async def submit_transfer(request: Request, shared: Shared, who: Who) -> Response:
    """Station 1. Submit an ``uebermittlung``: 202 permitted and queued, 403 refused with findings.

    The same message again (same sender, same nachrichtId, same bytes) gets the first answer again.
    """
    return await _answered(request, shared, who, only_check=False)


@direct.post(
    "/transfers/check",
    summary="Prüfen und entscheiden, ohne zu senden",
    openapi_extra=XML_BODY,
    response_class=JSONResponse,
)
@access(instance=Over.SENDER)
async def check_transfer(request: Request, shared: Shared, who: Who) -> Response:
    """Decide about an ``uebermittlung`` without sending it; authorised, limited and logged like a transfer."""
    return await _answered(request, shared, who, only_check=True)


@router.get("/transfers", summary="Änderungen der eigenen Übermittlungen, älteste zuerst")
@access(instance=Over.SIDES)
async def get_changes(
    shared: Shared,
    who: Who,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Changes:
    """Read the feed of changes of one's own transfers, as sender and as recipient, oldest first."""
    keys = shared.keys.cursor_keys(who.as_instance(), "transfers")
    after = opened_cursor(cursor, keys)
    async with reading_as(shared, who).reading() as connection:
        rows = await feed.changes(connection, who.as_instance(), after, limit)
    items = [Change.model_validate(row, from_attributes=True) for row in rows]
    return Changes(items=items, next_cursor=sealed_cursor(rows[-1].seq if rows else after, keys))


@router.get("/transfers/{transfer_id}", summary="Eine Übermittlung mit ihrer Geschichte ansehen")
@access(instance=Over.SIDES)
async def get_transfer(transfer_id: str, shared: Shared, who: Who) -> TransferView:
    """Read a transfer's state and history: its sender and its recipient alone."""
    async with reading_as(shared, who).reading() as connection:
        seen = await feed.seen_by(connection, transfer_id, who.as_instance())
    return _view(seen)


def _view(seen: feed.Seen) -> TransferView:
    row: Any = seen.transfer
    tries: Any = seen.tries
    return TransferView(
        transfer_id=row.id,
        message_id=row.message_id,
        sender=row.sender,
        recipient=row.recipient,
        purpose=row.purpose,
        test=row.test,
        state=row.state,
        state_at=row.state_at,
        accepted_at=row.accepted_at,
        expires_at=row.expires_at,
        decision=row.decision_id,
        statement=row.statement,
        attempts=tries.attempts if tries else 0,
        last_reason=tries.last_error if tries else None,
        next_try_at=tries.leased_until if tries and tries.last_error and row.state in TRIED_AGAIN else None,
        history=[Event(state=e.state, reason=e.reason, at=e.at) for e in seen.events],
        decisions=[
            DecisionRef(id=d.id, occasion=d.occasion, at=d.at, link=links_of(d.id)["decision"]) for d in seen.decisions
        ],
    )
