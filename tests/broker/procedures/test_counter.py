"""The counter of persons on a route: each once, within thirty days, and by one transaction after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from broker.gateway import Gateway
from broker.procedures.counter import Counter, count, counted_on, written
from tests.broker.subjects.world import JOBCENTER, SOZIALAMT, TODAY
from tests.world import on_postgresql

ROUTE = (JOBCENTER, SOZIALAMT, "RECHTSKREISWECHSEL")
OTHER = (SOZIALAMT, JOBCENTER, "RECHTSKREISWECHSEL")
MESSAGES = st.lists(st.lists(st.integers(0, 9), max_size=4), max_size=12)


def keys(persons: Sequence[int]) -> list[tuple[str, ...]]:
    """Return the keys of some persons, new and old."""
    return [(f"2:{number}", f"1:{number}") for number in persons]


async def permitted(
    gateway: Gateway, persons: Sequence[int], on: date = TODAY, route: tuple[str, str, str] = ROUTE
) -> int:
    """Count a transfer about some persons in a transaction of its own; return what it was told."""
    async with gateway.db.writing() as connection:
        counter = await count(connection, [route], [(route, key) for own in keys(persons) for key in own], on)
        found = counter.persons(route, keys(persons))
        counter.permitted(route, keys(persons))
        await counter.write(connection)
    assert found is not None
    return found


@given(MESSAGES)
def test_a_batch_counts_each_person_once(messages: list[list[int]]) -> None:
    """Message after message, the count is that of all who came so far and of whom was counted before."""
    before = {"1:0", "2:1"}
    counter = Counter(TODAY, {written(ROUTE): 5}, {(written(ROUTE), key) for key in before})
    seen = {0, 1}
    for persons in messages:
        seen |= set(persons)
        assert counter.persons(ROUTE, keys(persons)) == 5 - 2 + len(seen)
        assert counter.persons(OTHER, keys(persons)) is None
        counter.permitted(ROUTE, keys(persons))


async def test_the_window_is_thirty_days(gateway: Gateway) -> None:
    """Whoever came 29 days ago counts, whoever came 30 days ago does not; coming again counts anew."""
    for ago, persons in ((30, [0]), (29, [1]), (29, [2])):
        await permitted(gateway, persons, TODAY - timedelta(days=ago))

    assert await permitted(gateway, [2, 3]) == 3
    assert await permitted(gateway, [], TODAY + timedelta(days=1)) == 2
    assert await permitted(gateway, [7], route=OTHER) == 1
    async with gateway.db.reading() as connection:
        assert await counted_on(connection, [ROUTE, OTHER], TODAY) == {written(ROUTE): 3, written(OTHER): 1}


async def test_who_is_not_counted_is_written_down(gateway: Gateway) -> None:
    """Where nobody asks for the number the persons are kept all the same, each once and with the last of their days."""
    for ago, persons in ((3, [1, 2]), (0, [2]), (2, [2, 3])):
        async with gateway.db.writing() as connection:
            counter = await count(connection, [], [], TODAY - timedelta(days=ago))
            counter.permitted(ROUTE, [own[:1] for own in keys(persons)])
            await counter.write(connection)

    assert counter.persons(ROUTE, []) is None
    assert [await permitted(gateway, [], TODAY + timedelta(days=later)) for later in (0, 26, 27, 28, 29, 30)] == [
        3, 3, 2, 1, 1, 0,
    ]  # fmt: skip


async def test_a_person_under_an_older_key_is_the_same(gateway: Gateway) -> None:
    """A new secret for pseudonyms makes nobody another person."""
    async with gateway.db.writing() as connection:
        counter = await count(connection, [ROUTE], [], TODAY)
        counter.permitted(ROUTE, [("1:4",)])
        await counter.write(connection)

    assert await permitted(gateway, [4]) == 1
    assert await permitted(gateway, [4, 5]) == 2


@on_postgresql
async def test_who_writes_the_same_persons_waits_in_no_circle(gateway: Gateway, deployment: str) -> None:
    """Transactions that lock no route write the same persons at once, in any order of theirs, and all commit."""
    assert deployment

    async def one(number: int) -> None:
        async with gateway.db.writing() as connection:
            counter = await count(connection, [], [], TODAY + timedelta(days=number))
            for person in sorted(range(40), key=lambda person: (person * 17 + number * 7) % 41):
                counter.permitted(ROUTE, [(f"2:{person}",)])
            await counter.write(connection)

    for turn in range(6):
        await asyncio.gather(*(one(number) for number in range(4 * turn, 4 * turn + 4)))
    assert await permitted(gateway, [], TODAY + timedelta(days=23)) == 40


@on_postgresql
async def test_who_counts_waits_for_who_counted_before(gateway: Gateway, deployment: str) -> None:
    """A second transaction on the route waits for the first and sees what it counted; another route does not wait."""
    assert deployment
    async with gateway.db.writing() as connection:
        counter = await count(connection, [ROUTE], [], TODAY)
        second = asyncio.create_task(permitted(gateway, [2]))
        other = await permitted(gateway, [2], route=OTHER)
        done, _ = await asyncio.wait([second], timeout=0.3)
        counter.permitted(ROUTE, keys([1]))
        await counter.write(connection)

    assert not done
    assert (other, await second) == (1, 2)
