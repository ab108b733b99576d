"""No body is read further than its kind may be long: the framework reads bodies before it asks who sends them."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from broker.xml_body import XML_TYPES, media_type
from schemas.errors import PayloadTooLarge
from schemas.limits import DEFAULT_LIMITS

LARGEST_OTHER = 65_536
"""Bytes of a body that is no XML message; the longest lists that a request may hold need a quarter."""


class BodyLimit:
    """ASGI middleware: the read that goes over the limit raises `PayloadTooLarge` inside the route that reads."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap an application."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with its body counted."""
        if scope["type"] == "http":
            receive = _counted(receive, _limit(scope))
        await self.app(scope, receive, send)


def _limit(scope: Scope) -> int:
    return DEFAULT_LIMITS.bytes if media_type(Headers(scope=scope)) in XML_TYPES else LARGEST_OTHER


def _counted(receive: Receive, limit: int) -> Receive:
    size = 0

    async def counting() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > limit:
            raise PayloadTooLarge(limit)
        return message

    return counting
