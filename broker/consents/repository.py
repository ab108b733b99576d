"""Queries of consents."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import Select, and_, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.consents.models import ConsentNear, ConsentRecord, ConsentWithdrawal
from broker.db import insert_ignore
from broker.subjects.pseudonym import SubjectKeys
from broker.subjects.repository import FoundBy, chunks, found_by
from consent.consents import Consent, ConsentForm, GivenBy, ReleaseOf

NOTICES = frozenset({"zweck", "folgen_der_verweigerung", "widerruf"})
"""All notices that the law asks for (§ 67b Abs. 2 SGB X)."""


@dataclass(frozen=True, slots=True)
class ConsentRow:
    """One recorded consent or refusal, with its withdrawal (None: not withdrawn)."""

    seq: int
    id: str
    recorded_by: str
    pseudonym: str
    """One of `SubjectKeys.exact` of the person at `recorded_by`."""
    case_key: str | None
    given_by: GivenBy
    granted: date | None
    refused: date | None
    valid_from: date | None
    valid_until: date | None
    purpose: str
    recipients: frozenset[str]
    categories: frozenset[str]
    form: ConsentForm
    documented: bool
    default_on: bool
    notices: frozenset[str]
    voluntary: bool
    insight_of_minor: bool | None
    custody: str | None
    carer_covers: bool | None
    household_agreed: bool | None
    release_natural_person: bool | None
    wording_version: str
    language: str
    interpreter: bool
    recorded_at: datetime
    revoked_on: date | None
    withdrawn_at: datetime | None
    body_hash: str

    @property
    def changed(self) -> tuple[date, datetime]:
        """When the person last said something here: the day, and the moment it was recorded."""
        if self.revoked_on is not None and self.withdrawn_at is not None:
            return self.revoked_on, self.withdrawn_at
        return self.refused or self.granted or date.min, self.recorded_at

    def stops_on(self, day: date) -> bool:
        """Whether it is a refusal or a withdrawal that counts on the day."""
        return any(when is not None and when <= day for when in (self.refused, self.revoked_on))


@dataclass(frozen=True, slots=True)
class StandingStop:
    """A refused or withdrawn consent that still stands. `matched`: the keys of the look-up that found it."""

    consent: ConsentRow
    recipients: frozenset[str]
    """For which of its recipients it stands: for the others the person consented anew afterwards."""
    found_by: FoundBy
    matched: frozenset[str]

    def found_for(self, keys: SubjectKeys | None, case_keys: Collection[str] = ()) -> FoundBy | None:
        """Return how it is about this one person or case; None = it is about another of the look-up."""
        own = {*keys.exact, *keys.near, *case_keys} if keys else set(case_keys)
        hits = self.matched & own
        return found_by(hits, keys.exact if keys else (), case_keys) if hits else None

    def to_law(self, person_ref: str) -> Consent:
        """Return it as the law looks at it, for the recipients for which it stands."""
        return to_law(replace(self.consent, recipients=self.recipients), person_ref)


def to_law(row: ConsentRow, person_ref: str) -> Consent:
    """Return a record as the law looks at it; `person_ref` is the person's reference in the transfer."""
    released = row.release_natural_person
    return Consent(
        id=row.id,
        person=person_ref,
        given_by=row.given_by,
        granted=row.granted,
        purpose=row.purpose,
        recipients=row.recipients,
        categories=row.categories,
        form=row.form,
        notices=row.notices,
        voluntary=row.voluntary,
        valid_from=row.valid_from,
        valid_until=row.valid_until,
        revoked=row.revoked_on,
        refused=row.refused,
        documented=row.documented,
        default_on=row.default_on,
        insight_of_minor=row.insight_of_minor,
        release_of=None if released is None else ReleaseOf(natural_person=released),
        recorded_by=row.recorded_by,
    )


async def consents_by_ids(connection: AsyncConnection, ids: Collection[str]) -> list[ConsentRow]:
    """Return the records of these ids with their withdrawals, in the order of recording; unknown ids are missing.

    Whether one may be relied on is the caller's to see: `recorded_by` must be sender or recipient, and `pseudonym`
    must be among the `SubjectKeys.exact` of a person of the message at `recorded_by`.
    """
    found: list[ConsentRow] = []
    for chunk in chunks(ids):
        found += [_row(r) for r in await connection.execute(_rows().where(ConsentRecord.id.in_(chunk)))]
    return sorted(found, key=lambda row: row.seq)


async def standing_stops(
    connection: AsyncConnection, exact: Collection[str], near: Collection[str], case_keys: Collection[str], on: date
) -> list[StandingStop]:
    """Return refusals and withdrawals of these persons and cases that stand on the day, in the order of recording.

    One stands until the person consents anew, at the same controller, to the same purpose, for that recipient: by
    free choice, informed, not pre-set, and declared by the same side. The end of the newer consent's time does not
    bring the older one back; its own withdrawal stands by itself.
    """
    hits: dict[str, set[str]] = {}
    rows: dict[str, ConsentRow] = {}
    sources: list[tuple[Any, Select[Any], Collection[str]]] = [
        (ConsentRecord.pseudonym, _rows(ConsentRecord.pseudonym.label("hit")), exact),
        (ConsentRecord.case_key, _rows(ConsentRecord.case_key.label("hit")), case_keys),
        (
            ConsentNear.near,
            _rows(ConsentNear.near.label("hit")).join(ConsentNear, ConsentNear.consent_id == ConsentRecord.id),
            near,
        ),
    ]
    stopping = or_(ConsentRecord.refused <= on, ConsentWithdrawal.revoked_on <= on)
    for column, query, wanted in sources:
        for chunk in chunks(wanted):
            for row in await connection.execute(query.where(column.in_(chunk), stopping)):
                rows[row.id] = _row(row)
                hits.setdefault(row.id, set()).add(row.hit)
    later = await _consented(connection, {row.pseudonym for row in rows.values()}, on)
    standing = []
    for row in sorted(rows.values(), key=lambda row: row.seq):
        recipients = row.recipients - _anew(row, later)
        if recipients:
            matched = frozenset(hits[row.id])
            standing.append(StandingStop(row, recipients, found_by(matched, exact, case_keys), matched))
    return standing


