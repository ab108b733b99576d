"""Register a procedure, and record its steps; in the caller's transaction, with evidence.

Either side registers; each records the approval of its own supervising authority alone, so that nobody certifies for
the other. What is registered lets nothing pass by itself: gate G9 asks for approvals, notice and volume on each day.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from broker.audit import log
from broker.audit.events import AuditEvent
from broker.auth.caller import Caller
from broker.clock import day_of
from broker.errors import ProblemError, invalid
from broker.gateway import Gateway
from broker.kennung import known, recorded_meanwhile
from broker.procedures import repository
from broker.procedures.models import Step
from broker.procedures.repository import ProcedureRow
from broker.procedures.shapes import ApprovalIn, EndIn, NoticeIn, ProcedureIn
from broker.subjects.checks import check_categories, check_instances, check_purpose, not_after, refuse_wildcards
from broker.subjects.person import body_hash

FUTURE = "Der Tag liegt in der Zukunft."
DATED = {Step.APPROVED: "genehmigt_am", Step.NOTIFIED: "unterrichtet_am"}
"""Steps that are about the written fixing, so that they cannot come before it; and the field that says their day."""
EVENTS = {Step.APPROVED: "procedure.approved", Step.NOTIFIED: "procedure.notified", Step.ENDED: "procedure.ended"}


async def register(connection: AsyncConnection, gateway: Gateway, caller: Caller, body: ProcedureIn) -> ProcedureRow:
    """Register a procedure of the calling side; the same body under the same `kennung` gives the first record again.

    Raises `ProblemError`: ``invalid-request``, ``unknown-purpose``, ``unknown-agency``, ``message-conflict``.
    """
    side, now = caller.as_instance(), gateway.clock()
    digest = body_hash(gateway.keys, side, body)
    if (first := await known(connection, repository.procedure_by_kennung, side, body.kennung, digest)) is not None:
        return replace(first, steps=())
    await _check(connection, gateway, side, body)
    values: dict[str, Any] = {
        "id": str(uuid4()),
        "recorded_by": side,
        "recorded_at": now,
        "body_hash": digest,
    } | _declared(body)
    if not await repository.insert_procedure(connection, values):
        meanwhile = await recorded_meanwhile(connection, repository.procedure_by_kennung, side, body.kennung, digest)
        return replace(meanwhile, steps=())
    row = await visible(connection, caller, values["id"])
    await log.append(connection, [_event("procedure.registered", caller, row, _said(row))], now)
    return row


async def approve(
    connection: AsyncConnection, gateway: Gateway, caller: Caller, procedure_id: str, body: ApprovalIn
) -> ProcedureRow:
    """Record the approval of the calling side's supervising authority; again changes nothing.

    Raises `ProblemError`: ``not-found``, ``invalid-request``, ``state-conflict`` (it has ended).
    """
    not_after("genehmigt_am", body.genehmigt_am, day_of(gateway.clock()), FUTURE)
    return await _step(connection, gateway, caller, procedure_id, Step.APPROVED, body.genehmigt_am, body.aufsicht)


async def notify(
    connection: AsyncConnection, gateway: Gateway, caller: Caller, procedure_id: str, body: NoticeIn
) -> ProcedureRow:
    """Record that the data-protection authority was told; again changes nothing. Raises what `approve` does."""
    not_after("unterrichtet_am", body.unterrichtet_am, day_of(gateway.clock()), FUTURE)
    return await _step(connection, gateway, caller, procedure_id, Step.NOTIFIED, body.unterrichtet_am, body.stelle)


async def end(
    connection: AsyncConnection, gateway: Gateway, caller: Caller, procedure_id: str, body: EndIn
) -> ProcedureRow:
    """End a procedure; from that day on it lets nothing pass, nor what waits to be handed over.

    Again changes nothing: the first end stands. Raises what `approve` does.
    """
    today = day_of(gateway.clock())
    not_after("beendet_am", body.beendet_am, today, FUTURE)
    return await _step(connection, gateway, caller, procedure_id, Step.ENDED, body.beendet_am or today, body.grund)


async def visible(connection: AsyncConnection, caller: Caller, procedure_id: str) -> ProcedureRow:
    """Return an entry that the caller is a side of. Raises ``not-found``, for another's too."""
    row = await repository.procedure_by_id(connection, procedure_id)
    if row is None or caller.as_instance() not in (row.sender, row.recipient):
        raise ProblemError("not-found", "Unter dieser Kennung ist hier nichts aufgezeichnet.")
    return row


