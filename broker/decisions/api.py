"""Decisions over HTTP: what was decided, on what, why, and what follows; in German or English sentences."""

from __future__ import annotations

import logging
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from broker.access import Guarded, Over, access
from broker.audit.events import AuditEvent
from broker.audit.log import append
from broker.auth.caller import Caller, Role
from broker.auth.dependencies import caller, reading_as
from broker.clock import day_of
from broker.decisions.shapes import DecisionOut
from broker.decisions.shown import Follows, Reader, decision_out, narrowed
from broker.decisions.stored import Stored, Way, decision_for, decision_of, way_of
from broker.duties.repository import duties_of
from broker.errors import ProblemError, invalid
from broker.gateway import Gateway, gateway
from broker.law.named import NoSuchCatalogue, by_fingerprint
from broker.privileges import CONTROLLERS, DbRole
from broker.spoken import Spoken
from broker.subjects.checks import RecordId
from consent.catalogue import Catalogue
from consent.explanation.sentences import Language
from consent.rowreader import CatalogueError

log = logging.getLogger(__name__)

router = APIRouter(prefix="/v1/decisions", tags=["Entscheidungen"], route_class=Guarded)

Shared = Annotated[Gateway, Depends(gateway)]
Who = Annotated[Caller, Depends(caller)]
Reason = Annotated[
    str | None,
    Query(min_length=10, max_length=500, description="nur und immer von Datenschutzbeauftragten; wird vermerkt"),
]


@router.get("/{decision_id}", summary="Eine Entscheidung mit Befunden, Erklärung und Pflichten ansehen")
@access(instance=Over.DECIDED, officer=Over.AGENCY_ON_RECORD)
async def get_decision(
    decision_id: RecordId,
    shared: Shared,
    who: Who,
    language: Spoken,
    reason: Reason = None,
) -> DecisionOut:
    """Show a decision: to the sender its own, refused ones too; to the recipient those that gave it a content.

    Officers see decisions of transfers from and to their agency; each look is recorded with its reason first.
    """
    if who.role is Role.OFFICER:
        return await _for_officer(shared, who, decision_id, language, reason)
    instance = who.as_instance()
    async with reading_as(shared, who).reading() as connection:
        stored = await decision_for(connection, decision_id, instance)
        owed = [row for row in await duties_of(connection, stored.transfer_id) if row.bound == instance]
        way = await way_of(connection, stored)
    reader = Reader(instance, day_of(shared.clock()), language)
    return decision_out(narrowed(stored, reader), reader, await _catalogue(shared, stored), Follows(owed, way))


async def _for_officer(
    shared: Gateway, who: Caller, decision_id: str, language: Language, reason: str | None
) -> DecisionOut:
    if who.agency is None:
        raise ProblemError("wrong-role", "Dieser Zugang ist keiner Behörde zugeordnet.")
    if reason is None:
        raise invalid("reason", "Der Grund der Einsicht fehlt; er wird vermerkt.")
    database = shared.db.acting(DbRole.CONSOLE, {CONTROLLERS: who.agency})
    look = AuditEvent(
        "decision.read",
        who.actor,
        sender=f"{who.agency}:",
        data={"decision": decision_id},
        side={"client": who.client_id, "reason": reason},
    )
    async with database.writing() as connection:
        await append(connection, [look], shared.clock())
    async with database.reading() as connection:
        stored = await decision_of(connection, decision_id, who.agency)
        owed = [row for row in await duties_of(connection, stored.transfer_id) if row.agency == who.agency]
    reader = Reader(None, day_of(shared.clock()), language)
    way = Way(stored.given or min((row.arose for row in owed), default=None))
    return decision_out(stored, reader, await _catalogue(shared, stored), Follows(owed, way))


async def _catalogue(shared: Gateway, stored: Stored) -> Catalogue | None:
    """Return the catalogue that a decision was taken on, or None where this program cannot read it."""
    try:
        return await by_fingerprint(shared, stored.catalogue)
    except (NoSuchCatalogue, CatalogueError) as exc:
        log.warning("catalogue cannot be read", extra={"catalogue": stored.catalogue, "error": type(exc).__name__})
        return None
