"""Who holds which partitions of the outbox."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from broker.outbox.leases import PARTITIONS, Fences, give_back, partition_of, renew, still_held
from tests.flow.world import Kreis

HOLD = timedelta(seconds=5)


async def renewed(kreis: Kreis, relay: str, busy: Sequence[int] = ()) -> Fences:
    """Renew for a relay."""
    async with kreis.gateway.db.writing() as connection:
        return await renew(connection, relay, kreis.clock(), HOLD, busy)


async def held(kreis: Kreis, relay: str, fences: Fences) -> set[int]:
    """Return what a relay still holds under its fences."""
    async with kreis.gateway.db.writing() as connection:
        return await still_held(connection, relay, fences)


@given(st.text(max_size=80))
def test_case_lies_in_one_partition(key: str) -> None:
    """The partition follows from the order key alone."""
    assert partition_of(key) == partition_of(key)
    assert 0 <= partition_of(key) < PARTITIONS


async def test_relay_alone_holds_all(kreis: Kreis) -> None:
    """One relay has every partition, and keeps it under the same fence."""
    first = await renewed(kreis, "a")

    assert set(first) == set(range(PARTITIONS))
    assert await renewed(kreis, "a") == first


async def test_relays_come_to_share_evenly(kreis: Kreis) -> None:
    """Three relays hold every partition once, and none more than one above another."""
    for _ in range(3):
        shares = [await renewed(kreis, relay) for relay in "abc"]

    assert sorted(partition for share in shares for partition in share) == list(range(PARTITIONS))
    assert sorted(len(share) for share in shares) == [2, 3, 3]


async def test_busy_partition_is_not_given_back(kreis: Kreis) -> None:
    """What a relay is publishing just now it keeps, though it is over its share."""
    await renewed(kreis, "a")
    await renewed(kreis, "b")

    assert set(await renewed(kreis, "a", range(PARTITIONS))) == set(range(PARTITIONS))
    assert len(await renewed(kreis, "a")) == PARTITIONS // 2


async def test_silent_relay_is_taken_over_with_a_higher_fence(kreis: Kreis) -> None:
    """After the lease another has all that it had; the old fences count no more, even when it wakes."""
    before = await renewed(kreis, "a")
    kreis.clock.move(seconds=4)
    early = await renewed(kreis, "b")
    kreis.clock.move(seconds=2)
    after = await renewed(kreis, "b")

    assert early == {}
    assert {partition: fence - 1 for partition, fence in after.items()} == dict(before)
    assert await held(kreis, "a", before) == set()
    assert await held(kreis, "b", after) == set(range(PARTITIONS))


async def test_old_fence_does_not_count_where_the_relay_holds_again(kreis: Kreis) -> None:
    """What a relay lost and got back it holds under the new fence alone."""
    before = await renewed(kreis, "a")
    kreis.clock.move(seconds=6)
    await renewed(kreis, "b")
    async with kreis.gateway.db.writing() as connection:
        await give_back(connection, "b")
    again = await renewed(kreis, "a")

    assert await held(kreis, "a", before) == set()
    assert await held(kreis, "a", again) == set(range(PARTITIONS))


async def test_what_is_given_back_is_free_at_once(kreis: Kreis) -> None:
    """A relay that leaves in order lets nobody wait, and counts no more."""
    await renewed(kreis, "a")
    async with kreis.gateway.db.writing() as connection:
        await give_back(connection, "a")

    assert set(await renewed(kreis, "b")) == set(range(PARTITIONS))
