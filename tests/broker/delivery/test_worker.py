"""Bringing messages to an office that reads files, and taking back what it leaves there."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
from sqlalchemy import select

from adapters.base import AgencyAdapter, Delivery
from broker.app import running
from broker.delivery import bringing, worker
from broker.delivery.bringing import Office, bring_all
from broker.delivery.handover import take
from broker.delivery.repository import Queue, Taker, Way
from broker.delivery.worker import adapters_of, run
from broker.directory.file import read_directory
from broker.directory.service import load
from broker.lifecycle.models import DeliveryRow
from tests.broker.delivery.folder_office import MESSAGE_ID, OFFICE, leave, place, quittung, share, state, waiting
from tests.flow.test_stops import objection
from tests.flow.world import FOLDER_AGENCY, JOBCENTER, Kreis, person
from tests.triggers import mend, refuse
from tests.world import DIRECTORY, eventually, rows

UNKNOWN = "00000000-0000-4000-8000-000000000000"


async def test_message_is_brought_word_for_word(kreis: Kreis) -> None:
    """The file in the office's place is the message as it was sent, and the transfer is delivered."""
    jobcenter = await kreis.office(JOBCENTER)
    sent = jobcenter.message(OFFICE)
    transfer = (await jobcenter.post_xml("/v1/transfers", sent)).json()["transfer_id"]
    await kreis.pump()

    assert (place(kreis) / f"{transfer}-1.xml").read_bytes() == sent
    assert await state(kreis, transfer) == "delivered"
    assert await kreis.deliver() == 0


async def pause(kreis: Kreis) -> timedelta:
    """Return how long the delivery waits before it tries again."""
    async with kreis.gateway.db.reading() as connection:
        until = (await connection.execute(select(DeliveryRow.leased_until))).scalar_one()
    assert until is not None
    return until - kreis.clock()


async def test_failed_hand_over_is_tried_again_after_growing_pauses(kreis: Kreis) -> None:
    """An absent share is waited for, at most twice as long each time; when it is back, the message is brought."""
    kreis.gateway = replace(kreis.gateway, chance=lambda: 1.0)
    transfer = await waiting(kreis)
    aside = share(kreis).rename(share(kreis).with_name("aside"))
    pauses = []
    for _ in range(4):
        await kreis.deliver()
        pauses.append(await pause(kreis))
        assert await state(kreis, transfer) == "handing_over"
        kreis.clock.now += pauses[-1]
    aside.rename(share(kreis))
    kreis.clock.move(seconds=-1)
    await kreis.deliver()
    too_early = await state(kreis, transfer)
    kreis.clock.move(seconds=1)
    await kreis.deliver()

    assert pauses == [timedelta(seconds=10 * 2**attempt) for attempt in range(4)]
    assert (too_early, await state(kreis, transfer)) == ("handing_over", "delivered")


async def test_both_offices_see_what_is_tried_and_when_again(kreis: Kreis) -> None:
    """Attempts, the code of the last failure and the moment of the next try stand in the transfer of both sides."""
    transfer = await waiting(kreis)
    aside = share(kreis).rename(share(kreis).with_name("aside"))
    await kreis.deliver()
    sides = [await kreis.office(JOBCENTER), await kreis.office(OFFICE)]
    seen = [(await side.get(f"/v1/transfers/{transfer}")).json() for side in sides]
    aside.rename(share(kreis))
    until = kreis.clock() + await pause(kreis)
    kreis.clock.now = until
    await kreis.deliver()
    after = (await sides[0].get(f"/v1/transfers/{transfer}")).json()

    assert [(s["attempts"], s["last_reason"]) for s in seen] == [(1, "folder-missing")] * 2
    assert [datetime.fromisoformat(s["next_try_at"]) for s in seen] == [until] * 2
    assert (after["attempts"], after["next_try_at"], after["state"]) == (2, None, "delivered")


async def test_after_the_last_attempt_it_lies_dead(kreis: Kreis) -> None:
    """Attempts are counted and pauses bounded; after the last the transfer lies dead, with the reason."""
    transfer = await waiting(kreis)
    share(kreis).rename(share(kreis).with_name("aside"))
    most, longest = kreis.gateway.settings.retry_attempts, timedelta(seconds=3600)
    for _ in range(most):
        assert await state(kreis, transfer) != "dead"
        await kreis.deliver()
        assert await pause(kreis) <= longest
        kreis.clock.now += longest

    seen = (await (await kreis.office(JOBCENTER)).get(f"/v1/transfers/{transfer}")).json()
    [row] = await rows(kreis.gateway, "SELECT attempts, last_error FROM deliveries")
    assert (seen["state"], row.attempts) == ("dead", most)
    assert seen["history"][-1]["reason"] == seen["last_reason"] == row.last_error == "folder-missing"
    assert (seen["attempts"], seen["next_try_at"]) == (most, None)


async def test_what_no_repetition_mends_lies_dead_at_once(kreis: Kreis) -> None:
    """Other bytes under the transfer's name are never overwritten: the transfer lies dead, and holds its case alone."""
    transfer = await waiting(kreis, case_sender="BG-1")
    later = await waiting(kreis, case_sender="BG-1")
    other = await waiting(kreis, case_sender="BG-2")
    foreign = place(kreis) / f"{transfer}-1.xml"
    foreign.write_bytes(b"<other/>")
    await kreis.deliver()
    kreis.clock.move(days=1)
    await kreis.deliver()

    assert foreign.read_bytes() == b"<other/>"
    assert [await state(kreis, one) for one in (transfer, later, other)] == ["dead", "published", "delivered"]


