"""Keeps in memory which catalogue counts on which day: looked up every few seconds, beside the hot path."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import date, timedelta

from sqlalchemy.exc import SQLAlchemyError

from broker.clock import day_of
from broker.gateway import Gateway
from broker.in_force import Start
from broker.law import repository
from consent.catalogue import Catalogue, catalogue_from_bytes

log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
"""So long another process may decide by the catalogue before, where one counts from the very day of its recording."""
LOOP = "law"


async def look(gateway: Gateway) -> None:
    """Read the days, and every catalogue that counts since yesterday or later and is not in memory.

    One that this program cannot read is left out: nothing is decided on its days. Raises faults of the database.
    """
    law = gateway.law
    async with gateway.db.reading() as connection:
        starts = [(row.day, row.fingerprint) for row in await repository.days(connection)]
        wanted = _wanted(starts, day_of(gateway.clock()))
        new = [f for f in wanted if law.known(f) is None and f not in law.unreadable]
        contents = {fingerprint: await repository.content_of(connection, fingerprint) for fingerprint in new}
    read = [await _read(fingerprint, content or b"") for fingerprint, content in contents.items()]
    known = [found for found in (*map(law.known, wanted), *read) if found is not None]
    law.learn(starts, known, {*wanted} - {law.shipped.fingerprint} - {one.fingerprint for one in known})


def _wanted(starts: Sequence[Start], today: date) -> Sequence[str]:
    """Return the fingerprints that count today or later; what came in just before midnight is decided by yesterday."""
    since = today - timedelta(days=1)
    past = sorted((start for start in starts if start[0] <= since), key=lambda start: start[0])
    return list(dict.fromkeys(f for _, f in (*past[-1:], *(start for start in starts if start[0] > since))))


async def _read(fingerprint: str, content: bytes) -> Catalogue | None:
    """Read a catalogue beside the loop; it takes a tenth of a second."""
    try:
        return await asyncio.to_thread(catalogue_from_bytes, content)
    except Exception as exc:  # noqa: BLE001 - whatever it is, this program cannot read it, and lives on
        log.error("catalogue cannot be read", extra={"catalogue": fingerprint, "error": type(exc).__name__})  # noqa: TRY400 - what it says is in German and for lawyers
        return None


async def run(gateway: Gateway) -> None:
    """Look every few seconds until told to halt, or cancelled. Faults of the database are waited out."""
    counts = ""
    while not gateway.halt.requested:
        gateway.pulse.beat(LOOP)
        try:
            await look(gateway)
            gateway.law.looked()
            counts = _say_change(gateway, counts)
        except SQLAlchemyError as exc:
            log.warning("cannot look which law counts", extra={"error": type(exc).__name__})
        await gateway.halt.pause(LOOK_SECONDS)


def _say_change(gateway: Gateway, before: str) -> str:
    """Note in the log when another catalogue counts than before; return which."""
    counts = gateway.law.fingerprint_on(day_of(gateway.clock()))
    if counts != before:
        log.info("decides by this catalogue", extra={"catalogue": counts})
    return counts
