"""Shared commits: together where they can be, each with its own failure."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from broker.transfers.batcher import Batcher
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


async def submit_all(batcher: Batcher, names: Sequence[str]) -> list[Any]:
    """Submit all at once; return answers and exceptions in order."""
    return await asyncio.gather(*(batcher.submit(named(name)) for name in names), return_exceptions=True)


async def test_what_queued_during_a_commit_shares_the_next() -> None:
    """The first goes alone, all that came meanwhile go together."""
    ledger = Ledger()
    batcher = Batcher(ledger.work, 64)
    first = asyncio.ensure_future(batcher.submit(named("a")))
    await asyncio.sleep(0.005)
    answers = await submit_all(batcher, ["b", "c", "d"])

    assert (await first).body == {"of": "a"}
    assert [answer.body["of"] for answer in answers] == ["b", "c", "d"]
    assert ledger.batches == [["a"], ["b", "c", "d"]]


async def test_size_bounds_a_batch() -> None:
    """No batch is larger than its size, and none is forgotten."""
    ledger = Ledger()
    answers = await submit_all(Batcher(ledger.work, 4), [str(n) for n in range(10)])

    assert [answer.body["of"] for answer in answers] == [str(n) for n in range(10)]
    assert max(len(batch) for batch in ledger.batches) == 4


async def test_each_has_its_own_failure() -> None:
    """One failure is raised to its own caller alone."""
    ledger = Ledger(own_failures=frozenset({"b"}))
    answers = await submit_all(Batcher(ledger.work, 64), ["a", "b", "c"])

    assert isinstance(answers[1], ValueError)
    assert [answers[0].body, answers[2].body] == [{"of": "a"}, {"of": "c"}]


async def test_poison_fails_alone() -> None:
    """Where one makes the whole batch fail, the others are committed one by one."""
    ledger = Ledger(poison="b")
    answers = await submit_all(Batcher(ledger.work, 64), ["a", "b", "c"])

    assert isinstance(answers[1], RuntimeError)
    assert [answers[0].body, answers[2].body] == [{"of": "a"}, {"of": "c"}]
    assert ledger.batches[-3:] == [["a"], ["b"], ["c"]]


async def test_a_caller_that_left_does_not_stop_the_batch() -> None:
    """A connection that broke while waiting takes nothing from the others."""
    ledger = Ledger()
    batcher = Batcher(ledger.work, 64)
    leaving = asyncio.ensure_future(batcher.submit(named("a")))
    staying = asyncio.ensure_future(batcher.submit(named("b")))
    await asyncio.sleep(0)
    leaving.cancel()

    assert (await staying).body == {"of": "b"}
    with pytest.raises(asyncio.CancelledError):
        await leaving
