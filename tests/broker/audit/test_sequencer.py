"""The sealer: every entry gets one index, one sealer works at a time, and what was tampered with is not signed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from broker.audit import merkle, sequencer, tree
from broker.audit.checkpoint import is_own
from broker.audit.events import AuditEvent
from broker.audit.log import append
from broker.audit.sequencer import LeaseLost, Sealer, TreeChanged, run, seal_batch, take_lease
from broker.gateway import Gateway
from tests.world import MovableClock, eventually, fresh_gateway, on_postgresql, rows, scalar

EVENT = AuditEvent("client.added", "operator:*", side={"client_id": "c-1"})


@pytest.fixture
async def gateway(data_dir: Path, clock: MovableClock) -> AsyncIterator[Gateway]:
    """Give a gateway on an empty database."""
    async with fresh_gateway(data_dir, clock) as found:
        yield found


async def happen(gateway: Gateway, count: int = 1) -> list[str]:
    """Append entries in one transaction."""
    async with gateway.db.writing() as connection:
        return await append(connection, [EVENT] * count, gateway.clock())


async def head(gateway: Gateway) -> tree.Head:
    """Return the last checkpoint."""
    async with gateway.db.reading() as connection:
        return await tree.head(connection)


async def leaves(gateway: Gateway) -> list[bytes]:
    """Return the leaves of all entries that have an index, by index."""
    query = 'SELECT e.leaf FROM audit_leaves l JOIN audit_entries e ON e.seq = l.seq ORDER BY l."index"'
    return [bytes(row.leaf) for row in await rows(gateway, query)]


async def change(gateway: Gateway, sql: str, **values: Any) -> None:
    """Change the database as whoever owns it can."""
    async with gateway.db.writing() as connection:
        await connection.execute(text(sql), values)


async def test_everything_is_sealed_once_under_its_root(gateway: Gateway) -> None:
    """After some rounds every entry has one index, and the last checkpoint's root is that of all leaves."""
    sealer = Sealer(gateway, "one")
    for count in (1, 3, 300):
        await happen(gateway, count)
        assert await sealer.seal() == count
    found, last = await leaves(gateway), await head(gateway)

    assert len(found) == last.size == 304
    assert last.root == merkle.root(merkle.grow({}, 0, found), 304)
    assert is_own(gateway.keys.checkpoint, gateway.settings.log_origin, last.size, last.root, last.note)
    assert [row.size for row in await rows(gateway, "SELECT size FROM audit_checkpoints ORDER BY size")] == [1, 4, 304]
    assert await sealer.seal() == 0


async def test_what_waits_is_taken_in_batches(gateway: Gateway) -> None:
    """No transaction takes more than its limit, and nothing is left behind."""
    await happen(gateway, 7)
    lease = await take_lease(gateway, "one")
    assert lease is not None

    assert [await seal_batch(gateway, lease, 3) for _ in range(4)] == [3, 3, 1, 0]
    assert (await head(gateway)).size == 7


async def test_a_lower_number_that_commits_later_is_found(gateway: Gateway) -> None:
    """Numbers are given before the commit: what appears below those sealed already is sealed all the same."""
    await happen(gateway, 3)
    await change(gateway, "DELETE FROM audit_pending WHERE seq = 2")
    sealer = Sealer(gateway, "one")
    await sealer.seal()
    await change(gateway, "INSERT INTO audit_pending (seq, at) SELECT seq, at FROM audit_entries WHERE seq = 2")
    await sealer.seal()
    order = await rows(gateway, 'SELECT seq FROM audit_leaves ORDER BY "index"')

    assert [row.seq for row in order] == [1, 3, 2]


async def test_one_seals_and_the_others_stand_by(gateway: Gateway, clock: MovableClock) -> None:
    """While a lease runs nobody else gets it; when it is over, or given back, the next one does."""
    one, two = Sealer(gateway, "one"), Sealer(gateway, "two")
    await happen(gateway)
    assert await one.seal() == 1
    await happen(gateway)
    assert await two.seal() == 0
    clock.move(seconds=gateway.settings.seal_lease_seconds)
    assert await two.seal() == 1
    await two.stop()
    await happen(gateway)
    assert await Sealer(gateway, "three").seal() == 1


async def test_a_sealer_that_slept_is_refused(gateway: Gateway, clock: MovableClock) -> None:
    """One that was paused after it took the lease writes nothing once another has it; it stands by again."""
    old, new = Sealer(gateway, "old"), Sealer(gateway, "new")
    await happen(gateway)
    await old.seal()
    clock.move(minutes=1)
    await happen(gateway)
    assert await new.seal() == 1
    await happen(gateway)
    before = await head(gateway)
    with pytest.raises(LeaseLost):
        await old.seal()

    assert await head(gateway) == before
    assert await old.seal() == 0
    assert await new.seal() == 1


