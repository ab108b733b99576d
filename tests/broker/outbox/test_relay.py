"""The relay: what was accepted reaches the topic, whatever the transport and the database do meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.app import running
from broker.outbox import relay
from broker.outbox.leases import Fences
from broker.outbox.relay import Relay, publish_due, rest_after, run
from broker.outbox.repository import Claimed
from broker.transport.base import Record, Transport, TransportUnavailable
from broker.transport.embedded import EmbeddedOutlet, EmbeddedTransport
from tests.flow.world import JOBCENTER, SOZIALAMT, Kreis, open_kreis
from tests.triggers import mend, refuse
from tests.world import eventually, rows


class UnavailableTransport(EmbeddedTransport):
    """A transport that says it is away for some calls, having kept the records or not; then it works."""

    def __init__(self, kreis: Kreis, refusals: int, *, keeps: bool = False) -> None:
        """Refuse so many calls."""
        super().__init__(kreis.gateway.db, kreis.gateway.topic_filled)
        self.refusals = refusals
        self.keeps = keeps

    async def outlet(self, partition: int) -> UnavailableOutlet:
        """Open an outlet that counts the refusals down."""
        del partition
        return UnavailableOutlet(self)


class UnavailableOutlet(EmbeddedOutlet):
    """An outlet of it."""

    def __init__(self, transport: UnavailableTransport) -> None:
        """Share the transport's count."""
        super().__init__(transport._db, transport._filled)
        self._transport = transport

    async def publish(self, records: Sequence[Record]) -> None:
        """Refuse while refusals are left."""
        if self._transport.refusals:
            self._transport.refusals -= 1
            if self._transport.keeps:
                await super().publish(records)
            raise TransportUnavailable
        await super().publish(records)


async def on_topic(kreis: Kreis) -> list[str]:
    """Return the ids of the records, in the order in which they lie there."""
    return [
        row.record_id for row in await rows(kreis.gateway, "SELECT record_id FROM embedded_records ORDER BY position")
    ]


async def test_what_waits_is_published_in_its_order(kreis: Kreis) -> None:
    """One round brings all that waits to the topic, oldest first, and the next finds nothing."""
    jobcenter = await kreis.office(JOBCENTER)
    ids = [await jobcenter.accepted(SOZIALAMT) for _ in range(3)]

    assert await publish_due(kreis.gateway, kreis.transport, "a") == 3
    assert await publish_due(kreis.gateway, kreis.transport, "a") == 0
    assert await on_topic(kreis) == ids
    assert [await jobcenter.state(transfer) for transfer in ids] == ["published"] * 3


async def test_record_holds_ids_and_ciphertext(kreis: Kreis) -> None:
    """Neither headers nor key nor value of a record show a person, an Aktenzeichen or the content."""
    await (await kreis.office(JOBCENTER)).accepted(SOZIALAMT, case_sender="BG-4711")
    await kreis.publish()
    [row] = await rows(kreis.gateway, "SELECT * FROM embedded_records")

    assert not [word for word in ("BG-4711", "Beispiel", "uebermittlung xmlns") if word in str(tuple(row))]
    assert "ce_specversion" in row.headers


async def test_second_relay_takes_nothing_while_the_lease_holds(kreis: Kreis) -> None:
    """A relay that died after its claim holds its part for the lease's time; then another publishes it."""
    await (await kreis.office(JOBCENTER)).accepted(SOZIALAMT)
    with pytest.raises(TransportUnavailable):
        await publish_due(kreis.gateway, UnavailableTransport(kreis, 1), "dead")

    assert await publish_due(kreis.gateway, kreis.transport, "other") == 0
    kreis.clock.move(seconds=kreis.gateway.settings.relay_lease_seconds + 1)
    assert await publish_due(kreis.gateway, kreis.transport, "other") == 1


