"""Duties arise with the hand-over, are seen by whom they bind, and end once."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from broker.clock import day_of
from broker.duties.api import rules_of
from broker.ops import overdue
from tests.flow.world import JOBCENTER, SOZIALAMT, Kreis, Office
from tests.world import evidence, on_sqlite

NOBODY = "01900000-0000-7000-8000-000000000000"


async def handed_over(kreis: Kreis, **parts: Any) -> str:
    """Let the Jobcenter's transfer be fetched by the Sozialamt; return its id."""
    transfer = await (await kreis.office(JOBCENTER)).accepted(SOZIALAMT, **({"test": False} | parts))
    await kreis.pump()
    assert await (await kreis.office(SOZIALAMT)).inbox()
    return transfer


async def listed(office: Office, **filters: Any) -> list[dict[str, Any]]:
    """Return a list of duties."""
    answer = await office.get("/v1/duties", **filters)
    assert answer.status_code == httpx.codes.OK, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_a_duty_arises_when_the_content_goes(kreis: Kreis) -> None:
    """Not before the hand-over; then the recipient has a month from that day, and the sender owes nothing."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    transfer = await jobcenter.accepted(SOZIALAMT)
    await kreis.pump()
    before = await listed(sozialamt)
    kreis.clock.move(days=5)
    await sozialamt.inbox()
    [duty] = await listed(sozialamt)
    on = day_of(kreis.clock())

    assert before == []
    assert (duty["duty"], duty["transfer_id"], duty["bound"]) == ("INFO_EMPFAENGER", transfer, SOZIALAMT)
    assert (duty["arose"], duty["due"], duty["state"]) == ("2026-03-21", "2026-04-21", "open")
    assert on == date(2026, 3, 21)
    assert (duty["title"], duty["norms"][0]) == (rules_of(kreis.gateway)["INFO_EMPFAENGER"].name, "DSGVO Art. 14")
    assert await listed(jobcenter) == []
    decision = await kreis.scalar("SELECT occasion FROM decisions WHERE id = :d", d=duty["decision_id"])
    assert decision == "hand_over"


async def test_titles_are_german_or_english(kreis: Kreis) -> None:
    """As the client prefers; the answer says in which language it is."""
    await handed_over(kreis)
    sozialamt = await kreis.office(SOZIALAMT)
    [german] = await listed(sozialamt)
    headers = await sozialamt.headers() | {"accept-language": "en-GB, de;q=0.5"}
    path = german["links"]["done"].removesuffix("/done")
    english = [await sozialamt.http.get(one, headers=headers) for one in ("/v1/duties", path)]
    asked = await sozialamt.get("/v1/duties", lang="en")
    wrong = await sozialamt.get("/v1/duties", lang="fr")
    done = await sozialamt.http.post(f"{path}/done", headers=headers)

    assert german["title"] == "der Empfänger informiert die Person"
    assert {one.headers["content-language"] for one in (*english, asked, done)} == {"en"}
    titles = [english[0].json()["items"][0], english[1].json(), asked.json()["items"][0], done.json()]
    assert {one["title"] for one in titles} == {"the recipient informs the person"}
    assert wrong.status_code == httpx.codes.UNPROCESSABLE_ENTITY


async def test_a_second_hand_over_adds_none(kreis: Kreis) -> None:
    """What is fetched again after its lease obliges once."""
    await handed_over(kreis)
    sozialamt = await kreis.office(SOZIALAMT)
    kreis.clock.move(seconds=kreis.gateway.settings.lease_seconds + 1)
    assert await sozialamt.inbox()

    assert len(await listed(sozialamt)) == 1


async def test_who_is_bound_says_that_it_is_done(kreis: Kreis) -> None:
    """Once; again changes nothing, and the evidence names who, when and how, in one entry."""
    transfer = await handed_over(kreis)
    sozialamt = await kreis.office(SOZIALAMT)
    [duty] = await listed(sozialamt)
    kreis.clock.move(days=3)
    path = duty["links"]["done"]
    first = await sozialamt.post(path, {"done_on": "2026-03-17", "how": "ENTFALLEN"})
    again = await sozialamt.post(path)
    [(entry, side)] = await evidence(kreis.gateway, "duty.done")

    assert (first.status_code, first.json()["state"], first.json()["done_on"]) == (200, "done", "2026-03-17")
    assert again.json() == first.json()
    assert (await sozialamt.get(f"/v1/duties/{duty['id']}")).json() == first.json()
    assert (entry.actor, entry.sender, entry.reference) == (SOZIALAMT, SOZIALAMT, transfer)
    assert entry.data == {
        "duty": "INFO_EMPFAENGER", "decision": duty["decision_id"], "due": "2026-04-16", "done_on": "2026-03-17",
        "how": "ENTFALLEN",
    }  # fmt: skip
    assert side == {"client": sozialamt.client.client_id}
    assert await listed(sozialamt) == []
    assert [one["id"] for one in await listed(sozialamt, state="done")] == [duty["id"]]


async def test_nobody_else_ends_or_sees_it(kreis: Kreis) -> None:
    """To the sender, another agency's officer and an unknown id the answer is one; an officer ends none."""
    await handed_over(kreis)
    sozialamt, jobcenter = await kreis.office(SOZIALAMT), await kreis.office(JOBCENTER)
    officer, stranger = await kreis.officer("sozialamt-herten"), await kreis.officer("jobcenter-kreis-re")
    [duty] = await listed(sozialamt)
    foreign = [await jobcenter.post(duty["links"]["done"]), await jobcenter.get(f"/v1/duties/{duty['id']}")]
    foreign += [await stranger.get(f"/v1/duties/{duty['id']}"), await sozialamt.post(f"/v1/duties/{NOBODY}/done")]
    ended = await officer.post(duty["links"]["done"])

    assert {answer.status_code for answer in foreign} == {404}
    assert len({answer.text for answer in foreign}) == 1
    assert (ended.status_code, ended.json()["type"]) == (403, "/problems/wrong-role")
    assert [one["id"] for one in await listed(officer)] == [duty["id"]]
    assert await listed(stranger) == await listed(jobcenter) == []
    assert (await (await kreis.operator()).get("/v1/duties")).status_code == 403


