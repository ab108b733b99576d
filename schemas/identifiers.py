"""Identifiers and closed vocabularies, each a type of its own.

Codes are the field's own words (rules dossier, sections 1, 3 and 4) and stay German; see docs/glossary.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

AgencyId = NewType("AgencyId", str)
TransferId = NewType("TransferId", str)
MessageId = NewType("MessageId", str)
ConsentId = NewType("ConsentId", str)
ErsuchenId = NewType("ErsuchenId", str)
Pseudonym = NewType("Pseudonym", str)
Purpose = NewType("Purpose", str)

AGENCY_ID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


class UnitCode(StrEnum):
    """Functional Leistungsträger and other bodies (§ 67 Abs. 4 SGB X)."""

    JOBCENTER = "JOBCENTER"
    SOZIALAMT_SGBXII = "SOZIALAMT_SGBXII"
    SOZIALAMT_ASYLBLG = "SOZIALAMT_ASYLBLG"
    WOHNGELDSTELLE = "WOHNGELDSTELLE"
    JUGENDAMT_ASD = "JUGENDAMT_ASD"
    JUGENDAMT_WJH = "JUGENDAMT_WJH"
    JUGENDAMT_KITA = "JUGENDAMT_KITA"
    JUGENDAMT_UVG = "JUGENDAMT_UVG"
    JUGENDAMT_BEISTAND = "JUGENDAMT_BEISTAND"
    AGENTUR_FUER_ARBEIT = "AGENTUR_FUER_ARBEIT"
    KRANKENKASSE = "KRANKENKASSE"
    RENTENVERSICHERUNG = "RENTENVERSICHERUNG"
    FAMILIENKASSE = "FAMILIENKASSE"
    BAFOEG_AMT = "BAFOEG_AMT"
    ELTERNGELDSTELLE = "ELTERNGELDSTELLE"
    AUSLAENDERBEHOERDE = "AUSLAENDERBEHOERDE"
    POLIZEI = "POLIZEI"
    STAATSANWALTSCHAFT = "STAATSANWALTSCHAFT"
    FAMILIENGERICHT = "FAMILIENGERICHT"
    MELDEBEHOERDE = "MELDEBEHOERDE"
    BUERGERBUERO = "BUERGERBUERO"
    ORDNUNGSAMT = "ORDNUNGSAMT"
    SCHULE = "SCHULE"
    STEUERAMT = "STEUERAMT"
    VERMIETER = "VERMIETER"
    ARBEITGEBER = "ARBEITGEBER"
    FREIER_TRAEGER = "FREIER_TRAEGER"
    ENERGIEVERSORGER = "ENERGIEVERSORGER"


class DataCategory(StrEnum):
    """The 35 data categories of the rules dossier, section 3."""

    STAMMDATEN = "STAMMDATEN"
    ORDNUNGSMERKMAL = "ORDNUNGSMERKMAL"
    ANSCHRIFT = "ANSCHRIFT"
    SCHUTZANSCHRIFT = "SCHUTZANSCHRIFT"
    KONTAKT = "KONTAKT"
    BANKVERBINDUNG = "BANKVERBINDUNG"
    FAMILIENSTAND = "FAMILIENSTAND"
    HAUSHALT = "HAUSHALT"
    SORGERECHT = "SORGERECHT"
    STAATSANGEHOERIGKEIT = "STAATSANGEHOERIGKEIT"
    AUFENTHALTSSTATUS = "AUFENTHALTSSTATUS"
    LEISTUNGSBEZUG = "LEISTUNGSBEZUG"
    LEISTUNGSHOEHE = "LEISTUNGSHOEHE"
    ANTRAGSDATEN = "ANTRAGSDATEN"
    EINKOMMEN = "EINKOMMEN"
    VERMOEGEN = "VERMOEGEN"
    UNTERKUNFT = "UNTERKUNFT"
    UNTERHALT = "UNTERHALT"
    BILDUNG_ARBEIT = "BILDUNG_ARBEIT"
    ERWERBSFAEHIGKEIT = "ERWERBSFAEHIGKEIT"
    EINGLIEDERUNG = "EINGLIEDERUNG"
    LEISTUNGSMINDERUNG = "LEISTUNGSMINDERUNG"
    SCHULDEN = "SCHULDEN"
    KRANKENVERSICHERUNG = "KRANKENVERSICHERUNG"
    GESUNDHEIT = "GESUNDHEIT"
    BEHINDERUNG_PFLEGE = "BEHINDERUNG_PFLEGE"
    SUCHT_PSYCHE = "SUCHT_PSYCHE"
    SCHWANGERSCHAFT = "SCHWANGERSCHAFT"
    RELIGION_WELTANSCHAUUNG = "RELIGION_WELTANSCHAUUNG"
    ETHNIE_HERKUNFT = "ETHNIE_HERKUNFT"
    SEXUALITAET = "SEXUALITAET"
    STRAFRECHT = "STRAFRECHT"
    JUGENDHILFE_STATUS = "JUGENDHILFE_STATUS"
    JUGENDHILFE_INHALT = "JUGENDHILFE_INHALT"
    KINDESWOHL = "KINDESWOHL"


class Part(StrEnum):
    """An element that holds nothing more than a condition of the matrix names (settled reading A 3)."""

    MIET = "MIET"
    """Rent arrears only."""
    ARBG = "ARBG"
    """Employer's name and address only."""
    WEGFALL = "WEGFALL"
    """Begin and end of a placement outside the home only."""
    STEUER_IDNR = "STEUER_IDNR"
    """The tax id as a key; the law lets it pass nowhere here (IDNrG)."""


class OriginMark(StrEnum):
    """Where a datum comes from (rules dossier, section 4)."""

    SELBST = "SELBST"
    EIGEN = "EIGEN"
    ARZT_203 = "ARZT_203"
    GUTACHTEN = "GUTACHTEN"
    ANVERTRAUT_65 = "ANVERTRAUT_65"
    DRITTER = "DRITTER"
    EMPFANGEN = "EMPFANGEN"
    BEISTAND = "BEISTAND"
    STRITTIG = "STRITTIG"


class Mode(StrEnum):
    """How the transfer comes about (rules dossier, section 1.3)."""

    ERSUCHEN = "ERSUCHEN"
    UNAUFGEFORDERT = "UNAUFGEFORDERT"
    ABRUF = "ABRUF"
    REGELMAESSIG = "REGELMAESSIG"


class Ueberhang(StrEnum):
    """What the sender wants done with data that may not pass."""

    ABLEHNEN = "ablehnen"
    ENTFERNEN = "entfernen"


class MalformedInstance(ValueError):
    """The text is not ``<agency>:<UNIT>``. The text itself is not repeated."""


@dataclass(frozen=True, slots=True, order=True)
class Instance:
    """A functional Leistungsträger at an agency: sends, receives, is named in consents, is the controller."""

    agency: AgencyId
    unit: UnitCode

    @classmethod
    def parse(cls, text: str) -> Instance:
        """Read ``<agency>:<UNIT>``, for example ``jugendamt-marl:JUGENDAMT_ASD``. Raises `MalformedInstance`."""
        agency, _, unit = text.partition(":")
        if not AGENCY_ID.fullmatch(agency) or unit not in UnitCode.__members__:
            raise MalformedInstance("eine Instanz heißt <behoerde>:<EINHEIT>, z. B. jugendamt-marl:JUGENDAMT_ASD")
        return cls(AgencyId(agency), UnitCode(unit))

    def __str__(self) -> str:
        return f"{self.agency}:{self.unit.value}"
