"""Record an Ersuchen and its end; in the caller's transaction, with evidence.

The recipient-to-be records it, so that a sender cannot certify the other side's task or first collection. Who is asked
about is sealed to the addressee: it must find the person, nobody else may.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

from broker.audit import log
from broker.audit.events import AuditEvent
from broker.auth.caller import Caller
from broker.clock import day_of
from broker.crypto import new_key, seal, unseal, unwrap, wrap
from broker.errors import ProblemError, invalid
from broker.gateway import Gateway
from broker.kennung import known, recorded_meanwhile
from broker.keys import Keys
from broker.requests import repository
from broker.requests.repository import ErsuchenRow
from broker.requests.shapes import ErsuchenIn, ErsuchenOut, PersonOut
from broker.subjects.checks import (
    LONGEST_TO_ANSWER,
    check_categories,
    check_instances,
    check_purpose,
    not_after,
    refuse_wildcards,
)
from broker.subjects.person import body_hash
from consent.norm import paragraphs

BY_ADDRESSEE = ("ABGELEHNT",)
BY_REQUESTER = ("ERLEDIGT", "ZURUECKGENOMMEN", "IRRTUM")
_PLACE = r"Abs\.|Satz|S\.|Nr\.|Buchst\.|Halbsatz|HS|Alt\.|ff?\.|und|oder|bis|i\.V\.m\.|analog|[a-z]"
_NUMBER = r"\d+[a-z]?(?:\(\d+[a-z]?\))*(?:-\d+[a-z]?)?"
_STATUTE = r"[IVX]+|[A-ZÄÖÜ][a-zäöüß]*[A-ZÄÖÜ][A-Za-zÄÖÜäöüß]*"
_WORD = re.compile(rf"§§?|(?:§§?)?{_NUMBER}|Art\.|{_PLACE}|{_STATUTE}")
"""Signs, numbers, places and abbreviations of statutes (two capital letters): no word that could be a name."""


async def record(connection: AsyncConnection, gateway: Gateway, caller: Caller, body: ErsuchenIn) -> ErsuchenRow:
    """Record an Ersuchen of the calling instance; the same body under the same `kennung` gives the first record again.

    Raises `ProblemError`: ``invalid-request``, ``unknown-purpose``, ``unknown-agency``, ``message-conflict``.
    """
    requester, now = caller.as_instance(), gateway.clock()
    digest = body_hash(gateway.keys, requester, body)
    if (first := await known(connection, repository.ersuchen_by_kennung, requester, body.kennung, digest)) is not None:
        return first_answer(first)
    await _check(connection, gateway, requester, body)
    person = body.person.keys(gateway.keys, requester).stored if body.person else None
    case = gateway.keys.case_key(requester, body.aktenzeichen) if body.aktenzeichen else None
    values: dict[str, Any] = {"id": str(uuid4()), "requester": requester, "pseudonym": person, "case_key": case}
    values |= {"recorded_at": now, "body_hash": digest} | _declared(body)
    if not await repository.insert_ersuchen(connection, values, _sealed(gateway.keys, values["id"], body)):
        meanwhile = await recorded_meanwhile(
            connection, repository.ersuchen_by_kennung, requester, body.kennung, digest
        )
        return first_answer(meanwhile)
    (row,) = await repository.ersuchen_by_ids(connection, [values["id"]])
    data = {"purpose": row.purpose, "norm": row.norm, "categories": sorted(row.categories)}
    data |= {"collection": row.first_collection.status, "deadline": row.deadline.isoformat()}
    side = {"pseudonym": person, "case_key": case, "client": caller.client_id}
    await log.append(connection, [_event("ersuchen.recorded", caller, row, data, side)], now)
    return row


async def close(
    connection: AsyncConnection, gateway: Gateway, caller: Caller, ersuchen_id: str, reason: str
) -> ErsuchenRow:
    """End an Ersuchen and delete its sealed content. Again changes nothing: the first end stands.

    The requester says ERLEDIGT, ZURUECKGENOMMEN or IRRTUM, the addressee ABGELEHNT. Raises `ProblemError`:
    ``not-found``, ``invalid-request``.
    """
    instance, now = caller.as_instance(), gateway.clock()
    row = await visible(connection, caller, ersuchen_id)
    allowed = BY_REQUESTER if instance == row.requester else BY_ADDRESSEE
    if reason not in allowed:
        raise invalid("grund", "grund: Diesen Grund gibt die andere Seite an.", list(allowed))
    values = {"ersuchen_id": row.id, "closed_on": day_of(now), "reason_code": reason, "closed_by": instance}
    if row.closed_on is None and await repository.insert_closing(connection, values | {"recorded_at": now}):
        side = {"pseudonym": row.pseudonym, "case_key": row.case_key, "client": caller.client_id}
        await log.append(connection, [_event("ersuchen.closed", caller, row, {"reason": reason}, side)], now)
    return await visible(connection, caller, ersuchen_id)


async def visible(connection: AsyncConnection, caller: Caller, ersuchen_id: str) -> ErsuchenRow:
    """Return an Ersuchen from or to the calling instance. Raises ``not-found``, for another's too."""
    instance = caller.as_instance()
    for row in await repository.ersuchen_by_ids(connection, [ersuchen_id]):
        if instance in (row.requester, row.addressee):
            return row
    raise ProblemError("not-found", "Unter dieser Kennung ist hier nichts aufgezeichnet.")


