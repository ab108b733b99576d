"""Shared commits: what queued while the last commit ran goes into the next one together. No timer.

Each submission has its own result; where the batch as a whole fails, each is tried again alone, so that one cannot
fail the others.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from broker.transfers.submission import Answer, Result, Submitted

Work = Callable[[Sequence[Submitted]], Awaitable[list[Result]]]


class Batcher:
    """Collects submissions and runs `work` on as many as wait, one batch after the other."""

    def __init__(self, work: Work, size: int) -> None:
        """`work` answers a batch in one transaction, in order; `size` is the most it gets at once."""
        self._work = work
        self._size = size
        self._waiting: deque[tuple[Submitted, asyncio.Future[Answer]]] = deque()
        self._runner: asyncio.Task[None] | None = None

    async def submit(self, submitted: Submitted) -> Answer:
        """Return the answer after the commit that holds it. Raises what the submission's own work raised."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((submitted, future))
        if self._runner is None or self._runner.done():
            self._runner = asyncio.create_task(self._run())
        return await asyncio.shield(future)

    async def _run(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(self._size, len(self._waiting)))]
            results = await self._results([submitted for submitted, _ in batch])
            for (_, future), result in zip(batch, results, strict=True):
                _settle(future, result)

    async def _results(self, batch: list[Submitted]) -> list[Result]:
        try:
            return await self._work(batch)
        except Exception as exc:  # noqa: BLE001 - every fault must reach the caller it belongs to
            if len(batch) == 1:
                return [exc]
        return [(await self._results([submitted]))[0] for submitted in batch]


def _settle(future: asyncio.Future[Answer], result: Result) -> None:
    if future.done():
        return
    if isinstance(result, Exception):
        future.set_exception(result)
        future.exception()  # the caller may be gone; then nobody else would ask
    else:
        future.set_result(result)
