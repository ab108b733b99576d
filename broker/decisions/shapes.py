"""The shape of a decision over HTTP."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, Field

from consent.explanation.sentences import Language


class SentenceOut(BaseModel):
    """One sentence, and the codes that it says."""

    text: str
    norms: list[str]
    code: str | None = Field(description="reason code, condition, duty or disputed point that it speaks of")
    categories: list[str]
    due: date | None = Field(description="the last day in time, of a duty")


class SectionOut(BaseModel):
    """Sentences about one question. Keys: wanted, outcome, grounds, removed, remedies, duties, switches."""

    key: str
    title: str
    sentences: list[SentenceOut]


class ExplanationOut(BaseModel):
    """The decision in plain sentences."""

    language: Language
    sections: list[SectionOut]


class DutyStanding(StrEnum):
    """How a duty of a decision stands, as far as the reader may know."""

    FULFILLED = "fulfilled"
    """By the decision itself."""
    STANDING = "standing"
    """It has no end."""
    PENDING = "pending"
    """It arises with the hand-over."""
    OPEN = "open"
    OVERDUE = "overdue"
    DONE = "done"
    NOT_SHOWN = "not_shown"
    """It binds another office, or the content was not handed over."""
    LAPSED = "lapsed"
    """Nothing was sent."""


class DutyOfDecision(BaseModel):
    """A duty that follows from a permit; one for each side that it binds."""

    duty: str
    bound: str = Field(description="broker, sender or recipient")
    standing: DutyStanding
    due: date | None
    norms: list[str]
    id: str | None = Field(description="under /v1/duties, where it binds the reader")


class DecisionOut(BaseModel):
    """A decision with all that the reader may see of it."""

    id: str
    transfer_id: str
    occasion: str = Field(description="submit, check, hand_over or event")
    sender: str
    recipient: str
    purpose: str | None
    mode: str | None
    at: datetime
    on: date = Field(description="the day whose law counted (Europe/Berlin)")
    outcome: str = Field(description="PERMIT, PERMIT_REDUCED or DENY")
    rejected: bool = Field(description="something fell, and the sender had asked to send all or nothing")
    kind: str | None
    code: str | None
    catalogue: str = Field(description="fingerprint of the catalogue")
    engine: str = Field(description="version of the engine")
    facts_version: int | None = Field(description="version of the facts that are kept of it")
    switches: list[str] = Field(description="disputed points that were read otherwise than preset")
    grounds: list[str]
    kept: list[str]
    removed: list[dict[str, Any]]
    consents: list[str]
    findings: list[dict[str, Any]]
    duties: list[DutyOfDecision]
    explanation: ExplanationOut | None = Field(description="missing where its catalogue or facts cannot be read here")
    problems: list[dict[str, Any]] = Field(
        description="what is missing here, and why: problems (RFC 9457) facts-unreadable, catalogue-unreadable"
    )
    links: dict[str, str]
