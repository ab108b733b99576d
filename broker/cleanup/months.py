"""The months of PostgreSQL's growing tables: the next ones made in advance, those dropped in which nothing is left.

Both are functions of the database that its owner made (migration 0018), so that the clean-up needs no right to make or
drop tables. Where a month is missing, rows lie in the rest of the table: nothing ever fails for want of one.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select

from broker.gateway import Gateway

AHEAD = timedelta(days=62)


async def keep_months(gateway: Gateway) -> None:
    """Make the months up to `AHEAD`, and drop empty ones that are past the longest time for which rows are kept."""
    if gateway.db.is_sqlite:
        return
    now, settings = gateway.clock(), gateway.settings
    kept = timedelta(days=max(settings.side_days, settings.side_stop_days, settings.side_abruf_days))
    async with gateway.db.writing() as connection:
        await connection.execute(select(func.amtsbruecke_make_months(now + AHEAD)))
        await connection.execute(select(func.amtsbruecke_drop_months(now - kept)))
