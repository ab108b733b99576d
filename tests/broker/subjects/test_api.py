"""Objections, opt-outs, refusals and protected addresses over HTTP."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from broker.db import Base
from broker.gateway import Gateway
from broker.subjects.events import SubjectEvent
from broker.subjects.pseudonym import pseudonyms
from broker.subjects.repository import SHELTER_REGISTER, stops_for
from broker.subjects.service import StopIn
from broker.subjects.state import lock_shared
from tests.broker.subjects.world import (
    CLOSED,
    JOBCENTER,
    MARKER,
    PERSON,
    SOZIALAMT,
    STAFF,
    TODAY,
    As,
)
from tests.world import database_bytes, evidence

CASE = "JC 12/345 " + MARKER
OPT_OUT = {
    "art": "OPT_OUT",
    "person": PERSON,
    "aktenzeichen": CASE,
    "datum": "2026-03-15",
    "erklaert_von": "betroffene Person",
    "aufgenommen_von": STAFF,
}
REFUSAL = OPT_OUT | {"art": "VERWEIGERUNG", "zweck": "CASE_MANAGEMENT", "empfaenger": SOZIALAMT}
NOBODY = "00000000-0000-4000-8000-000000000000"


async def post(acting: As, path: str, body: dict[str, Any], instance: str = JOBCENTER) -> httpx.Response:
    """Post as an instance."""
    async with acting(instance) as client:
        return await client.post("/v1/objections" + path, json=body)


async def get(acting: As, path: str, instance: str = JOBCENTER) -> httpx.Response:
    """Get as an instance."""
    async with acting(instance) as client:
        return await client.get("/v1/objections" + path)


def keys_of_person(gateway: Gateway, owner: str = JOBCENTER) -> Any:
    """Return the keys of the person in the requests."""
    return pseudonyms(gateway.keys, owner, StopIn.model_validate(OPT_OUT).person.identity())


async def test_a_recorded_stop_is_found_and_raises_the_state(gateway: Gateway, acting: As, events: list[Any]) -> None:
    """The stop is found by pseudonym and Aktenzeichen, both their numbers rise, and the hook hears of it once."""
    answer = await post(acting, "", OPT_OUT)
    assert answer.status_code == 201
    keys, case = keys_of_person(gateway), gateway.keys.case_key(JOBCENTER, CASE)
    stop_id = answer.json()["id"]
    assert events == [SubjectEvent("stop.recorded", JOBCENTER, keys.stored, keys.stored_near, case, stop_id=stop_id)]
    async with gateway.db.writing() as connection:
        for exact, near, cases in ((keys.exact, (), ()), ((), keys.near, ()), ((), (), (case,))):
            assert [stop.id for stop in await stops_for(connection, exact, near, cases, TODAY)] == [stop_id]
        numbers = await lock_shared(connection, [(JOBCENTER, keys.stored), (JOBCENTER, case)])
    assert set(numbers.values()) == {1}


async def test_a_protected_address_is_found_in_the_register(gateway: Gateway, acting: As) -> None:
    """It is bound to the register's keys, so that it is found whoever sends, and raises the number there."""
    answer = await post(acting, "", OPT_OUT | {"art": "SCHUTZANSCHRIFT"})
    keys = keys_of_person(gateway, SHELTER_REGISTER)
    async with gateway.db.writing() as connection:
        assert [stop.id for stop in await stops_for(connection, keys.exact, [], [], TODAY)] == [answer.json()["id"]]
        assert list((await lock_shared(connection, [(SHELTER_REGISTER, keys.stored)])).values()) == [1]
        own = keys_of_person(gateway)
        assert await stops_for(connection, own.exact, own.near, [], TODAY) == []


async def test_the_hook_shares_the_transaction(gateway: Gateway, app: FastAPI, acting: As) -> None:
    """Where looking at transfers in flight fails, nothing is recorded."""

    async def fail(*_: object) -> None:
        raise LookupError

    app.state.subject_changed = fail
    assert (await post(acting, "", OPT_OUT)).status_code == 500
    assert (await get(acting, "")).json()["items"] == []
    assert await evidence(gateway) == []


