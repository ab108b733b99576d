"""A thread for each office's channel: a share that hangs stops that office alone, and not the end of the process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from threading import Thread
from typing import Any, TypeVar

from adapters.base import DeliveryError

HANGS = "channel-hangs"

T = TypeVar("T")


class Strand:
    """Runs what may hang, one thing after another, in threads that nothing waits for at the end of the process."""

    def __init__(self) -> None:
        """Run nothing yet."""
        self._running: asyncio.Future[Any] | None = None

    @property
    def hangs(self) -> bool:
        """Whether what was begun is not over: nothing may be begun beside it."""
        return self._running is not None and not self._running.done()

    async def run(self, work: Callable[[], T], seconds: float) -> T:
        """Return what `work` returns, or raise what it raises.

        Raises `DeliveryError` (retryable) where it takes longer; it goes on then, whatever comes of it.
        """
        if self.hangs:
            raise DeliveryError(retryable=True, reason_code=HANGS)
        loop = asyncio.get_running_loop()
        self._running = future = loop.create_future()
        context = copy_context()
        Thread(target=context.run, args=(_work, loop, future, work), name="channel", daemon=True).start()
        await asyncio.wait([future], timeout=seconds)
        if not future.done():
            raise DeliveryError(retryable=True, reason_code=HANGS)
        result: T = future.result()
        return result


def _work(loop: asyncio.AbstractEventLoop, future: asyncio.Future[T], work: Callable[[], T]) -> None:
    """Do the work in its thread; whoever waits is told in the loop, unless that has ended."""
    try:
        result = work()
    except Exception as exc:  # noqa: BLE001 - whatever it is, it is for who waits
        tell: Callable[[], None] = _failure(future, exc)
    else:
        tell = _success(future, result)
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(tell)


def _success(future: asyncio.Future[T], result: T) -> Callable[[], None]:
    return lambda: future.set_result(result)


def _failure(future: asyncio.Future[Any], exc: Exception) -> Callable[[], None]:
    def fail() -> None:
        future.set_exception(exc)
        future.exception()  # whoever waited may be gone; then nobody else would ask

    return fail
