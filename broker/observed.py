"""Every request is counted, timed, bound to a trace, and leaves one line in the log; pure ASGI, outside of all else."""

from __future__ import annotations

import logging
from time import perf_counter
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from broker import metrics
from broker.telemetry import CURRENT, trace_of

#: One line for each request: method, template of the route, status, milliseconds; no address, no client, no person.
access = logging.getLogger("broker.access")

FAILED = 500
ASKED_BY_MACHINES = frozenset({"/livez", "/readyz"})
"""Answered every few seconds; their lines are for debugging."""


class Observed:
    """ASGI middleware: figures for each request, by the template of its route, never by its path."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap an application."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and look at what it is answered."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = perf_counter(), FAILED

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        # Never reset: the handler of errors lies outside of this, and each request has a context of its own.
        CURRENT.set(trace_of(_traceparent(scope)))
        metrics.request_began()
        try:
            await self.app(scope, receive, sending)
        finally:
            seconds, route = perf_counter() - began, template(scope)
            metrics.request_ended(scope["method"], route, status, seconds)
            _say(scope["method"], route, status, seconds)


def _traceparent(scope: Scope) -> str | None:
    """Return the header where it came exactly once."""
    found = [value for name, value in scope["headers"] if name == b"traceparent"]
    return found[0].decode("latin-1") if len(found) == 1 else None


def _say(method: str, route: str, status: int, seconds: float) -> None:
    level = logging.DEBUG if route in ASKED_BY_MACHINES else logging.INFO
    if access.isEnabledFor(level):
        known = method if method in metrics.METHODS else metrics.OTHER
        line = {"method": known, "route": route, "status": status, "ms": round(seconds * 1000, 1)}
        access.log(level, "request", extra=line)


def template(scope: Scope) -> str:
    """Return the template of the route that took the request, or ``other``."""
    route: Any = scope.get("route")
    return getattr(route, "path", metrics.OTHER)
