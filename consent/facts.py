"""TransferFacts: everything the law may look at, and nothing else. No names, no birth dates, no Aktenzeichen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from consent.consents import Consent, GivenBy
from schemas.declarations import Declarations, Received
from schemas.identifiers import DataCategory, Mode, OriginMark, Part, Purpose, UnitCode

FACTS_VERSION = 1


@dataclass(frozen=True, slots=True)
class Party:
    """One side: the unit decides the law, the instance is the controller's name (in case files the unit code)."""

    instance: str
    unit: UnitCode


@dataclass(frozen=True, slots=True)
class PersonFacts:
    """A person of the transfer: age in full years on the day; `german` None = unknown."""

    ref: str
    age: int | None
    is_child: bool = False
    german: bool | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One data block of one person."""

    id: str
    person: str
    category: DataCategory
    part: Part | None = None
    marks: frozenset[OriginMark] = frozenset()
    contested: bool = False
    received: Received | None = None
    """Origin of this item where it is marked EMPFANGEN; None = the declarations' `received` counts."""


class ObjectionScope(StrEnum):
    """Against what a recorded stop is directed."""

    PAR76 = "PAR76"
    ART21 = "ART21"
    ALLE = "ALLE"
    OPT_OUT = "OPT_OUT"


@dataclass(frozen=True, slots=True)
class Objection:
    """A recorded objection or opt-out. `near`: found by a near match of the person only, so a human has to look."""

    date: date
    scope: ObjectionScope
    by: GivenBy = GivenBy.PERSON
    person: str | None = None
    """Person reference in the transfer; None = the case."""
    recorded_by: str | None = None
    near: bool = False


@dataclass(frozen=True, slots=True)
class FirstCollection:
    """The recipient's record of the first collection from the person (§ 67a Abs. 2 SGB X, § 62 SGB VIII)."""

    status: str
    asked: date | None = None
    deadline: date | None = None
    norm: str | None = None
    reason_code: str | None = None


@dataclass(frozen=True, slots=True)
class TransferFacts:
    """The facts of one transfer. `same_controller` None = not declared (settled reading C 5)."""

    sender: Party
    recipient: Party
    purpose: Purpose
    mode: Mode
    persons: tuple[PersonFacts, ...]
    items: tuple[Item, ...]
    declarations: Declarations
    first_collection: FirstCollection | None = None
    requested: frozenset[DataCategory] | None = None
    """The categories that the Ersuchen names; None in case files: whatever is sent was asked for."""
    consents: tuple[Consent, ...] = ()
    objections: tuple[Objection, ...] = ()
    same_controller: bool | None = None
    shelter_recorded_by: str | None = None
    """The controller whose register holds a protected address of a person, where `schutzanschrift_im_register`."""
    transfer_id: str = ""
    payload_digest: str = ""
