"""Ersuchen over HTTP: recorded by the recipient-to-be, opened by the addressee alone, closed by either side."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from broker.gateway import Gateway
from broker.requests.models import ErsuchenContent
from broker.requests.repository import ersuchen_by_ids
from broker.subjects.person import PersonIn
from consent.facts import FirstCollection
from schemas.identifiers import DataCategory
from tests.broker.subjects.world import (
    CLOSED,
    JOBCENTER,
    JUGENDAMT,
    MARKER,
    PERSON,
    SOZIALAMT,
    TODAY,
    As,
)
from tests.world import database_bytes, evidence

CASE = "SO 7/26 " + MARKER
COLLECTION = {"status": "VERSUCHT_FRUCHTLOS", "gefragt_am": "2026-02-02", "frist": "2026-02-20"}
ERSUCHEN = {
    "an": JOBCENTER,
    "zweck": "RECHTSKREISWECHSEL",
    "norm": "§ 41 SGB XII",
    "kategorien": ["LEISTUNGSBEZUG", "STAMMDATEN"],
    "person": PERSON,
    "aktenzeichen": CASE,
    "ersterhebung": COLLECTION,
    "frist": "2026-04-15",
}
NOBODY = "00000000-0000-4000-8000-000000000000"


async def post(acting: As, path: str, body: dict[str, Any], instance: str = SOZIALAMT) -> httpx.Response:
    """Post as an instance."""
    async with acting(instance) as client:
        return await client.post("/v1/ersuchen" + path, json=body)


async def get(acting: As, path: str, instance: str = SOZIALAMT) -> httpx.Response:
    """Get as an instance."""
    async with acting(instance) as client:
        return await client.get("/v1/ersuchen" + path)


async def test_both_sides_see_it_and_the_addressee_alone_whom_it_is_about(acting: As) -> None:
    """The addressee reads person and Aktenzeichen to find the case; the requester's view holds neither."""
    answer = await post(acting, "", ERSUCHEN)
    assert answer.status_code == 201
    own = (await get(acting, f"/{answer.json()['id']}")).json()
    assert own == answer.json()
    assert (own["person"], own["aktenzeichen"]) == (None, None)
    assert (own["von"], own["an"], own["frist"]) == (SOZIALAMT, JOBCENTER, "2026-04-15")
    assert own["ersterhebung"] == COLLECTION | {"norm": None, "grund_code": None}
    asked = (await get(acting, f"/{own['id']}", JOBCENTER)).json()
    assert asked == own | {"person": PERSON | {"geburtsname": None}, "aktenzeichen": CASE}


async def test_no_name_is_kept_in_the_clear(gateway: Gateway, acting: As) -> None:
    """Person and Aktenzeichen lie sealed; neither database nor evidence nor lists hold them."""
    await post(acting, "", ERSUCHEN)
    listed = (await get(acting, "?richtung=eingehend", JOBCENTER)).text
    assert '"von":' in listed
    kept = database_bytes(gateway)
    for marker in (MARKER, MARKER.lower(), "1990-02-03", "SO 7/26"):
        assert marker.encode() not in kept
        assert marker not in listed
        assert marker not in str(await evidence(gateway))


async def test_the_law_gets_the_record_of_the_requester(gateway: Gateway, acting: As) -> None:
    """The row holds sides, purpose, keyed person and case, and the first collection as the law looks at it."""
    ersuchen = (await post(acting, "", ERSUCHEN)).json()["id"]
    async with gateway.db.reading() as connection:
        (row,) = await ersuchen_by_ids(connection, [ersuchen, NOBODY])
    assert (row.requester, row.addressee, row.norm) == (SOZIALAMT, JOBCENTER, "§ 41 SGB XII")
    assert row.categories == {"LEISTUNGSBEZUG", "STAMMDATEN"}
    assert row.pseudonym == PersonIn.model_validate(PERSON).keys(gateway.keys, SOZIALAMT).stored
    assert row.case_key == gateway.keys.case_key(SOZIALAMT, CASE)
    assert row.first_collection == FirstCollection("VERSUCHT_FRUCHTLOS", date(2026, 2, 2), date(2026, 2, 20))
    assert row.open_for(JOBCENTER, SOZIALAMT, "RECHTSKREISWECHSEL", TODAY)
    assert not row.open_for(SOZIALAMT, JOBCENTER, "RECHTSKREISWECHSEL", TODAY)
    assert not row.open_for(JUGENDAMT, SOZIALAMT, "RECHTSKREISWECHSEL", TODAY)
    assert not row.open_for(JOBCENTER, SOZIALAMT, "CASE_MANAGEMENT", TODAY)


