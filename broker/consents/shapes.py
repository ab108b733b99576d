"""Requests and answers about consents; field names are the dossier's (section 6.1)."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from broker.consents.repository import ConsentRow
from broker.subjects.person import PersonIn
from consent.consents import ConsentForm, GivenBy

STRICT = ConfigDict(extra="forbid", hide_input_in_errors=True, str_strip_whitespace=True)
Custody = Literal["gemeinsam", "allein"]
Notice = Literal["zweck", "folgen_der_verweigerung", "widerruf"]


class Release(BaseModel):
    """A professional released from secrecy (§ 203 StGB). The name is kept as a keyed hash only."""

    model_config = STRICT

    name: str | None = Field(default=None, min_length=1, max_length=200, repr=False)
    natuerliche_person: bool


class Evidence(BaseModel):
    """What proves the declaration (Art. 7 Abs. 1 DSGVO)."""

    model_config = STRICT

    wortlaut_version: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,63}$", description="Fassung des Wortlauts")
    sprache: str = Field(default="de", pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$", max_length=35, description="BCP 47")
    dolmetscher: bool = False
    aufgenommen_von: str = Field(min_length=1, max_length=64, repr=False, description="Kennung der Fachkraft")


class ConsentIn(BaseModel):
    """A consent (`erteilt_am`) or a refusal (`verweigert_am`) to be recorded."""

    model_config = STRICT

    kennung: UUID | None = Field(default=None, description="eigene Kennung der Anfrage, für die genaue Wiederholung")
    person: PersonIn = Field(repr=False)
    aktenzeichen: str | None = Field(default=None, min_length=1, max_length=64, repr=False)
    erklaert_von: GivenBy
    erteilt_am: date | None = None
    verweigert_am: date | None = None
    gueltig_ab: date | None = Field(default=None, description="ohne Angabe: erteilt_am")
    gueltig_bis: date | None = Field(default=None, description="einschließlich; ohne Angabe: 12 Monate nach erteilt_am")
    zweck: str = Field(min_length=1, max_length=64)
    empfaenger: list[str] = Field(min_length=1, max_length=100, description="Instanzen <behoerde>:<EINHEIT>")
    kategorien: list[str] = Field(max_length=100)
    form: ConsentForm
    dokumentiert: bool = Field(default=False, description="bei mündlicher Form: schriftlich festgehalten")
    voreingestellt: bool = Field(default=False, description="der Schalter stand schon auf Ja")
    hinweise: list[Notice] = Field(max_length=10)
    freiwillig: bool
    einsichtsfaehig: bool | None = Field(default=None, description="bei Minderjährigen; ohne Angabe: ab 15 ja")
    sorge: Custody | None = Field(default=None, description="bei Minderjährigen, wie nachgewiesen")
    betreuer_aufgabenkreis: bool | None = Field(default=None, description="der Aufgabenkreis des Betreuers deckt es")
    haushaltsmitglieder_eingewilligt: bool | None = Field(
        default=None, description="bei Haushalt und Unterhalt: auch die übrigen Mitglieder, wie nachgewiesen"
    )
    entbindung: Release | None = None
    nachweis: Evidence


class WithdrawalIn(BaseModel):
    """The withdrawal of a consent."""

    model_config = STRICT

    widerrufen_am: date | None = Field(default=None, description="ohne Angabe: heute; nicht in der Zukunft")


class ConsentOut(BaseModel):
    """A recorded consent or refusal; the person is not part of it."""

    id: str
    aufgezeichnet_von: str
    aufgezeichnet_am: datetime
    erklaert_von: GivenBy
    erteilt_am: date | None
    verweigert_am: date | None
    gueltig_ab: date | None
    gueltig_bis: date | None
    widerrufen_am: date | None
    zweck: str
    empfaenger: list[str]
    kategorien: list[str]
    form: ConsentForm
    dokumentiert: bool
    voreingestellt: bool
    hinweise: list[str]
    freiwillig: bool
    einsichtsfaehig: bool | None
    sorge: str | None
    betreuer_aufgabenkreis: bool | None
    haushaltsmitglieder_eingewilligt: bool | None
    entbindung_natuerliche_person: bool | None
    wortlaut_version: str
    sprache: str
    dolmetscher: bool

    @classmethod
    def of(cls, row: ConsentRow) -> ConsentOut:
        """Show a record."""
        return cls(
            id=row.id,
            aufgezeichnet_von=row.recorded_by,
            aufgezeichnet_am=row.recorded_at,
            erklaert_von=row.given_by,
            erteilt_am=row.granted,
            verweigert_am=row.refused,
            gueltig_ab=row.valid_from,
            gueltig_bis=row.valid_until,
            widerrufen_am=row.revoked_on,
            zweck=row.purpose,
            empfaenger=sorted(row.recipients),
            kategorien=sorted(row.categories),
            form=row.form,
            dokumentiert=row.documented,
            voreingestellt=row.default_on,
            hinweise=sorted(row.notices),
            freiwillig=row.voluntary,
            einsichtsfaehig=row.insight_of_minor,
            sorge=row.custody,
            betreuer_aufgabenkreis=row.carer_covers,
            haushaltsmitglieder_eingewilligt=row.household_agreed,
            entbindung_natuerliche_person=row.release_natural_person,
            wortlaut_version=row.wording_version,
            sprache=row.language,
            dolmetscher=row.interpreter,
        )


class ConsentPage(BaseModel):
    """A page of consents; `next_cursor` is None on the last."""

    items: list[ConsentOut]
    next_cursor: str | None
