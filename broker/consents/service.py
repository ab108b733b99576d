"""Record a consent or a refusal, and its withdrawal; in the caller's transaction, with evidence."""

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
from broker.consents import repository
from broker.consents.repository import ConsentRow
from broker.consents.shapes import ConsentIn
from broker.crypto import keyed_hash
from broker.errors import ProblemError, invalid
from broker.gateway import Gateway
from broker.kennung import known, recorded_meanwhile
from broker.keys import Keys, owner_key
from broker.subjects.checks import check_categories, check_instances, check_purpose, not_after, refuse_wildcards
from broker.subjects.events import SubjectEvent, state_keys
from broker.subjects.person import body_hash
from broker.subjects.state import raise_numbers

MONTHS_OF_A_YEAR = 12
FEBRUARY = 2


async def record(
    connection: AsyncConnection, gateway: Gateway, caller: Caller, body: ConsentIn
) -> tuple[ConsentRow, SubjectEvent | None]:
    """Record a consent or refusal of the calling instance.

    Returns the record, and the event for `subject_changed` where it is a new refusal. The same body under the same
    `kennung` gives the first record again. Raises `ProblemError`: ``invalid-request``, ``unknown-purpose``,
    ``unknown-agency``, ``message-conflict``.
    """
    controller, now = caller.as_instance(), gateway.clock()
    digest = body_hash(gateway.keys, controller, body)
    if (first := await known(connection, repository.consent_by_kennung, controller, body.kennung, digest)) is not None:
        return first_answer(first), None
    await _check(connection, gateway, body, day_of(now))
    keys = body.person.keys(gateway.keys, controller)
    case = gateway.keys.case_key(controller, body.aktenzeichen) if body.aktenzeichen else None
    values: dict[str, Any] = {"id": str(uuid4()), "recorded_by": controller, "pseudonym": keys.stored, "case_key": case}
    values |= {"recorded_at": now, "body_hash": digest} | _declared(gateway.keys, controller, body)
    await raise_numbers(connection, state_keys(controller, keys.stored, case))
    if not await repository.insert_consent(connection, values, keys.stored_near):
        meanwhile = await recorded_meanwhile(
            connection, repository.consent_by_kennung, controller, body.kennung, digest
        )
        return first_answer(meanwhile), None
    (row,) = await repository.consents_by_ids(connection, [values["id"]])
    await log.append(connection, [_recorded(row, caller, body.nachweis.aufgenommen_von)], now)
    if row.refused is None:
        return row, None
    return row, SubjectEvent("consent.recorded", controller, keys.stored, keys.stored_near, case, consent_id=row.id)


async def withdraw(
    connection: AsyncConnection, gateway: Gateway, caller: Caller, consent_id: str, on: date | None
) -> tuple[ConsentRow, SubjectEvent | None]:
    """Withdraw a consent from a day on (None: today). Again changes nothing: the first withdrawal stands.

    The recording instance may record it and each recipient that the consent names: withdrawing must be as easy as
    giving (Art. 7 Abs. 3 DSGVO). Returns the record and the event for `subject_changed` (None: repetition). Raises
    `ProblemError`: ``not-found``, ``state-conflict`` (a refusal has nothing to withdraw), ``invalid-request``.
    """
    instance, now = caller.as_instance(), gateway.clock()
    row = await visible(connection, caller, consent_id)
    if row.granted is None:
        raise ProblemError("state-conflict", "Eine Verweigerung hat nichts, was widerrufen werden könnte.")
    await raise_numbers(connection, state_keys(row.recorded_by, row.pseudonym, row.case_key))
    row = await visible(connection, caller, consent_id)
    if row.revoked_on is not None:
        return row, None
    revoked = on or day_of(now)
    not_after("widerrufen_am", revoked, day_of(now), "Der Tag liegt in der Zukunft.")
    not_after("widerrufen_am", row.granted, revoked, "Der Tag liegt vor der Erteilung.")
    await repository.insert_withdrawal(connection, consent_id, revoked, instance, now)
    other = instance if instance != row.recorded_by else None
    data = {"purpose": row.purpose, "recipients": sorted(row.recipients), "revoked_on": revoked.isoformat()}
    side = _side(row, caller, None)
    event = AuditEvent("consent.withdrawn", caller.actor, row.recorded_by, other, row.id, data, side)
    await log.append(connection, [event], now)
    near = await repository.near_of(connection, row.id)
    changed = SubjectEvent("consent.withdrawn", row.recorded_by, row.pseudonym, near, row.case_key, consent_id=row.id)
    return await visible(connection, caller, consent_id), changed


async def visible(connection: AsyncConnection, caller: Caller, consent_id: str) -> ConsentRow:
    """Return a consent that the caller recorded or is named in. Raises ``not-found``, for another's too."""
    instance = caller.as_instance()
    for row in await repository.consents_by_ids(connection, [consent_id]):
        if instance == row.recorded_by or instance in row.recipients:
            return row
    raise ProblemError("not-found", "Unter dieser Kennung ist hier nichts aufgezeichnet.")


