"""The officer's view of the evidence. Every look is itself an entry, with its reason."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from broker.access import Guarded, Over, access
from broker.audit.events import EVENTS, AuditEvent
from broker.audit.log import append
from broker.audit.models import AuditEntry
from broker.auth.caller import Caller, Role
from broker.auth.dependencies import caller
from broker.errors import ProblemError, invalid
from broker.gateway import Gateway, gateway
from broker.oversight.queries import Search, entries, number_of, sides
from broker.pages import Walk, walk_of
from broker.privileges import CONTROLLERS, DbRole
from broker.settled import settled
from schemas.identifiers import Instance, MalformedInstance

router = APIRouter(prefix="/v1/audit", tags=["Protokoll"], route_class=Guarded)

Shared = Annotated[Gateway, Depends(gateway)]
Officer = Annotated[Caller, Depends(caller)]

FIRST_YEAR, LAST_YEAR = 1970, 9998
"""Beyond them a moment may have no form in UTC."""

#: What lies beside an entry of another controller's acting is its own: an officer sees it for the own side alone.
SHARED_FIELDS = frozenset({"payload_digest", "message_id", "quittung_digest"})


class Entry(BaseModel):
    """One event. `side` holds what can be erased; it is empty where it was, or where it is another controller's."""

    seq: int
    id: str
    at: datetime
    event: str
    title: str
    actor: str
    sender: str | None
    recipient: str | None
    reference: str | None
    data: dict[str, Any]
    commitments: dict[str, str]
    leaf: str = Field(description="RFC 6962 leaf hash, hexadecimal")
    side: dict[str, str]


class Page(BaseModel):
    """A page of the log; `next_cursor` is missing on the last."""

    items: list[Entry]
    next_cursor: str | None = None


class Filters(BaseModel):
    """Filters of a search; all that are given must hold."""

    event: str | None = None
    reference: UUID | None = Field(default=None, description="transfer, consent, stop or ersuchen id")
    instance: str | None = Field(default=None, max_length=128, description="the other side, or an own instance")
    since: datetime | None = None
    until: datetime | None = None
    reason: str = Field(min_length=10, max_length=500, description="why you look; it is recorded")
    cursor: str | None = None
    limit: int = Field(default=50, ge=1, le=500)

    model_config = {"extra": "forbid"}


@router.get("/events", summary="Einträge des Protokolls einsehen; die Einsicht wird vermerkt")
@access(officer=Over.AGENCY_ON_RECORD)
async def get_events(shared: Shared, who: Officer, filters: Annotated[Filters, Query()]) -> Page:
    """Search the evidence of one's own agency. The search and its reason are recorded before anything is shown.

    The entry about the first look is the last that its pages show: reading on, which is on record too, comes to an end.
    """
    search = _search(who, filters)
    walk = walk_of(filters.cursor)
    database = shared.db.acting(DbRole.CONSOLE, {CONTROLLERS: search.agency})
    async with database.writing() as connection:
        [look] = await append(connection, [_look(who, filters)], shared.clock())
        upto = walk.upto if walk else await number_of(connection, look)
    async with database.reading() as connection:
        if walk is None:
            await settled(connection, AuditEntry)
        rows = await entries(connection, search, walk.after if walk else 0, filters.limit, upto)
        beside = await sides(connection, [row.id for row in rows])
    items = [_entry(row, beside.get(row.id, {}), search.agency) for row in rows]
    return Page(items=items, next_cursor=Walk(rows[-1].seq, upto).cursor if len(rows) == filters.limit else None)


def _search(who: Caller, filters: Filters) -> Search:
    if who.agency is None:
        raise ProblemError("wrong-role", "Dieser Zugang ist keiner Behörde zugeordnet.")
    if filters.event is not None and filters.event not in EVENTS:
        raise invalid("event", "Dieses Ereignis gibt es nicht.", sorted(EVENTS))
    for field in ("since", "until"):
        moment = getattr(filters, field)
        if moment is not None and moment.tzinfo is None:
            raise invalid(field, "Die Zeit braucht eine Zeitzone, z. B. 2026-01-31T08:00:00+01:00.")
        if moment is not None and not FIRST_YEAR <= moment.year <= LAST_YEAR:
            raise invalid(field, f"Die Zeit liegt nicht in den Jahren {FIRST_YEAR} bis {LAST_YEAR}.")
    reference = str(filters.reference) if filters.reference is not None else None
    return Search(who.agency, filters.event, reference, _instance(filters.instance), filters.since, filters.until)


def _instance(text: str | None) -> str | None:
    """Read the filter. Filters are on record for good, so what could hold a name is none."""
    try:
        return None if text is None else str(Instance.parse(text))
    except MalformedInstance as exc:
        raise invalid("instance", f"{exc}.") from exc


def _look(who: Caller, filters: Filters) -> AuditEvent:
    """Build the entry about the look; its reason may name a person and lies beside it."""
    used = filters.model_dump(mode="json", exclude={"reason", "cursor"}, exclude_none=True)
    side = {"client": who.client_id, "reason": filters.reason}
    owner = f"{who.agency}:"
    return AuditEvent("audit.read", who.actor, sender=owner, data={"filters": used}, side=side)


def _entry(row: Any, side: dict[str, str], agency: str) -> Entry:  # noqa: ANN401 - a Row
    actor = str(row.actor)
    own = actor.startswith(f"{agency}:") or actor == f"{Role.OFFICER.value}:{agency}"
    shown = {name: value for name, value in side.items() if own or name in SHARED_FIELDS}
    return Entry(
        seq=row.seq,
        id=row.id,
        at=row.at,
        event=row.event,
        title=EVENTS[row.event],
        actor=row.actor,
        sender=row.sender,
        recipient=row.recipient,
        reference=row.reference,
        data=row.data,
        commitments=row.commitments,
        leaf=row.leaf.hex(),
        side=shown,
    )
