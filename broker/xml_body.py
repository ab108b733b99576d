"""Read an XML request body: right type, bounded before it is whole in memory."""

from __future__ import annotations

from fastapi import Request
from starlette.datastructures import Headers

from broker.errors import ProblemError
from schemas.errors import PayloadTooLarge
from schemas.limits import DEFAULT_LIMITS

MOST_DIGITS = 19
XML_TYPES = frozenset({"application/xml", "text/xml"})


def media_type(headers: Headers) -> str:
    """Return the media type of a body, without parameters, in small letters."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def declared_bytes(request: Request) -> int:
    """Return how long the body will be: as it says, or as long as it may. Raises `PayloadTooLarge`."""
    limit = DEFAULT_LIMITS.bytes
    declared = request.headers.get("content-length", "")
    size = int(declared[:MOST_DIGITS]) if declared.isascii() and declared.isdigit() else limit
    if size > limit:
        raise PayloadTooLarge(limit)
    return size


async def read_xml(request: Request) -> bytes:
    """Return the body. Raises the problem ``unsupported-media-type``, or `PayloadTooLarge` as soon as it is known."""
    if media_type(request.headers) not in XML_TYPES:
        raise ProblemError(
            "unsupported-media-type", "Nachrichten werden als application/xml gesendet.", allowed=sorted(XML_TYPES)
        )
    limit = DEFAULT_LIMITS.bytes
    declared_bytes(request)
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise PayloadTooLarge(limit)
        parts.append(part)
    return b"".join(parts)
