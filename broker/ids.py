"""Ids of what this service makes: ordered in time, so that their indexes grow at one end."""

from __future__ import annotations

from uuid_utils import uuid7


def new_id() -> str:
    """Return a fresh id: UUIDv7 (RFC 9562, section 5.7), milliseconds first, 74 bits by chance."""
    return str(uuid7())
