"""What a hostile client, a bad record or a bad setting must not achieve."""

from __future__ import annotations

import httpx
import pytest
from sqlalchemy import text

from tests.flow.world import FOLDER_AGENCY, JOBCENTER, SOZIALAMT, Kreis

FOLDER_OFFICE = f"{FOLDER_AGENCY}:SOZIALAMT_SGBXII"


@pytest.mark.parametrize("path", ["/v1/consents", "/v1/token", "/v1/objections"])
async def test_large_body_of_a_stranger_is_cut_off(kreis: Kreis, path: str) -> None:
    """A body larger than its kind may be is refused before it is whole in memory, without asking who sends it."""
    async with kreis.http() as http:
        answer = await http.post(
            path, content=b"{" + b" " * 200_000 + b"}", headers={"content-type": "application/json"}
        )

    assert answer.status_code in {401, 413, 415}
    assert answer.headers["content-type"] == "application/problem+json"


async def test_one_office_with_bad_settings_stops_no_other(kreis: Kreis) -> None:
    """Settings that an adapter refuses leave that office waiting; the others are served."""
    jobcenter = await kreis.office(JOBCENTER)
    transfer = await jobcenter.accepted(FOLDER_OFFICE)
    async with kreis.gateway.db.writing() as connection:
        await connection.execute(
            text("UPDATE agency_channels SET settings = '{\"channel\": \"brieftaube\"}' WHERE id = 'sozialamt-datteln'")
        )
    await kreis.pump()

    assert await jobcenter.state(transfer) == "delivered"


async def test_content_that_does_not_open_blocks_no_other(kreis: Kreis) -> None:
    """A ciphertext that is damaged in the database ends as dead; what lies behind it is handed over."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    broken = await jobcenter.accepted(SOZIALAMT, case_sender="BG-1")
    whole = await jobcenter.accepted(SOZIALAMT, case_sender="BG-2")
    await kreis.publish()
    await kreis.take_in()
    async with kreis.gateway.db.writing() as connection:
        await connection.execute(
            text("UPDATE deliveries SET sealed = x'00' WHERE transfer_id = :id").bindparams(id=broken)
        )
    fetched = [item["transfer_id"] for item in await sozialamt.inbox()]

    assert fetched == [whole]
    assert await jobcenter.state(broken) == "dead"


@pytest.mark.parametrize("cursor", ["9" * 5000, "-1", "1e9", "٣", "1;DROP TABLE transfers"])
async def test_cursor_that_is_none_is_refused(kreis: Kreis, cursor: str) -> None:
    """A made-up cursor is a bad request, never a fault of ours."""
    jobcenter = await kreis.office(JOBCENTER)
    answer = await jobcenter.get("/v1/transfers", cursor=cursor)

    assert answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY
    assert answer.json()["type"] == "/problems/invalid-request"


async def test_recipient_does_not_read_why_the_sender_withdrew(kreis: Kreis) -> None:
    """The reason of an end before handing over may rest on the sender's record: the recipient sees the state alone."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    transfer = await jobcenter.accepted(SOZIALAMT)
    body = {
        "art": "WIDERSPRUCH_ART21",
        "person": {"familienname": "Beispiel", "vornamen": "Erika", "geburtsdatum": "1961-03-09"},
        "datum": "2026-03-16",
        "erklaert_von": "betroffene Person",
    }
    await jobcenter.post("/v1/objections", body)
    told = [(await office.get(f"/v1/transfers/{transfer}")).json()["history"][-1] for office in (jobcenter, sozialamt)]

    assert [event["state"] for event in told] == ["withdrawn", "withdrawn"]
    assert [event["reason"] for event in told] == ["WIDERSPRUCH", None]
