"""Requests and answers about Ersuchen."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from broker.requests.repository import ErsuchenRow
from broker.subjects.person import PersonIn

STRICT = ConfigDict(extra="forbid", hide_input_in_errors=True, str_strip_whitespace=True)


class CollectionStatus(StrEnum):
    """How the requester first asked the person (rules dossier, section 7.3)."""

    VERSUCHT_FRUCHTLOS = "VERSUCHT_FRUCHTLOS"
    UNVERHAELTNISMAESSIG = "UNVERHAELTNISMAESSIG"
    RECHTSNORM = "RECHTSNORM"
    AUFGABENART = "AUFGABENART"
    EINWILLIGUNG = "EINWILLIGUNG"
    NICHT_VERSUCHT = "NICHT_VERSUCHT"
    NICHT_ANWENDBAR = "NICHT_ANWENDBAR"


class Collection(BaseModel):
    """The record of the first collection (§ 67a Abs. 2 SGB X, § 62 Abs. 3 SGB VIII)."""

    model_config = STRICT

    status: CollectionStatus
    gefragt_am: date | None = None
    frist: date | None = Field(default=None, description="bis wann die Person antworten konnte")
    norm: str | None = Field(default=None, max_length=120, description="bei RECHTSNORM")
    grund_code: str | None = Field(default=None, max_length=32, description="bei UNVERHAELTNISMAESSIG")


class ErsuchenIn(BaseModel):
    """A request to another instance for data about a person."""

    model_config = STRICT

    kennung: UUID | None = Field(default=None, description="eigene Kennung der Anfrage, für die genaue Wiederholung")
    an: str = Field(max_length=128, description="ersuchte Instanz <behoerde>:<EINHEIT>, der spätere Absender")
    zweck: str = Field(min_length=1, max_length=64)
    norm: str = Field(max_length=120, description="Norm der eigenen Aufgabe, z. B. „§ 41 SGB XII“")
    kategorien: list[str] = Field(min_length=1, max_length=100)
    person: PersonIn | None = Field(default=None, repr=False)
    aktenzeichen: str | None = Field(default=None, min_length=1, max_length=64, repr=False)
    ersterhebung: Collection
    frist: date = Field(description="bis wann die Antwort gebraucht wird")


class PersonOut(BaseModel):
    """The person asked about; shown to the addressee alone."""

    familienname: str
    geburtsname: str | None
    vornamen: str
    geburtsdatum: date


class ErsuchenOut(BaseModel):
    """An Ersuchen. `person` and `aktenzeichen` are shown to the addressee alone, and only while it is open."""

    id: str
    von: str
    an: str
    zweck: str
    norm: str
    kategorien: list[str]
    ersterhebung: Collection
    frist: date
    gestellt_am: datetime
    beendet_am: date | None
    beendet_grund: str | None
    person: PersonOut | None = None
    aktenzeichen: str | None = None

    @classmethod
    def of(cls, row: ErsuchenRow) -> ErsuchenOut:
        """Show a record without its sealed content."""
        first = row.first_collection
        return cls(
            id=row.id,
            von=row.requester,
            an=row.addressee,
            zweck=row.purpose,
            norm=row.norm,
            kategorien=sorted(row.categories),
            ersterhebung=Collection(
                status=CollectionStatus(first.status),
                gefragt_am=first.asked,
                frist=first.deadline,
                norm=first.norm,
                grund_code=first.reason_code,
            ),
            frist=row.deadline,
            gestellt_am=row.recorded_at,
            beendet_am=row.closed_on,
            beendet_grund=row.closing_reason,
        )


class ErsuchenPage(BaseModel):
    """A page of Ersuchen, without sealed content; `next_cursor` is None on the last."""

    items: list[ErsuchenOut]
    next_cursor: str | None


class ClosingIn(BaseModel):
    """The end of an Ersuchen: ABGELEHNT by the addressee, the others by the requester."""

    model_config = STRICT

    grund: Literal["ERLEDIGT", "ZURUECKGENOMMEN", "IRRTUM", "ABGELEHNT"]
