"""The rows of the catalogue: everything a lawyer would look up, each row dated and with its source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Literal

from consent.decision import RefusalKind
from consent.validity import Validity
from schemas.identifiers import DataCategory, OriginMark, Part, UnitCode

ANY = "*"
"""As a unit: any social authority (§ 35 body, AsylbLG office, Beistand); as a purpose: any."""

Grade = Literal["V", "S", "K"]
"""Evidence: V checked against the statute, S taken from a secondary source, K general knowledge of the field."""


class Regime(StrEnum):
    """Which law decides about the sender's data (rules dossier 1.1)."""

    SOZIALDATEN = "SOZIALDATEN"
    ASYLBLG = "ASYLBLG"
    BEISTAND_68 = "BEISTAND_68"
    KEINES = "KEINES"


class CategoryClass(StrEnum):
    """Sensitivity class of a data category (rules dossier 3)."""

    O = "O"  # noqa: E741  the dossier's own letter
    E = "E"
    G = "G"
    J = "J"
    A9 = "A9"
    A10 = "A10"


class KeyCondition(StrEnum):
    """What a key to a lock can ask for (settled readings C 7, 8, 11)."""

    ERKLAERT = "erklaert"
    EINWILLIGUNG_ANVERTRAUER = "einwilligung_anvertrauer"
    HINWEIS_RECHTZEITIG = "hinweis_rechtzeitig"
    KEIN_WIDERSPRUCH = "kein_widerspruch"
    ENTBINDUNG = "entbindung"
    ENTBINDUNG_NACH_WIDERSPRUCH = "entbindung_nach_widerspruch"
    PAR69 = "par69"
    GLEICHER_ZWECK = "gleicher_zweck"


class Occasion(StrEnum):
    """When a duty of a permit arises (settled reading E)."""

    IMMER = "immer"
    EMPFAENGER_PAR35 = "empfaenger_par35"
    EMPFAENGER_NICHT_PAR35 = "empfaenger_nicht_par35"
    EMPFAENGER_PRIVAT = "empfaenger_privat"
    INFORMATION = "information"
    ANVERTRAUT = "anvertraut"
    BEISTAND = "beistand"
    STRITTIG = "strittig"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What every row carries. `where` is file and row, for messages to people."""

    valid: Validity
    norms: tuple[str, ...]
    source: str
    checked_on: date
    grade: Grade
    note: str = ""
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitRow(Row):
    """A unit: whose controller it is, and which law binds it."""

    code: UnitCode
    name: str
    controller: str
    regime: Regime
    par35: bool
    private: bool = False

    @property
    def social(self) -> bool:
        """A social authority: § 35 body, AsylbLG office or Beistand (settled reading C 6)."""
        return self.regime is not Regime.KEINES


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryRow(Row):
    """A data category and its sensitivity class."""

    code: DataCategory
    name: str
    klass: CategoryClass


@dataclass(frozen=True, slots=True, kw_only=True)
class PurposeRow(Row):
    """A purpose. Without necessity rows on a day it is known by name only, and every transfer for it is a gap."""

    code: str
    name: str
    kern: tuple[DataCategory, ...] = ()
    pflicht: bool = False
    nur_auf_ersuchen: bool = False
    nur_einwilligung: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NecessityRow(Row):
    """What a purpose needs on a route: `necessary` always, `conditional` under a condition; the rest is removed."""

    purpose: str
    sender: str
    recipient: str
    necessary: tuple[DataCategory, ...]
    conditional: Mapping[DataCategory, str] = field(default_factory=dict)
    kern: tuple[DataCategory, ...] = ()
    pflicht: bool = False
    nur_auf_ersuchen: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GroundRow(Row):
    """The norms that carry a purpose, by statute or by consent, from a regime to a recipient."""

    purpose: str
    regime: Regime
    recipient: str
    basis: Literal["gesetz", "einwilligung"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentOnlyRow(Row):
    """Routes on which the statute does not carry: each item needs a consent that names it, else `code`."""

    name: str
    sender: UnitCode
    recipients: tuple[str, ...]
    code: str
    modes: tuple[str, ...]
    except_purposes: tuple[str, ...] = ()
    except_par64_nein: tuple[str, ...] = ()
    switch: str = ""
    switch_adds: bool = False
    """True: the row counts only with the switch; False: the switch takes the row away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DefaultMarkRow(Row):
    """The origin mark of an item for which none was declared (settled reading B)."""

    name: str
    sender: str
    mark: OriginMark
    categories: tuple[DataCategory, ...] = ()
    classes: tuple[CategoryClass, ...] = ()
    received_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LockRow(Row):
    """A mark that locks an item, and the code with which it falls. `rank` is the order in which locks are asked."""

    mark: OriginMark
    code: str
    rank: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow(Row):
    """A key to a lock: it opens where all its conditions hold. Several keys: one is enough."""

    lock: str
    name: str
    conditions: tuple[KeyCondition, ...]
    marks: tuple[OriginMark, ...] = ()
    switch: str = ""
    """The key counts with this switch alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionRow(Row):
    """Data received for this purpose had to be deleted after the check: no other use at all."""

    purpose: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionReasonRow(Row):
    """A reason for which asking the person is disproportionate (rules dossier 7.3)."""

    code: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionNormRow(Row):
    """A norm that lets the recipient collect elsewhere than from the person; the first of `norms` is the one named."""

    name: str
    recipient: UnitCode


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterRow(Row):
    """A figure of the law: an age, a time limit, a bound."""

    code: str
    value: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionRow(Row):
    """A condition of the necessity rows and how it is fulfilled (settled reading A 3)."""

    code: str
    name: str
    how: Literal["erklaert", "einwilligung", "ersuchen", "gutachten", "nicht_deutsch", "kind"]
    part: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeRow(Row):
    """A reason code at the gates that use it: kind and German text (``{kategorien}``, ``{zweck}``, …)."""

    code: str
    gates: tuple[str, ...]
    kind: RefusalKind
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRow(Row):
    """A gate: its name and what it says when it was passed, or when it was not asked."""

    gate: str
    name: str
    text: str
    idle: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DutyRow(Row):
    """A duty of a permit and when it arises."""

    code: str
    name: str
    when: Occasion


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchRow(Row):
    """A reading that is a choice. Off is the conservative reading that counts by default."""

    code: str
    name: str
