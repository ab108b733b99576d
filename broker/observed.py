"""Every request is counted, timed, and bound to a trace; pure ASGI, outside of all else."""

from __future__ import annotations

from time import perf_counter
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from broker import metrics

FAILED = 500


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

        metrics.request_began()
        try:
            await self.app(scope, receive, sending)
        finally:
            metrics.request_ended(scope["method"], template(scope), status, perf_counter() - began)


def template(scope: Scope) -> str:
    """Return the template of the route that took the request, or ``other``."""
    route: Any = scope.get("route")
    return getattr(route, "path", metrics.OTHER)
