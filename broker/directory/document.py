"""What a directory file says, read and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.identifiers import AgencyId, Instance, UnitCode


@dataclass(frozen=True, slots=True)
class Branch:
    """A place inside an agency; its id is unique there."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class AgencyEntry:
    """One agency. `settings` is complete: paths are absolute, ``per-town`` is spelled out."""

    id: AgencyId
    name: str
    kind: str
    ags: str
    dms: str | None
    place: str
    units: tuple[UnitCode, ...]
    branches: tuple[Branch, ...]
    channel: str
    settings: Mapping[str, Any] = field(repr=False)

    def instances(self) -> tuple[Instance, ...]:
        """Return the instances of this agency."""
        return tuple(Instance(self.id, unit) for unit in self.units)


@dataclass(frozen=True, slots=True)
class DirectoryDocument:
    """All agencies of a file, in its order."""

    agencies: tuple[AgencyEntry, ...]