async def _step(
    connection: AsyncConnection,
    gateway: Gateway,
    caller: Caller,
    procedure_id: str,
    step: Step,
    dated: date,
    code: str,
) -> ProcedureRow:
    row, now = await visible(connection, caller, procedure_id), gateway.clock()
    if step in DATED:
        not_after(DATED[step], row.fixed_on, dated, "Der Tag liegt vor der schriftlichen Festlegung.")
    ended = row.days_of(Step.ENDED)
    if ended and step is not Step.ENDED:
        raise ProblemError("state-conflict", "Das Verfahren ist beendet; ein neues ist zu registrieren.")
    if ended or caller.as_instance() in row.days_of(step):
        return row
    values = {"procedure_id": row.id, "step": step.value, "instance": caller.as_instance(), "dated": dated}
    if await repository.insert_step(connection, values | {"code": code, "recorded_at": now}):
        data = {"dated": dated.isoformat(), "code": code, "side": caller.as_instance()}
        await log.append(connection, [_event(EVENTS[step], caller, row, data)], now)
    return await visible(connection, caller, procedure_id)


async def _check(connection: AsyncConnection, gateway: Gateway, side: str, body: ProcedureIn) -> None:
    today = day_of(gateway.clock())
    refuse_wildcards({"zweck": [body.zweck], "kategorien": body.kategorien})
    check_purpose(gateway, "zweck", body.zweck, today)
    check_categories("kategorien", body.kategorien)
    if side not in (body.von, body.an):
        raise invalid("von", "von, an: Ein Verfahren registriert, wer daran beteiligt ist.")
    if body.von == body.an:
        raise invalid("an", "an: Ein Verfahren hat zwei Seiten.")
    await check_instances(connection, "von", [body.von])
    await check_instances(connection, "an", [body.an])
    not_after("festlegung.vom", body.festlegung.vom, today, FUTURE)
    not_after("gueltig_ab", body.festlegung.vom, body.gueltig_ab, "Der Tag liegt vor der schriftlichen Festlegung.")
    not_after("gueltig_bis", body.gueltig_ab, body.gueltig_bis, "Der Tag liegt vor dem Beginn der Gültigkeit.")


def _declared(body: ProcedureIn) -> dict[str, Any]:
    return {
        "kennung": str(body.kennung) if body.kennung else None,
        "sender": body.von,
        "recipient": body.an,
        "kind": body.art.value,
        "purpose": body.zweck,
        "categories": sorted(set(body.kategorien)),
        "reasons": sorted(set(body.angemessen_wegen)),
        "fixed_version": body.festlegung.fassung,
        "fixed_on": body.festlegung.vom,
        "most_persons": body.hoechstzahl or 0,
        "valid_from": body.gueltig_ab,
        "valid_until": body.gueltig_bis,
    }


def _said(row: ProcedureRow) -> dict[str, Any]:
    said: dict[str, Any] = {"kind": row.kind.value, "purpose": row.purpose, "categories": sorted(row.categories)}
    said |= {"valid_from": row.valid_from.isoformat()}
    said |= {"most_persons": row.most_persons} if row.most_persons else {}
    return said | ({"valid_until": row.valid_until.isoformat()} if row.valid_until else {})


def _event(name: str, caller: Caller, row: ProcedureRow, data: dict[str, Any]) -> AuditEvent:
    return AuditEvent(name, caller.actor, row.sender, row.recipient, row.id, data, {"client": caller.client_id})
