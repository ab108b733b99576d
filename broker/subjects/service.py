"""Record what stops a transfer, and its end; in the caller's transaction, with evidence."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal
from uuid import UUID, uuid4

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.audit import log
from broker.audit.events import AuditEvent
from broker.auth.caller import Caller
from broker.clock import day_of
from broker.errors import ProblemError, invalid
from broker.gateway import Gateway
from broker.subjects import repository
from broker.subjects.checks import check_instances, check_purpose, not_after, refuse_wildcards
from broker.subjects.events import SubjectEvent, state_keys
from broker.subjects.models import StopKind
from broker.subjects.person import PersonIn, body_hash
from broker.subjects.state import raise_numbers
from consent.consents import GivenBy


class StopIn(BaseModel):
    """An objection, opt-out, refusal or protected address to be recorded."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, str_strip_whitespace=True)

    kennung: UUID | None = Field(default=None, description="eigene Kennung der Anfrage, für die genaue Wiederholung")
    art: StopKind
    person: PersonIn = Field(repr=False)
    aktenzeichen: str | None = Field(default=None, min_length=1, max_length=64, repr=False)
    datum: date = Field(description="Tag der Erklärung")
    erklaert_von: GivenBy
    zweck: str | None = Field(default=None, max_length=64, description="nur und immer bei VERWEIGERUNG")
    empfaenger: str | None = Field(default=None, max_length=128, description="nur und immer bei VERWEIGERUNG")
    aufgenommen_von: str | None = Field(default=None, max_length=64, repr=False)


