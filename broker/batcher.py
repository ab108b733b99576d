"""Shared commits: what queued while the last commit ran goes into the next one together. No timer.

Each call has its own result. A batch that the database ended in favour of others (deadlock) is run once again;
where one fails as a whole, its halves are tried by themselves, and so on down
to the one that is the cause; that one is tried once more, since another process may have written the same message id in
the same moment, and its answer is then the first's. Where the database is away, nothing is tried in vain.

Locks are waited for shortly: what touches a person whom an event holds for long goes out of the way of all others, into
batches of its own that wait as long as the event may take.

What waits is bounded in bytes: beyond it the gateway says so at once, before it reads a body.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from broker import metrics
from broker.db import Collision, LockTaken
from broker.errors import ProblemError

Asked = TypeVar("Asked")
"""What a caller submits."""
Answer = TypeVar("Answer")
"""What the caller gets after the commit."""
Work = Callable[[Sequence[Asked]], Awaitable[list[Answer | Exception]]]

RETRY_AFTER = "1"
AWAY = (OperationalError, InterfaceError, OSError, TimeoutError)
"""Faults of the database itself: the next attempt would only meet them again."""


class Batcher(Generic[Asked, Answer]):
    """Collects what is submitted and runs `work` on as many as wait, one batch after the other."""

    def __init__(
        self,
        work: Work[Asked, Answer],
        size: int,
        most_bytes: int,
        weigh: Callable[[Asked], int],
        patient: Work[Asked, Answer] | None = None,
    ) -> None:
        """`work` answers a batch in one transaction, in order; `size` is the most it gets at once.

        `most_bytes`: what may wait altogether; a batch gets a quarter of it at most, or a single one. `weigh`
        tells the bytes of one. `patient`: the same work, that waits longer for locks; it gets what met one.
        """
        self._work = work
        self._size = size
        self._most = most_bytes
        self._weigh = weigh
        self._held = 0
        self._waiting: deque[tuple[Asked, asyncio.Future[Answer]]] = deque()
        self._runner: asyncio.Task[None] | None = None
        late = Batcher(patient, size, most_bytes, weigh) if patient is not None else None
        self._late: Batcher[Asked, Answer] | None = late

    @contextmanager
    def room(self, size: int) -> Iterator[None]:
        """Hold room for a message of `size` bytes, from before its body is read until it is answered.

        Raises the problem ``temporarily-unavailable`` (503 with Retry-After) where there is none.
        """
        if self._held and self._held + size > self._most:
            detail = "Es warten gerade mehr Nachrichten, als angenommen werden; nichts wurde gelesen."
            raise ProblemError("temporarily-unavailable", detail, headers={"Retry-After": RETRY_AFTER})
        self._hold(size)
        try:
            yield
        finally:
            self._hold(-size)

    def _hold(self, size: int) -> None:
        self._held += size
        metrics.batcher_holds(self._held)

    async def submit(self, submitted: Asked) -> Answer:
        """Return the answer after the commit that holds it. Raises what the submission's own work raised.

        A caller that leaves takes nothing back: what it submitted is committed all the same.
        """
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._queue(submitted, future)
        return await asyncio.shield(future)

    def _queue(self, submitted: Asked, future: asyncio.Future[Answer]) -> None:
        self._waiting.append((submitted, future))
        if self._runner is None or self._runner.done():
            self._runner = asyncio.create_task(self._run())

    async def drain(self) -> None:
        """Return when nothing waits any more, for the end of a service."""
        while self._runner is not None and not self._runner.done():
            await asyncio.wait([self._runner])
        if self._late is not None:
            await self._late.drain()

    async def _run(self) -> None:
        while self._waiting:
            batch = self._next()
            results = await self._results([submitted for submitted, _ in batch])
            for (submitted, future), result in zip(batch, results, strict=True):
                if isinstance(result, LockTaken) and self._late is not None:
                    self._late._queue(submitted, future)  # noqa: SLF001 - one of the same
                else:
                    _settle(future, result)

    def _next(self) -> list[tuple[Asked, asyncio.Future[Answer]]]:
        """Take as many as fit into a batch, at least one."""
        batch = [self._waiting.popleft()]
        room = self._most // 4 - self._weigh(batch[0][0])
        while self._waiting and len(batch) < self._size and (room := room - self._weigh(self._waiting[0][0])) >= 0:
            batch.append(self._waiting.popleft())
        return batch

    async def _results(self, batch: list[Asked]) -> list[Answer | Exception]:
        try:
            return await self._run_twice(batch)
        except Exception as exc:  # noqa: BLE001 - every fault must reach the caller it belongs to
            if isinstance(exc, AWAY) and (len(batch) == 1 or not isinstance(exc, LockTaken)):
                return [exc] * len(batch)
            if len(batch) == 1:
                return [await self._once_more(batch, exc)]
        middle = len(batch) // 2
        return await self._results(batch[:middle]) + await self._results(batch[middle:])

    async def _run_twice(self, batch: list[Asked]) -> list[Answer | Exception]:
        """Run a batch, and once again where it collided with another transaction."""
        try:
            return await self._work(batch)
        except Collision:
            return await self._work(batch)

    async def _once_more(self, alone: list[Asked], fault: Exception) -> Answer | Exception:
        """Try one submission again where another transaction may have been the cause."""
        if not isinstance(fault, DBAPIError):
            return fault
        try:
            return (await self._work(alone))[0]
        except Exception as exc:  # noqa: BLE001 - as above
            return exc


def _settle(future: asyncio.Future[Answer], result: Answer | Exception) -> None:
    if future.done():
        return
    if isinstance(result, Exception):
        future.set_exception(result)
        future.exception()  # the caller may be gone; then nobody else would ask
    else:
        future.set_result(result)
