"""After the point of no return the recipient is told, and says what it did."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from broker.delivery.notices import NoticeKind, notify
from tests.flow.world import JOBCENTER, SOZIALAMT, Kreis, Office
from tests.world import evidence

UNKNOWN = "00000000-0000-4000-8000-000000000000"


async def noticed(kreis: Kreis, count: int = 1) -> list[str]:
    """Recall transfers that were handed over; return the notices' ids."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    ids = [await jobcenter.accepted(SOZIALAMT) for _ in range(count)]
    await kreis.pump()
    await sozialamt.inbox(limit=count)
    return [(await jobcenter.post(f"/v1/transfers/{one}/recall")).json()["notice"] for one in ids]


async def acknowledge(office: Office, notice: str, measure: str = "GELOESCHT") -> httpx.Response:
    """Acknowledge."""
    return await office.post(f"/v1/notices/{notice}/acknowledgement", {"massnahme": measure})


@pytest.mark.parametrize("measure", ["GELOESCHT", "GESPERRT", "WEITER_ERFORDERLICH"])
async def test_acknowledgement_closes_the_notice_and_is_on_record(kreis: Kreis, measure: str) -> None:
    """Notice and measure are evidence for both sides; the notice is listed no more."""
    [notice] = await noticed(kreis)
    sozialamt = await kreis.office(SOZIALAMT)
    answer = await acknowledge(sozialamt, notice, measure)
    [(created, _)] = await evidence(kreis.gateway, "notice.created")
    [(done, _)] = await evidence(kreis.gateway, "notice.acknowledged")

    assert (answer.status_code, answer.json()["massnahme"]) == (200, measure)
    assert (created.data["kind"], done.data["measure"], done.reference) == ("RUECKRUF", measure, notice)
    assert (created.sender, created.recipient, done.actor) == (JOBCENTER, SOZIALAMT, SOZIALAMT)
    assert (await sozialamt.get("/v1/notices")).json()["items"] == []


async def test_same_acknowledgement_again_is_no_second_one(kreis: Kreis) -> None:
    """The same measure again gets the same answer; another measure is a conflict, and the first one stays."""
    [notice] = await noticed(kreis)
    sozialamt = await kreis.office(SOZIALAMT)
    answers = [await acknowledge(sozialamt, notice) for _ in range(2)]
    other = await acknowledge(sozialamt, notice, "GESPERRT")

    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()
    assert (other.status_code, other.json()["type"], other.json()["state"]) == (
        409,
        "/problems/state-conflict",
        "GELOESCHT",
    )
    assert len(await evidence(kreis.gateway, "notice.acknowledged")) == 1


async def test_notice_of_another_is_as_good_as_unknown(kreis: Kreis) -> None:
    """Neither the sender nor a neighbour sees or acknowledges it."""
    [notice] = await noticed(kreis)
    for instance in (JOBCENTER, "sozialamt-herten:WOHNGELDSTELLE"):
        office = await kreis.office(instance)
        foreign, unknown = await acknowledge(office, notice), await acknowledge(office, UNKNOWN)

        assert foreign.status_code == unknown.status_code == httpx.codes.NOT_FOUND
        assert foreign.json() == unknown.json()
        assert (await office.get("/v1/notices")).json()["items"] == []


async def test_unknown_measure_is_answered_with_the_field(kreis: Kreis) -> None:
    """What is no measure is refused at its field, and the notice stays open."""
    [notice] = await noticed(kreis)
    sozialamt = await kreis.office(SOZIALAMT)
    answer = await acknowledge(sozialamt, notice, "VERGESSEN")

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "body.massnahme")
    assert "GELOESCHT" in answer.text
    assert len((await sozialamt.get("/v1/notices")).json()["items"]) == 1


async def test_pages_of_notices_have_no_gaps_and_no_doubles(kreis: Kreis) -> None:
    """Notices come oldest first, page by page."""
    ids = await noticed(kreis, 3)
    sozialamt = await kreis.office(SOZIALAMT)
    first = (await sozialamt.get("/v1/notices", limit=2)).json()
    second = (await sozialamt.get("/v1/notices", limit=2, cursor=first["next_cursor"])).json()

    assert [notice["id"] for notice in first["items"] + second["items"]] == ids
    assert second["next_cursor"] is None


async def test_two_events_in_one_moment_make_one_notice(kreis: Kreis) -> None:
    """A recipient is told once of each kind, however many at once find that it has to be told."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    transfer = await jobcenter.accepted(SOZIALAMT)
    await kreis.pump()
    await sozialamt.inbox()

    async def tell() -> str:
        async with kreis.gateway.db.writing() as connection:
            made = await notify(connection, kreis.gateway, NoticeKind.WIDERRUF, transfer, JOBCENTER, SOZIALAMT)
            await asyncio.sleep(0.2)
            return made

    first, second = await asyncio.gather(tell(), tell())

    assert first == second
    assert len(await evidence(kreis.gateway, "notice.created")) == 1
