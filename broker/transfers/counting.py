"""Which routes of a batch are counted: those on which the number of persons may decide (reading C 20)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from sqlalchemy.ext.asyncio import AsyncConnection

from broker.procedures.counter import Counter, count
from broker.procedures.repository import ProcedureRow, Route, carries
from broker.transfers.seek import Sought


async def counter_of(
    connection: AsyncConnection,
    batch: Sequence[Sought],
    procedures: Mapping[Route, Sequence[ProcedureRow]],
    on: date,
    *,
    lock: bool,
) -> Counter | None:
    """Count the routes of transfers whose outcome may hang on it; the persons are locked already.

    First decisions lock them too, and get a counter in any case: who passes is written down on every route. Whether
    somebody is counted already matters elsewhere only where a person has more than one key.
    """
    counting = [sought for sought in batch if _hangs_on_number(sought, procedures.get(sought.route, ()), on)]
    if not lock and not counting:
        return None
    routes = {sought.route for sought in counting}
    about = [
        (sought.route, key)
        for sought in batch
        for keys in sought.keys_at_sender
        if sought.route in routes or len(keys) > 1
        for key in keys
    ]
    return await count(connection, routes, about, on, lock=lock)


def _hangs_on_number(sought: Sought, found: Sequence[ProcedureRow], on: date) -> bool:
    """Whether the number of persons may decide: not where it is known, nor where an entry carries all of it anyway."""
    if sought.procedure is None or sought.counted:
        return False
    return not carries(found, sought.procedure, on, sought.categories)
