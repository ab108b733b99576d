"""Record that a person was asked first, and what came of it; in the caller's transaction, with evidence.

The instance that wants to ask others records it, for itself alone: no sender certifies for it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from broker.attempts import repository
from broker.attempts.models import Outcome
from broker.attempts.repository import AttemptRow
from broker.attempts.shapes import AttemptIn, OutcomeIn
from broker.audit import log
from broker.audit.events import AuditEvent
from broker.auth.caller import Caller
from broker.clock import day_of
from broker.errors import ProblemError, invalid
from broker.gateway import Gateway
from broker.kennung import known, recorded_meanwhile
from broker.subjects.checks import (
    check_categories,
    check_purpose,
    check_time_to_answer,
    not_after,
    refuse_wildcards,
)
from broker.subjects.events import SubjectEvent
from broker.subjects.person import body_hash
from broker.subjects.state import raise_numbers

FUTURE = "Der Tag liegt in der Zukunft."


async def record(connection: AsyncConnection, gateway: Gateway, caller: Caller, body: AttemptIn) -> AttemptRow:
    """Record an attempt of the calling instance; the same body under the same `kennung` gets the first record again.

    Raises `ProblemError`: ``invalid-request``, ``unknown-purpose``, ``message-conflict``.
    """
    controller, now = caller.as_instance(), gateway.clock()
    digest = body_hash(gateway.keys, controller, body)
    if (first := await known(connection, repository.attempt_by_kennung, controller, body.kennung, digest)) is not None:
        return replace(first, outcome=None, dated=None)
    _check(gateway, body)
    person = body.person.keys(gateway.keys, controller).stored if body.person else None
    case = gateway.keys.case_key(controller, body.aktenzeichen) if body.aktenzeichen else None
    values: dict[str, Any] = {"id": str(uuid4()), "recorded_by": controller, "pseudonym": person, "case_key": case}
    values |= {"recorded_at": now, "body_hash": digest, "kennung": str(body.kennung) if body.kennung else None}
    values |= {"purpose": body.zweck, "categories": sorted(set(body.kategorien)), "way": body.weg}
    values |= {"asked": body.gefragt_am, "deadline": body.frist}
    if not await repository.insert_attempt(connection, values):
        meanwhile = await recorded_meanwhile(
            connection, repository.attempt_by_kennung, controller, body.kennung, digest
        )
        return replace(meanwhile, outcome=None, dated=None)
    row = await own(connection, caller, values["id"])
    data = {"purpose": row.purpose, "categories": sorted(row.categories), "way": row.way}
    data |= {"asked": row.asked.isoformat(), "deadline": row.deadline.isoformat()}
    await log.append(connection, [_event("attempt.recorded", caller, row, data)], now)
    return row


async def conclude(
    connection: AsyncConnection, gateway: Gateway, caller: Caller, attempt_id: str, body: OutcomeIn
) -> tuple[AttemptRow, SubjectEvent | None]:
    """Record what came of an attempt; again changes nothing: the first stands.

    Returns the record, and the event for `subject_changed` where it may stop what is in flight. Raises `ProblemError`:
    ``not-found``, ``invalid-request``.
    """
    now = gateway.clock()
    row = await own(connection, caller, attempt_id)
    dated = body.am or day_of(now)
    not_after("am", dated, day_of(now), FUTURE)
    not_after("am", row.asked, dated, "Der Tag liegt vor dem der Frage.")
    keys = [key for key in (row.pseudonym, row.case_key) if key is not None]
    await raise_numbers(connection, [(row.recorded_by, key) for key in keys])
    values = {"attempt_id": row.id, "outcome": body.ergebnis.value, "dated": dated, "recorded_at": now}
    if not await repository.insert_outcome(connection, values):
        return await own(connection, caller, attempt_id), None
    data = {"outcome": body.ergebnis.value, "dated": dated.isoformat()}
    await log.append(connection, [_event("attempt.concluded", caller, row, data)], now)
    row = await own(connection, caller, attempt_id)
    if body.ergebnis not in (Outcome.BEANTWORTET, Outcome.IRRTUM):
        return row, None
    first, *rest = keys
    return row, SubjectEvent("attempt.concluded", row.recorded_by, first, (), rest[0] if rest else None)


async def own(connection: AsyncConnection, caller: Caller, attempt_id: str) -> AttemptRow:
    """Return an attempt that the caller recorded. Raises ``not-found``, for another's too."""
    row = await repository.attempt_by_id(connection, attempt_id)
    if row is None or row.recorded_by != caller.as_instance():
        raise ProblemError("not-found", "Unter dieser Kennung ist hier nichts aufgezeichnet.")
    return row


def _check(gateway: Gateway, body: AttemptIn) -> None:
    today = day_of(gateway.clock())
    refuse_wildcards({"zweck": [body.zweck], "kategorien": body.kategorien})
    check_purpose(gateway, "zweck", body.zweck, today)
    check_categories("kategorien", body.kategorien)
    if body.person is None and body.aktenzeichen is None:
        raise invalid("person", "person oder aktenzeichen angeben: Es muss feststehen, wer gefragt wurde.")
    if body.person is not None:
        not_after("person.geburtsdatum", body.person.geburtsdatum, today, FUTURE)
    not_after("gefragt_am", body.gefragt_am, today, FUTURE)
    check_time_to_answer("frist", body.gefragt_am, body.frist)


def _event(name: str, caller: Caller, row: AttemptRow, data: dict[str, Any]) -> AuditEvent:
    side = {"pseudonym": row.pseudonym, "case_key": row.case_key, "client": caller.client_id}
    kept = {field: value for field, value in side.items() if value is not None}
    return AuditEvent(name, caller.actor, row.recorded_by, None, row.id, data, kept)