async def test_pages_go_by_due_day(kreis: Kreis) -> None:
    """What is due first comes first, each once; overdue from the day after. Of tests no figure is made."""
    sozialamt = await kreis.office(SOZIALAMT)
    for test in (False, True, False):
        await handed_over(kreis, test=test)
        kreis.clock.move(days=1)
    found: list[str] = []
    cursor: dict[str, str] = {}
    for _ in range(3):
        page = (await sozialamt.get("/v1/duties", limit=1, **cursor)).json()
        found += [one["due"] for one in page["items"]]
        cursor = {"cursor": page["next_cursor"]}
    early = await listed(sozialamt, due_before="2026-04-17")
    kreis.clock.move(days=29)
    on_the_day = await listed(sozialamt, state="overdue")
    kreis.clock.move(days=2)
    async with kreis.gateway.db.reading() as connection:
        counted = await overdue(connection, day_of(kreis.clock()))

    assert found == ["2026-04-16", "2026-04-17", "2026-04-18"]
    assert cursor == {"cursor": None}
    assert [one["due"] for one in early] == ["2026-04-16"]
    assert [one["due"] for one in on_the_day] == ["2026-04-16"]
    assert [(one["state"], one["test"]) for one in await listed(sozialamt)] == [
        ("overdue", False), ("overdue", True), ("overdue", False),
    ]  # fmt: skip
    assert counted == {"sozialamt-herten": 2}


@pytest.mark.parametrize("cursor", ["x", "2026-04-16", "2026-04-16.x", "2026-13-16." + NOBODY])
async def test_a_cursor_that_is_none_is_refused(kreis: Kreis, cursor: str) -> None:
    """The field is named."""
    answer = await (await kreis.office(SOZIALAMT)).get("/v1/duties", cursor=cursor)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "cursor")


async def test_no_duty_is_done_tomorrow(kreis: Kreis) -> None:
    """A day in the future is refused, and nothing is noted."""
    await handed_over(kreis)
    sozialamt = await kreis.office(SOZIALAMT)
    [duty] = await listed(sozialamt)
    tomorrow = day_of(kreis.clock()) + timedelta(days=1)
    answer = await sozialamt.post(duty["links"]["done"], {"done_on": tomorrow.isoformat()})

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "done_on")


async def test_nothing_is_done_before_it_is_owed(kreis: Kreis) -> None:
    """A day before the content was handed over is refused, and the duty stays open."""
    await handed_over(kreis)
    sozialamt = await kreis.office(SOZIALAMT)
    [duty] = await listed(sozialamt)
    answer = await sozialamt.post(duty["links"]["done"], {"done_on": "2026-03-15"})

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "done_on")
    assert (await listed(sozialamt))[0]["state"] == "open"
    assert len(await listed(sozialamt)) == 1


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE duties SET due = '2030-01-01'",
        "UPDATE duties SET bound = 'x:Y', done_on = '2026-03-16'",
        "UPDATE duties SET done_on = NULL",
        "DELETE FROM duties",
    ],
)
@on_sqlite
async def test_the_embedded_database_keeps_what_a_duty_says(kreis: Kreis, change: str) -> None:
    """Its facts do not change and it does not go; on PostgreSQL by privilege and row-level security."""
    await handed_over(kreis)
    with pytest.raises((IntegrityError, DBAPIError)):
        async with kreis.gateway.db.writing() as connection:
            await connection.execute(text(change))
    sozialamt = await kreis.office(SOZIALAMT)
    [duty] = await listed(sozialamt)
    await sozialamt.post(duty["links"]["done"])
    with pytest.raises((IntegrityError, DBAPIError)):
        async with kreis.gateway.db.writing() as connection:
            await connection.execute(text("UPDATE duties SET done_on = '2026-03-15'"))
