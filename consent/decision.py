"""The decision: `Permit` or `Refusal`, each with all its findings. A `Permit` is made in `consent.engine` alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from schemas.identifiers import DataCategory


class RefusalKind(StrEnum):
    """Why the answer is no, and what helps."""

    NOT_PERMITTED = "not_permitted"
    INCOMPLETE = "incomplete"
    GAP = "gap"
    HUMAN = "human"


class Outcome(StrEnum):
    """What one gate found."""

    PASS = "pass"
    REMOVE = "remove"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Missing:
    """A declaration or record that the law asks for: its field, and which side has to give it."""

    field: str
    by: str
    """``sender`` or ``recipient``."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one gate found, on which norm. `items` empty = the whole case."""

    gate: str
    outcome: Outcome
    text: str
    norms: tuple[str, ...]
    code: str | None = None
    kind: RefusalKind | None = None
    items: tuple[str, ...] = ()
    missing: tuple[Missing, ...] = ()
    rests_on: str | None = None
    """The controller on whose record the finding rests (its objection, its consent, its protected address)."""


@dataclass(frozen=True, slots=True)
class Removed:
    """A block that fell: id, person reference, category; never its content."""

    block: str
    person: str
    category: DataCategory
    code: str
    norms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Basis:
    """On what a decision was taken, so that it can be taken again."""

    on: date
    catalogue: str
    """SHA-256 fingerprint of the catalogue, hexadecimal."""
    engine_version: str
    facts_version: int
    switches: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Permit:
    """The transfer may pass with the blocks in `kept`. Bound to one transfer id and one payload digest."""

    transfer_id: str
    payload_digest: str
    kept: tuple[str, ...]
    removed: tuple[Removed, ...]
    grounds: tuple[str, ...]
    consents: tuple[str, ...]
    """Ids of the consents relied on."""
    duties: tuple[str, ...]
    findings: tuple[Finding, ...]
    basis: Basis


@dataclass(frozen=True, slots=True)
class Refusal:
    """The transfer may not pass. `deciding` is the finding that stopped it; `findings` holds it and all others."""

    transfer_id: str
    payload_digest: str
    kind: RefusalKind
    deciding: Finding
    findings: tuple[Finding, ...]
    removed: tuple[Removed, ...]
    basis: Basis

    @property
    def code(self) -> str:
        """Reason code of the deciding finding (settled reading G)."""
        return self.deciding.code or ""


Decision = Permit | Refusal
