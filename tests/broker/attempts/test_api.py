"""First-collection attempts over HTTP: recorded by who asks, for itself alone."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from broker.attempts.repository import attempts_for
from broker.gateway import Gateway
from broker.subjects.events import SubjectEvent
from broker.subjects.person import PersonIn
from tests.broker.subjects.world import JOBCENTER, JUGENDAMT, MARKER, PERSON, SOZIALAMT, As
from tests.world import database_bytes, evidence, on_sqlite

ATTEMPT = {
    "person": PERSON,
    "aktenzeichen": "SO 7/26 " + MARKER,
    "zweck": "RECHTSKREISWECHSEL",
    "kategorien": ["LEISTUNGSHOEHE", "LEISTUNGSBEZUG"],
    "gefragt_am": "2026-02-16",
    "frist": "2026-03-09",
    "weg": "SCHRIFTLICH",
}
NOBODY = "00000000-0000-4000-8000-000000000000"


async def post(acting: As, path: str, body: dict[str, Any], instance: str = SOZIALAMT) -> httpx.Response:
    """Post as an instance."""
    async with acting(instance) as client:
        return await client.post("/v1/first-collections" + path, json=body)


async def get(acting: As, path: str, instance: str = SOZIALAMT) -> httpx.Response:
    """Get as an instance."""
    async with acting(instance) as client:
        return await client.get("/v1/first-collections" + path)


async def test_recorded_and_seen_by_its_own_instance_alone(gateway: Gateway, acting: As) -> None:
    """The recorder sees what was asked and when; others get the 404 for nothing; nobody's name is kept."""
    made = await post(acting, "", ATTEMPT)
    assert made.status_code == httpx.codes.CREATED, made.text
    attempt = made.json()["id"]
    seen = await get(acting, f"/{attempt}")
    others = [await get(acting, f"/{known}", who) for known in (attempt, NOBODY) for who in (JOBCENTER, JUGENDAMT)]
    others += [
        await post(acting, f"/{known}/outcome", {"ergebnis": "IRRTUM"}, JOBCENTER) for known in (attempt, NOBODY)
    ]

    assert seen.content == made.content
    assert (seen.json()["kategorien"], seen.json()["ergebnis"]) == (["LEISTUNGSBEZUG", "LEISTUNGSHOEHE"], None)
    assert {answer.status_code for answer in others} == {404}
    assert len({answer.content for answer in others}) == 1
    assert (await get(acting, "", JOBCENTER)).json() == {"items": [], "next_cursor": None}
    assert MARKER not in made.text
    assert MARKER.encode() not in database_bytes(gateway)


@pytest.mark.parametrize(
    ("outcome", "stops"), [("BEANTWORTET", 1), ("IRRTUM", 1), ("VERWEIGERT", 0), ("UNZUSTELLBAR", 0)]
)
async def test_the_first_outcome_stands(
    gateway: Gateway, acting: As, events: list[SubjectEvent], outcome: str, stops: int
) -> None:
    """At once or again, one is recorded; what may stop transfers in flight says so."""
    attempt = (await post(acting, "", ATTEMPT)).json()["id"]
    answers = await asyncio.gather(*(post(acting, f"/{attempt}/outcome", {"ergebnis": outcome}) for _ in range(3)))
    other = await post(acting, f"/{attempt}/outcome", {"ergebnis": "UNZUSTELLBAR"})
    found = await evidence(gateway)

    assert {(a.json()["ergebnis"], a.json()["ergebnis_am"]) for a in (*answers, other)} == {(outcome, "2026-03-16")}
    assert [(e.event, e.controller) for e in events] == [("attempt.concluded", SOZIALAMT)] * stops
    assert [entry.event for entry, _ in found] == ["attempt.recorded", "attempt.concluded"]
    assert {(entry.sender, entry.recipient) for entry, _ in found} == {(SOZIALAMT, None)}
    assert set(found[0][1]) == {"pseudonym", "case_key", "client"}


