"""Decide again what was decided: by the law, the switches and the day of then, or by another catalogue beside it.

What comes out names ids, codes, norms and counts: nothing of a person, no words of a message.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any

import orjson
from sqlalchemy import Row

from broker.db import Database, json_text
from broker.law import repository, stored
from broker.law.stored import Wanted
from broker.transfers.record import answer_columns
from consent.catalogue import Catalogue, catalogue_from_bytes, load_catalogue
from consent.engine import ENGINE_VERSION, UnknownSwitch, decide
from consent.facts import TransferFacts
from consent.facts_json import facts_from_json
from consent.rowreader import CatalogueError

MOST_CATALOGUES = 16
"""So many are in memory; each takes some megabytes."""
Answer = dict[str, Any]
"""Outcome, kind and code of a decision, and of its detail what the law said: as JSON values."""
UNDECIDABLE: Answer = {"outcome": "UNDECIDABLE", "kind": None, "code": None}
"""The other catalogue does not have a switch of then."""
LISTED = ("grounds", "duties")


class Sort(StrEnum):
    """What came of deciding again."""

    SAME = "same"
    DIFFERS = "differs"
    ERASED = "erased"
    """The facts are gone: their time was over."""
    OTHER_ENGINE = "other_engine"
    """Another version of the engine decided; what this one says now is told beside it."""
    UNREADABLE = "unreadable"
    """Facts or catalogue are there and this program cannot read them, or the catalogue is not kept."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A part of the answer that is another one now: what only was there then, and what only is there now."""

    part: str
    then: tuple[str, ...]
    now: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of one decision."""

    decision: str
    transfer: str
    purpose: str
    route: str
    """Units of sender and recipient."""
    sort: Sort
    differences: tuple[Difference, ...] = ()
    change: str = ""
    """The change in short, to be counted: ``PERMIT → DENY KEIN_GRUND``."""
    engine: str = ENGINE_VERSION
    """The version that decided then."""


@dataclass(slots=True)
class Tally:
    """How many came out how."""

    sorts: Counter[Sort] = field(default_factory=Counter)
    engines: Counter[tuple[str, bool]] = field(default_factory=Counter)
    """Other versions of the engine; and whether this one says something else."""
    changes: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """Purpose, route, change."""

    def add(self, one: Replayed) -> None:
        """Count one."""
        self.sorts[one.sort] += 1
        if one.sort is Sort.OTHER_ENGINE:
            self.engines[one.engine, bool(one.differences)] += 1
        if one.sort is Sort.DIFFERS:
            self.changes[one.purpose, one.route, one.change] += 1


class Catalogues:
    """The kept catalogues, read when they are first asked for."""

    def __init__(self, db: Database) -> None:
        """Read nothing yet."""
        self._db = db
        self._read: dict[str, Catalogue | None] = {}

    async def get(self, fingerprint: str) -> Catalogue | None:
        """Return a catalogue; None where it is not kept, or cannot be read by this program."""
        if fingerprint not in self._read:
            if len(self._read) >= MOST_CATALOGUES:
                self._read.pop(next(iter(self._read)))
            self._read[fingerprint] = await self._load(fingerprint)
        return self._read[fingerprint]

    async def _load(self, fingerprint: str) -> Catalogue | None:
        if fingerprint == load_catalogue().fingerprint:
            return load_catalogue()
        async with self._db.reading() as connection:
            content = await repository.content_of(connection, fingerprint)
        try:
            found = catalogue_from_bytes(content) if content is not None else None
        except CatalogueError:
            return None
        return found if found and found.fingerprint == fingerprint else None


async def replay(db: Database, wanted: Wanted, other: Catalogue | None = None) -> AsyncIterator[Replayed]:
    """Decide each wanted decision again and yield what came of it, those that are kept no longer last.

    Without `other` the stored answer is compared with the one of today's program, by the catalogue of then. With it
    (shadow mode) the answers of both catalogues are compared, both by today's program. Raises faults of the database.
    """
    law = Catalogues(db)
    async for row in stored.decisions(db, wanted):
        yield await _again(row, law, other)
    async for gone in stored.lost(db, wanted):
        route = _route(gone.sender, gone.recipient)
        yield Replayed(gone.id, gone.transfer_id, gone.purpose, route, Sort.ERASED)


async def _again(row: Row[Any], law: Catalogues, other: Catalogue | None) -> Replayed:
    """Decide about one row again."""
    route, purpose = _route(row.sender, row.recipient), (row.facts or {}).get("facts", {}).get("purpose", "")

    def found(sort: Sort, differences: tuple[Difference, ...] = (), change: str = "") -> Replayed:
        return Replayed(row.id, row.transfer_id, purpose, route, sort, differences, change, row.engine_version)

    if not row.facts:
        return found(Sort.ERASED)
    catalogue = await law.get(row.catalogue)
    if catalogue is None:
        return found(Sort.UNREADABLE)
    switches = frozenset(row.detail["switches"])
    try:
        facts = facts_from_json(row.facts)
        now = answer(facts, catalogue, row.day, switches)
    except ValueError:
        return found(Sort.UNREADABLE)
    then = _stored(row)
    if other is not None:
        then, now = now, _by_other(facts, other, row.day, switches)
    differences = compare(then, now, facts)
    if other is None and row.engine_version != ENGINE_VERSION:
        return found(Sort.OTHER_ENGINE, differences, _change(then, now, differences))
    sort = Sort.DIFFERS if differences else Sort.SAME
    return found(sort, differences, _change(then, now, differences))


def answer(facts: TransferFacts, catalogue: Catalogue, day: date, switches: frozenset[str]) -> Answer:
    """Decide, and say the answer as it is stored. Raises `UnknownSwitch`."""
    columns = answer_columns(decide(facts, catalogue, day, switches))
    plain: Answer = orjson.loads(json_text(columns))
    detail: Answer = plain.pop("detail")
    return plain | detail


def compare(then: Answer, now: Answer, facts: TransferFacts) -> tuple[Difference, ...]:
    """Name the parts in which two answers differ; what the older one does not have at all is not asked."""
    categories = {item.id: item.category.value for item in facts.items}
    found = [
        *(_part(name, [then.get(name)], [now.get(name)]) for name in ("outcome", "kind", "code")),
        _part("kept", *([categories.get(ref, "?") for ref in one.get("kept", ())] for one in (then, now))),
        _part("removed", *(_pairs(one.get("removed", ()), "category", "code") for one in (then, now))),
        *(_part(name, then.get(name, ()), now.get(name, ())) for name in LISTED if name in then),
        _part("consents", then.get("consents", ()), now.get("consents", ())),
        _findings(then.get("findings", ()), now.get("findings", ())),
    ]
    return tuple(difference for difference in found if difference is not None)


def _part(name: str, then: Iterable[Any], now: Iterable[Any]) -> Difference | None:
    """Compare as bags: the order of a list says nothing."""
    before, after = (Counter("" if one is None else str(one) for one in side) for side in (then, now))
    if before == after:
        return None
    return Difference(name, *(tuple(sorted((one - two).elements())) for one, two in ((before, after), (after, before))))


def _pairs(rows: Iterable[Mapping[str, Any]], *names: str) -> list[str]:
    return [" ".join(str(row[name]) for name in names) for row in rows]


def _findings(then: Iterable[Mapping[str, Any]], now: Iterable[Mapping[str, Any]]) -> Difference | None:
    """Compare findings whole, and name them by gate, outcome and code; fields that came later are not asked."""
    before, after = list(then), list(now)
    known = {name for finding in before or after for name in finding}
    wholes = [
        {json_text({name: finding.get(name) for name in sorted(known)}): _title(finding) for finding in findings}
        for findings in (before, after)
    ]
    gone, new = (
        tuple(sorted(title for whole, title in one.items() if whole not in two)) for one, two in (wholes, wholes[::-1])
    )
    return Difference("findings", gone, new) if gone or new else None


def _title(finding: Mapping[str, Any]) -> str:
    return " ".join(str(finding[name]) for name in ("gate", "outcome", "code") if finding.get(name))


def _stored(row: Row[Any]) -> Answer:
    return {"outcome": row.outcome, "kind": row.kind, "code": row.code, **row.detail}


def _by_other(facts: TransferFacts, other: Catalogue, day: date, switches: frozenset[str]) -> Answer:
    try:
        return answer(facts, other, day, switches)
    except UnknownSwitch:
        return UNDECIDABLE


def _change(then: Answer, now: Answer, differences: tuple[Difference, ...]) -> str:
    """Say a change in short: what the sender sees first, else the first part that differs."""
    if not differences:
        return ""
    before, after = (" ".join(filter(None, (one["outcome"], one["code"]))) for one in (then, now))
    return f"{before} → {after}" if before != after else f"{before}: {differences[0].part}"


def _route(sender: str, recipient: str) -> str:
    """Name the units of both sides."""
    return " → ".join(side.partition(":")[2] or side for side in (sender, recipient))
