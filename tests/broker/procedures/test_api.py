"""Registered procedures over HTTP: registered by one side, approved by each for itself, ended by either."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from broker.gateway import Gateway
from tests.broker.subjects.world import CLOSED, JOBCENTER, JUGENDAMT, MARKER, SOZIALAMT, As
from tests.flow.world import procedure_body
from tests.world import evidence, on_sqlite

PROCEDURE = procedure_body(JOBCENTER, SOZIALAMT, "ABRUF", gueltig_bis="2026-12-31")
APPROVAL = {"genehmigt_am": "2026-03-02", "aufsicht": "FACHAUFSICHT"}
NOTICE = {"unterrichtet_am": "2026-03-03", "stelle": "LDI_NRW"}
NOBODY = "00000000-0000-4000-8000-000000000000"


async def post(acting: As, path: str, body: dict[str, Any], instance: str = JOBCENTER) -> httpx.Response:
    """Post as an instance."""
    async with acting(instance) as client:
        return await client.post("/v1/procedures" + path, json=body)


async def get(acting: As, path: str, instance: str = JOBCENTER) -> httpx.Response:
    """Get as an instance."""
    async with acting(instance) as client:
        return await client.get("/v1/procedures" + path)


async def registered(acting: As) -> str:
    """Register and return the id."""
    answer = await post(acting, "", PROCEDURE)
    assert answer.status_code == httpx.codes.CREATED, answer.text
    return str(answer.json()["id"])


async def test_both_sides_see_what_was_registered(acting: As) -> None:
    """The entry says all that was fixed, and that nothing is approved yet."""
    made = (await post(acting, "", PROCEDURE)).json()
    seen = [(await get(acting, f"/{made['id']}", side)).json() for side in (JOBCENTER, SOZIALAMT)]

    assert seen == [made, made]
    assert {name: made[name] for name in PROCEDURE if name != "kategorien"} == {
        name: value for name, value in PROCEDURE.items() if name != "kategorien"
    }
    assert made["kategorien"] == sorted(PROCEDURE["kategorien"])
    assert (made["registriert_von"], made["genehmigt"], made["unterrichtet_am"]) == (JOBCENTER, False, None)
    assert (made["stand"], made["personen"], made["schritte"]) == ("AKTIV", 0, [])


@pytest.mark.parametrize(
    ("step", "body", "field"),
    [("approval", APPROVAL, "genehmigt_am"), ("notice", NOTICE, "unterrichtet_am")],
)
async def test_what_was_not_fixed_yet_was_not_approved(acting: As, step: str, body: dict[str, str], field: str) -> None:
    """An approval or a notice of a day before the written fixing was about something else."""
    procedure = await registered(acting)
    answer = await post(acting, f"/{procedure}/{step}", body | {field: "2026-01-11"})
    fixed = await post(acting, f"/{procedure}/{step}", body | {field: "2026-01-12"})

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)
    assert fixed.status_code == httpx.codes.OK


async def test_each_side_approves_for_itself(acting: As) -> None:
    """One side's approval is not the other's; with both it is approved, and the first of a side stands."""
    procedure = await registered(acting)
    first = await post(acting, f"/{procedure}/approval", APPROVAL)
    again = await post(acting, f"/{procedure}/approval", APPROVAL | {"genehmigt_am": "2026-03-09"})
    both = await post(acting, f"/{procedure}/approval", APPROVAL | {"aufsicht": "RECHTSAUFSICHT"}, SOZIALAMT)

    assert (first.json()["genehmigt"], both.json()["genehmigt"]) == (False, True)
    assert again.content == first.content
    assert [(step["durch"], step["am"], step["angabe"]) for step in both.json()["schritte"]] == [
        (JOBCENTER, "2026-03-02", "FACHAUFSICHT"),
        (SOZIALAMT, "2026-03-02", "RECHTSAUFSICHT"),
    ]


async def test_the_first_notice_and_the_first_end_count(acting: As) -> None:
    """Told is told since the earliest day; what has ended is neither approved nor ended anew."""
    procedure = await registered(acting)
    await post(acting, f"/{procedure}/notice", NOTICE | {"unterrichtet_am": "2026-03-05"}, SOZIALAMT)
    told = await post(acting, f"/{procedure}/notice", NOTICE)
    ended = await post(acting, f"/{procedure}/end", {"grund": "ERSETZT", "beendet_am": "2026-03-10"}, SOZIALAMT)
    other = await post(acting, f"/{procedure}/end", {"grund": "IRRTUM"})
    late = await post(acting, f"/{procedure}/approval", APPROVAL)

    assert told.json()["unterrichtet_am"] == "2026-03-03"
    assert ended.json()["stand"] == "BEENDET"
    assert [step["am"] for step in ended.json()["schritte"] if step["schritt"] == "BEENDET"] == ["2026-03-10"]
    assert other.content == ended.content
    assert (late.status_code, late.json()["type"]) == (409, "/problems/state-conflict")


async def test_each_step_is_evidence_for_both_sides(gateway: Gateway, acting: As) -> None:
    """Officers of sender and recipient find every step, with days and codes."""
    procedure = await registered(acting)
    await post(acting, f"/{procedure}/approval", APPROVAL, SOZIALAMT)
    await post(acting, f"/{procedure}/notice", NOTICE)
    await post(acting, f"/{procedure}/end", {"grund": "BEANSTANDET"})
    found = await evidence(gateway)

    assert [entry.event for entry, _ in found] == [
        "procedure.registered",
        "procedure.approved",
        "procedure.notified",
        "procedure.ended",
    ]
    assert {(entry.sender, entry.recipient, entry.reference) for entry, _ in found} == {
        (JOBCENTER, SOZIALAMT, procedure)
    }
    assert [entry.data.get("code") for entry, _ in found] == [None, "FACHAUFSICHT", "LDI_NRW", "BEANSTANDET"]
    assert {name for _, side in found for name in side} == {"client"}


async def test_steps_at_once_are_one(gateway: Gateway, acting: As) -> None:
    """Of many at once one is recorded, and all get its answer."""
    procedure = await registered(acting)
    answers = await asyncio.gather(*(post(acting, f"/{procedure}/approval", APPROVAL) for _ in range(5)))

    assert len({answer.content for answer in answers}) == 1
    assert [entry.event for entry, _ in await evidence(gateway)] == ["procedure.registered", "procedure.approved"]


async def test_a_third_instance_gets_the_404_for_nothing(acting: As) -> None:
    """Whether two others have a procedure cannot be told from the answer."""
    ids = (await registered(acting), NOBODY)
    answers = [await get(acting, f"/{known}", JUGENDAMT) for known in ids]
    for path, body in (("approval", APPROVAL), ("notice", NOTICE), ("end", {"grund": "IRRTUM"})):
        answers += [await post(acting, f"/{known}/{path}", body, JUGENDAMT) for known in ids]

    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1
    assert (await get(acting, "", JUGENDAMT)).json() == {"items": [], "next_cursor": None}


async def test_an_officer_registers_nothing(acting: As) -> None:
    """It is the offices' own declaration."""
    assert (await post(acting, "", PROCEDURE, "officer")).status_code == httpx.codes.FORBIDDEN