async def test_closing_ends_it_once_and_deletes_the_content(gateway: Gateway, acting: As) -> None:
    """From that day on no transfer may name it, whom it was about is gone, and the first end stands."""
    ersuchen = (await post(acting, "", ERSUCHEN)).json()["id"]
    first = await post(acting, f"/{ersuchen}/close", {"grund": "ERLEDIGT"})
    again = await post(acting, f"/{ersuchen}/close", {"grund": "ABGELEHNT"}, JOBCENTER)
    assert first.json() == again.json()
    assert (first.json()["beendet_am"], first.json()["beendet_grund"]) == ("2026-03-16", "ERLEDIGT")
    assert (await get(acting, f"/{ersuchen}", JOBCENTER)).json()["person"] is None
    async with gateway.db.reading() as connection:
        assert list(await connection.execute(select(ErsuchenContent.ersuchen_id))) == []
        (row,) = await ersuchen_by_ids(connection, [ersuchen])
    assert not row.open_for(JOBCENTER, SOZIALAMT, "RECHTSKREISWECHSEL", TODAY)
    assert row.open_for(JOBCENTER, SOZIALAMT, "RECHTSKREISWECHSEL", TODAY - timedelta(days=1))
    (recorded, side), (closed, _) = await evidence(gateway)
    assert recorded.data == {
        "purpose": "RECHTSKREISWECHSEL",
        "norm": "§ 41 SGB XII",
        "categories": ["LEISTUNGSBEZUG", "STAMMDATEN"],
        "collection": "VERSUCHT_FRUCHTLOS",
        "deadline": "2026-04-15",
    }
    assert (recorded.event, recorded.sender, recorded.recipient) == ("ersuchen.recorded", SOZIALAMT, JOBCENTER)
    assert set(side) == {"pseudonym", "case_key", "client"}
    assert (closed.event, closed.actor, closed.data) == ("ersuchen.closed", SOZIALAMT, {"reason": "ERLEDIGT"})


@pytest.mark.parametrize(("instance", "reason"), [(SOZIALAMT, "ABGELEHNT"), (JOBCENTER, "ERLEDIGT")])
async def test_each_side_closes_with_its_own_reasons(acting: As, instance: str, reason: str) -> None:
    """The requester cannot decline for the addressee, nor the addressee be done for the requester."""
    ersuchen = (await post(acting, "", ERSUCHEN)).json()["id"]
    answer = await post(acting, f"/{ersuchen}/close", {"grund": reason}, instance)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "grund")
    assert reason not in answer.json()["errors"][0]["allowed"]


async def test_concurrent_closings_are_one(gateway: Gateway, acting: As) -> None:
    """Of many at once one is recorded, and all get its answer."""
    ersuchen = (await post(acting, "", ERSUCHEN)).json()["id"]
    ends = [(SOZIALAMT, "ERLEDIGT"), (JOBCENTER, "ABGELEHNT")] * 3
    answers = await asyncio.gather(*(post(acting, f"/{ersuchen}/close", {"grund": why}, who) for who, why in ends))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert [entry.event for entry, _ in await evidence(gateway)] == ["ersuchen.recorded", "ersuchen.closed"]


async def test_a_third_instance_gets_the_404_for_nothing(acting: As) -> None:
    """Whether an Ersuchen exists between others cannot be told from the answer."""
    ersuchen = (await post(acting, "", ERSUCHEN)).json()["id"]
    shown = [await get(acting, f"/{known}", JUGENDAMT) for known in (ersuchen, NOBODY)]
    tried = [await post(acting, f"/{known}/close", {"grund": "ERLEDIGT"}, JUGENDAMT) for known in (ersuchen, NOBODY)]
    assert {answer.status_code for answer in (*shown, *tried)} == {404}
    assert len({answer.content for answer in (*shown, *tried)}) == 1
    assert (await get(acting, "", JUGENDAMT)).json() == {"items": [], "next_cursor": None}


async def test_lists_by_direction_and_page(acting: As) -> None:
    """Each side finds it in its own direction, and pages hold everything once."""
    ids = [(await post(acting, "", ERSUCHEN)).json()["id"] for _ in range(3)]
    first = (await get(acting, "?limit=2", JOBCENTER)).json()
    second = (await get(acting, f"?limit=2&cursor={first['next_cursor']}", JOBCENTER)).json()
    assert [item["id"] for item in (*first["items"], *second["items"])] == ids
    assert second["next_cursor"] is None
    assert [item["id"] for item in (await get(acting, "?richtung=ausgehend")).json()["items"]] == ids
    assert (await get(acting, "?richtung=eingehend")).json()["items"] == []
    assert (await get(acting, "?richtung=quer")).status_code == 422