def first_answer(row: ConsentRow) -> ConsentRow:
    """Return the record as it was when it was made: a repetition gets the first answer, whatever came after."""
    return replace(row, revoked_on=None, withdrawn_at=None)


def year_later(day: date) -> date:
    """Return the day 12 calendar months later (settled reading D 22); 29 February gives 28 February."""
    leap_day = (day.month, day.day) == (FEBRUARY, 29)
    return day.replace(year=day.year + 1, day=28 if leap_day else day.day)


async def _check(connection: AsyncConnection, gateway: Gateway, body: ConsentIn, today: date) -> None:
    refuse_wildcards({"zweck": [body.zweck], "empfaenger": body.empfaenger, "kategorien": body.kategorien})
    check_purpose(gateway, "zweck", body.zweck, today)
    check_categories("kategorien", body.kategorien)
    await check_instances(connection, "empfaenger", body.empfaenger)
    _check_days(body, today)
    if body.entbindung is not None and body.entbindung.natuerliche_person and not body.entbindung.name:
        raise invalid("entbindung.name", "entbindung.name: Wer von der Schweigepflicht entbunden wird, ist zu nennen.")


def _check_days(body: ConsentIn, today: date) -> None:
    """Refuse days that contradict each other. A consent in advance or backdated into the future proves nothing."""
    if (body.erteilt_am is None) is (body.verweigert_am is None):
        raise invalid("erteilt_am", "Entweder erteilt_am oder verweigert_am angeben, genau eines von beiden.")
    not_after("person.geburtsdatum", body.person.geburtsdatum, today, "Der Tag liegt in der Zukunft.")
    not_after("verweigert_am", body.verweigert_am, today, "Der Tag liegt in der Zukunft.")
    if body.verweigert_am is not None:
        if body.gueltig_ab is not None or body.gueltig_bis is not None:
            raise invalid("gueltig_ab", "Eine Verweigerung hat keine Gültigkeit: gueltig_ab und gueltig_bis weglassen.")
        return
    if not body.kategorien:
        raise invalid("kategorien", "kategorien: Eine Einwilligung nennt mindestens eine Datenkategorie.")
    not_after("erteilt_am", body.erteilt_am, today, "Der Tag liegt in der Zukunft.")
    not_after("gueltig_ab", body.erteilt_am, body.gueltig_ab, "Der Tag liegt vor der Erteilung.")
    begin = body.gueltig_ab or body.erteilt_am
    not_after("gueltig_bis", begin, _until(body), "Der Tag liegt vor dem Beginn der Gültigkeit.")


def _until(body: ConsentIn) -> date | None:
    if body.erteilt_am is None:
        return None
    return body.gueltig_bis or year_later(body.erteilt_am)


def _declared(keys: Keys, controller: str, body: ConsentIn) -> dict[str, Any]:
    """Return what was declared as columns; the name of a released professional becomes a keyed hash."""
    release = body.entbindung
    name = " ".join(release.name.split()).casefold() if release and release.name else None
    secret = keys.pseudonym[-1]
    hashed = name and f"{secret.kid}:{keyed_hash(owner_key(secret.value, 'release', controller), name)}"
    return {
        "kennung": str(body.kennung) if body.kennung else None,
        "given_by": body.erklaert_von.value,
        "granted": body.erteilt_am,
        "refused": body.verweigert_am,
        "valid_from": body.gueltig_ab or body.erteilt_am,
        "valid_until": _until(body),
        "purpose": body.zweck,
        "recipients": sorted(set(body.empfaenger)),
        "categories": sorted(set(body.kategorien)),
        "form": body.form.value,
        "documented": body.dokumentiert,
        "default_on": body.voreingestellt,
        "notices": sorted(set(body.hinweise)),
        "voluntary": body.freiwillig,
        "insight_of_minor": body.einsichtsfaehig,
        "custody": body.sorge,
        "carer_covers": body.betreuer_aufgabenkreis,
        "household_agreed": body.haushaltsmitglieder_eingewilligt,
        "release_natural_person": release.natuerliche_person if release else None,
        "release_hash": hashed,
        "wording_version": body.nachweis.wortlaut_version,
        "language": body.nachweis.sprache,
        "interpreter": body.nachweis.dolmetscher,
    }


def _recorded(row: ConsentRow, caller: Caller, staff: str) -> AuditEvent:
    days = {
        "granted": row.granted,
        "refused": row.refused,
        "valid_from": row.valid_from,
        "valid_until": row.valid_until,
    }
    data = {
        "purpose": row.purpose,
        "recipients": sorted(row.recipients),
        "categories": sorted(row.categories),
        "given_by": row.given_by.value,
        "form": row.form.value,
    } | {name: day.isoformat() for name, day in days.items() if day is not None}
    side = _side(row, caller, staff)
    return AuditEvent("consent.recorded", caller.actor, row.recorded_by, None, row.id, data, side)


def _side(row: ConsentRow, caller: Caller, staff: str | None) -> dict[str, str]:
    side = {"pseudonym": row.pseudonym, "case_key": row.case_key, "client": caller.client_id, "staff": staff}
    return {field: value for field, value in side.items() if value is not None}
