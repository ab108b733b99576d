"""Requests and answers about registered procedures."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from broker.procedures.models import Kind, Step
from broker.procedures.repository import ProcedureRow

STRICT = ConfigDict(extra="forbid", hide_input_in_errors=True, str_strip_whitespace=True)
Reason = Literal["MENGE", "EILE"]
Supervision = Literal["RECHTSAUFSICHT", "FACHAUFSICHT"]
Authority = Literal["LDI_NRW", "BFDI"]
EndReason = Literal["GENEHMIGUNG_WIDERRUFEN", "NICHT_MEHR_ERFORDERLICH", "ERSETZT", "BEANSTANDET", "IRRTUM"]


class Fixing(BaseModel):
    """The written fixing of occasion, purpose, recipients, kinds of data and measures (§ 79 Abs. 2 SGB X)."""

    model_config = STRICT

    fassung: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,63}$", description="Fassung des Schriftstücks")
    vom: date


class ProcedureIn(BaseModel):
    """A procedure to be registered, by one of its two sides."""

    model_config = STRICT

    kennung: UUID | None = Field(default=None, description="eigene Kennung der Anfrage, für die genaue Wiederholung")
    von: str = Field(max_length=128, description="Instanz <behoerde>:<EINHEIT>, die die Daten hat")
    an: str = Field(max_length=128, description="Instanz, die sie abruft oder bekommt")
    art: Kind
    zweck: str = Field(min_length=1, max_length=64)
    kategorien: list[str] = Field(min_length=1, max_length=100)
    angemessen_wegen: list[Reason] = Field(min_length=1, max_length=2, description="§ 79 Abs. 1 SGB X")
    festlegung: Fixing
    hoechstzahl: int | None = Field(
        default=None,
        ge=1,
        le=10_000_000,
        description="so viele Personen höchstens innerhalb von 30 Tagen; ohne Angabe: keine Höchstzahl festgelegt",
    )
    gueltig_ab: date
    gueltig_bis: date | None = Field(default=None, description="einschließlich; ohne Angabe: bis zu seinem Ende")


class ApprovalIn(BaseModel):
    """That the authority which supervises the calling side has approved (§ 79 Abs. 1 SGB X)."""

    model_config = STRICT

    genehmigt_am: date
    aufsicht: Supervision


class NoticeIn(BaseModel):
    """That the data-protection authority was told (§ 79 Abs. 3 SGB X, § 6 DSG NRW)."""

    model_config = STRICT

    unterrichtet_am: date
    stelle: Authority


class EndIn(BaseModel):
    """The end of a procedure; either side may end it."""

    model_config = STRICT

    beendet_am: date | None = Field(default=None, description="ohne Angabe: heute; nicht in der Zukunft")
    grund: EndReason


class StepOut(BaseModel):
    """One step: who recorded it, its day, and the authority or reason."""

    schritt: Literal["GENEHMIGT", "UNTERRICHTET", "BEENDET"]
    durch: str
    am: date
    angabe: str


class ProcedureOut(BaseModel):
    """An entry of the register, with what it is today."""

    id: str
    registriert_von: str
    registriert_am: datetime
    von: str
    an: str
    art: Kind
    zweck: str
    kategorien: list[str]
    angemessen_wegen: list[str]
    festlegung: Fixing
    hoechstzahl: int | None
    gueltig_ab: date
    gueltig_bis: date | None
    schritte: list[StepOut]
    genehmigt: bool = Field(description="von der Aufsicht beider Seiten")
    unterrichtet_am: date | None
    stand: str = Field(description="AKTIV, NOCH_NICHT, ABGELAUFEN, BEENDET oder UMFANG_UEBERSCHRITTEN")
    personen: int = Field(description="auf diesem Weg zu diesem Zweck innerhalb der letzten 30 Tage")

    @classmethod
    def of(cls, row: ProcedureRow, today: date, persons: int) -> ProcedureOut:
        """Show an entry on a day."""
        return cls(
            id=row.id,
            registriert_von=row.recorded_by,
            registriert_am=row.recorded_at,
            von=row.sender,
            an=row.recipient,
            art=row.kind,
            zweck=row.purpose,
            kategorien=sorted(row.categories),
            angemessen_wegen=list(row.reasons),
            festlegung=Fixing(fassung=row.fixed_version, vom=row.fixed_on),
            hoechstzahl=row.most_persons,
            gueltig_ab=row.valid_from,
            gueltig_bis=row.valid_until,
            schritte=[StepOut(schritt=SAID[s.step], durch=s.instance, am=s.dated, angabe=s.code) for s in row.steps],
            genehmigt=row.approved(today),
            unterrichtet_am=row.told(),
            stand=row.status(today, persons),
            personen=persons,
        )


SAID: dict[Step, Literal["GENEHMIGT", "UNTERRICHTET", "BEENDET"]] = {
    Step.APPROVED: "GENEHMIGT",
    Step.NOTIFIED: "UNTERRICHTET",
    Step.ENDED: "BEENDET",
}


class ProcedurePage(BaseModel):
    """A page of entries; `next_cursor` is None on the last."""

    items: list[ProcedureOut]
    next_cursor: str | None