class StopEndIn(BaseModel):
    """The end of a stop."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    beendet_am: date | None = Field(default=None, description="ohne Angabe: heute; nicht in der Zukunft")
    grund: Literal["ZURUECKGENOMMEN", "WEGGEFALLEN", "IRRTUM"]


async def record_stop(
    connection: AsyncConnection, gateway: Gateway, caller: Caller, body: StopIn
) -> tuple[str, SubjectEvent | None]:
    """Record a stop of the calling instance; return its id, and the event for `subject_changed` (None: repetition).

    Raises `ProblemError`: ``invalid-request``, ``unknown-purpose``, ``unknown-agency``, ``message-conflict``.
    """
    controller, now = caller.as_instance(), gateway.clock()
    digest = body_hash(gateway.keys, controller, body)
    if (known := await _known(connection, controller, body.kennung, digest)) is not None:
        return known, None
    await _check(connection, gateway, body, day_of(now))
    owner = key_owner(body.art, controller)
    keys = body.person.keys(gateway.keys, owner)
    case = gateway.keys.case_key(controller, body.aktenzeichen) if body.aktenzeichen else None
    values = _values(body, controller, digest) | {"pseudonym": keys.stored, "case_key": case, "recorded_at": now}
    await raise_numbers(connection, state_keys(controller, keys.stored, case, owner=owner))
    if not await repository.insert_stop(connection, values, keys.stored_near):
        return await _lost_race(connection, controller, body.kennung, digest), None
    await log.append(connection, [_recorded(values, caller, body.aufgenommen_von)], now)
    event = SubjectEvent("stop.recorded", controller, keys.stored, keys.stored_near, case, stop_id=values["id"])
    return values["id"], event


async def end_stop(connection: AsyncConnection, gateway: Gateway, caller: Caller, stop_id: str, end: StopEndIn) -> None:
    """End a stop of the calling instance; again changes nothing.

    Raises `ProblemError`: ``not-found`` (also for another's stop), ``invalid-request``.
    """
    controller, now = caller.as_instance(), gateway.clock()
    row = await visible_stop(connection, caller, stop_id)
    owner = key_owner(StopKind(row.kind), controller)
    await raise_numbers(connection, state_keys(controller, row.pseudonym, row.case_key, owner=owner))
    row = await visible_stop(connection, caller, stop_id)
    if row.ended_on is not None:
        return
    ended = end.beendet_am or day_of(now)
    not_after("beendet_am", ended, day_of(now), "Der Tag liegt in der Zukunft.")
    not_after("beendet_am", row.dated, ended, "Der Tag liegt vor dem Tag der Erklärung.")
    await repository.insert_end(connection, stop_id, ended, end.grund, now)
    side = _side(row.pseudonym, row.case_key, caller, None)
    data = {"kind": row.kind, "ended_on": ended.isoformat(), "reason": end.grund}
    event = AuditEvent("stop.ended", caller.actor, controller, None, stop_id, data, side)
    await log.append(connection, [event], now)


def key_owner(kind: StopKind, controller: str) -> str:
    """Return under whose keys a stop is found: a protected address under those of the register over all controllers."""
    return repository.SHELTER_REGISTER if kind is StopKind.SCHUTZANSCHRIFT else controller


async def visible_stop(connection: AsyncConnection, caller: Caller, stop_id: str) -> Any:  # noqa: ANN401 - a Row
    """Return a stop of the calling instance. Raises ``not-found``, for another's stop too."""
    row = await repository.own_stop(connection, caller.as_instance(), stop_id)
    if row is None:
        raise ProblemError("not-found", "Unter dieser Kennung ist hier nichts aufgezeichnet.")
    return row


async def _known(connection: AsyncConnection, controller: str, kennung: UUID | None, digest: str) -> str | None:
    row = await repository.stop_by_kennung(connection, controller, str(kennung)) if kennung else None
    if row is not None and row.body_hash != digest:
        raise ProblemError("message-conflict", "Unter dieser kennung ist anderes aufgezeichnet.")
    return row.id if row is not None else None


async def _lost_race(connection: AsyncConnection, controller: str, kennung: UUID | None, digest: str) -> str:
    """Answer with what another request recorded under the same `kennung` in the meantime."""
    known = await _known(connection, controller, kennung, digest)
    if known is None:
        raise ProblemError("temporarily-unavailable", "Nichts wurde aufgezeichnet.", headers={"Retry-After": "1"})
    return known


async def _check(connection: AsyncConnection, gateway: Gateway, body: StopIn, today: date) -> None:
    not_after("datum", body.datum, today, "Der Tag der Erklärung liegt in der Zukunft.")
    not_after("person.geburtsdatum", body.person.geburtsdatum, today, "Der Tag liegt in der Zukunft.")
    refusal = body.art is StopKind.VERWEIGERUNG
    for field, value in (("zweck", body.zweck), ("empfaenger", body.empfaenger)):
        if (value is not None) is not refusal:
            raise invalid(field, f"{field}: nur und immer bei VERWEIGERUNG; alles andere gilt für jede Übermittlung.")
    if body.zweck is not None and body.empfaenger is not None:
        refuse_wildcards({"zweck": [body.zweck], "empfaenger": [body.empfaenger]})
        check_purpose(gateway, "zweck", body.zweck, today)
        await check_instances(connection, "empfaenger", [body.empfaenger])


def _values(body: StopIn, controller: str, digest: str) -> dict[str, Any]:
    return {
        "id": str(uuid4()),
        "kind": body.art.value,
        "controller": controller,
        "given_by": body.erklaert_von.value,
        "dated": body.datum,
        "purpose": body.zweck,
        "recipient": body.empfaenger,
        "kennung": str(body.kennung) if body.kennung else None,
        "body_hash": digest,
    }


def _recorded(values: dict[str, Any], caller: Caller, staff: str | None) -> AuditEvent:
    data = {
        "kind": values["kind"],
        "dated": values["dated"].isoformat(),
        "given_by": values["given_by"],
        "purpose": values["purpose"],
        "recipient": values["recipient"],
    }
    side = _side(values["pseudonym"], values["case_key"], caller, staff)
    return AuditEvent("stop.recorded", caller.actor, values["controller"], None, values["id"], data, side)


def _side(pseudonym: str, case_key: str | None, caller: Caller, staff: str | None) -> dict[str, str]:
    side = {"pseudonym": pseudonym, "case_key": case_key, "client": caller.client_id, "staff": staff}
    return {field: value for field, value in side.items() if value is not None}
