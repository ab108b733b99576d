"""Which catalogue somebody means: of a day, a kept one by its fingerprint, a folder of TOML, or the shipped one."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from broker.gateway import Gateway
from broker.law import repository
from consent.catalogue import Catalogue, catalogue_from_bytes, load_catalogue
from consent.rowreader import CatalogueError

REMEMBERED = 3
SHIPPED = "mitgeliefert"
_FINGERPRINT = re.compile(r"[0-9a-f]{8,64}")


class NoSuchCatalogue(Exception):
    """Nobody knows a catalogue of that name. The text is German and says what may be named."""


@dataclass(frozen=True, slots=True)
class Named:
    """A catalogue, and the day on which somebody wants to see it; None: all of its rows."""

    catalogue: Catalogue
    day: date | None
    label: str


def read_here(name: str) -> Named | None:
    """Return what needs no database: the shipped catalogue, or that of a folder. Raises `CatalogueError`."""
    if name == SHIPPED:
        return Named(load_catalogue(), None, "mitgelieferter Katalog")
    folder = Path(name)
    return Named(load_catalogue(folder), None, f"Ordner {name}") if folder.is_dir() else None


async def find(gateway: Gateway, name: str) -> Named:
    """Return the catalogue of a day (``2026-12-01``) or of a fingerprint, of which the beginning is enough.

    Raises `NoSuchCatalogue`, and `CatalogueError` for a folder with a fault.
    """
    if (here := read_here(name)) is not None:
        return here
    day = _day(name)
    if day is not None:
        return Named(await on_day(gateway, day), day, f"Stand vom {day:%d.%m.%Y}")
    if not _FINGERPRINT.fullmatch(name):
        raise NoSuchCatalogue(
            f"„{name}“ ist kein Tag (JJJJ-MM-TT), kein Fingerabdruck (mindestens 8 Zeichen), kein Ordner und nicht "
            f"„{SHIPPED}“."
        )
    fingerprint = await _whole(gateway, name)
    return Named(await by_fingerprint(gateway, fingerprint), None, f"Katalog {fingerprint[:12]}")


async def on_day(gateway: Gateway, day: date) -> Catalogue:
    """Return the catalogue that counted, counts or will count on a day. Raises like `by_fingerprint`."""
    return await by_fingerprint(gateway, gateway.law.fingerprint_on(day))


async def by_fingerprint(gateway: Gateway, fingerprint: str) -> Catalogue:
    """Return a kept catalogue. Raises `NoSuchCatalogue`, also where it cannot be read here."""
    if (known := gateway.law.known(fingerprint) or _READ.get(fingerprint)) is not None:
        return known
    async with gateway.db.reading() as connection:
        content = await repository.content_of(connection, fingerprint)
    if content is None:
        raise NoSuchCatalogue(f"Einen Katalog mit dem Fingerabdruck {fingerprint} kennt dieses Gateway nicht.")
    try:
        read = await asyncio.to_thread(catalogue_from_bytes, content)
    except (CatalogueError, ValueError) as exc:
        raise NoSuchCatalogue(f"Den Katalog {fingerprint} kann dieses Programm nicht lesen: {exc}") from exc
    if read.fingerprint != fingerprint:
        raise NoSuchCatalogue(f"Was unter {fingerprint} aufbewahrt wird, ist ein anderer Katalog: {read.fingerprint}.")
    while len(_READ) >= REMEMBERED:
        del _READ[next(iter(_READ))]
    return _READ.setdefault(fingerprint, read)


_READ: dict[str, Catalogue] = {}
"""Those that somebody looked back at last: to read one takes a tenth of a second."""


async def _whole(gateway: Gateway, beginning: str) -> str:
    async with gateway.db.reading() as connection:
        kept = {row.fingerprint for row in await repository.kept(connection)}
    found = sorted(one for one in kept | {gateway.law.shipped.fingerprint} if one.startswith(beginning))
    if len(found) != 1:
        known = "keiner" if not found else "mehr als einer"
        raise NoSuchCatalogue(f"Mit {beginning} beginnt {known} der Fingerabdrücke, die dieses Gateway kennt.")
    return found[0]


def _day(name: str) -> date | None:
    try:
        return date.fromisoformat(name) if re.fullmatch(r"\d{4}-\d{2}-\d{2}", name) else None
    except ValueError:
        return None