def first_answer(row: ErsuchenRow) -> ErsuchenRow:
    """Return the record as it was when it was made: a repetition gets the first answer, whatever came after."""
    return replace(row, closed_on=None, closing_reason=None)


async def shown(connection: AsyncConnection, keys: Keys, caller: Caller, row: ErsuchenRow) -> ErsuchenOut:
    """Show an Ersuchen, to the addressee with its sealed content. Raises `broker.crypto.SealBroken`."""
    answer = ErsuchenOut.of(row)
    content = await repository.content_of(connection, row.id) if caller.as_instance() == row.addressee else None
    if content is None:
        return answer
    _, wrapping_key = keys.sealing_key(row.addressee, content.sealing_kid)
    opened = json.loads(unseal(content.sealed, unwrap(content.wrapped, wrapping_key), row.id))
    person = PersonOut(**opened["person"]) if opened["person"] else None
    return answer.model_copy(update={"person": person, "aktenzeichen": opened["aktenzeichen"]})


async def _check(connection: AsyncConnection, gateway: Gateway, requester: str, body: ErsuchenIn) -> None:
    today = day_of(gateway.clock())
    refuse_wildcards({"an": [body.an], "zweck": [body.zweck], "kategorien": body.kategorien})
    check_purpose(gateway, "zweck", body.zweck, today)
    check_categories("kategorien", body.kategorien)
    await check_instances(connection, "an", [body.an])
    if body.an == requester:
        raise invalid("an", "an: Ein Ersuchen richtet sich an eine andere Instanz als die eigene.")
    if body.person is None and body.aktenzeichen is None:
        raise invalid("person", "person oder aktenzeichen angeben: Die ersuchte Stelle muss den Fall finden.")
    if body.person is not None:
        not_after("person.geburtsdatum", body.person.geburtsdatum, today, "Der Tag liegt in der Zukunft.")
    not_after("frist", today, body.frist, "Der Tag liegt in der Vergangenheit.")
    _check_norm("norm", body.norm)
    _check_collection(body, sorted(gateway.law.on(today).as_of(today).reasons), today)


def _check_collection(body: ErsuchenIn, reasons: list[str], today: date) -> None:
    """Refuse what contradicts itself; whether it suffices is gate G7's to say."""
    first = body.ersterhebung
    not_after("ersterhebung.gefragt_am", first.gefragt_am, today, "Der Tag liegt in der Zukunft.")
    not_after("ersterhebung.frist", first.gefragt_am, first.frist, "Die Frist liegt vor dem Tag der Frage.")
    not_after("ersterhebung.frist", first.frist, today + LONGEST_TO_ANSWER, "Die Frist ist länger als ein Jahr.")
    if first.grund_code is not None and first.grund_code not in reasons:
        raise invalid(
            "ersterhebung.grund_code", "ersterhebung.grund_code: Diesen Grund kennt das Recht nicht.", reasons
        )
    if first.norm is not None:
        _check_norm("ersterhebung.norm", first.norm)


def _check_norm(field: str, norm: str) -> None:
    """Refuse what cites no paragraph of a statute: free text could be about a person."""
    readable = all(_WORD.fullmatch(word) for word in norm.replace(",", " ").split())
    if not readable or not any(paragraph for _, paragraph in paragraphs(norm)):
        raise invalid(field, f"{field}: Eine Norm mit Paragraf und Gesetz nennen, z. B. „§ 41 SGB XII“.")


def _declared(body: ErsuchenIn) -> dict[str, Any]:
    first = body.ersterhebung
    return {
        "kennung": str(body.kennung) if body.kennung else None,
        "addressee": body.an,
        "purpose": body.zweck,
        "norm": body.norm,
        "categories": sorted(set(body.kategorien)),
        "fc_status": first.status.value,
        "fc_asked": first.gefragt_am,
        "fc_deadline": first.frist,
        "fc_norm": first.norm,
        "fc_reason_code": first.grund_code,
        "deadline": body.frist,
    }


def _sealed(keys: Keys, ersuchen_id: str, body: ErsuchenIn) -> dict[str, Any]:
    """Seal person and Aktenzeichen under a key of their own, wrapped to the addressee and bound to the id."""
    kid, wrapping_key = keys.sealing_key(body.an)
    key = new_key()
    plain = json.dumps(body.model_dump(mode="json", include={"person", "aktenzeichen"})).encode()
    wrapped, sealed = wrap(key, wrapping_key), seal(plain, key, ersuchen_id)
    return {"ersuchen_id": ersuchen_id, "sealing_kid": kid, "wrapped": wrapped, "sealed": sealed}


def _event(
    name: str, caller: Caller, row: ErsuchenRow, data: dict[str, Any], side: dict[str, str | None]
) -> AuditEvent:
    kept = {field: value for field, value in side.items() if value is not None}
    return AuditEvent(name, caller.actor, row.requester, row.addressee, row.id, data, kept)
