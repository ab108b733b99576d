"""What commits late and has a low number is not passed over by those who keep a position."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from broker import settled
from broker.audit.events import AuditEvent
from broker.audit.log import append
from broker.gateway import Signal
from broker.lifecycle.models import TransferEvent
from broker.pages import opened_cursor, sealed_cursor
from broker.transport.embedded import EmbeddedTransport
from broker.transport.models import EmbeddedRecord
from tests.flow.world import JOBCENTER, SOZIALAMT, Kreis, Office
from tests.world import eventually, evidence, on_postgresql

pytestmark = on_postgresql
HOME = JOBCENTER.partition(":")[0]
LOOK = {"reason": "Prüfung nach Art. 39 DSGVO", "event": "client.added"}
WHILE = 0.15
"""So long a writer is still on its way while somebody reads."""


@asynccontextmanager
async def late(kreis: Kreis) -> AsyncIterator[AsyncConnection]:
    """Give a connection whose transaction ends with the body; what it wrote first has the lowest number."""
    async with kreis.gateway.db.writing() as connection:
        yield connection


async def change(connection: AsyncConnection, kreis: Kreis, transfer: str, reason: str) -> None:
    """Add a change of state to the history of a transfer."""
    row = {"transfer_id": transfer, "sender": JOBCENTER, "recipient": SOZIALAMT, "state": "accepted"}
    await connection.execute(insert(TransferEvent), [row | {"reason": reason, "at": kreis.clock()}])


async def change_at_once(kreis: Kreis, transfer: str, reason: str) -> None:
    """Add one in a transaction of its own."""
    async with kreis.gateway.db.writing() as connection:
        await change(connection, kreis, transfer, reason)


async def read(office: Office, cursor: str = "") -> tuple[list[str], str]:
    """Return the reasons of a page of the feed, and the cursor to go on with."""
    answer = await office.get("/v1/transfers", **({"cursor": cursor} if cursor else {}))
    assert answer.status_code == httpx.codes.OK, answer.text
    return [item["reason"] for item in answer.json()["items"]], answer.json()["next_cursor"]


async def test_feed_waits_for_a_lower_number(kreis: Kreis) -> None:
    """Read between two commits out of order, the feed shows both in the order of their numbers, and skips nothing."""
    office = await kreis.office(JOBCENTER)
    transfer = await office.accepted(SOZIALAMT)
    _, cursor = await read(office)
    async with late(kreis) as connection:
        await change(connection, kreis, transfer, "low")
        await change_at_once(kreis, transfer, "high")
        reading = asyncio.ensure_future(read(office, cursor))
        await asyncio.sleep(WHILE)
        waited = not reading.done()
    page, cursor = await reading
    following, _ = await read(office, cursor)

    assert waited
    assert (page, following) == (["low", "high"], [])


async def test_feed_does_not_wait_for_what_does_not_matter(kreis: Kreis) -> None:
    """With nothing new to show, or writers of other tables alone, the feed answers at once."""
    office = await kreis.office(JOBCENTER)
    transfer = await office.accepted(SOZIALAMT)
    _, cursor = await read(office)
    async with late(kreis) as connection:
        await change(connection, kreis, transfer, "low")
        empty = await asyncio.wait_for(read(office, cursor), settled.LONGEST_SECONDS / 2)
    async with late(kreis) as connection:
        await append(connection, [AuditEvent("client.added", "operator:*")], kreis.clock())
        there = await asyncio.wait_for(read(office, cursor), settled.LONGEST_SECONDS / 2)

    assert empty == ([], cursor)
    assert there[0] == ["low"]


async def test_a_writer_that_does_not_end_hides_and_loses_nothing(
    kreis: Kreis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who would read past it is told to come again, and then reads all; so with one that takes back what it wrote."""
    monkeypatch.setattr(settled, "LONGEST_SECONDS", WHILE)
    office = await kreis.office(JOBCENTER)
    transfer = await office.accepted(SOZIALAMT)
    _, cursor = await read(office)
    async with late(kreis) as connection:
        await change(connection, kreis, transfer, "low")
        await change_at_once(kreis, transfer, "high")
        refused = await office.get("/v1/transfers", cursor=cursor)
        await connection.rollback()
    page, _ = await read(office, cursor)

    assert (refused.status_code, refused.json()["type"]) == (503, "/problems/temporarily-unavailable")
    assert refused.headers["retry-after"]
    assert page == ["high"]


