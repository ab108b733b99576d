"""What the two sides of a transfer declare, as facts the law may look at.

The field names are those of the case format; ``None`` (or an empty set) means: not declared. Whether a missing
declaration helps or hurts is the law's to say (settled reading A 1), not this module's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from schemas.identifiers import DataCategory, OriginMark, Purpose, UnitCode

Par64Answer = Literal["nein", "ja", "unklar"]
Sorge = Literal["gemeinsam", "allein"]


@dataclass(frozen=True, slots=True)
class Received:
    """The origin of an item marked EMPFANGEN: from whom, for what, under which mark."""

    ursprung: UnitCode | None = None
    ursprungszweck: Purpose | None = None
    ursprungsmarke: OriginMark | None = None


@dataclass(frozen=True, slots=True)
class RegisteredProcedure:
    """The entry of the procedure register behind ABRUF, REGELMAESSIG or bulk (§ 79 SGB X, § 6 DSG NRW)."""

    verfahren_id: str
    status: str | None = None
    genehmigt: bool | None = None
    ldi_unterrichtet: date | None = None
    kategorien: frozenset[DataCategory] = frozenset()


@dataclass(frozen=True, slots=True)
class Declarations:
    """Declarations of one transfer. Dates are days (Europe/Berlin)."""

    konkreter_bedarf: bool | None = None
    bedingungen: frozenset[str] = frozenset()
    par64_2_erfolg_gefaehrdet: Par64Answer | None = None
    fachkraft: str | None = None
    par65_key: str | None = None
    anvertraut_von: str | None = None
    absender_beruf_203: frozenset[DataCategory] = frozenset()
    hinweis_par76: date | None = None
    verfahrensbeginn: date | None = None
    gewichtige_anhaltspunkte: bool | None = None
    dringend: bool | None = None
    gefahrrelevant: frozenset[DataCategory] = frozenset()
    anhaltspunkte_schutz: bool | None = None
    schutzanschrift_im_register: bool | None = None
    ersuchen_vom: date | None = None
    leitung_entschieden: bool | None = None
    norm: str | None = None
    richterliche_anordnung: date | None = None
    verpflichtung_privat: date | None = None
    verfahren: RegisteredProcedure | None = None
    anzahl_personen: int | None = None
    received: Received = field(default_factory=Received)
    mahnung_am: date | None = None
    mahnung_mit_hinweis: bool | None = None
    frist_bis: date | None = None
    gerichtsverfahren: bool | None = None
    haushaltsmitglieder_eingewilligt: bool | None = None
    nachweis_fuer_anspruch: bool | None = None
    fortdauernder_zustand: bool | None = None
    ordnungsmerkmal_typ: str | None = None
    sorge: Sorge | None = None
    betreuer_aufgabenkreis: bool | None = None
    anhang: str | None = None
    kategorien_erklaert: bool | None = None
    anderer_traeger: bool | None = None
    raeumungstermin: date | None = None
