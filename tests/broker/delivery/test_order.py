"""Whose turn it is: the order of each case, what overtakes, and many who take at once."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from adapters.base import Delivery
from broker.db import Database
from broker.delivery import handover, repository
from broker.delivery.handover import Released, take
from broker.delivery.repository import Queue, Taker, Way
from broker.delivery.worker import adapters_of, deliver_once
from broker.gateway import Gateway
from tests.flow.world import FOLDER_AGENCY, JOBCENTER, SOZIALAMT, Kreis
from tests.world import rows

OFFICE = f"{FOLDER_AGENCY}:SOZIALAMT_SGBXII"
TAKERS = 4


async def waiting(kreis: Kreis, recipient: str, cases: int, each: int) -> dict[str, list[str]]:
    """Let transfers of several cases wait; return each case's, in the order of their 202."""
    jobcenter = await kreis.office(JOBCENTER)
    found: dict[str, list[str]] = {f"BG-{case}": [] for case in range(cases)}
    for _ in range(each):
        for case, ids in found.items():
            ids.append(await jobcenter.accepted(recipient, case_sender=case))
    await kreis.publish()
    await kreis.take_in()
    return found


def beside(gateway: Gateway) -> Gateway:
    """Return a gateway as another process has it: its own connections."""
    return replace(gateway, db=Database(gateway.settings.database))


async def take_all(gateway: Gateway, taken: list[str], way: Way) -> None:
    """Take, as one process of several, until nothing is left; what was pushed is there a moment later."""
    taker = Taker("broker:delivery", "", way, holder=str(uuid4()))
    queue = Queue(agency=OFFICE.partition(":")[0])
    idle = 0
    while idle < 5:
        some = await take(gateway, taker, queue, 3)
        if not some:
            idle += 1
            await asyncio.sleep(0.02)
            continue
        idle = 0
        taken += [one.transfer.id for one in some]
        await asyncio.sleep(0.01)
        async with gateway.db.writing() as connection:
            for one in some:
                await connection.execute(
                    text("UPDATE transfers SET state = 'delivered' WHERE id = :id"), {"id": one.transfer.id}
                )


@pytest.mark.parametrize("way", [Way.PUSH, Way.PULL])
async def test_many_deliverers_take_each_transfer_once_and_keep_each_case_in_order(kreis: Kreis, way: Way) -> None:
    """Several processes at once hand each transfer over once, and one of a case never before an earlier one."""
    cases = await waiting(kreis, OFFICE, cases=5, each=5)
    others = [beside(kreis.gateway) for _ in range(TAKERS)]
    taken: list[str] = []
    try:
        async with asyncio.timeout(60):
            await asyncio.gather(*(take_all(other, taken, way) for other in others))
    finally:
        for other in others:
            await other.db.close()

    assert Counter(taken) == Counter([one for ids in cases.values() for one in ids])
    assert [[one for one in taken if one in ids] for ids in cases.values()] == list(cases.values())
    attempts = {row.attempts for row in await rows(kreis.gateway, "SELECT attempts FROM deliveries")}
    assert attempts == {1}


async def test_one_that_is_tried_again_keeps_its_case_waiting(kreis: Kreis) -> None:
    """While a hand-over that failed waits for its next try, later ones of its case wait too; other cases go on."""
    cases = await waiting(kreis, OFFICE, cases=2, each=2)
    (first, second), (other, _) = cases.values()
    share = kreis.gateway.settings.data_dir / "folders" / FOLDER_AGENCY
    aside = share.rename(share.with_name("aside"))
    adapters = await adapters_of(kreis.gateway)
    await deliver_once(kreis.gateway, adapters)
    jobcenter = await kreis.office(JOBCENTER)
    broken = [await jobcenter.state(one) for one in (first, second, other)]
    aside.rename(share)
    await deliver_once(kreis.gateway, adapters)
    too_early = await jobcenter.state(second)
    kreis.clock.move(hours=1)
    await deliver_once(kreis.gateway, adapters)

    assert (broken, too_early) == (["handing_over", "published", "handing_over"], "published")
    assert [await jobcenter.state(one) for one in (first, second)] == ["delivered", "delivered"]


async def test_child_protection_overtakes(kreis: Kreis) -> None:
    """A KINDERSCHUTZ waits behind nothing but its like, and is handed over before all that came earlier."""
    cases = await waiting(kreis, SOZIALAMT, cases=1, each=3)
    [(first, second, third)] = cases.values()
    async with kreis.gateway.db.writing() as connection:
        await connection.execute(
            text("UPDATE transfers SET purpose = 'KINDERSCHUTZ' WHERE id IN (:second, :third)"),
            {"second": second, "third": third},
        )
        await connection.execute(text("UPDATE transfers SET state = 'dead' WHERE id = :first"), {"first": first})
    queue = Queue(recipient=SOZIALAMT)
    async with kreis.gateway.db.reading() as connection:
        due = await repository.next_ids(connection, kreis.clock(), queue, (), 10)
    async with kreis.gateway.db.writing() as connection:
        await connection.execute(text("UPDATE transfers SET state = 'published'"))
    async with kreis.gateway.db.reading() as connection:
        after = await repository.next_ids(connection, kreis.clock(), queue, (), 10)

    assert [one.id for one in due] == [second]
    assert [one.id for one in after] == [second, first]


