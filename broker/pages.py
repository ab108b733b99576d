"""Paging by cursor: opaque to the client, the number of the last row to us."""

from __future__ import annotations

from broker.errors import invalid

MAX_CURSOR = 2**63 - 1
MOST_DIGITS = len(str(MAX_CURSOR))
"""More are not read: to turn very long digits into a number is slow, and Python refuses it."""


def cursor_value(cursor: str | None) -> int:
    """Read a cursor; none is the beginning. Raises the problem ``invalid-request``."""
    if cursor is None or cursor == "":
        return 0
    readable = len(cursor) <= MOST_DIGITS and cursor.isascii() and cursor.isdigit()
    if not readable or int(cursor) > MAX_CURSOR:
        raise invalid("cursor", "Der Cursor ist keiner, den diese API ausgegeben hat.")
    return int(cursor)
