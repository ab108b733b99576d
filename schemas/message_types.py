"""Registry of message types: which type and version is in force when, and where its XSD lies."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date
from pathlib import Path

#: Folder of this package; paths in the registry are relative to it.
PACKAGE_DIR = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class MessageType:
    """One version of one message type. `xsd` is relative to the package; `valid_to` None = no end known."""

    name: str
    version: str
    namespace: str
    root: str
    xsd: str
    valid_from: date
    valid_to: date | None = None

    @property
    def key(self) -> str:
        """``type/version``, as problems and the catalogue name it."""
        return f"{self.name}/{self.version}"

    @property
    def tag(self) -> str:
        """Root element in Clark notation, ``{namespace}name``."""
        return f"{{{self.namespace}}}{self.root}"

    @property
    def xsd_path(self) -> Path:
        """Where the XSD lies on disk."""
        return PACKAGE_DIR / self.xsd

    def in_force(self, day: date) -> bool:
        """Whether this version may be sent on the day (both ends inclusive)."""
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)


def load_registry(text: str) -> tuple[MessageType, ...]:
    """Read the registry from TOML. Raises `ValueError` for unknown keys, twins or an end before the begin."""
    rows = tomllib.loads(text)
    if set(rows) != {"type"}:
        raise ValueError("message_types.toml holds [[type]] rows and nothing else")
    try:
        types = tuple(MessageType(**row) for row in rows["type"])
    except TypeError as error:
        raise ValueError(f"message_types.toml: {error}") from error
    if len({t.tag for t in types}) != len(types) or len({t.key for t in types}) != len(types):
        raise ValueError("message_types.toml: two rows share a root element or a type and version")
    if any(t.valid_to is not None and t.valid_to < t.valid_from for t in types):
        raise ValueError("message_types.toml: a row ends before it begins")
    return types


#: Every type and version this package knows, in the order of the file.
MESSAGE_TYPES = load_registry((PACKAGE_DIR / "message_types.toml").read_text(encoding="utf-8"))
_BY_ROOT = {(t.namespace, t.root): t for t in MESSAGE_TYPES}


def as_of(day: date) -> tuple[MessageType, ...]:
    """Types in force on the day."""
    return tuple(t for t in MESSAGE_TYPES if t.in_force(day))


def by_root(namespace: str, root: str) -> MessageType | None:
    """Find the type of a root element, whatever its validity; None = unknown."""
    return _BY_ROOT.get((namespace, root))


def latest(name: str) -> MessageType:
    """Find the newest version of a type. Raises `KeyError` for a name that is not registered."""
    known = [t for t in MESSAGE_TYPES if t.name == name]
    if not known:
        raise KeyError(name)
    return max(known, key=lambda t: t.valid_from)
