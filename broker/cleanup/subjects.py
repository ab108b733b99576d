"""Numbers of persons' states that nothing is about any more: a pseudonym beside a number is about a person too.

What names a row (transfer, consent, stop) is written under a lock on the row, or makes it anew. So whoever has the lock
sees all that names it; a row that somebody else holds is about to be named, and is left alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, select, tuple_, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.consents.models import ConsentRecord
from broker.gateway import Gateway
from broker.lifecycle.models import TransferLookup
from broker.subjects.models import Stop, SubjectState
from broker.subjects.pseudonym import short
from broker.subjects.state import Key

LOOP = "cleanup"
STEP = 1000
PAUSE = 0.02
"""Seconds between two steps, so that others get their turn."""
_KEY = (SubjectState.controller, SubjectState.pseudonym)


async def forget_subjects(gateway: Gateway) -> int:
    """Walk through all rows once, by their key, and delete those that nothing names; return how many.

    A step reads some rows and four indexes; it writes only where it found any that nothing names.
    """
    forgotten, after = 0, ("", "")
    while not gateway.halt.requested:
        gateway.pulse.beat(LOOP)
        async with gateway.db.reading() as connection:
            found = await _rows(connection, after)
            idle = await _unnamed(connection, found)
        if idle:
            async with gateway.db.writing() as connection:
                forgotten += await _forget(connection, idle)
        if len(found) < STEP:
            break
        after = found[-1]
        await gateway.halt.pause(PAUSE)
    return forgotten


async def _rows(connection: AsyncConnection, after: Key) -> list[Key]:
    query = select(*_KEY).where(tuple_(*_KEY) > after).order_by(*_KEY).limit(STEP)
    return [(row.controller, row.pseudonym) for row in await connection.execute(query)]


async def _unnamed(connection: AsyncConnection, keys: Sequence[Key]) -> list[Key]:
    """Return those that no transfer, consent or stop names."""
    if not keys:
        return []
    bits = {pseudonym: short(pseudonym) for _, pseudonym in keys}
    columns = (ConsentRecord.pseudonym, ConsentRecord.case_key, Stop.pseudonym, Stop.case_key)
    recorded = union_all(*(select(column).where(column.in_(list(bits))) for column in columns))
    named = set(await connection.scalars(recorded))
    carried = set(await connection.scalars(select(TransferLookup.key).where(TransferLookup.key.in_(bits.values()))))
    return [key for key in keys if key[1] not in named and bits[key[1]] not in carried]


async def _forget(connection: AsyncConnection, keys: Sequence[Key]) -> int:
    """Lock what nobody holds, look again, and delete what is still not named."""
    mine = select(*_KEY).where(tuple_(*_KEY).in_(keys)).with_for_update(skip_locked=True)
    held = [(row.controller, row.pseudonym) for row in await connection.execute(mine)]
    idle = await _unnamed(connection, held)
    if idle:
        await connection.execute(delete(SubjectState).where(tuple_(*_KEY).in_(idle)))
    return len(idle)
