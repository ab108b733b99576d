"""Dead letters: what an operator may decide, what follows, and who learns of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import update

from broker.delivery import dead
from broker.delivery.dead import Wanted, Why
from broker.delivery.in_flight import expire_due
from broker.errors import ProblemError
from broker.lifecycle.models import DeliveryRow
from broker.lifecycle.progress import advance
from broker.lifecycle.states import State
from tests.flow.world import FOLDER_AGENCY, JOBCENTER, Kreis
from tests.world import evidence, on_postgresql, rows

OFFICE = f"{FOLDER_AGENCY}:SOZIALAMT_SGBXII"
OPERATOR = "operator:*"
UNKNOWN = "00000000-0000-4000-8000-000000000000"
DEEDS: dict[str, Callable[[Any, Any, str], Awaitable[None]]] = {
    "retry": lambda connection, gateway, one: dead.retry(connection, gateway, one, OPERATOR),
    "release": lambda connection, gateway, one: dead.release(connection, gateway, one, Why.EILIG, OPERATOR),
    "discard": lambda connection, gateway, one: dead.discard(connection, gateway, one, Why.UEBERHOLT, OPERATOR),
}


async def submitted(kreis: Kreis, case: str = "BG-1") -> str:
    """Submit a transfer and take it in."""
    transfer = await (await kreis.office(JOBCENTER)).accepted(OFFICE, case_sender=case)
    await kreis.publish()
    await kreis.take_in()
    return transfer


async def died(kreis: Kreis, case: str = "BG-1") -> str:
    """Let a transfer die: a file with other bytes lies where its own should."""
    transfer = await submitted(kreis, case)
    obstacle(kreis, transfer).write_bytes(b"<other/>")
    await kreis.deliver()
    assert await state(kreis, transfer) == "dead"
    return transfer


def obstacle(kreis: Kreis, transfer: str) -> Any:
    """Return the file that stands in the way."""
    return kreis.gateway.settings.data_dir / "folders" / FOLDER_AGENCY / "sgb-xii" / f"{transfer}-1.xml"


async def decide(kreis: Kreis, deed: str, transfer: str) -> None:
    """Decide as the operator does."""
    async with kreis.gateway.db.writing() as connection:
        await DEEDS[deed](connection, kreis.gateway, transfer)


async def state(kreis: Kreis, transfer: str) -> str:
    """Return a transfer's state."""
    return await (await kreis.office(JOBCENTER)).state(transfer)


async def listed(kreis: Kreis, wanted: Wanted = Wanted(), after: int = 0, limit: int = 50) -> list[dead.DeadLetter]:  # noqa: B008 - frozen
    """List dead letters."""
    async with kreis.gateway.db.reading() as connection:
        return list(await dead.dead_letters(connection, wanted, after, limit))


async def test_retried_one_is_handed_over_before_the_later_ones_of_its_case(kreis: Kreis) -> None:
    """With the obstacle gone it is brought, its attempts counted anew, and the later one comes after it."""
    first = await died(kreis)
    later = await submitted(kreis)
    await kreis.deliver()
    waits = await state(kreis, later)
    obstacle(kreis, first).unlink()
    await decide(kreis, "retry", first)
    seen = (await (await kreis.office(JOBCENTER)).get(f"/v1/transfers/{first}")).json()
    await kreis.deliver()
    delivered = await rows(
        kreis.gateway, "SELECT transfer_id FROM transfer_events WHERE state = 'delivered' ORDER BY seq"
    )

    assert (waits, seen["state"], seen["attempts"], seen["last_reason"]) == ("published", "published", 0, None)
    assert seen["history"][-1]["reason"] == "retried-by-operator"
    assert [row.transfer_id for row in delivered] == [first, later]


async def test_released_one_stays_dead_and_lets_the_others_pass(kreis: Kreis) -> None:
    """The later one is brought, the dead one is still there, and a second release changes nothing."""
    first = await died(kreis)
    later = await submitted(kreis)
    await decide(kreis, "release", first)
    await decide(kreis, "release", first)
    await kreis.deliver()
    [letter] = await listed(kreis)

    assert [await state(kreis, one) for one in (first, later)] == ["dead", "delivered"]
    assert (letter.released, letter.reason) == ("EILIG", "other-bytes-under-this-id")
    assert len(await evidence(kreis.gateway, "dead.released")) == 1


async def test_discarded_one_ends_with_its_content_and_its_case_goes_on(kreis: Kreis) -> None:
    """Key and ciphertext are gone, both offices see the reason, and the later one is brought."""
    first = await died(kreis)
    await submitted(kreis)
    await decide(kreis, "discard", first)
    await kreis.deliver()
    sides = [await kreis.office(JOBCENTER), await kreis.office(OFFICE)]
    seen = [(await side.get(f"/v1/transfers/{first}")).json()["history"][-1] for side in sides]

    assert [(one["state"], one["reason"]) for one in seen] == [("discarded", "UEBERHOLT")] * 2
    assert await kreis.scalar("SELECT count(*) FROM transfer_keys WHERE transfer_id = :id", id=first) == 0
    assert await kreis.scalar("SELECT length(sealed) FROM deliveries WHERE transfer_id = :id", id=first) == 0
    assert await listed(kreis) == []


