"""Requests and answers about first-collection attempts."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from broker.attempts.models import Outcome
from broker.attempts.repository import AttemptRow
from broker.subjects.person import PersonIn

STRICT = ConfigDict(extra="forbid", hide_input_in_errors=True, str_strip_whitespace=True)
Way = Literal["SCHRIFTLICH", "ELEKTRONISCH", "PERSOENLICH", "TELEFONISCH"]


class AttemptIn(BaseModel):
    """That the calling instance asked a person first."""

    model_config = STRICT

    kennung: UUID | None = Field(default=None, description="eigene Kennung der Anfrage, für die genaue Wiederholung")
    person: PersonIn | None = Field(default=None, repr=False)
    aktenzeichen: str | None = Field(default=None, min_length=1, max_length=64, repr=False)
    zweck: str = Field(min_length=1, max_length=64)
    kategorien: list[str] = Field(min_length=1, max_length=100, description="wonach gefragt wurde")
    gefragt_am: date
    frist: date = Field(description="bis wann die Person antworten konnte")
    weg: Way


class OutcomeIn(BaseModel):
    """What came of an attempt; without one it counts as fruitless when its time is over."""

    model_config = STRICT

    ergebnis: Outcome
    am: date | None = Field(default=None, description="ohne Angabe: heute; nicht in der Zukunft")


class AttemptOut(BaseModel):
    """An attempt; the person is not part of it."""

    id: str
    aufgezeichnet_von: str
    aufgezeichnet_am: datetime
    zweck: str
    kategorien: list[str]
    gefragt_am: date
    frist: date
    weg: str
    ergebnis: Outcome | None
    ergebnis_am: date | None

    @classmethod
    def of(cls, row: AttemptRow) -> AttemptOut:
        """Show a record."""
        return cls(
            id=row.id,
            aufgezeichnet_von=row.recorded_by,
            aufgezeichnet_am=row.recorded_at,
            zweck=row.purpose,
            kategorien=sorted(row.categories),
            gefragt_am=row.asked,
            frist=row.deadline,
            weg=row.way,
            ergebnis=row.outcome,
            ergebnis_am=row.dated,
        )


class AttemptPage(BaseModel):
    """A page of attempts; `next_cursor` is None on the last."""

    items: list[AttemptOut]
    next_cursor: str | None