@pytest.mark.parametrize("keeps", [False, True])
async def test_nothing_is_lost_or_doubled_when_the_transport_is_away(kreis: Kreis, keeps: bool) -> None:
    """A transport that failed, with the record kept or not, gets it again, and it stands and is handed over once."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    transfer = await jobcenter.accepted(SOZIALAMT)
    transport = UnavailableTransport(kreis, 2, keeps=keeps)
    for _ in range(2):
        with pytest.raises(TransportUnavailable):
            await publish_due(kreis.gateway, transport, "a")
        assert await jobcenter.state(transfer) == "publishing"
    assert await publish_due(kreis.gateway, transport, "a") == 1
    await kreis.pump()

    assert await on_topic(kreis) == [transfer]
    assert [item["transfer_id"] for item in await sozialamt.inbox()] == [transfer]
    assert await sozialamt.inbox() == []


@pytest.mark.parametrize("claimed", [False, True])
async def test_recalled_transfer_is_not_published(kreis: Kreis, claimed: bool) -> None:
    """What ended before it was published stays away from the topic, even where a relay had claimed it already."""
    jobcenter = await kreis.office(JOBCENTER)
    transfer = await jobcenter.accepted(SOZIALAMT)
    if claimed:
        with pytest.raises(TransportUnavailable):
            await publish_due(kreis.gateway, UnavailableTransport(kreis, 1), "a")
    await jobcenter.post(f"/v1/transfers/{transfer}/recall")

    assert await publish_due(kreis.gateway, kreis.transport, "a") == 0
    assert await on_topic(kreis) == []
    assert await jobcenter.state(transfer) == "recalled"


async def published_by_running(kreis: Kreis, transport: Transport, transfer: str) -> None:
    """Run the relay until the transfer is published."""
    jobcenter = await kreis.office(JOBCENTER)

    async def published() -> bool:
        return await jobcenter.state(transfer) == "published"

    async with running([run(kreis.gateway, transport)]):
        await eventually(published)


async def test_running_relay_waits_out_a_transport(kreis: Kreis, monkeypatch: pytest.MonkeyPatch) -> None:
    """A transport that is away for a while does not stop the relay."""
    monkeypatch.setattr(relay, "PAUSE_AFTER_FAULT", 0.01)
    transfer = await (await kreis.office(JOBCENTER)).accepted(SOZIALAMT)
    transport = UnavailableTransport(kreis, 3)
    await published_by_running(kreis, transport, transfer)

    assert transport.refusals == 0
    assert await on_topic(kreis) == [transfer]


async def test_running_relay_waits_out_a_database(kreis: Kreis, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that refuses for a while does not stop the relay."""
    monkeypatch.setattr(relay, "PAUSE_AFTER_FAULT", 0.01)
    transfer = await (await kreis.office(JOBCENTER)).accepted(SOZIALAMT)
    await refuse(kreis.gateway, "DELETE", "outbox")

    async def mend_soon() -> None:
        await asyncio.sleep(0.2)
        await mend(kreis.gateway, "outbox")

    async with running([mend_soon()]):
        await published_by_running(kreis, kreis.transport, transfer)


async def all_are_held(_: AsyncConnection, __: str, fences: Fences) -> set[int]:
    """Say what a relay without a fence would believe."""
    return set(fences)


@pytest.mark.parametrize("fence", [True, False])
async def test_relay_that_was_taken_over_notes_nothing(
    kreis: Kreis, monkeypatch: pytest.MonkeyPatch, fence: bool
) -> None:
    """A relay that stood still between publishing and noting leaves the row to the one that holds it now.

    Without the fence it would take the row out of that one's hands.
    """
    await (await kreis.office(JOBCENTER)).accepted(SOZIALAMT)
    slow = Relay(kreis.gateway, kreis.transport, "slow")
    await slow.renew()
    publish = slow._publish

    async def taken_over(claimed: Sequence[Claimed]) -> tuple[list[Claimed], list[TransportUnavailable]]:
        published = await publish(claimed)
        kreis.clock.move(seconds=60)
        await Relay(kreis.gateway, kreis.transport, "next").renew()
        return published

    monkeypatch.setattr(slow, "_publish", taken_over)
    if not fence:
        monkeypatch.setattr(relay, "still_held", all_are_held)
    await slow.turn()

    assert await kreis.scalar("SELECT count(*) FROM outbox") == (1 if fence else 0)


class OneShut(EmbeddedTransport):
    """A transport of which one partition does not open, until `opens`."""

    shut = -1
    opens = False

    async def outlet(self, partition: int) -> EmbeddedOutlet:
        """Open any other."""
        if partition == self.shut and not self.opens:
            raise TransportUnavailable
        return await super().outlet(partition)