@pytest.mark.parametrize("deed", DEEDS)
async def test_every_deed_is_on_record(kreis: Kreis, deed: str) -> None:
    """The evidence names the operator, the transfer and the reason."""
    transfer = await died(kreis)
    await decide(kreis, deed, transfer)
    past = {"retry": "retried", "release": "released", "discard": "discarded"}[deed]
    [(entry, _)] = await evidence(kreis.gateway, f"dead.{past}")

    assert (entry.actor, entry.reference, entry.sender, entry.recipient) == (OPERATOR, transfer, JOBCENTER, OFFICE)


@pytest.mark.parametrize("deed", DEEDS)
async def test_what_is_not_dead_is_left_alone(kreis: Kreis, deed: str) -> None:
    """A living transfer, and one that there is not, are refused with the state, and nothing changes."""
    transfer = await submitted(kreis)
    with pytest.raises(ProblemError, match=r"state-conflict.*published"):
        await decide(kreis, deed, transfer)
    with pytest.raises(ProblemError, match="not-found"):
        await decide(kreis, deed, UNKNOWN)

    assert await state(kreis, transfer) == "published"


async def test_list_is_filtered_and_paged(kreis: Kreis) -> None:
    """Filters by agency, sender, reason and time; pages without gaps, with how many wait behind each."""
    ids = [await died(kreis, f"BG-{n}") for n in range(3)]
    await submitted(kreis, "BG-1")
    first = await listed(kreis, limit=2)
    rest = await listed(kreis, after=first[-1].seq, limit=2)

    assert [one.transfer_id for one in first + rest] == ids
    assert [one.waiting_behind for one in first + rest] == [0, 1, 0]
    for wanted, found in (
        (Wanted(agency=FOLDER_AGENCY, sender=JOBCENTER, reason="other-bytes-under-this-id", since=kreis.clock()), 3),
        (Wanted(agency="sozialamt-herten"), 0),
        (Wanted(sender=OFFICE), 0),
        (Wanted(reason="folder-full"), 0),
    ):
        assert len(await listed(kreis, wanted)) == found, wanted


async def test_no_content_is_shown(kreis: Kreis) -> None:
    """Neither list nor show hold a word of the message or a key."""
    transfer = await died(kreis)
    async with kreis.gateway.db.reading() as connection:
        letter, history = await dead.dead_letter(connection, transfer)
    members = dead.as_json(letter)

    assert set(members) == {
        "transfer_id", "message_type", "sender", "recipient", "purpose", "reason", "attempts", "dead_since",
        "expires_at", "released", "waiting_behind",
    }  # fmt: skip
    assert [row.state for row in history] == ["accepted", "published", "handing_over", "dead"]


async def test_recall_of_a_dead_one_ends_it_and_tells_who_may_hold_it(kreis: Kreis) -> None:
    """The sender may call a dead letter back; its recipient, to whom it may have come before it died, is told."""
    transfer = await died(kreis)
    answer = await (await kreis.office(JOBCENTER)).post(f"/v1/transfers/{transfer}/recall")
    notices = (await (await kreis.office(OFFICE)).get("/v1/notices")).json()["items"]

    assert (answer.json()["state"], await state(kreis, transfer)) == ("notice-sent", "recalled")
    assert [notice["kind"] for notice in notices] == ["RUECKRUF"]
    assert await kreis.scalar("SELECT count(*) FROM transfer_keys") == 0


async def test_who_dies_at_each_attempt_leaves_a_dead_letter(kreis: Kreis) -> None:
    """Attempts that never came to an end are bounded like those that failed."""
    transfer = await submitted(kreis)
    async with kreis.gateway.db.writing() as connection:
        await connection.execute(update(DeliveryRow).values(attempts=kreis.gateway.settings.retry_attempts))
    await kreis.deliver()
    [letter] = await listed(kreis)

    assert (letter.transfer_id, letter.reason) == (transfer, "never-ended")


@on_postgresql
@pytest.mark.parametrize("first", ["retry", "expiry"])
async def test_retry_and_expiry_in_one_moment_leave_nothing_to_open(kreis: Kreis, first: str) -> None:
    """Whichever comes first, what has expired stays so: its key is gone, and it is not brought."""
    transfer = await died(kreis)
    kreis.clock.move(days=15)

    async with kreis.gateway.db.writing() as connection:
        other: asyncio.Task[Any]
        if first == "retry":
            await dead.retry(connection, kreis.gateway, transfer, OPERATOR)
            other = asyncio.create_task(expire_due(kreis.gateway))
        else:
            await advance(connection, [transfer], State.EXPIRED, kreis.clock(), "broker:delivery")
            other = asyncio.create_task(decide(kreis, "retry", transfer))
        await asyncio.sleep(0.3)
        waited = not other.done()
    [found] = await asyncio.gather(other, return_exceptions=True)
    await kreis.deliver()

    assert waited
    assert found == 1 if first == "retry" else getattr(found, "slug", None) == "state-conflict"
    assert await state(kreis, transfer) == "expired"
    assert await kreis.scalar("SELECT count(*) FROM transfer_keys") == 0