async def test_a_holder_that_nobody_replaced_goes_on(gateway: Gateway, clock: MovableClock) -> None:
    """A lease that is over and that nobody else took is still one's own."""
    sealer = Sealer(gateway, "one")
    await happen(gateway)
    await sealer.seal()
    clock.move(minutes=5)
    await happen(gateway)

    assert await sealer.seal() == 1


async def test_racing_sealers_give_each_index_once(gateway: Gateway, clock: MovableClock) -> None:
    """Sealers that take the lease from each other all the time: no index twice, no entry twice or left out."""
    sealers = [Sealer(gateway, str(n)) for n in range(3)]

    async def work(sealer: Sealer) -> None:
        for _ in range(12):
            with suppress(LeaseLost):
                await sealer.seal()
            clock.move(seconds=gateway.settings.seal_lease_seconds)
            await happen(gateway, 2)

    await asyncio.gather(*(work(sealer) for sealer in sealers))
    clock.move(minutes=1)
    rest = Sealer(gateway, "rest")
    while await rest.seal():
        pass
    found, last = await leaves(gateway), await head(gateway)

    assert len(set(found)) == len(found) == last.size == 72
    assert last.root == merkle.root(merkle.grow({}, 0, found), 72)


@on_postgresql
async def test_a_sealer_that_sleeps_inside_its_transaction_loses_its_locks(
    gateway: Gateway, clock: MovableClock
) -> None:
    """It holds the lease's row: the database ends its session in time, another seals, and nothing of it is left."""
    lease = await take_lease(gateway, "old")
    assert lease is not None
    await happen(gateway)

    async def sleep_inside() -> None:
        async with gateway.db.writing() as connection:
            await sequencer._hold(connection, gateway, lease)
            await asyncio.sleep(sequencer.PAUSED_TRANSACTION_SECONDS + 2)
            await connection.execute(text("SELECT 1"))

    old = asyncio.create_task(sleep_inside())
    await asyncio.sleep(0.5)
    clock.move(seconds=gateway.settings.seal_lease_seconds)
    async with asyncio.timeout(10):
        assert await Sealer(gateway, "new").seal() == 1
    with pytest.raises(SQLAlchemyError):
        await old


@pytest.mark.parametrize(
    "tamper",
    [
        "UPDATE audit_tiles SET hashes = :other WHERE level = 0 AND number = 0",
        "UPDATE audit_tiles SET hashes = :short WHERE level = 0 AND number = 0",
        "DELETE FROM audit_tiles",
        "INSERT INTO audit_checkpoints SELECT 6, root, note, at FROM audit_checkpoints WHERE size = 5",
    ],
)
async def test_a_tree_that_was_tampered_with_is_not_signed(gateway: Gateway, tamper: str) -> None:
    """Where tiles or the last checkpoint are others than those signed before, nothing is signed on top of them."""
    sealer = Sealer(gateway, "one")
    await happen(gateway, 5)
    await sealer.seal()
    given = {"other": bytes(160), "short": bytes(32)}
    await change(gateway, tamper, **{name: value for name, value in given.items() if f":{name}" in tamper})
    before = await head(gateway)
    await happen(gateway)
    with pytest.raises(TreeChanged):
        await sealer.seal()

    assert await head(gateway) == before
    assert await scalar(gateway, "SELECT count(*) FROM audit_pending") == 1


async def test_the_role_seals_by_itself_and_gives_the_lease_back(data_dir: Path) -> None:
    """`run` seals what comes; when it is stopped another need not wait."""
    clock = MovableClock()
    async with fresh_gateway(data_dir, clock, seal_seconds=0.01) as gateway:
        role = asyncio.create_task(run(gateway))
        await happen(gateway, 3)

        async def sealed() -> bool:
            return (await head(gateway)).size == 3

        await eventually(sealed)
        role.cancel()
        await asyncio.gather(role, return_exceptions=True)

        assert await scalar(gateway, "SELECT holder FROM audit_sealer") is None


async def test_a_tree_that_was_tampered_with_stops_the_role_from_sealing_not_from_running(
    gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    """The sealer says loudly that it does not sign, and seals again when the tree is what it was."""
    sealer = Sealer(gateway, "one")
    await happen(gateway, 5)
    await sealer.seal()
    [tile] = await rows(gateway, "SELECT hashes FROM audit_tiles")
    await change(gateway, "UPDATE audit_tiles SET hashes = :other", other=bytes(160))
    await happen(gateway)
    assert await sequencer._seal_or_say_why_not(sealer) == 0
    assert "not sealed" in caplog.text
    await change(gateway, "UPDATE audit_tiles SET hashes = :same", same=tile.hashes)

    assert await sequencer._seal_or_say_why_not(sealer) == 1