async def test_pages_hold_everything_once(acting: As) -> None:
    """Pages follow one another."""
    ids = [(await post(acting, "", ATTEMPT)).json()["id"] for _ in range(3)]
    first = (await get(acting, "?limit=2")).json()
    second = (await get(acting, f"?limit=2&cursor={first['next_cursor']}")).json()

    assert [item["id"] for item in (*first["items"], *second["items"])] == ids
    assert second["next_cursor"] is None


async def test_the_same_kennung_means_the_same_entry(acting: As) -> None:
    """At once or again, one body is recorded once, also after its outcome; another is a conflict."""
    body = ATTEMPT | {"kennung": "6f1c2a34-0000-4000-8000-000000000001"}
    answers = await asyncio.gather(*(post(acting, "", body) for _ in range(5)))
    await post(acting, f"/{answers[0].json()['id']}/outcome", {"ergebnis": "IRRTUM"})
    again = await post(acting, "", body)
    conflict = await post(acting, "", body | {"weg": "TELEFONISCH"})

    assert len({answer.content for answer in (*answers, again)}) == 1
    assert (conflict.status_code, conflict.json()["type"]) == (409, "/problems/message-conflict")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"person": None, "aktenzeichen": None}, "person"),
        ({"person": PERSON | {"geburtsdatum": "2026-03-17"}}, "person.geburtsdatum"),
        ({"zweck": "*"}, "zweck"),
        ({"zweck": MARKER}, "zweck"),
        ({"kategorien": [MARKER]}, "kategorien"),
        ({"kategorien": []}, "body.kategorien"),
        ({"gefragt_am": "2026-03-17", "frist": "2026-04-17"}, "gefragt_am"),
        ({"frist": "2026-02-15"}, "frist"),
        ({"weg": MARKER}, "body.weg"),
        ({"text": MARKER}, "body.text"),
    ],
)
async def test_what_is_wrong_is_named_without_the_value(acting: As, change: dict[str, Any], field: str) -> None:
    """Each refusal is a 422 that names the field; nothing is recorded and no value comes back."""
    answer = await post(acting, "", ATTEMPT | change)

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)
    assert MARKER not in answer.text
    assert (await get(acting, "")).json()["items"] == []


@pytest.mark.parametrize("day", ["2026-03-17", "2026-02-15"])
async def test_an_outcome_lies_between_the_question_and_today(acting: As, day: str) -> None:
    """No answer comes before its question, or tomorrow."""
    attempt = (await post(acting, "", ATTEMPT)).json()["id"]
    answer = await post(acting, f"/{attempt}/outcome", {"ergebnis": "BEANTWORTET", "am": day})

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "am")


async def test_found_by_person_and_by_case(gateway: Gateway, acting: As) -> None:
    """Either finds it, each once; another person finds nothing."""
    await post(acting, "", ATTEMPT)
    keys = PersonIn.model_validate(PERSON).keys(gateway.keys, SOZIALAMT)
    case = gateway.keys.case_key(SOZIALAMT, str(ATTEMPT["aktenzeichen"]))
    async with gateway.db.reading() as connection:
        both = await attempts_for(connection, keys.exact, [case])
        by_case = await attempts_for(connection, [], [case])
        none = await attempts_for(connection, PersonIn.model_validate(PERSON).keys(gateway.keys, JOBCENTER).exact, [])

    assert (len(both), both, none) == (1, by_case, [])


@on_sqlite
@pytest.mark.parametrize("table", ["attempts", "attempt_outcomes"])
@pytest.mark.parametrize("what", ["UPDATE {} SET recorded_at = recorded_at", "DELETE FROM {}"])
async def test_attempts_are_append_only(gateway: Gateway, acting: As, deployment: str, table: str, what: str) -> None:
    """What was recorded is neither changed nor deleted; PostgreSQL refuses it by privilege."""
    assert deployment
    attempt = (await post(acting, "", ATTEMPT)).json()["id"]
    await post(acting, f"/{attempt}/outcome", {"ergebnis": "VERWEIGERT"})
    with pytest.raises(DBAPIError, match="append-only"):
        async with gateway.db.writing() as connection:
            await connection.execute(text(what.format(table)))
