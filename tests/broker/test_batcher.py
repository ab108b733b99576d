"""Shared commits: together where they can be, each with its own failure."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from sqlalchemy.exc import IntegrityError, OperationalError

from broker.batcher import Batcher
from broker.db import Collision, LockTaken
from broker.errors import ProblemError
from broker.transfers.submission import Answer, Result, Submitted


@dataclass
class Ledger:
    """A stand-in for the database: notes batches, and fails as told."""

    batches: list[list[str]] = field(default_factory=list)
    own_failures: frozenset[str] = frozenset()
    poison: str | None = None

    async def work(self, batch: Sequence[Submitted]) -> list[Result]:
        """Answer a batch."""
        names = [str(submitted) for submitted in batch]
        self.batches.append(names)
        await asyncio.sleep(0.01)
        if self.poison in names:
            raise RuntimeError("the whole batch is rolled back")
        return [ValueError(name) if name in self.own_failures else Answer(202, {"of": name}) for name in names]


def named(name: str) -> Submitted:
    """Return something to submit."""
    return cast("Submitted", name)


def batcher_of(ledger: Ledger, size: int = 64, most_bytes: int = 1_000) -> Batcher[Submitted, Answer]:
    """Return a batcher in which each name weighs its letters."""
    return Batcher(ledger.work, size, most_bytes, lambda submitted: len(str(submitted)))


async def submit_all(batcher: Batcher[Submitted, Answer], names: Sequence[str]) -> list[Any]:
    """Submit all at once; return answers and exceptions in order."""
    return await asyncio.gather(*(batcher.submit(named(name)) for name in names), return_exceptions=True)


async def test_what_queued_during_a_commit_shares_the_next() -> None:
    """The first goes alone, all that came meanwhile go together."""
    ledger = Ledger()
    batcher = batcher_of(ledger)
    first = asyncio.ensure_future(batcher.submit(named("a")))
    await asyncio.sleep(0.005)
    answers = await submit_all(batcher, ["b", "c", "d"])

    assert (await first).body == {"of": "a"}
    assert [answer.body["of"] for answer in answers] == ["b", "c", "d"]
    assert ledger.batches == [["a"], ["b", "c", "d"]]


async def test_size_bounds_a_batch() -> None:
    """No batch is larger than its size, and none is forgotten."""
    ledger = Ledger()
    answers = await submit_all(batcher_of(ledger, size=4), [str(n) for n in range(10)])

    assert [answer.body["of"] for answer in answers] == [str(n) for n in range(10)]
    assert max(len(batch) for batch in ledger.batches) == 4


async def test_each_has_its_own_failure() -> None:
    """One failure is raised to its own caller alone."""
    ledger = Ledger(own_failures=frozenset({"b"}))
    answers = await submit_all(batcher_of(ledger), ["a", "b", "c"])

    assert isinstance(answers[1], ValueError)
    assert [answers[0].body, answers[2].body] == [{"of": "a"}, {"of": "c"}]


async def test_poison_fails_alone() -> None:
    """Where one makes the whole batch fail, the others are committed in halves without it."""
    ledger = Ledger(poison="b")
    answers = await submit_all(batcher_of(ledger), ["a", "b", "c"])

    assert isinstance(answers[1], RuntimeError)
    assert [answers[0].body, answers[2].body] == [{"of": "a"}, {"of": "c"}]
    assert ledger.batches == [["a", "b", "c"], ["a"], ["b", "c"], ["b"], ["c"]]


async def test_a_caller_that_left_does_not_stop_the_batch() -> None:
    """A connection that broke while waiting takes nothing from the others."""
    ledger = Ledger()
    batcher = batcher_of(ledger)
    leaving = asyncio.ensure_future(batcher.submit(named("a")))
    staying = asyncio.ensure_future(batcher.submit(named("b")))
    await asyncio.sleep(0)
    leaving.cancel()

    assert (await staying).body == {"of": "b"}
    with pytest.raises(asyncio.CancelledError):
        await leaving


async def test_a_fault_of_the_database_is_met_once() -> None:
    """Where the database is away, a batch of sixty-four makes one attempt, and each caller hears of it."""
    attempts = 0

    async def away(_: Sequence[Submitted]) -> list[Result]:
        nonlocal attempts
        attempts += 1
        raise OperationalError("", {}, ConnectionError())

    answers = await submit_all(Batcher(away, 64, 1_000, lambda _: 1), [str(n) for n in range(64)])

    assert attempts == 1
    assert all(isinstance(answer, OperationalError) for answer in answers)


@pytest.mark.parametrize("collisions", [1, 2])
async def test_a_batch_that_collided_is_run_once_again(collisions: int) -> None:
    """A batch that was ended in favour of another transaction is run again as it is, once; then its callers hear."""
    attempts: list[int] = []

    async def collides(batch: Sequence[Submitted]) -> list[Result]:
        attempts.append(len(batch))
        if len(attempts) <= collisions:
            raise Collision("", {}, ConnectionError())
        return [Answer(202, {"of": str(submitted)}) for submitted in batch]

    answers = await submit_all(Batcher(collides, 64, 1_000, lambda _: 1), ["a", "b", "c"])

    assert attempts == [3, 3]
    assert {type(answer) for answer in answers} == {Answer if collisions == 1 else Collision}


async def test_what_meets_a_lock_waits_beside_the_others() -> None:
    """Who touches a person that an event holds waits in batches of her own; all others are answered meanwhile."""
    ledger, held = Ledger(), asyncio.Event()

    async def hasty(batch: Sequence[Submitted]) -> list[Result]:
        if any(str(submitted).startswith("held") for submitted in batch):
            raise LockTaken("", {}, ConnectionError())
        return await ledger.work(batch)

    async def patient(batch: Sequence[Submitted]) -> list[Result]:
        await held.wait()
        return await ledger.work(batch)

    batcher = Batcher(hasty, 64, 1_000, lambda _: 1, patient)
    waiting = asyncio.ensure_future(submit_all(batcher, ["a", "held-1", "b", "c", "held-2"]))
    later = await submit_all(batcher, ["d"])
    await asyncio.sleep(0.05)
    before, done = sorted(name for batch in ledger.batches for name in batch), waiting.done()
    held.set()
    await batcher.drain()
    answers = [answer.body["of"] for answer in await waiting]

    assert (before, done, [answer.body["of"] for answer in later]) == (["a", "b", "c", "d"], False, ["d"])
    assert answers == ["a", "held-1", "b", "c", "held-2"]


async def test_lock_that_is_never_had_is_told_to_those_it_concerns() -> None:
    """Of a batch that waited in vain only whoever needs the lock hears of it."""

    async def work(batch: Sequence[Submitted]) -> list[Result]:
        if any(str(submitted) == "held" for submitted in batch):
            raise LockTaken("", {}, ConnectionError())
        return [Answer(202, {"of": str(submitted)}) for submitted in batch]

    answers = await submit_all(Batcher(work, 64, 1_000, lambda _: 1), ["a", "held", "b"])

    assert [type(answer) for answer in answers] == [Answer, LockTaken, Answer]


async def test_what_another_process_wrote_meanwhile_is_looked_at_again() -> None:
    """A key that came to be there between reading and writing gives the first answer at the second attempt."""
    attempts: list[list[str]] = []

    async def raced(batch: Sequence[Submitted]) -> list[Result]:
        names = [str(submitted) for submitted in batch]
        attempts.append(names)
        if "b" in names and attempts.count(["b"]) < 2:
            raise IntegrityError("", {}, LookupError())
        return [Answer(202, {"of": name}) for name in names]

    answers = await submit_all(Batcher(raced, 64, 1_000, lambda _: 1), ["a", "b"])

    assert [answer.body["of"] for answer in answers] == ["a", "b"]
    assert attempts == [["a", "b"], ["a"], ["b"], ["b"]]


async def test_a_batch_is_bounded_in_bytes_too() -> None:
    """A batch weighs no more than a quarter of what may wait, and one that weighs more goes by itself."""
    ledger = Ledger()
    await submit_all(batcher_of(ledger, most_bytes=16), ["aa", "bb", "cc", "dddddd", "e", "f"])

    assert ledger.batches == [["aa", "bb"], ["cc"], ["dddddd"], ["e", "f"]]


async def test_what_waits_is_bounded_in_bytes() -> None:
    """Beyond the bound there is no room, with the time to come back; what ended gives its room back."""
    batcher = batcher_of(Ledger(), most_bytes=10)
    with batcher.room(7):
        with pytest.raises(ProblemError) as refused, batcher.room(4):
            pass
        with batcher.room(3):
            pass
    with batcher.room(50):  # alone, the largest message passes
        pass

    assert (refused.value.slug, refused.value.headers) == ("temporarily-unavailable", {"Retry-After": "1"})


async def test_draining_waits_for_all() -> None:
    """At the end everything that was submitted is committed, also what nobody waits for any more."""
    ledger = Ledger()
    batcher = batcher_of(ledger, size=2)
    callers = [asyncio.ensure_future(batcher.submit(named(name))) for name in "abcde"]
    await asyncio.sleep(0)
    for caller in callers:
        caller.cancel()
    await asyncio.gather(*callers, return_exceptions=True)
    await batcher.drain()

    assert ledger.batches == [["a", "b"], ["c", "d"], ["e"]]
