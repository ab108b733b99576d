"""The ``kennung`` of a record: the same again gets the first answer, other content under it is a conflict."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from broker.errors import ProblemError


class Recorded(Protocol):
    """What is on record under a kennung."""

    @property
    def body_hash(self) -> str:
        """The hash of the body that made the record."""


Kept = TypeVar("Kept", bound=Recorded)
ByKennung = Callable[[AsyncConnection, str, str], Awaitable[Kept | None]]
"""Find a record by whom it belongs to and its kennung."""


async def known(
    connection: AsyncConnection, find: ByKennung[Kept], owner: str, kennung: UUID | None, digest: str
) -> Kept | None:
    """Return what is on record under a kennung; raise ``message-conflict`` where it was made of another body."""
    row = await find(connection, owner, str(kennung)) if kennung else None
    if row is not None and row.body_hash != digest:
        raise ProblemError("message-conflict", "Unter dieser kennung ist anderes aufgezeichnet.")
    return row


async def recorded_meanwhile(
    connection: AsyncConnection, find: ByKennung[Kept], owner: str, kennung: UUID | None, digest: str
) -> Kept:
    """Return what another request recorded under the same kennung in the meantime.

    Raises ``message-conflict`` as `known` does, ``temporarily-unavailable`` where there is nothing after all.
    """
    row = await known(connection, find, owner, kennung, digest)
    if row is None:
        raise ProblemError("temporarily-unavailable", "Nichts wurde aufgezeichnet.", headers={"Retry-After": "1"})
    return row
