"""Paging by cursor: opaque to the client, the number of the last row to us, and where the walk ends if it must."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from broker.crypto import SealBroken, unwrap, wrap
from broker.errors import invalid

MAX_CURSOR = 2**63 - 1
NUMBER_BYTES = 16
"""Of a sealed number: the least that AES key wrap takes."""
SEALED_LENGTH = 32
NO_CURSOR = "Der Cursor ist keiner, den diese API ausgegeben hat."
MOST_DIGITS = len(str(MAX_CURSOR))
"""More are not read: to turn very long digits into a number is slow, and Python refuses it."""


def cursor_value(cursor: str | None) -> int:
    """Read a cursor; none is the beginning. Raises the problem ``invalid-request``."""
    if cursor is None or cursor == "":
        return 0
    readable = len(cursor) <= MOST_DIGITS and cursor.isascii() and cursor.isdigit()
    if not readable or int(cursor) > MAX_CURSOR:
        raise invalid("cursor", NO_CURSOR)
    return int(cursor)


def sealed_cursor(number: int, keys: Sequence[bytes]) -> str:
    """Write the cursor of one instance's list, under the newest of its keys.

    AES key wrap (RFC 3394): the same number gives the same cursor, nobody else can read it, make it or use it. In the
    clear it would count what all others do.
    """
    return urlsafe_b64encode(wrap(number.to_bytes(NUMBER_BYTES, "big"), keys[0])).decode()


def opened_cursor(cursor: str | None, keys: Sequence[bytes]) -> int:
    """Read such a cursor; none is the beginning. Raises the problem ``invalid-request``."""
    if not cursor:
        return 0
    for key in keys if len(cursor) == SEALED_LENGTH else ():
        with suppress(SealBroken, ValueError):
            return int.from_bytes(unwrap(urlsafe_b64decode(cursor.encode("ascii")), key), "big")
    raise invalid("cursor", NO_CURSOR)


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


def place_of(cursor: str | None) -> tuple[date, str] | None:
    """Read the cursor of a list that is ordered by day and id; None: it begins. Raises ``invalid-request``."""
    if not cursor:
        return None
    day, _, identity = cursor.partition(".")
    try:
        return date.fromisoformat(day), str(UUID(identity))
    except ValueError as exc:
        raise invalid("cursor", NO_CURSOR) from exc


def place_text(day: date, identity: str) -> str:
    """Write the cursor that goes on after a row of such a list."""
    return f"{day.isoformat()}.{identity}"
