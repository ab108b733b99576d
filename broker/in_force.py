"""Which catalogue counts on which day, in memory: whoever decides asks here, and never waits for the database.

`broker.law.keeper` reads the days from the database and teaches them; what counts from a later day is there before it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from datetime import date
from time import monotonic
from types import MappingProxyType

from broker.errors import CannotDecide
from consent.catalogue import Catalogue

STALE_SECONDS = 20.0
"""A process that stood still for longer may have missed a day: it decides nothing until it has looked again."""

Start = tuple[date, str]
"""From this day on counts the catalogue of this fingerprint."""


class LawUnknown(CannotDecide):
    """The catalogue that counts cannot be read here, or nobody has looked for long which one it is."""

    def __init__(self, text: str) -> None:
        """Say so as the problem ``temporarily-unavailable``."""
        super().__init__("temporarily-unavailable", text, headers={"Retry-After": "2"})


class LawInForce:
    """The catalogues that count, each from its day on; before the first the one that the program brings."""

    def __init__(self, shipped: Catalogue) -> None:
        """Begin with the shipped catalogue alone."""
        self.shipped = shipped
        self._starts: tuple[Start, ...] = ()
        self._known: Mapping[str, Catalogue] = MappingProxyType({shipped.fingerprint: shipped})
        self._looked: float | None = None
        self.unreadable: frozenset[str] = frozenset()
        """Fingerprints of catalogues that count some day and cannot be read by this program."""

    def on(self, day: date) -> Catalogue:
        """Return the catalogue that counts on a day (Europe/Berlin). Raises `LawUnknown`."""
        if self._looked is not None and monotonic() - self._looked > STALE_SECONDS:
            raise LawUnknown("Seit längerem wurde nicht nachgesehen, welcher Regelkatalog gilt.")
        fingerprint = self.fingerprint_on(day)
        if fingerprint not in self._known:
            raise LawUnknown(f"Den Regelkatalog, der am {day.isoformat()} gilt, kann dieses Programm nicht lesen.")
        return self._known[fingerprint]

    def fingerprint_on(self, day: date) -> str:
        """Return the fingerprint of the catalogue that counts on a day, also where it cannot be read."""
        place = bisect_right(self._starts, day, key=lambda start: start[0])
        return self._starts[place - 1][1] if place else self.shipped.fingerprint

    @property
    def starts(self) -> tuple[Start, ...]:
        """From which day what counts, by day; of one day the last one holds."""
        return self._starts

    def known(self, fingerprint: str) -> Catalogue | None:
        """Return a catalogue that is in memory."""
        return self._known.get(fingerprint)

    def learn(self, starts: Iterable[Start], catalogues: Iterable[Catalogue], unreadable: Iterable[str] = ()) -> None:
        """Take over the days, in the order in which they were recorded, and the catalogues that may be asked for."""
        known = {catalogue.fingerprint: catalogue for catalogue in (self.shipped, *catalogues)}
        self._known = MappingProxyType(known)
        self.unreadable = frozenset(unreadable)
        self._starts = tuple(sorted(starts, key=lambda start: start[0]))

    def looked(self) -> None:
        """Note that somebody looks regularly, and has looked now."""
        self._looked = monotonic()
