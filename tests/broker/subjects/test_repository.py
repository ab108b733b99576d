"""Looking up stops for many persons at once: by pseudonym, Aktenzeichen and near key, live on the day."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.gateway import Gateway
from broker.subjects import repository
from broker.subjects.models import StopKind
from broker.subjects.pseudonym import SubjectKeys, pseudonyms
from broker.subjects.repository import FoundBy, StopRow, stops_for
from consent.consents import GivenBy
from consent.facts import ObjectionScope
from schemas.message import Identity
from tests.broker.subjects.world import JOBCENTER, NOW, SOZIALAMT, TODAY

ANNA = Identity("Muster", None, "Anna", date(1990, 2, 3))
BERTA = Identity("Beispiel", None, "Berta", date(1955, 7, 1))


def keys_of(gateway: Gateway, identity: Identity, controller: str = JOBCENTER) -> SubjectKeys:
    """Return a person's keys."""
    return pseudonyms(gateway.keys, controller, identity)


async def put(
    connection: AsyncConnection, keys: SubjectKeys, kind: StopKind = StopKind.WIDERSPRUCH_ALLE, **more: Any
) -> str:
    """Record a stop of the Jobcenter, dated today."""
    values: dict[str, Any] = {"id": str(uuid4()), "kind": kind.value, "controller": JOBCENTER, "pseudonym": keys.stored}
    values |= {"given_by": "Mutter", "dated": TODAY, "recorded_at": NOW, "body_hash": "", "case_key": None}
    values |= {"purpose": None, "recipient": None, "kennung": None} | more
    assert await repository.insert_stop(connection, values, keys.stored_near)
    return str(values["id"])


async def found(connection: AsyncConnection, *keys: SubjectKeys, on: date = TODAY, case: str = "none") -> list[StopRow]:
    """Look up persons and a case together."""
    exact = [key for person in keys for key in person.exact]
    near = [key for person in keys for key in person.near]
    return await stops_for(connection, exact, near, [case], on)


async def test_one_look_up_serves_many_persons(gateway: Gateway) -> None:
    """Stops of all persons come in the order of recording, each once, with the way in which it is about whom."""
    anna, berta = keys_of(gateway, ANNA), keys_of(gateway, BERTA)
    married = keys_of(gateway, replace(ANNA, family_name="Neu", birth_name="Muster"))
    async with gateway.db.writing() as connection:
        first, second = await put(connection, berta), await put(connection, anna, case_key="1:case")
        rows = await found(connection, anna, berta, case="1:case")
        assert [row.id for row in rows] == [first, second]
        assert [row.found_by for row in rows] == [FoundBy.EXACT, FoundBy.EXACT]
        assert [row.found_for(anna) for row in rows] == [None, FoundBy.EXACT]
        assert rows[1].found_for(married) is FoundBy.NEAR
        assert rows[1].found_for(None, ["1:case"]) is FoundBy.CASE
        (near,) = await found(connection, married)
        assert (near.id, near.found_by) == (second, FoundBy.NEAR)
        (case,) = await found(connection, married, case="1:case")
        assert case.found_by is FoundBy.CASE
        assert await found(connection, keys_of(gateway, ANNA, SOZIALAMT)) == []


@pytest.mark.parametrize(
    ("day", "stands"),
    [(-1, False), (0, True), (9, True), (10, False), (11, False)],
)
async def test_a_stop_counts_from_its_day_to_before_its_end(gateway: Gateway, day: int, *, stands: bool) -> None:
    """Dated on the day: in force; ended on the day: no more; both judged on the day asked for."""
    anna = keys_of(gateway, ANNA)
    async with gateway.db.writing() as connection:
        stop = await put(connection, anna, StopKind.SCHUTZANSCHRIFT)
        await repository.insert_end(connection, stop, TODAY + timedelta(days=10), "WEGGEFALLEN", NOW)
        on = TODAY + timedelta(days=day)
        assert [row.id for row in await found(connection, anna, on=on)] == ([stop] if stands else [])


async def test_the_law_sees_objections_with_their_scope(gateway: Gateway) -> None:
    """Each kind becomes an objection of its scope; a refusal becomes a refused consent; a protected address neither."""
    anna = keys_of(gateway, ANNA)
    async with gateway.db.writing() as connection:
        for kind in StopKind:
            more = {"purpose": "CASE_MANAGEMENT", "recipient": SOZIALAMT} if kind is StopKind.VERWEIGERUNG else {}
            await put(connection, anna, kind, **more)
        rows = {row.kind: row for row in await found(connection, anna)}
    scopes = {kind: row.objection("p1", near=True) for kind, row in rows.items()}
    assert {kind: law.scope for kind, law in scopes.items() if law} == {
        StopKind.WIDERSPRUCH_PAR76: ObjectionScope.PAR76,
        StopKind.WIDERSPRUCH_ART21: ObjectionScope.ART21,
        StopKind.WIDERSPRUCH_ALLE: ObjectionScope.ALLE,
        StopKind.OPT_OUT: ObjectionScope.OPT_OUT,
    }
    law = scopes[StopKind.OPT_OUT]
    assert law is not None
    assert (law.date, law.by, law.person, law.recorded_by, law.near) == (TODAY, GivenBy.MUTTER, "p1", JOBCENTER, True)
    refusals = {kind: row.refusal("p1") for kind, row in rows.items()}
    (refused,) = (refusal for refusal in refusals.values() if refusal)
    assert refusals[StopKind.VERWEIGERUNG] is refused
    assert (refused.refused, refused.granted, refused.purpose) == (TODAY, None, "CASE_MANAGEMENT")
    assert refused.recipients == frozenset({SOZIALAMT})


async def test_more_keys_than_a_statement_takes(gateway: Gateway) -> None:
    """A look-up for very many persons still finds the one."""
    anna = keys_of(gateway, ANNA)
    exact = [*anna.exact, *(f"1:{number}" for number in range(70_000))]
    async with gateway.db.writing() as connection:
        stop = await put(connection, anna)
        assert [row.id for row in await stops_for(connection, exact, [], [], TODAY)] == [stop]
