"""Paging by cursor: opaque to the client, the number of the last row to us, and where the walk ends if it must."""

from __future__ import annotations

from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Walk:
    """How far a walk has come, and the last number that belongs to it: it ends, however fast rows are added."""

    after: int
    upto: int

    @property
    def cursor(self) -> str:
        """The cursor that goes on here."""
        return f"{self.after}.{self.upto}"


def walk_of(cursor: str | None) -> Walk | None:
    """Read the cursor of a walk; None: it begins. Raises the problem ``invalid-request``."""
    if not cursor:
        return None
    after, _, upto = cursor.partition(".")
    return Walk(cursor_value(after or "-"), cursor_value(upto or "-"))
