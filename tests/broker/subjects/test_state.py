"""The number of a person's state: begins at 0, rises by one with each event, and is counted once by each."""

from __future__ import annotations

import asyncio

import pytest

from broker.gateway import Gateway
from broker.subjects import state
from tests.world import on_postgresql

ONE, OTHER = ("a:B", "1:aa"), ("a:C", "1:aa")


async def test_missing_rows_begin_at_zero(gateway: Gateway) -> None:
    """Locking a person that nothing was ever recorded about gives 0, and keys are answered each once."""
    async with gateway.db.writing() as connection:
        assert await state.lock_shared(connection, [ONE, OTHER, ONE]) == {ONE: 0, OTHER: 0}
        assert await state.lock_shared(connection, []) == {}


async def test_raising_counts_for_that_person_at_that_controller(gateway: Gateway) -> None:
    """Raising one key leaves the same pseudonym at another controller, and another's at this one, alone."""
    async with gateway.db.writing() as connection:
        assert (await state.raise_numbers(connection, [ONE]))[ONE] == 1
        assert await state.raise_numbers(connection, [ONE, ("a:B", "1:bb")]) == {ONE: 2, ("a:B", "1:bb"): 1}
    async with gateway.db.writing() as connection:
        assert await state.lock_shared(connection, [ONE, OTHER, ("a:B", "1:bb")]) == {
            ONE: 2,
            OTHER: 0,
            ("a:B", "1:bb"): 1,
        }


async def test_many_keys_at_once(gateway: Gateway) -> None:
    """More keys than one statement takes are locked all the same."""
    keys = [("a:B", f"1:{number}") for number in range(state.CHUNK + 7)]
    async with gateway.db.writing() as connection:
        assert set((await state.raise_numbers(connection, keys)).values()) == {1}
        assert len(await state.lock_shared(connection, keys)) == len(keys)


async def test_no_raise_is_lost_among_concurrent_ones(gateway: Gateway) -> None:
    """Forty transactions at once raise a number by forty, and each sees one of its own."""

    async def once() -> int:
        async with gateway.db.writing() as connection:
            return (await state.raise_numbers(connection, [ONE]))[ONE]

    assert sorted(await asyncio.gather(*(once() for _ in range(40)))) == list(range(1, 41))


async def test_a_rolled_back_event_raises_nothing(gateway: Gateway) -> None:
    """An event that fails leaves the number as it was."""

    async def fail() -> None:
        async with gateway.db.writing() as connection:
            (await state.raise_numbers(connection, [ONE]))[ONE]
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    async with gateway.db.writing() as connection:
        assert await state.lock_shared(connection, [ONE]) == {ONE: 0}


def test_rows_are_locked_in_one_order() -> None:
    """Deciding locks FOR SHARE and events FOR UPDATE, in one order for all: no two wait for each other."""
    order = [text.partition("ORDER BY")[2].split(" ON CONFLICT")[0] for text in (state.FOR_SHARE, state.FOR_UPDATE)]
    assert [" ".join(text.split()) for text in order] == [
        's.controller COLLATE "C", s.pseudonym COLLATE "C" FOR SHARE OF s',
        's.controller COLLATE "C", s.pseudonym COLLATE "C" FOR UPDATE OF s',
    ]
    assert 'ORDER BY controller COLLATE "C", pseudonym COLLATE "C"' in state.INSERT_MISSING


async def waits(task: asyncio.Task[object]) -> bool:
    """Whether a task has come to no end after some time in which it would have, if nothing held it."""
    done, _ = await asyncio.wait({task}, timeout=0.3)
    return not done


@on_postgresql
async def test_deciding_goes_on_beside_deciding_and_an_event_waits_for_both(gateway: Gateway) -> None:
    """Shared locks on the same persons, there before or not, let each other pass; an event waits for the last."""
    async with gateway.db.writing() as connection:
        await state.lock_shared(connection, [ONE])  # the row is there

    async def event() -> dict[state.Key, int]:
        async with gateway.db.writing() as connection:
            return await state.raise_numbers(connection, [ONE])

    async with gateway.db.writing() as first:
        await state.lock_shared(first, [ONE])
        async with gateway.db.writing() as second:
            assert await state.lock_shared(second, [ONE]) == {ONE: 0}
            raising = asyncio.create_task(event())
            assert await waits(raising)
        assert await waits(raising)
    assert await raising == {ONE: 1}


@on_postgresql
async def test_who_waited_for_an_event_sees_its_number(gateway: Gateway) -> None:
    """Deciding that waited for an event, on a row that was there or one that the event made, reads what committed."""
    async with gateway.db.writing() as connection:
        await state.lock_shared(connection, [ONE])

    async def decide() -> dict[state.Key, int]:
        async with gateway.db.writing() as connection:
            return await state.lock_shared(connection, [OTHER, ONE])

    async with gateway.db.writing() as event:
        await state.raise_numbers(event, [ONE, OTHER])
        deciding = asyncio.create_task(decide())
        assert await waits(deciding)
    assert await deciding == {ONE: 1, OTHER: 1}


@on_postgresql
async def test_mixed_locks_on_the_same_persons_end(gateway: Gateway) -> None:
    """Batches and events over the same few rows, given in every order, some of them missing: nobody is ended."""
    keys = [(f"a:{unit}", f"1:{sign}") for unit in ("B", "ä", "b", "Z") for sign in ("_", "A", "a")]

    async def one(number: int) -> None:
        chosen = keys[number % 5 :: 1 + number % 3] + keys[: number % 7]
        async with gateway.db.writing() as connection:
            await (state.raise_numbers if number % 3 == 0 else state.lock_shared)(connection, chosen[::-1])

    await asyncio.gather(*(one(number) for number in range(200)))