async def test_whoever_follows_under_load_reads_each_change_once(kreis: Kreis) -> None:
    """Many writers that commit in any order, and a reader that goes on after its cursor: all, once, in order."""
    office = await kreis.office(JOBCENTER)
    transfer = await office.accepted(SOZIALAMT)
    _, cursor = await read(office)
    chance = random.Random(7)  # noqa: S311 - pauses of a test

    async def write(writer: int) -> None:
        for turn in range(6):
            async with late(kreis) as connection:
                await change(connection, kreis, transfer, f"{writer}-{turn}")
                await asyncio.sleep(chance.random() / 10)

    writing = asyncio.gather(*(write(writer) for writer in range(6)))
    found: list[str] = []
    while not writing.done():
        page, cursor = await read(office, cursor)
        found += page
    found += (await read(office, cursor))[0]

    assert len(found) == len(set(found)) == 36


async def test_topic_is_read_in_the_order_of_its_positions(kreis: Kreis) -> None:
    """A group that has read past a position never comes back to it: a record that commits late is waited for."""
    transport = EmbeddedTransport(kreis.gateway.db, Signal())
    reader = transport.subscribe(["topic"], "group")

    async def put(connection: AsyncConnection, name: str) -> None:
        row: dict[str, Any] = {"record_id": name, "topic": "topic", "key": "k", "headers": {}, "value": b""}
        await connection.execute(insert(EmbeddedRecord), [row])

    async with late(kreis) as connection:
        await put(connection, "low")
        async with late(kreis) as other:
            await put(other, "high")
        reading = asyncio.ensure_future(reader.fetch(0))
        await asyncio.sleep(WHILE)
        waited = not reading.done()
    consumed = await reading
    await reader.commit(consumed)

    assert waited
    assert [item.record.record_id for item in consumed] == ["low", "high"]
    assert await reader.fetch(0) == []


async def looked(kreis: Kreis, times: int) -> bool:
    """Whether so many looks are on record."""
    return len(await evidence(kreis.gateway, "audit.read")) == times


async def test_officer_reads_an_entry_that_commits_late(kreis: Kreis) -> None:
    """What was being written at the first look belongs to the walk; two officers do not wait for each other."""
    officers = [await kreis.officer(HOME), await kreis.officer(HOME)]
    before = len((await officers[0].get("/v1/audit/events", **LOOK)).json()["items"])
    async with late(kreis) as connection:
        await append(connection, [AuditEvent("client.added", "operator:*", sender=f"{HOME}:")], kreis.clock())
        looks = [asyncio.ensure_future(officer.get("/v1/audit/events", **LOOK)) for officer in officers]
        await eventually(lambda: looked(kreis, 3))
        await asyncio.sleep(WHILE)
        waited = not any(look.done() for look in looks)
    pages = [(await look).json() for look in looks]

    assert waited
    assert [len(page["items"]) for page in pages] == [before + 1] * 2


async def test_numbers_do_not_end_with_32_bits(kreis: Kreis) -> None:
    """After 2³¹ rows the feed goes on, and the greatest cursor of all is a page with nothing on it."""
    office = await kreis.office(JOBCENTER)
    for table, column in (("transfers", "seq"), ("transfer_events", "seq"), ("audit_entries", "seq")):
        await kreis.scalar(f"SELECT setval('{table}_{column}_seq', 3000000000)")
    transfer = await office.accepted(SOZIALAMT)
    await kreis.pump()
    _, cursor = await read(office)
    keys = kreis.gateway.keys.cursor_keys(JOBCENTER, "transfers")
    greatest = sealed_cursor(2**63 - 1, keys)

    assert await office.state(transfer) == "published"
    assert opened_cursor(cursor, keys) > 3_000_000_000
    assert await read(office, greatest) == ([], greatest)