async def test_pages_hold_everything_once(acting: As) -> None:
    """Both sides list it; pages follow one another."""
    ids = [await registered(acting) for _ in range(3)]
    for side in (JOBCENTER, SOZIALAMT):
        first = (await get(acting, "?limit=2", side)).json()
        second = (await get(acting, f"?limit=2&cursor={first['next_cursor']}", side)).json()
        assert [item["id"] for item in (*first["items"], *second["items"])] == ids
        assert second["next_cursor"] is None


async def test_the_same_kennung_means_the_same_entry(gateway: Gateway, acting: As) -> None:
    """At once or again, one body is registered once; another body under the same kennung is a conflict."""
    body = PROCEDURE | {"kennung": "6f1c2a34-0000-4000-8000-000000000001"}
    answers = await asyncio.gather(*(post(acting, "", body) for _ in range(5)))
    conflict = await post(acting, "", body | {"hoechstzahl": 7})

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert len(await evidence(gateway)) == 1
    assert (conflict.status_code, conflict.json()["type"]) == (409, "/problems/message-conflict")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"von": JUGENDAMT}, "von"),
        ({"an": JOBCENTER}, "an"),
        ({"an": CLOSED}, "an"),
        ({"an": MARKER}, "an"),
        ({"zweck": "*"}, "zweck"),
        ({"zweck": MARKER}, "zweck"),
        ({"kategorien": ["*"]}, "kategorien"),
        ({"kategorien": [MARKER]}, "kategorien"),
        ({"kategorien": []}, "body.kategorien"),
        ({"angemessen_wegen": []}, "body.angemessen_wegen"),
        ({"angemessen_wegen": ["BEQUEM"]}, "body.angemessen_wegen.0"),
        ({"hoechstzahl": 0}, "body.hoechstzahl"),
        ({"festlegung": {"fassung": "1.0", "vom": "2026-03-17"}}, "festlegung.vom"),
        ({"festlegung": {"fassung": "Fassung für " + MARKER, "vom": "2026-01-12"}}, "body.festlegung.fassung"),
        ({"gueltig_ab": "2026-01-11"}, "gueltig_ab"),
        ({"gueltig_bis": "2026-01-31"}, "gueltig_bis"),
        ({"text": MARKER}, "body.text"),
    ],
)
async def test_what_is_wrong_is_named_without_the_value(acting: As, change: dict[str, Any], field: str) -> None:
    """Each refusal is a 422 that names the field; nothing is recorded and no value comes back."""
    answer = await post(acting, "", PROCEDURE | change)

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)
    assert MARKER not in answer.text
    assert (await get(acting, "")).json()["items"] == []


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("approval", APPROVAL | {"genehmigt_am": "2026-03-17"}, "genehmigt_am"),
        ("notice", NOTICE | {"unterrichtet_am": "2026-03-17"}, "unterrichtet_am"),
        ("end", {"grund": "IRRTUM", "beendet_am": "2026-03-17"}, "beendet_am"),
        ("end", {"grund": MARKER}, "body.grund"),
    ],
)
async def test_no_step_lies_in_the_future(acting: As, path: str, body: dict[str, str], field: str) -> None:
    """An approval of tomorrow proves nothing."""
    answer = await post(acting, f"/{await registered(acting)}/{path}", body)

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


@on_sqlite
@pytest.mark.parametrize("table", ["procedures", "procedure_steps"])
@pytest.mark.parametrize("what", ["UPDATE {} SET recorded_at = recorded_at", "DELETE FROM {}"])
async def test_the_register_is_append_only(
    gateway: Gateway, acting: As, app: FastAPI, deployment: str, table: str, what: str
) -> None:
    """What was registered is neither changed nor deleted; PostgreSQL refuses it by privilege."""
    assert (deployment, app) is not None
    await post(acting, f"/{await registered(acting)}/approval", APPROVAL)
    with pytest.raises(DBAPIError, match="append-only"):
        async with gateway.db.writing() as connection:
            await connection.execute(text(what.format(table)))
