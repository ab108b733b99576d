"""Refusals and withdrawals that still stand, and consents as the law sees them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.consents import repository
from broker.consents.repository import StandingStop, consents_by_ids, standing_stops, to_law
from broker.gateway import Gateway
from broker.subjects.pseudonym import SubjectKeys, pseudonyms
from broker.subjects.repository import FoundBy
from consent.consents import Consent, ConsentForm, GivenBy, ReleaseOf
from schemas.message import Identity
from tests.broker.subjects.world import JOBCENTER, JUGENDAMT, SOZIALAMT, TODAY

ANNA = Identity("Muster", "Alt", "Anna", date(1990, 2, 3))
MAIDEN = Identity("Alt", None, "Anna", date(1990, 2, 3))
JANUARY, FEBRUARY, MARCH = (date(2026, month, 1) for month in (1, 2, 3))


@pytest.fixture
def anna(gateway: Gateway) -> SubjectKeys:
    """Give Anna's keys at the Jobcenter."""
    return pseudonyms(gateway.keys, JOBCENTER, ANNA)


async def put(connection: AsyncConnection, keys: SubjectKeys, **more: Any) -> str:
    """Record a faultless consent of January, for the Sozialamt; recorded on the day of the declaration."""
    values: dict[str, Any] = {"id": str(uuid4()), "recorded_by": JOBCENTER, "pseudonym": keys.stored, "case_key": None}
    values |= {"given_by": "betroffene Person", "granted": JANUARY, "refused": None, "valid_from": JANUARY}
    values |= {"valid_until": date(2026, 12, 31), "purpose": "CASE_MANAGEMENT", "recipients": [SOZIALAMT]}
    values |= {"categories": ["KONTAKT"], "form": "schriftlich", "documented": False, "default_on": False}
    values |= {"notices": ["zweck", "folgen_der_verweigerung", "widerruf"], "voluntary": True, "insight_of_minor": None}
    values |= {"release_natural_person": None, "release_hash": None, "wording_version": "1", "language": "de"}
    values |= {"interpreter": False, "kennung": None, "body_hash": ""} | more
    values.setdefault("recorded_at", at(values["granted"] or values["refused"]))
    assert await repository.insert_consent(connection, values, keys.stored_near)
    return str(values["id"])


def at(day: date, hour: int = 9) -> datetime:
    """Return a moment of a day."""
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


async def withdraw(connection: AsyncConnection, consent: str, on: date, hour: int = 12) -> None:
    """Withdraw a consent."""
    await repository.insert_withdrawal(connection, consent, on, JOBCENTER, at(on, hour))


async def standing(connection: AsyncConnection, keys: SubjectKeys, on: date = TODAY) -> list[StandingStop]:
    """Look up one person."""
    return await standing_stops(connection, keys.exact, keys.near, [], on)


async def test_a_consent_in_force_stops_nothing(gateway: Gateway, anna: SubjectKeys) -> None:
    """Only refusals and withdrawals are stops."""
    async with gateway.db.writing() as connection:
        await put(connection, anna)
        assert await standing(connection, anna) == []


async def test_a_withdrawal_stands_from_its_day(gateway: Gateway, anna: SubjectKeys) -> None:
    """Withdrawn on the day: it stands; the day before it does not."""
    async with gateway.db.writing() as connection:
        consent = await put(connection, anna)
        await withdraw(connection, consent, MARCH)
        assert await standing(connection, anna, MARCH - timedelta(days=1)) == []
        (stop,) = await standing(connection, anna, MARCH)
        assert (stop.consent.id, stop.consent.revoked_on) == (consent, MARCH)
        assert stop.recipients == {SOZIALAMT}


async def test_a_stop_is_found_by_pseudonym_near_key_and_case(gateway: Gateway, anna: SubjectKeys) -> None:
    """Each way finds it, and says so; another controller's keys do not."""
    maiden = pseudonyms(gateway.keys, JOBCENTER, MAIDEN)
    async with gateway.db.writing() as connection:
        await put(connection, anna, granted=None, refused=FEBRUARY, case_key="1:case")
        (exact,) = await standing(connection, anna)
        (near,) = await standing(connection, maiden)
        (case,) = await standing_stops(connection, [], [], ["1:case"], TODAY)
        assert [stop.found_by for stop in (exact, near, case)] == [FoundBy.EXACT, FoundBy.NEAR, FoundBy.CASE]
        assert near.found_for(maiden) is FoundBy.NEAR
        assert near.found_for(pseudonyms(gateway.keys, SOZIALAMT, MAIDEN)) is None
        assert case.found_for(None, ["1:case"]) is FoundBy.CASE
        assert await standing(connection, pseudonyms(gateway.keys, SOZIALAMT, ANNA)) == []


