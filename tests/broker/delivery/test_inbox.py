"""Fetching: how long it waits, how much it gives, and to whom."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from broker.delivery import inbox
from broker.delivery.handover import take
from tests.flow.world import JOBCENTER, SOZIALAMT, Kreis, open_kreis


async def test_waiting_ends_as_soon_as_something_arrives(kreis: Kreis) -> None:
    """A long poll returns with the message, long before its time is over."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    await sozialamt.headers()
    waiting = asyncio.create_task(sozialamt.inbox(wait=30))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    transfer = await jobcenter.accepted(SOZIALAMT)
    await kreis.publish()
    await kreis.take_in()

    assert [item["transfer_id"] for item in await asyncio.wait_for(waiting, 15)] == [transfer]


async def test_waiting_ends_empty_after_its_time(kreis: Kreis) -> None:
    """Where nothing arrives the answer is an empty page, not before the time and no error."""
    sozialamt = await kreis.office(SOZIALAMT)
    begin = time.monotonic()

    assert await sozialamt.inbox(wait=1) == []
    assert time.monotonic() - begin >= 1


async def test_messages_for_others_do_not_shorten_the_wait(kreis: Kreis) -> None:
    """Whoever waits is woken by every arrival, and goes on waiting where it was not for them."""
    sozialamt = await kreis.office(SOZIALAMT)
    await sozialamt.headers()
    begin = time.monotonic()
    waiting = asyncio.create_task(sozialamt.inbox(wait=2))
    for _ in range(5):
        await asyncio.sleep(0.05)
        kreis.gateway.inbox_filled.notify()

    assert await waiting == []
    assert time.monotonic() - begin >= 2


async def test_service_sets_the_longest_wait(data_dir: Path) -> None:
    """Whoever asks for more than the settings allow waits as long as they allow."""
    async with open_kreis(data_dir, long_poll_seconds=0) as kreis:
        sozialamt = await kreis.office(SOZIALAMT)

        assert await asyncio.wait_for(sozialamt.inbox(wait=60), 15) == []


async def test_a_page_holds_at_most_what_was_asked_for(kreis: Kreis) -> None:
    """Messages come oldest first, as many as asked for; the rest comes next."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    ids = [await jobcenter.accepted(SOZIALAMT) for _ in range(3)]
    await kreis.pump()
    pages = [await sozialamt.inbox(limit=2) for _ in range(3)]

    assert [[item["transfer_id"] for item in page] for page in pages] == [ids[:2], ids[2:], []]


async def test_a_page_that_takes_long_is_given_as_it_is(kreis: Kreis, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is leased does not wait until a slow database has filled the page: its reader would be gone by then."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    ids = [await jobcenter.accepted(SOZIALAMT) for _ in range(3)]
    await kreis.pump()
    monkeypatch.setattr(inbox, "TOGETHER", 1)
    monkeypatch.setattr(inbox, "FULL_SECONDS", 0.0)
    pages = [await sozialamt.inbox(limit=3) for _ in range(3)]

    assert [[item["transfer_id"] for item in page] for page in pages] == [[one] for one in ids]


async def test_a_page_is_given_where_the_database_goes_away(kreis: Kreis, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is leased already is handed over; where nothing is, the answer is 503."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    ids = [await jobcenter.accepted(SOZIALAMT) for _ in range(3)]
    await kreis.pump()
    turns = iter((True, False, False))

    async def sometimes(*given: Any) -> Any:
        if not next(turns):
            raise OperationalError("SELECT 1", {}, OSError())
        return await take(*given)

    monkeypatch.setattr(inbox, "TOGETHER", 1)
    monkeypatch.setattr(inbox, "take", sometimes)
    page, away = await sozialamt.inbox(limit=3), await sozialamt.get("/v1/inbox", limit=3)

    assert [item["transfer_id"] for item in page] == ids[:1]
    assert away.status_code == 503


@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 51}, {"wait": -1}, {"wait": 61}, {"limit": "alle"}])
async def test_limits_are_named_where_they_are_passed(kreis: Kreis, query: dict[str, object]) -> None:
    """A page or a wait beyond the limits is refused, with field and bound."""
    answer = await (await kreis.office(SOZIALAMT)).get("/v1/inbox", **query)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == f"query.{next(iter(query))}"


async def test_lease_is_told_and_kept(kreis: Kreis) -> None:
    """An item names the end of its lease; until then it is nobody's again, from then on it comes again."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    await jobcenter.accepted(SOZIALAMT)
    await kreis.pump()
    [item] = await sozialamt.inbox()
    until = datetime.fromisoformat(item["leased_until"])
    kreis.clock.now = until - timedelta(milliseconds=1)
    before = await sozialamt.inbox()
    kreis.clock.now = until
    [again] = await sozialamt.inbox()

    assert until.timestamp() == pytest.approx(kreis.clock().timestamp())
    assert before == []
    assert (again["transfer_id"], again["attempt"], again["message"]) == (item["transfer_id"], 2, item["message"])


async def test_two_who_fetch_at_once_get_each_message_once(kreis: Kreis) -> None:
    """Processes of the same office share the messages among them; none is left lying that waits behind no other."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    ids = [await jobcenter.accepted(SOZIALAMT, case_sender=f"AZ-{number}") for number in range(4)]
    await kreis.pump()
    pages = await asyncio.gather(*(sozialamt.inbox(limit=3) for _ in range(3)))

    assert sorted(item["transfer_id"] for page in pages for item in page) == sorted(ids)


async def test_two_who_fetch_at_once_share_a_case_in_its_order(kreis: Kreis) -> None:
    """Of one case each message comes once; one behind another that is just being taken may come with the next page."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    ids = [await jobcenter.accepted(SOZIALAMT) for _ in range(4)]
    await kreis.pump()
    pages = await asyncio.gather(*(sozialamt.inbox(limit=3) for _ in range(3)))
    together = [item["transfer_id"] for page in pages for item in page]
    later = [item["transfer_id"] for item in await sozialamt.inbox()]

    assert sorted(together) + later == ids
    assert all([item["transfer_id"] for item in page] == sorted(item["transfer_id"] for item in page) for page in pages)


async def test_what_ended_meanwhile_hides_nothing_behind_it(kreis: Kreis) -> None:
    """A message that the law no longer lets pass is left out, and the page is filled with what lies behind it."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    recalled = await jobcenter.accepted(SOZIALAMT)
    kept = await jobcenter.accepted(SOZIALAMT)
    await kreis.pump()
    await jobcenter.post(f"/v1/transfers/{recalled}/recall")

    assert [item["transfer_id"] for item in await sozialamt.inbox(limit=1)] == [kept]


async def test_inbox_is_an_instances(kreis: Kreis) -> None:
    """Officers and operators have none."""
    for client in (await kreis.officer("sozialamt-herten"), await kreis.operator()):
        answer = await client.get("/v1/inbox")
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/wrong-role")
