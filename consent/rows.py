"""The rows of the catalogue: everything a lawyer would look up, each row dated and with its source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Literal

from consent.decision import RefusalKind
from consent.validity import Validity
from schemas.identifiers import DataCategory, Mode, OriginMark, Part, UnitCode

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
    FACHKRAFT = "fachkraft"
    GEWICHTIGE_ANHALTSPUNKTE = "gewichtige_anhaltspunkte"
    DRINGEND = "dringend"
    GEFAHRRELEVANT = "gefahrrelevant"
    NACHWEIS = "nachweis"


class Proof(StrEnum):
    """What a ground asks for beside its row (settled reading C 15)."""

    ANORDNUNG = "richterliche_anordnung"
    ERSUCHEN_68 = "ersuchen_68"
    MAHNUNG_74 = "mahnung_74"
    ERSUCHEN_ODER_87 = "ersuchen_oder_87"
    ANHALTSPUNKTE = "gewichtige_anhaltspunkte"


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
    ABGLEICH = "abgleich"
    DRINGEND = "dringend"
    FACHKRAFT_AUSSERHALB = "fachkraft_ausserhalb"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What every row carries. `where` is file and row, for messages to people.

    A row of a disputed point counts with a switch alone (`with_switch`), or not with any of `without_switches`.
    """

    valid: Validity
    norms: tuple[str, ...]
    source: str
    checked_on: date
    grade: Grade
    note: str = ""
    with_switch: str = ""
    without_switches: tuple[str, ...] = ()
    where: str = ""

    def counts(self, switches: frozenset[str]) -> bool:
        """Whether the row counts where these switches are on."""
        return (not self.with_switch or self.with_switch in switches) and switches.isdisjoint(self.without_switches)

    def excludes(self, other: Row) -> bool:
        """Whether a switch keeps this row and another one from ever counting together."""
        return bool({self.with_switch} & {*other.without_switches} or {other.with_switch} & {*self.without_switches})


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
    """A purpose: what carries it (`kern`), and how it is asked. Without necessity rows every transfer for it is a gap.

    `schutzauftrag`: the protection of a child (§ 8a SGB VIII), before which interests and the success of a help stand
    back. `nur_intern`: use by one controller, which has no rows. `ohne_aufgabe`: a unit that has no task in the matter.
    """

    code: str
    name: str
    kern: tuple[DataCategory, ...] = ()
    pflicht: bool = False
    nur_auf_ersuchen: bool = False
    nur_einwilligung: bool = False
    schutzauftrag: bool = False
    nur_intern: bool = False
    ohne_aufgabe: bool = False


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
    modes: tuple[Mode, ...]
    except_purposes: tuple[str, ...] = ()
    except_par64_nein: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BarredRow(Row):
    """A route that no ground carries for a purpose, although a necessity row matches it (settled readings C 12, 15)."""

    purpose: str
    senders: tuple[str, ...]
    recipients: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofRow(Row):
    """What the ground of a purpose asks for beside its row, of senders under these regimes to that recipient."""

    purpose: str
    recipient: str
    regimes: tuple[Regime, ...]
    proof: Proof
    except_controllers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcedureRow(Row):
    """A mode that needs a registered procedure, of senders under a regime (settled reading C 20)."""

    mode: Mode
    regime: Regime
    approved: bool = False
    """Whether the approvals have to be complete."""


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
    """A key to a lock: it opens where all its conditions hold. Several keys: one is enough.

    Without `purposes` or `recipients` it is a key for every purpose, or to every recipient.
    """

    lock: str
    name: str
    conditions: tuple[KeyCondition, ...]
    marks: tuple[OriginMark, ...] = ()
    purposes: tuple[str, ...] = ()
    recipients: tuple[UnitCode, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionRow(Row):
    """Data transferred for this purpose have to be deleted after the check: no other use at all."""

    purpose: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionReasonRow(Row):
    """A reason for which asking the person is disproportionate (rules dossier 7.3)."""

    code: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionNormRow(Row):
    """A norm that lets the recipient collect elsewhere than from the person; the first of `norms` is the one named.

    It counts for a purpose or for a recipient (settled reading C 18).
    """

    name: str
    purpose: str = ""
    recipient: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterRow(Row):
    """A figure of the law: an age, a time limit, a bound. `text` says what it decides (``{wert}``)."""

    code: str
    name: str
    value: int
    text: str


class Fulfilled(StrEnum):
    """How a condition of a necessity row is fulfilled (settled reading A 3)."""

    ERKLAERT = "erklaert"
    ELEMENT = "element"
    EINWILLIGUNG = "einwilligung"
    ERSUCHEN = "ersuchen"
    GUTACHTEN = "gutachten"
    NICHT_DEUTSCH = "nicht_deutsch"
    KIND = "kind"
    FORTDAUERND = "fortdauernd"
    GEFAHRRELEVANT = "gefahrrelevant"
    NACHWEIS = "nachweis"
    INTERN = "intern"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionRow(Row):
    """A condition of the necessity rows and how it is fulfilled (settled reading A 3)."""

    code: str
    name: str
    how: Fulfilled
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
class DeclarationRow(Row):
    """A declaration or record that a gate can miss, in German, as what is missing (nominative)."""

    code: str
    name: str


class Bound(StrEnum):
    """Whom a duty binds."""

    BROKER = "broker"
    ABSENDER = "absender"
    EMPFAENGER = "empfaenger"


class Lasts(StrEnum):
    """How long a duty lasts: done by the decision itself, without an end, or to be done by a day."""

    ERFUELLT = "erfuellt"
    DAUERND = "dauernd"
    FRIST = "frist"


@dataclass(frozen=True, slots=True, kw_only=True)
class DutyRow(Row):
    """A duty of a permit: when it arises, whom it binds, and within how many calendar months and days it is due.

    The defaults are for catalogues that were kept before rows said this: they stay readable, and set nobody a day.
    """

    code: str
    name: str
    when: Occasion
    bound: tuple[Bound, ...] = (Bound.EMPFAENGER,)
    lasts: Lasts = Lasts.DAUERND
    months: int = 0
    days: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchRow(Row):
    """A reading that is a choice. Off is the conservative reading that counts by default."""

    code: str
    name: str