async def test_a_newer_consent_takes_it_back_for_its_recipients(gateway: Gateway, anna: SubjectKeys) -> None:
    """The person may change its mind: for the recipients of the newer consent the older refusal stands no more."""
    async with gateway.db.writing() as connection:
        await put(connection, anna, granted=None, refused=JANUARY, recipients=[SOZIALAMT, JUGENDAMT])
        newer = await put(connection, anna, granted=FEBRUARY)
        (stop,) = await standing(connection, anna)
        assert stop.recipients == {JUGENDAMT}
        assert stop.to_law("p1").recipients == {JUGENDAMT}
        (before,) = await standing(connection, anna, FEBRUARY - timedelta(days=1))
        assert before.recipients == {SOZIALAMT, JUGENDAMT}
        await withdraw(connection, newer, MARCH)
        assert [stop.recipients for stop in await standing(connection, anna)] == [{SOZIALAMT, JUGENDAMT}, {SOZIALAMT}]


@pytest.mark.parametrize(
    "fault",
    [
        {"purpose": "RECHTSKREISWECHSEL"},
        {"recipients": [JUGENDAMT]},
        {"given_by": "Mutter"},
        {"voluntary": False},
        {"default_on": True},
        {"notices": ["zweck", "widerruf"]},
        {"granted": JANUARY},
    ],
)
async def test_only_a_free_informed_and_later_consent_takes_it_back(
    gateway: Gateway, anna: SubjectKeys, fault: dict[str, Any]
) -> None:
    """A consent for something else, by somebody else, pressed, pre-set, uninformed or earlier changes nothing."""
    async with gateway.db.writing() as connection:
        refused = await put(connection, anna, granted=None, refused=FEBRUARY)
        await put(connection, anna, **({"granted": MARCH} | fault))
        (stop,) = await standing(connection, anna)
        assert stop.consent.id == refused
        assert stop.recipients == {SOZIALAMT}


async def test_on_one_day_the_order_of_recording_decides(gateway: Gateway, anna: SubjectKeys) -> None:
    """Withdrawn and consented anew on one day: what was recorded last is what the person wants."""
    async with gateway.db.writing() as connection:
        consent = await put(connection, anna)
        await withdraw(connection, consent, MARCH, hour=12)
        await put(connection, anna, granted=MARCH, recorded_at=at(MARCH, 11))
        assert [stop.consent.id for stop in await standing(connection, anna)] == [consent]
        await put(connection, anna, granted=MARCH, recorded_at=at(MARCH, 13))
        assert await standing(connection, anna) == []


async def test_the_law_sees_everything_but_the_person(gateway: Gateway, anna: SubjectKeys) -> None:
    """Every field of the record arrives at the law; unknown ids are missing."""
    async with gateway.db.writing() as connection:
        consent = await put(connection, anna, release_natural_person=True, insight_of_minor=False, documented=True)
        await withdraw(connection, consent, MARCH)
        (row,) = await consents_by_ids(connection, [consent, "no such id"])
    assert row.pseudonym in anna.exact
    assert to_law(row, "p1") == Consent(
        id=consent,
        person="p1",
        given_by=GivenBy.PERSON,
        granted=JANUARY,
        purpose="CASE_MANAGEMENT",
        recipients=frozenset({SOZIALAMT}),
        categories=frozenset({"KONTAKT"}),
        form=ConsentForm.SCHRIFTLICH,
        notices=repository.NOTICES,
        voluntary=True,
        valid_from=JANUARY,
        valid_until=date(2026, 12, 31),
        revoked=MARCH,
        refused=None,
        documented=True,
        default_on=False,
        insight_of_minor=False,
        release_of=ReleaseOf(natural_person=True),
        recorded_by=JOBCENTER,
    )