async def test_partition_that_does_not_open_stops_no_other(
    kreis: Kreis, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where one outlet does not open the records of the others go out, it is said, and it is tried again later."""
    jobcenter = await kreis.office(JOBCENTER)
    ids = [await jobcenter.accepted(SOZIALAMT, case_sender=f"BG-{n}") for n in range(8)]
    waiting = {row.record_id: row.partition for row in await rows(kreis.gateway, "SELECT * FROM outbox")}
    transport = OneShut(kreis.gateway.db, kreis.gateway.topic_filled)
    transport.shut = waiting[ids[0]]
    stay = [one for one in ids if waiting[one] == transport.shut]
    one = Relay(kreis.gateway, transport, "one")
    await one.renew()
    published = [await one.turn(), await one.turn()]
    there = await on_topic(kreis)
    monkeypatch.setattr(relay, "_now", lambda: asyncio.get_running_loop().time() + relay.BARRED_SECONDS)
    transport.opens = True
    await one.turn()

    assert 0 < len(stay) < len(ids)
    assert published == [len(ids) - len(stay), 0]
    assert sorted(there) == sorted(one for one in ids if one not in stay)
    assert sorted(await on_topic(kreis)) == sorted(ids)
    assert [record.message for record in caplog.records if record.name == relay.__name__] == ["relay waits"]


class CutOff(EmbeddedTransport):
    """A transport that others reach and this relay does not, until `reached`."""

    reached = False

    async def outlet(self, partition: int) -> EmbeddedOutlet:
        """Open where it is reached."""
        await self.ping()
        return await super().outlet(partition)

    async def ping(self) -> None:
        """Answer where it is reached."""
        if not self.reached:
            raise TransportUnavailable


async def relays(kreis: Kreis) -> int:
    """Return how many relays hold a partition."""
    found = await rows(kreis.gateway, "SELECT DISTINCT holder FROM outbox_leases WHERE holder IS NOT NULL")
    return len(found)


async def test_relay_that_is_cut_off_gives_way_and_comes_back(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relay that reaches the database alone keeps nothing from one that reaches both, and takes part again later.

    The clock of the leases stands still here: nothing runs out, what is free was given back.
    """
    monkeypatch.setattr(relay, "PAUSE_AFTER_FAULT", 0.01)
    async with open_kreis(data_dir, relay_lease_seconds=1) as kreis:
        jobcenter = await kreis.office(JOBCENTER)
        cut_off = CutOff(kreis.gateway.db, kreis.gateway.topic_filled)

        async def hold(count: int) -> bool:
            return await relays(kreis) == count

        async def published() -> bool:
            return bool(await kreis.scalar("SELECT count(*) FROM outbox") == 0)

        async with running([run(kreis.gateway, cut_off)]):
            await eventually(lambda: hold(1))
            for n in range(8):
                await jobcenter.accepted(SOZIALAMT, case_sender=f"BG-{n}")
            async with running([run(kreis.gateway, kreis.transport)]):
                await eventually(published)
                cut_off.reached = True
                await eventually(lambda: hold(2))


async def test_running_relay_is_woken_by_a_submission(data_dir: Path) -> None:
    """A relay in the same process does not wait for its turn of looking."""
    async with open_kreis(data_dir, relay_seconds=3600) as kreis:
        jobcenter = await kreis.office(JOBCENTER)
        await jobcenter.headers()
        async with running([run(kreis.gateway, kreis.transport)]):
            await asyncio.sleep(0.2)
            transfer = await jobcenter.accepted(SOZIALAMT)

            async def published() -> bool:
                return await jobcenter.state(transfer) == "published"

            await eventually(published)


@given(st.integers(min_value=1, max_value=200), st.floats(min_value=0, max_value=60))
def test_rest_lets_a_dear_turn_be_shared_by_more_and_is_never_long(count: int, seconds: float) -> None:
    """Turns begin at least 0.1 s apart, no rest is over 0.5 s, and one of several records is the longer the dearer."""
    rest = rest_after(count, seconds)

    assert 0 <= rest <= 0.5
    assert seconds + rest >= 0.1
    assert count == 1 or rest >= min(3 * seconds, 0.5)
    assert count > 1 or rest <= 0.1