async def test_no_name_is_kept(gateway: Gateway, acting: As) -> None:
    """Neither name, Aktenzeichen nor birth date reach the database or an answer; the staff id lies beside the log."""
    texts = [(await post(acting, "", OPT_OUT)).text, (await post(acting, "", REFUSAL)).text]
    texts.append((await get(acting, "")).text)
    kept = database_bytes(gateway)
    for marker in (MARKER, MARKER.lower(), "1990-02-03", "JC 12/345"):
        assert marker.encode() not in kept
        assert not any(marker in text for text in texts)
    (entry, side), _ = await evidence(gateway)
    assert STAFF not in str(entry)
    assert side["staff"] == STAFF


async def test_the_evidence_holds_codes(gateway: Gateway, acting: As) -> None:
    """Recording and ending are entries of their own, seen by the recording controller's officers."""
    stop_id = (await post(acting, "", REFUSAL)).json()["id"]
    assert (await post(acting, f"/{stop_id}/end", {"grund": "IRRTUM"})).status_code == 200
    (recorded, side), (ended, end_side) = await evidence(gateway)
    assert (recorded.event, recorded.actor, recorded.sender) == ("stop.recorded", JOBCENTER, JOBCENTER)
    assert recorded.reference == ended.reference == stop_id
    assert recorded.data == {
        "kind": "VERWEIGERUNG",
        "dated": "2026-03-15",
        "given_by": "betroffene Person",
        "purpose": "CASE_MANAGEMENT",
        "recipient": SOZIALAMT,
    }
    assert ended.data == {"kind": "VERWEIGERUNG", "ended_on": "2026-03-16", "reason": "IRRTUM"}
    keys = keys_of_person(gateway)
    assert side["pseudonym"] == end_side["pseudonym"] == keys.stored
    assert side["client"] == "client-of-" + JOBCENTER
    assert set(recorded.commitments) == {"pseudonym", "case_key", "client", "staff"}


async def test_an_ended_stop_stays_on_record_and_ends_once(gateway: Gateway, acting: As, events: list[Any]) -> None:
    """The first end stands; a second changes neither day, number nor evidence."""
    stop_id = (await post(acting, "", OPT_OUT)).json()["id"]
    first = await post(acting, f"/{stop_id}/end", {"grund": "ZURUECKGENOMMEN", "beendet_am": "2026-03-15"})
    again = await post(acting, f"/{stop_id}/end", {"grund": "IRRTUM"})
    assert first.json() == again.json() == (await get(acting, f"/{stop_id}")).json()
    assert (first.json()["beendet_am"], first.json()["beendet_grund"]) == ("2026-03-15", "ZURUECKGENOMMEN")
    assert [entry.event for entry, _ in await evidence(gateway)] == ["stop.recorded", "stop.ended"]
    assert len(events) == 1
    keys = keys_of_person(gateway)
    async with gateway.db.reading() as connection:
        assert await stops_for(connection, keys.exact, [], [], TODAY) == []


@pytest.mark.parametrize("day", ["2026-03-14", "2026-03-17"])
async def test_an_end_before_the_declaration_or_in_the_future_is_refused(acting: As, day: str) -> None:
    """The day of the end lies between declaration and today."""
    stop_id = (await post(acting, "", OPT_OUT)).json()["id"]
    answer = await post(acting, f"/{stop_id}/end", {"grund": "IRRTUM", "beendet_am": day})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "beendet_am")