@pytest.mark.parametrize(
    "collection",
    [
        {"status": "UNVERHAELTNISMAESSIG", "grund_code": "NUR_BEI_STELLE"},
        {"status": "RECHTSNORM", "norm": "§ 6(5) UVG"},
        {"status": "RECHTSNORM", "norm": "§§ 102 ff. SGB X"},
        {"status": "AUFGABENART"},
        {"status": "EINWILLIGUNG"},
        {"status": "NICHT_VERSUCHT"},
        {"status": "NICHT_ANWENDBAR"},
    ],
)
async def test_every_status_of_the_first_collection_can_be_recorded(acting: As, collection: dict[str, str]) -> None:
    """Whether it suffices is the law's to say; the record takes what happened."""
    answer = await post(acting, "", ERSUCHEN | {"ersterhebung": collection})
    assert answer.status_code == 201
    assert collection.items() <= answer.json()["ersterhebung"].items()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"an": SOZIALAMT}, "an"),
        ({"an": MARKER}, "an"),
        ({"an": CLOSED}, "an"),
        ({"an": "*"}, "an"),
        ({"zweck": "*"}, "zweck"),
        ({"zweck": MARKER}, "zweck"),
        ({"kategorien": ["*"]}, "kategorien"),
        ({"kategorien": [MARKER]}, "kategorien"),
        ({"kategorien": []}, "body.kategorien"),
        ({"norm": "Bedarf von " + MARKER}, "norm"),
        ({"norm": "SGB XII"}, "norm"),
        ({"person": None, "aktenzeichen": None}, "person"),
        ({"person": PERSON | {"geburtsdatum": "2026-03-17"}}, "person.geburtsdatum"),
        ({"frist": "2026-03-15"}, "frist"),
        ({"ersterhebung": COLLECTION | {"gefragt_am": "2026-03-17", "frist": "2026-04-01"}}, "ersterhebung.gefragt_am"),
        ({"ersterhebung": COLLECTION | {"frist": "2026-02-01"}}, "ersterhebung.frist"),
        ({"ersterhebung": COLLECTION | {"grund_code": MARKER}}, "ersterhebung.grund_code"),
        ({"ersterhebung": COLLECTION | {"norm": MARKER}}, "ersterhebung.norm"),
        ({"ersterhebung": {"status": MARKER}}, "body.ersterhebung.status"),
        ({"ersterhebung": COLLECTION | {"text": MARKER}}, "body.ersterhebung.text"),
    ],
)
async def test_what_is_wrong_is_named_without_the_value(acting: As, change: dict[str, Any], field: str) -> None:
    """Each refusal is a 422 that names the field; nothing is recorded and no value comes back."""
    answer = await post(acting, "", ERSUCHEN | change)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field
    assert MARKER not in answer.text
    assert (await get(acting, "?richtung=ausgehend")).json()["items"] == []


async def test_unknown_categories_come_back_as_the_list_of_known_ones(acting: As) -> None:
    """The problem teaches what is allowed."""
    answer = await post(acting, "", ERSUCHEN | {"kategorien": ["NAME"]})
    assert answer.json()["errors"][0]["allowed"] == [category.value for category in DataCategory]


async def test_one_of_person_and_case_is_enough(acting: As) -> None:
    """The addressee sees what there is."""
    ersuchen = (await post(acting, "", ERSUCHEN | {"person": None})).json()["id"]
    asked = (await get(acting, f"/{ersuchen}", JOBCENTER)).json()
    assert (asked["person"], asked["aktenzeichen"]) == (None, CASE)


async def test_the_same_kennung_means_the_same_entry(gateway: Gateway, acting: As) -> None:
    """At once or again, one body is recorded once; another body under the same kennung is a conflict."""
    body = ERSUCHEN | {"kennung": "6f1c2a34-0000-4000-8000-000000000001"}
    answers = await asyncio.gather(*(post(acting, "", body) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert len(await evidence(gateway)) == 1
    await post(acting, f"/{answers[0].json()['id']}/close", {"grund": "IRRTUM"})
    assert (await post(acting, "", body)).content == answers[0].content
    conflict = await post(acting, "", body | {"aktenzeichen": "anderes"})
    assert (conflict.status_code, conflict.json()["type"]) == (409, "/problems/message-conflict")
