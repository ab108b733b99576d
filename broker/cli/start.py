"""Open what a command works on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from broker.clock import Clock, system_clock
from broker.config import Settings
from broker.db import Database
from broker.gateway import Gateway
from broker.keys import load_keys
from broker.migrations import upgrade
from consent.catalogue import load_catalogue


@asynccontextmanager
async def open_gateway(settings: Settings | None = None, clock: Clock = system_clock) -> AsyncIterator[Gateway]:
    """Open database, keys and law. An embedded database is made, and brought to the newest shape, first."""
    settings = settings or Settings()
    database = Database(settings.database)
    try:
        if database.is_sqlite:
            await asyncio.to_thread(upgrade, settings.database)
        keys = await asyncio.to_thread(load_keys, settings.keys_dir)
        yield Gateway(settings, clock, database, keys, load_catalogue())
    finally:
        await database.close()