async def test_another_instance_gets_the_same_404_as_for_nothing(acting: As) -> None:
    """Whether something is recorded elsewhere cannot be told from the answer."""
    stop_id = (await post(acting, "", OPT_OUT)).json()["id"]
    end = {"grund": "IRRTUM"}
    shown = [await get(acting, f"/{known}", SOZIALAMT) for known in (stop_id, NOBODY)]
    ended = [await post(acting, f"/{known}/end", end, SOZIALAMT) for known in (stop_id, NOBODY)]
    assert {answer.status_code for answer in (*shown, *ended)} == {404}
    assert len({answer.content for answer in (*shown, *ended)}) == 1
    assert (await get(acting, "", SOZIALAMT)).json() == {"items": [], "next_cursor": None}
    assert (await get(acting, f"?cursor={stop_id}", SOZIALAMT)).status_code == 404
    assert (await get(acting, f"/{stop_id}")).json()["beendet_am"] is None


async def test_pages_hold_everything_once(acting: As) -> None:
    """Following the cursor gives all own entries in the order of recording."""
    ids = [(await post(acting, "", OPT_OUT)).json()["id"] for _ in range(5)]
    await post(acting, "", OPT_OUT, SOZIALAMT)
    seen: list[str] = []
    cursor = ""
    while True:
        page = (await get(acting, f"?limit=2{cursor}")).json()
        seen += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == ids


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"datum": "2026-03-17"}, "datum"),
        ({"person": PERSON | {"geburtsdatum": "2026-03-17"}}, "person.geburtsdatum"),
        ({"art": "VERWEIGERUNG"}, "zweck"),
        ({"art": "VERWEIGERUNG", "zweck": "CASE_MANAGEMENT"}, "empfaenger"),
        ({"zweck": "CASE_MANAGEMENT"}, "zweck"),
        ({"empfaenger": SOZIALAMT}, "empfaenger"),
        ({"art": "VERWEIGERUNG", "zweck": "*", "empfaenger": SOZIALAMT}, "zweck"),
        ({"art": "VERWEIGERUNG", "zweck": "CASE_MANAGEMENT", "empfaenger": "*"}, "empfaenger"),
        ({"art": "VERWEIGERUNG", "zweck": MARKER, "empfaenger": SOZIALAMT}, "zweck"),
        ({"art": "VERWEIGERUNG", "zweck": "CASE_MANAGEMENT", "empfaenger": CLOSED}, "empfaenger"),
        ({"art": MARKER}, "body.art"),
        ({"erklaert_von": MARKER}, "body.erklaert_von"),
        ({"notiz": MARKER}, "body.notiz"),
    ],
)
async def test_what_is_wrong_is_named_without_the_value(acting: As, change: dict[str, Any], field: str) -> None:
    """Each refusal is a 422 that names the field, and no value of the request comes back."""
    answer = await post(acting, "", OPT_OUT | change)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"][0]["field"] == field
    assert MARKER not in answer.text


async def test_the_same_kennung_means_the_same_entry(gateway: Gateway, acting: As, events: list[Any]) -> None:
    """Sent at once or again, one body is recorded once; another body under the same kennung is a conflict."""
    body = OPT_OUT | {"kennung": "6f1c2a34-0000-4000-8000-000000000001"}
    answers = await asyncio.gather(*(post(acting, "", body) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert len(events) == len(await evidence(gateway)) == 1
    await post(acting, f"/{answers[0].json()['id']}/end", {"grund": "IRRTUM"})
    assert (await post(acting, "", body)).content == answers[0].content
    conflict = await post(acting, "", body | {"datum": "2026-03-14"})
    assert (conflict.status_code, conflict.json()["type"]) == (409, "/problems/message-conflict")
    assert (await post(acting, "", body, SOZIALAMT)).status_code == 201


async def test_only_instances_record(acting: As) -> None:
    """An officer is told that the way is for instances."""
    answer = await post(acting, "", OPT_OUT, "officer")
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/wrong-role")
    assert (await get(acting, "", "officer")).status_code == 403


def test_no_table_has_a_column_for_a_name() -> None:
    """No table about persons has a column that is called like a part of an identity."""
    tables = [table for name, table in Base.metadata.tables.items() if name.startswith(("stop", "consent", "subject"))]
    words = {"name", "birth", "given_names", "person", "address", "aktenzeichen"}
    assert len(tables) == 7
    assert [(table.name, column.name) for table in tables for column in table.columns if column.name in words] == []
