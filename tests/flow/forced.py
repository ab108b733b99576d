"""Forced interleavings on real connections of PostgreSQL: places where a side halts, and statements that are changed.

Nothing here waits for luck. A side that is to be in the middle of something is halted there; that the other side waits
for it is read from the server (`pg_stat_activity`); and what a lock is worth is seen by taking it out of the very
statement that the program sends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import event, text

from tests.flow.world import Kreis, Office
from tests.world import scalar

PATIENCE = 20
GATE = 4711
WAITING_FOR_LOCKS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


class Halt:
    """A place where the first that comes stops until it is let go; whoever comes later passes."""

    def __init__(self) -> None:
        self.reached, self.let_go = asyncio.Event(), asyncio.Event()

    async def pause(self) -> None:
        """Say that the place is reached, and wait there."""
        if not self.reached.is_set():
            self.reached.set()
            await self.let_go.wait()


@dataclass
class Ground:
    """Where a race is run: the service with two offices, and all that is changed about it for this race."""

    kreis: Kreis
    patch: pytest.MonkeyPatch
    jobcenter: Office
    sozialamt: Office
    changed: list[Rewritten] = field(default_factory=list)

    def halt_after(self, module: Any, name: str) -> Halt:
        """Stop whoever has just done something in a module (or of a class)."""
        return self._halted(module, name, before=False)

    def halt_before(self, module: Any, name: str) -> Halt:
        """Stop whoever is about to do something in a module (or of a class)."""
        return self._halted(module, name, before=True)

    def _halted(self, module: Any, name: str, *, before: bool) -> Halt:
        halt, done = Halt(), getattr(module, name)

        async def stopped(*arguments: Any, **named: Any) -> Any:
            if before:
                await halt.pause()
            result = await done(*arguments, **named)
            if not before:
                await halt.pause()
            return result

        self.patch.setattr(module, name, stopped)
        return halt

    def rewrite(self, place: str, instead: str, *, within: str = "", once: bool = False) -> Rewritten:
        """Change a part of each statement that holds it, and `within` too, on its way to the database."""
        changed = Rewritten(place, instead, within, once)
        event.listen(self.kreis.gateway.db.engine.sync_engine, "before_cursor_execute", changed.before, retval=True)
        self.changed.append(changed)
        return changed

    async def waits(self, task: asyncio.Task[Any]) -> None:
        """Return when a side has ended, or is seen waiting for a lock of another."""
        async with asyncio.timeout(PATIENCE):
            while not task.done() and not await scalar(self.kreis.gateway, WAITING_FOR_LOCKS):  # noqa: ASYNC110 - the server tells nobody
                await asyncio.sleep(0.005)

    async def meanwhile(self, halt: Halt, first: Awaitable[Any], second: Awaitable[Any]) -> tuple[Any, Any]:
        """Run one side to its halt, the other beside it to its end or its wait, then let the first go on.

        Return what both gave back; where a side ended with an error, that.
        """
        one = asyncio.ensure_future(first)
        async with asyncio.timeout(PATIENCE):
            await _either(one, halt.reached.wait())
            other = asyncio.ensure_future(second)
            await self.waits(other)
            halt.let_go.set()
            found = await asyncio.gather(one, other, return_exceptions=True)
        return found[0], found[1]

    async def held_inside(
        self, place: str, within: str, first: Callable[[], Awaitable[Any]], second: Callable[[], Awaitable[Any]]
    ) -> tuple[Any, Any]:
        """Run one side into its statement, where it has looked and not yet locked; run the other whole; let it go on.

        Return what both gave back, as `meanwhile`. `place`: the first condition of that statement, before which another
        may stand.
        """
        gate = f"(SELECT pg_advisory_xact_lock_shared({GATE}) IS NOT NULL) AND "
        self.rewrite(place, gate + place, within=within, once=True)
        async with self.kreis.gateway.db.writing() as connection:
            await connection.execute(text(f"SELECT pg_advisory_xact_lock({GATE})"))
            one = asyncio.ensure_future(first())
            await self.waits(one)
            if one.done():
                raise AssertionError(f"the gate was passed: {one.exception() or one.result()}")
            other = (await asyncio.gather(second(), return_exceptions=True))[0]
        async with asyncio.timeout(PATIENCE):
            return (await asyncio.gather(one, return_exceptions=True))[0], other


async def _either(task: asyncio.Future[Any], reached: Awaitable[Any]) -> None:
    """Return when the halt is reached; raise where the side ended before."""
    waiting = asyncio.ensure_future(reached)
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    if not waiting.done():
        waiting.cancel()
        raise AssertionError(f"ended before its halt: {task.exception() or task.result()}")


@dataclass
class Rewritten:
    """A part of statements that is changed on its way; `hits` says how often it was there."""

    place: str
    instead: str
    within: str = ""
    once: bool = False
    hits: int = 0

    def before(self, _: Any, __: Any, statement: str, parameters: Any, ___: Any, ____: bool) -> tuple[str, Any]:
        """Change a statement, where it holds the place."""
        if self.place in statement and self.within in statement and not (self.once and self.hits):
            self.hits += 1
            statement = statement.replace(self.place, self.instead, 1)
        return statement, parameters