async def test_slow_office_keeps_its_lease(kreis: Kreis, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a channel is slow the lease is prolonged, and nobody else brings the same."""
    await waiting(kreis, OFFICE, cases=1, each=1)
    monkeypatch.setattr("broker.delivery.leases.RENEWALS", kreis.gateway.settings.lease_seconds * 20)
    [adapter] = [a for name, a in (await adapters_of(kreis.gateway)).items() if name == FOLDER_AGENCY]
    brought: list[str] = []
    inner = type(adapter).deliver

    def slowly(self: object, delivery: object) -> object:
        brought.append("once")
        kreis.clock.move(seconds=kreis.gateway.settings.lease_seconds - 1)
        for _ in range(100):
            time.sleep(0.01)
        return inner(self, delivery)

    monkeypatch.setattr(type(adapter), "deliver", slowly)
    one = asyncio.create_task(deliver_once(kreis.gateway, {FOLDER_AGENCY: adapter}))
    await asyncio.sleep(0.5)
    kreis.clock.move(seconds=2)
    other = await deliver_once(kreis.gateway, {FOLDER_AGENCY: adapter})
    await one

    assert (brought, other) == (["once"], 0)


async def test_what_was_tried_without_an_end_is_brought_alone(kreis: Kreis) -> None:
    """A transfer whose bringer may have died of it takes no other with it; fresh ones are taken together."""
    (first,), (second,), (third,) = (await waiting(kreis, OFFICE, cases=3, each=1)).values()
    async with kreis.gateway.db.writing() as connection:
        await connection.execute(text("UPDATE deliveries SET attempts = 1 WHERE transfer_id = :id"), {"id": first})
    taker, queue = Taker("broker:delivery", "", Way.PUSH, holder=str(uuid4())), Queue(agency=FOLDER_AGENCY)
    taken = [await take(kreis.gateway, taker, queue, most=8) for _ in range(3)]

    assert [[one.transfer.id for one in some or ()] for some in taken] == [[first], [second, third], []]


async def test_what_was_not_begun_when_the_process_ends_is_anybodys_at_once(
    kreis: Kreis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of several that were taken together, those that were not begun wait again, and have lost no attempt."""
    (first,), (second,), (third,) = (await waiting(kreis, OFFICE, cases=3, each=1)).values()
    adapter = (await adapters_of(kreis.gateway))[FOLDER_AGENCY]
    inner = type(adapter).deliver

    def last(self: object, delivery: Delivery) -> None:
        kreis.gateway.halt.request()
        inner(self, delivery)  # type: ignore[arg-type]  # the adapter itself

    monkeypatch.setattr(type(adapter), "deliver", last)
    await deliver_once(kreis.gateway, {FOLDER_AGENCY: adapter})
    taker, queue = Taker("broker:delivery", "", Way.PUSH, holder=str(uuid4())), Queue(agency=FOLDER_AGENCY)
    others = await take(kreis.gateway, taker, queue, most=8)

    assert await (await kreis.office(JOBCENTER)).state(first) == "delivered"
    assert others is not None
    assert [(one.transfer.id, one.attempt, one.transfer.attempts_before) for one in others] == [
        (second, 2, 1),
        (third, 2, 1),
    ]


async def test_what_is_leased_is_given_though_the_database_goes_away(
    kreis: Kreis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taken one by one after a fault, those that are leased are handed over although a later one meets no database."""
    (first,), (second,), (third,) = (await waiting(kreis, SOZIALAMT, cases=3, each=1)).values()
    together, away = handover._take_together, {third}

    async def faulty(gateway: Gateway, taker: Taker, queue: Queue, ids: Sequence[str]) -> list[Released] | None:
        if len(ids) > 1:
            raise KeyError
        if away.intersection(ids):
            raise OperationalError(None, None, OSError())
        return await together(gateway, taker, queue, ids)

    monkeypatch.setattr(handover, "_take_together", faulty)
    taker, queue = Taker(SOZIALAMT, "", Way.PULL, holder=str(uuid4())), Queue(recipient=SOZIALAMT)
    taken = await take(kreis.gateway, taker, queue, most=8)
    with pytest.raises(OperationalError):
        await take(kreis.gateway, taker, queue, most=8)
    away.clear()
    later = await take(kreis.gateway, taker, queue, most=8)

    assert [[one.transfer.id for one in some or ()] for some in (taken, later)] == [[first, second], [third]]