async def insert_consent(connection: AsyncConnection, values: dict[str, Any], near: Iterable[str]) -> bool:
    """Record a consent and the near keys of its person; False where its `kennung` has been used in the meantime."""
    await insert_ignore(connection, ConsentRecord, [values])
    query = select(ConsentRecord.id).where(ConsentRecord.id == values["id"])
    if (await connection.execute(query)).one_or_none() is None:
        return False
    rows = [{"consent_id": values["id"], "near": key} for key in near]
    if rows:
        await connection.execute(insert(ConsentNear), rows)
    return True


async def near_of(connection: AsyncConnection, consent_id: str) -> tuple[str, ...]:
    """Return the near keys of a consent's person."""
    query = select(ConsentNear.near).where(ConsentNear.consent_id == consent_id).order_by(ConsentNear.near)
    return tuple((await connection.execute(query)).scalars())


async def insert_withdrawal(
    connection: AsyncConnection, consent_id: str, revoked_on: date, recorded_by: str, at: datetime
) -> None:
    """Record a withdrawal."""
    values = {"consent_id": consent_id, "revoked_on": revoked_on, "recorded_by": recorded_by, "recorded_at": at}
    await connection.execute(insert(ConsentWithdrawal), [values])


async def consent_by_kennung(connection: AsyncConnection, recorded_by: str, kennung: str) -> ConsentRow | None:
    """Return what the controller recorded under its own request id, or None."""
    query = _rows().where(ConsentRecord.recorded_by == recorded_by, ConsentRecord.kennung == kennung)
    row = (await connection.execute(query)).one_or_none()
    return _row(row) if row else None


async def releases_for(connection: AsyncConnection, exact: Collection[str], on: date) -> list[ConsentRow]:
    """Return the releases from secrecy of these persons in force on the day, in the order of recording."""
    in_force = and_(
        ConsentRecord.release_natural_person.is_not(None),
        ConsentRecord.valid_from <= on,
        ConsentRecord.valid_until >= on,
        or_(ConsentWithdrawal.revoked_on.is_(None), ConsentWithdrawal.revoked_on > on),
    )
    found: list[ConsentRow] = []
    for chunk in chunks(exact):
        query = _rows().where(ConsentRecord.pseudonym.in_(chunk), in_force)
        found += [_row(row) for row in await connection.execute(query)]
    return sorted(found, key=lambda row: row.seq)


async def own_consents(
    connection: AsyncConnection, recorded_by: str, after: int, limit: int, *, releases: bool = False
) -> list[ConsentRow]:
    """Return the controller's own records made after `after` (a `seq`), at most `limit`; or `releases` alone."""
    mine = and_(ConsentRecord.recorded_by == recorded_by, ConsentRecord.seq > after)
    mine = and_(mine, ConsentRecord.release_natural_person.is_not(None)) if releases else mine
    query = _rows().where(mine).order_by(ConsentRecord.seq).limit(limit)
    return [_row(row) for row in await connection.execute(query)]


async def _consented(connection: AsyncConnection, pseudonyms: Collection[str], on: date) -> list[ConsentRow]:
    """Return the consents of these persons that may take an older refusal or withdrawal back."""
    found: list[ConsentRow] = []
    for chunk in chunks(pseudonyms):
        query = _rows().where(ConsentRecord.pseudonym.in_(chunk), ConsentRecord.granted <= on)
        found += [_row(row) for row in await connection.execute(query)]
    return [r for r in found if r.voluntary and not r.default_on and r.notices >= NOTICES and not r.stops_on(on)]


def _anew(stop: ConsentRow, later: Iterable[ConsentRow]) -> frozenset[str]:
    """Return the recipients for which the person consented anew after the stop."""
    return frozenset(
        recipient
        for row in later
        if (row.pseudonym, row.purpose, row.given_by) == (stop.pseudonym, stop.purpose, stop.given_by)
        and row.changed > stop.changed
        for recipient in row.recipients
    )


def _rows(*more: Any) -> Select[Any]:  # noqa: ANN401 - columns
    withdrawal = (ConsentWithdrawal.revoked_on, ConsentWithdrawal.recorded_at.label("withdrawn_at"))
    query = select(*ConsentRecord.__table__.columns, *withdrawal, *more)
    return query.outerjoin(ConsentWithdrawal, ConsentWithdrawal.consent_id == ConsentRecord.id)


def _row(row: Any) -> ConsentRow:  # noqa: ANN401 - a Row
    values = {name: getattr(row, name) for name in ConsentRow.__slots__}
    sets = {name: frozenset(values[name]) for name in ("recipients", "categories", "notices")}
    return ConsentRow(**(values | sets | {"given_by": GivenBy(row.given_by), "form": ConsentForm(row.form)}))
