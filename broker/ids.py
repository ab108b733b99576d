"""Ids of what this service makes: ordered in time, so that their indexes grow at one end."""

from __future__ import annotations

import time

from uuid_utils import uuid7


def new_id() -> str:
    """Return a fresh id: UUIDv7 (RFC 9562, section 5.7), milliseconds first, 74 bits by chance.

    The moment is given, so that the library puts no counter into the millisecond (RFC 9562, section 6.2): who holds two
    ids could tell by it how many were given to others in between, and would have 32 bits left to guess theirs.
    """
    return str(uuid7(nanoseconds=time.time_ns()))
