"""Sealing keys come and go while processes run: look at the folder and at what is on record, and choose by both.

A look costs a listing of the folder and one query of a table of some rows; files are read where a name has changed,
all of it beside the event loop. Requests only read what was chosen.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from broker.config import Settings
from broker.gateway import Gateway
from broker.key_checks import on_record
from broker.keys import SEALING, KeyFileError, Keys, Secret, number, owner_key, read_secrets

log = logging.getLogger(__name__)

LOOK_SECONDS = 15.0
"""So often a process looks; a key that is to be used at once is on record three looks before."""
MISSING, OLD = "sealing-key-missing", "sealing-key-old"
OLD_PERIODS = 2
"""After so many periods without a new key somebody is told."""


class KeyWatch:
    """What a process knows of the folder: read again where the names in it are others."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._names: frozenset[str] = frozenset()
        self._secrets: tuple[Secret, ...] = gateway.keys.sealing

    async def look(self) -> None:
        """Look once, and choose. Raises `KeyFileError`, `OSError` and faults of the database; nothing changes then."""
        folder = self._gateway.settings.keys_dir
        names = await asyncio.to_thread(_names, folder)
        if names != self._names:
            secrets = await asyncio.to_thread(read_secrets, folder, SEALING)
            if set(self._secrets) - set(secrets):
                owner_key.cache_clear()  # what was derived from a key that is gone goes too
            self._names, self._secrets = names, secrets
        async with self._gateway.db.reading() as connection:
            rows = await on_record(connection, SEALING)
        before = self._gateway.keys.sealing_fault
        choose(self._gateway.keys, self._secrets, rows, self._gateway.settings, self._gateway.clock())
        if (fault := self._gateway.keys.sealing_fault) != before and fault is not None:
            log.warning("look after the sealing keys", extra={"reason": fault})

    async def run(self) -> None:
        """Look again and again until told to halt, or cancelled."""
        while not self._gateway.halt.requested:
            await self._gateway.halt.pause(LOOK_SECONDS)
            try:
                await self.look()
            except (SQLAlchemyError, KeyFileError, OSError) as exc:
                log.warning("sealing keys were not looked at", extra={"error": type(exc).__name__})


def _names(folder: Path) -> frozenset[str]:
    return frozenset(path.name for path in folder.glob(f"{SEALING}-*.json"))


def choose(keys: Keys, secrets: Sequence[Secret], rows: Sequence[Any], settings: Settings, now: datetime) -> None:
    """Set which key seals: the newest that is on record for now and lies here as it is on record.

    A file that is another key than the one on record is left out. Where nothing is on record the highest number seals.
    `rows` begin with the newest.
    """
    values = {row.kid: row.value for row in rows}
    keys.sealing = tuple(s for s in secrets if values.get(s.kid) in (None, s.check_value(SEALING)))
    here = {secret.kid for secret in keys.sealing}
    begun = [row for row in rows if row.used_from <= now]
    chosen = next((row for row in begun if row.kid in here and row.deleted_at is None), None)
    newer = [row.used_from for row in begun if chosen is None or number(row.kid) > number(chosen.kid)]
    keys.seals_with = chosen.kid if chosen else None
    keys.seals = not newer or (chosen is not None and now - min(newer) < stale_after(settings))
    keys.sealing_fault = MISSING if newer else (OLD if _old(begun, settings, now) else None)


def stale_after(settings: Settings) -> timedelta:
    """Return for how long a machine that lacks the key of the period may seal with the one before.

    Half of the time after which a key that nothing names is deleted: so no content is ever sealed with one of those.
    """
    return timedelta(days=settings.payload_days) / 2


def _old(begun: Sequence[Any], settings: Settings, now: datetime) -> bool:
    period = timedelta(hours=settings.sealing_key_hours)
    return bool(period and begun) and now - begun[0].used_from > OLD_PERIODS * period


@asynccontextmanager
async def watched_keys(gateway: Gateway) -> AsyncIterator[None]:
    """Look once, and go on looking while the body runs. Raises `KeyFileError`, and faults of the database."""
    watch = KeyWatch(gateway)
    await watch.look()
    task = asyncio.create_task(watch.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
