"""The months of PostgreSQL's growing tables: the next ones made in advance, those dropped in which nothing is left.

Both are functions of the database that its owner made (migration 0018), so that the clean-up needs no right to make or
drop tables. Where a month is missing, rows lie in the rest of the table: nothing ever fails for want of one.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from sqlalchemy import Function, func, select
from sqlalchemy.exc import OperationalError

from broker.gateway import Gateway

log = logging.getLogger(__name__)

AHEAD = timedelta(days=62)
LOCK_MILLISECONDS = 200
"""A month needs its whole table for a moment. Whoever writes waits behind who waits for it, so it waits no longer."""


async def keep_months(gateway: Gateway) -> None:
    """Make the months up to `AHEAD`, and drop empty ones that are past the longest time for which rows are kept.

    Where somebody is at the tables for longer (an export), that is left to the next time.
    """
    if gateway.db.is_sqlite:
        return
    now, settings = gateway.clock(), gateway.settings
    kept = timedelta(days=max(settings.side_days, settings.side_stop_days, settings.side_abruf_days))
    try:
        await _call(gateway, func.amtsbruecke_make_months(now + AHEAD))
        await _call(gateway, func.amtsbruecke_drop_months(now - kept))
    except OperationalError as exc:
        log.info("months wait for the next time", extra={"error": type(exc).__name__})


async def _call(gateway: Gateway, function: Function[Any]) -> None:
    async with gateway.db.writing() as connection:
        await connection.execute(select(func.set_config("lock_timeout", f"{LOCK_MILLISECONDS}ms", True)))
        await connection.execute(select(function))
