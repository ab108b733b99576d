"""The parts of an understood message. Made by `schemas.xml.validate` alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from schemas.declarations import Declarations, Received
from schemas.identifiers import (
    ConsentId,
    DataCategory,
    ErsuchenId,
    Instance,
    MessageId,
    Mode,
    OriginMark,
    Part,
    Purpose,
    Ueberhang,
)


@dataclass(frozen=True, slots=True)
class Head:
    """Who sends what to whom, when, on what ground. Aktenzeichen are personal data: never log a Head."""

    message_id: MessageId
    sender: Instance
    recipient: Instance
    created_at: datetime
    reply_to: MessageId | None
    test: bool
    case_sender: str
    case_recipient: str | None
    purpose: Purpose
    ground_claimed: str | None
    mode: Mode
    ersuchen: ErsuchenId | None
    ueberhang: Ueberhang


@dataclass(frozen=True, slots=True)
class Identity:
    """What a pseudonym is made from. Personal data: never log one."""

    family_name: str
    birth_name: str | None
    given_names: str
    birth_date: date


PersonRole = Literal["betroffene_person", "kind", "elternteil", "partner", "haushaltsmitglied", "unterhaltspflichtig"]


@dataclass(frozen=True, slots=True)
class Person:
    """A person of the message; `identity` is None where the block ``stammdaten`` was taken out."""

    ref: str
    role: PersonRole
    identity: Identity | None
    #: German nationality is known to be absent only where the block says so; None = not in the message.
    german: bool | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """One data block: its category and part come from the XSD's appinfo."""

    id: str
    person: str
    category: DataCategory
    part: Part | None
    marks: frozenset[OriginMark]
    contested: bool
    received: Received | None


@dataclass(frozen=True, slots=True)
class ValidatedPayload:
    """A message that passed the gate. `content` is its bytes, `digest` their SHA-256 in hexadecimal."""

    message_type: str
    version: str
    head: Head
    persons: tuple[Person, ...]
    blocks: tuple[Block, ...]
    declarations: Declarations
    consents: tuple[ConsentId, ...]
    digest: str
    content: bytes
