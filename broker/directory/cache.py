"""The directory in memory, for those who ask at every request."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from weakref import WeakKeyDictionary

from sqlalchemy.ext.asyncio import AsyncEngine

from broker.db import Database
from broker.directory import repository
from broker.gateway import Gateway
from schemas.identifiers import AgencyId, Instance, UnitCode

FRESH = timedelta(seconds=5)
"""So long another process may still see an agency as it was before a load."""


@dataclass(frozen=True, slots=True)
class InstanceEntry:
    """An active instance. Its agency's topic is named after `agency`."""

    id: str
    agency: AgencyId
    unit: UnitCode
    kind: str
    channel: str

    @property
    def instance(self) -> Instance:
        """The instance as a value."""
        return Instance(self.agency, self.unit)


@dataclass(frozen=True, slots=True)
class Directory:
    """What was active at one moment: instance id → entry, agency id → kind, agency id → ids of its branches."""

    instances: Mapping[str, InstanceEntry]
    kinds: Mapping[str, str]
    branches: Mapping[str, frozenset[str]]
    traeger_of: Mapping[str, str]
    """Agency id → AGS of the Gebietskörperschaft that carries it."""

    @property
    def units(self) -> frozenset[UnitCode]:
        """The kinds of unit that any agency here has."""
        return frozenset(entry.unit for entry in self.instances.values())

    def traeger(self, agency: str) -> str:
        """Return the Träger of an agency (its AGS); an agency that is not here is a Träger of its own."""
        return self.traeger_of.get(agency, agency)

    def find(self, instance_id: str) -> InstanceEntry | None:
        """Return an active instance, or None."""
        return self.instances.get(instance_id)


class _Memory:
    """What one process knows of one database's directory."""

    def __init__(self) -> None:
        self.at: datetime | None = None
        self.directory: Directory | None = None
        self.generation = 0
        self.lock = asyncio.Lock()

    def fresh(self, now: datetime) -> Directory | None:
        """Return the directory unless it is too old, or the clock has gone back since."""
        return self.directory if self.at is not None and timedelta() <= now - self.at < FRESH else None


_MEMORIES: WeakKeyDictionary[AsyncEngine, _Memory] = WeakKeyDictionary()


class DirectoryCache:
    """Reads the directory again once it is older than `FRESH`, or at once after a load in this process.

    All caches of one database in a process share what they read, so making one costs nothing.
    """

    def __init__(self, gateway: Gateway) -> None:
        """Read nothing yet."""
        self._gateway = gateway
        self._memory = _MEMORIES.setdefault(gateway.db.engine, _Memory())

    async def current(self) -> Directory:
        """Return the directory, at most `FRESH` old; a query only when it is older."""
        memory = self._memory
        known = memory.fresh(self._gateway.clock())
        if known is not None:
            return known
        async with memory.lock:
            now = self._gateway.clock()
            known = memory.fresh(now)
            if known is not None:
                return known
            generation = memory.generation
            directory = await _read(self._gateway.db)
            if generation == memory.generation:
                memory.at, memory.directory = now, directory
            return directory

    async def find(self, instance_id: str) -> InstanceEntry | None:
        """Return an active instance, or None."""
        return (await self.current()).find(instance_id)

    def forget(self) -> None:
        """Read again at the next question, also where a read is under way."""
        self._memory.generation += 1
        self._memory.at = None


def directory_cache(gateway: Gateway) -> DirectoryCache:
    """Return the cache of this gateway's database."""
    return DirectoryCache(gateway)


async def _read(database: Database) -> Directory:
    async with database.reading() as connection:
        agencies = {row.id: row for row in await repository.agencies(connection)}
        rows = [row for row in await repository.instances(connection) if row.active and row.agency_id in agencies]
        branches = await repository.branches(connection)
    instances = {
        row.id: InstanceEntry(
            row.id, AgencyId(row.agency_id), UnitCode(row.unit),
            agencies[row.agency_id].kind, agencies[row.agency_id].channel,
        )
        for row in rows
    }  # fmt: skip
    return Directory(
        instances,
        {row.id: row.kind for row in agencies.values()},
        {agency: frozenset(row.branch for row in branches if row.agency_id == agency) for agency in agencies},
        {row.id: row.ags for row in agencies.values()},
    )