async def test_hours_are_kept(kreis: Kreis) -> None:
    """Outside of its hours an office gets no file; its quittungen are taken in at any time."""
    changed = kreis.gateway.settings.data_dir / "directory.yaml"
    hours = 'hours: {days: [mo, di, mi, do, fr], from: "08:00", to: "16:00"}'
    changed.write_text(DIRECTORY.read_text(encoding="utf-8").replace("hours: always", hours), encoding="utf-8")
    await load(kreis.gateway, read_directory(changed, kreis.gateway.settings.data_dir))
    first = await waiting(kreis, message_id=MESSAGE_ID)
    await kreis.deliver()
    kreis.clock.now = datetime(2026, 3, 20, 17, 0, tzinfo=UTC)  # Friday evening
    second = await waiting(kreis)
    leave(kreis, {"q.xml": quittung(first)})
    await kreis.deliver()
    evening = [await state(kreis, first), await state(kreis, second)]
    kreis.clock.now = datetime(2026, 3, 23, 7, 0, tzinfo=UTC)  # Monday, 8 o'clock in Berlin
    await kreis.deliver()

    assert evening == ["acknowledged", "published"]
    assert await state(kreis, second) == "delivered"


async def test_running_delivery_waits_out_a_database(kreis: Kreis, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that refuses for a while does not stop the delivery."""
    monkeypatch.setattr(worker, "PAUSE_AFTER_FAULT", 0.01)
    transfer = await waiting(kreis)
    await refuse(kreis.gateway, "UPDATE", "deliveries")

    async def delivered() -> bool:
        return await state(kreis, transfer) == "delivered"

    async with running([run(kreis.gateway)]):
        with pytest.raises(TimeoutError):
            await eventually(delivered, 0.3)
        await mend(kreis.gateway, "deliveries")
        await eventually(delivered)


@pytest.mark.parametrize("fresh", [0.0, 60.0])
async def test_what_waits_behind_a_slow_one_is_decided_again(
    kreis: Kreis, monkeypatch: pytest.MonkeyPatch, fresh: float
) -> None:
    """What was taken together and not begun soon is let go: an objection meanwhile ends it, and nobody gets it."""
    monkeypatch.setattr(bringing, "FRESH_SECONDS", fresh)
    first, second = [await waiting(kreis, case_sender=f"BG-{n}") for n in range(2)]
    taken = await take(kreis.gateway, Taker("broker:delivery", "", Way.PUSH, "w"), Queue(agency=FOLDER_AGENCY), 8)
    assert taken is not None
    await bring_all(kreis.gateway, Office(FOLDER_AGENCY, (await adapters_of(kreis.gateway))[FOLDER_AGENCY]), taken)
    await (await kreis.office(JOBCENTER)).post("/v1/objections", objection(person(), "OPT_OUT"))
    await kreis.deliver()

    assert [one.transfer.id for one in taken] == [first, second]
    assert await state(kreis, first) == "delivered"
    assert await state(kreis, second) == ("returned" if fresh == 0.0 else "delivered")
    assert (place(kreis) / f"{second}-1.xml").exists() is (fresh != 0.0)


async def test_what_was_begun_is_not_let_go_when_the_process_is_cut_off(kreis: Kreis) -> None:
    """Cut off at the end, a hand-over that runs keeps its lease: nobody begins it beside; the others are free."""
    transfers = [await waiting(kreis, case_sender=f"BG-{n}") for n in range(2)]
    taken = await take(kreis.gateway, Taker("broker:delivery", "", Way.PUSH, "w"), Queue(agency=FOLDER_AGENCY), 8)
    hangs = Hanging()
    assert taken is not None
    office = Office(FOLDER_AGENCY, cast("AgencyAdapter", hangs))
    brings = asyncio.create_task(bring_all(kreis.gateway, office, taken))
    await asyncio.to_thread(hangs.begun.wait, 10)
    kreis.gateway.stop()
    brings.cancel()
    await asyncio.gather(brings, return_exceptions=True)
    hangs.end.set()
    async with kreis.gateway.db.reading() as connection:
        query = select(DeliveryRow.transfer_id).where(DeliveryRow.leased_until > kreis.clock())
        leased = list(await connection.scalars(query))

    assert leased == transfers[:1]


async def test_a_clock_that_jumps_ahead_puts_nothing_off(kreis: Kreis, monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails or is let go while the own clock is an hour ahead waits by the database's clock, no hour longer."""
    monkeypatch.setattr(bringing, "FRESH_SECONDS", 0.0)
    true = kreis.clock.now

    async def database_says() -> datetime:
        return true

    for n in range(2):
        await waiting(kreis, case_sender=f"BG-{n}")
    gateway = replace(kreis.gateway, second_clock=database_says)
    taken = await take(gateway, Taker("broker:delivery", "", Way.PUSH, "w"), Queue(agency=FOLDER_AGENCY), 8)
    assert taken is not None
    kreis.clock.move(hours=1)
    await bring_all(gateway, Office(FOLDER_AGENCY, (await adapters_of(gateway))[FOLDER_AGENCY]), taken)
    async with kreis.gateway.db.reading() as connection:
        found = list(await connection.execute(select(DeliveryRow.last_error, DeliveryRow.leased_until)))
    longest = true + timedelta(seconds=2 * gateway.settings.retry_first_seconds)

    assert {row.last_error for row in found} == {"too-late", None}
    assert all(row.leased_until <= longest for row in found)


class Hanging:
    """An office's channel that does not answer."""

    def __init__(self) -> None:
        """Wait for the first message."""
        self.begun, self.end = threading.Event(), threading.Event()

    def deliver(self, _: Delivery) -> None:
        """Hang."""
        self.begun.set()
        self.end.wait(10)
