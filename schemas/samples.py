"""Made-up but realistic content for each data block, for examples, the demonstration, measurements and tests.

A `Content` is a sequence of (element, text | content | attributes). Texts in ``{…}`` are filled by `schemas.compose`:
``{family}``, ``{given}`` and ``{birth}`` of the block's person, ``{person}`` its reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Union

from schemas.check_digits import iban_with_check_digits, tax_id_check_digit
from schemas.identifiers import DataCategory as C
from schemas.identifiers import Part

#: (element name, its text, its children, or its attributes); nested children are again `Content`.
Content = Sequence[tuple[str, Union[str, "Content", dict[str, str]]]]

_ADDRESS: Content = (
    ("strasse", "Bergstraße"),
    ("hausnummer", "12 a"),
    ("plz", "45770"),
    ("ort", "Marl"),
)
_MONTH: Content = (
    ("monat", "2026-09"),
    ("posten", (("art", "REGELBEDARF"), ("betrag", "563.00"))),
    ("posten", (("art", "UNTERKUNFT"), ("betrag", "410.50"))),
    ("summe", "973.50"),
)

#: Element name and default content of every category and part.
SAMPLES: dict[tuple[C, Part | None], tuple[str, Content]] = {
    (C.STAMMDATEN, None): (
        "stammdaten",
        (("familienname", "{family}"), ("vornamen", "{given}"), ("geburtsdatum", "{birth}")),
    ),
    (C.ORDNUNGSMERKMAL, None): ("ordnungsmerkmal", (("art", "BG_NUMMER"), ("wert", "35902//0012345"))),
    (C.ORDNUNGSMERKMAL, Part.STEUER_IDNR): (
        "steuerIdnr",
        (("idnr", f"8609574271{tax_id_check_digit('8609574271')}"),),
    ),
    (C.ANSCHRIFT, None): ("anschrift", (("anschrift", _ADDRESS), ("ags", "05562024"), ("seit", "2021-04-01"))),
    (C.SCHUTZANSCHRIFT, None): (
        "schutzanschrift",
        (
            ("grund", "FRAUENHAUS"),
            ("anschrift", (("strasse", "Am Beispielpark"), ("plz", "45657"), ("ort", "Recklinghausen"))),
        ),
    ),
    (C.KONTAKT, None): (
        "kontakt",
        (("telefon", "+49 2365 0000000"), ("email", "kontakt@beispiel.example"), ("sprache", "de")),
    ),
    (C.BANKVERBINDUNG, None): (
        "bankverbindung",
        (
            ("iban", iban_with_check_digits("DE", "426610080000123456")),
            ("kontoinhaber", (("inhaberPerson", {"person": "{person}"}),)),
        ),
    ),
    (C.FAMILIENSTAND, None): ("familienstand", (("stand", "GESCHIEDEN"), ("seit", "2019-06-14"))),
    (C.HAUSHALT, None): ("haushalt", (("art", "BEDARFSGEMEINSCHAFT"), ("anzahlPersonen", "1"))),
    (C.SORGERECHT, None): ("sorgerecht", (("art", "SORGE_GEMEINSAM"),)),
    (C.STAATSANGEHOERIGKEIT, None): ("staatsangehoerigkeit", (("staat", "DE"),)),
    (C.AUFENTHALTSSTATUS, None): (
        "aufenthaltsstatus",
        (
            ("titel", "AUFENTHALTSERLAUBNIS"),
            ("paragraf", "24"),
            ("erteiltAm", "2025-03-05"),
            ("gueltigBis", "2027-03-04"),
            ("erwerbErlaubt", "true"),
        ),
    ),
    (C.LEISTUNGSBEZUG, None): (
        "leistungsbezug",
        (
            ("leistungsart", "SGB2_BUERGERGELD"),
            ("von", "2024-02-01"),
            ("bis", "2026-10-31"),
            ("status", "BEWILLIGT"),
            ("bescheidVom", "2025-10-20"),
        ),
    ),
    (C.LEISTUNGSHOEHE, None): ("leistungshoehe", (("leistungsart", "SGB2_BUERGERGELD"), ("monat", _MONTH))),
    (C.ANTRAGSDATEN, None): (
        "antragsdaten",
        (
            ("leistungsart", "SGB12_GRUNDSICHERUNG"),
            ("antragAm", "2026-01-12"),
            ("eingangAm", "2026-01-13"),
            ("form", "SCHRIFTLICH"),
        ),
    ),
    (C.EINKOMMEN, None): (
        "einkommen",
        (
            ("art", "ERWERBSEINKOMMEN"),
            ("monat", (("monat", "2026-08"), ("brutto", "520.00"), ("netto", "520.00"))),
            ("monat", (("monat", "2026-09"), ("brutto", "538.00"), ("netto", "538.00"))),
        ),
    ),
    (C.VERMOEGEN, None): (
        "vermoegen",
        (("gegenstand", (("art", "SPARGUTHABEN"), ("wert", "1250.00"), ("stichtag", "2026-01-01"))),),
    ),
    (C.UNTERKUNFT, None): (
        "unterkunft",
        (
            ("art", "MIETE"),
            ("grundmiete", "330.00"),
            ("nebenkosten", "80.50"),
            ("heizkosten", "65.00"),
            ("wohnflaeche", "48.5"),
            ("anzahlPersonen", "1"),
            ("mietbeginn", "2021-04-01"),
            ("vermieter", "Beispiel Wohnungsbau GmbH"),
        ),
    ),
    (C.UNTERHALT, None): (
        "unterhalt",
        (
            ("titel", "JUGENDAMTSURKUNDE"),
            ("titelVom", "2020-05-11"),
            ("monatsbetrag", "312.00"),
            ("zahlung", (("monat", "2026-09"), ("betrag", "150.00"))),
            ("rueckstand", "1620.00"),
        ),
    ),
    (C.BILDUNG_ARBEIT, None): (
        "bildungArbeit",
        (
            ("art", "AUSBILDUNG"),
            ("einrichtung", "Beispiel Tischlerei GmbH"),
            ("abschluss", "MITTLERER_ABSCHLUSS"),
            ("von", "2025-08-01"),
        ),
    ),
    (C.BILDUNG_ARBEIT, Part.ARBG): (
        "arbeitgeber",
        (("name", "Beispiel Logistik GmbH & Co. KG"), ("anschrift", _ADDRESS)),
    ),
    (C.ERWERBSFAEHIGKEIT, None): (
        "erwerbsfaehigkeit",
        (("ergebnis", "VOLL_ERWERBSGEMINDERT_AUF_DAUER"), ("von", "2026-11-01")),
    ),
    (C.EINGLIEDERUNG, None): (
        "eingliederung",
        (
            ("kooperationsplanVom", "2026-02-03"),
            ("massnahme", (("art", "COACHING"), ("von", "2026-03-01"), ("status", "LAUFEND"))),
        ),
    ),
    (C.LEISTUNGSMINDERUNG, None): (
        "leistungsminderung",
        (("grund", "MELDEVERSAEUMNIS"), ("prozent", "10"), ("von", "2026-05-01"), ("bis", "2026-05-31")),
    ),
    (C.SCHULDEN, None): (
        "schulden",
        (("posten", (("art", "ENERGIE"), ("betrag", "640.20"), ("stichtag", "2026-01-15"))),),
    ),
    (C.SCHULDEN, Part.MIET): (
        "mietschulden",
        (("rueckstand", "1230.00"), ("von", "2025-11-01"), ("bis", "2026-01-31"), ("stichtag", "2026-01-31")),
    ),
    (C.KRANKENVERSICHERUNG, None): (
        "krankenversicherung",
        (("kasse", "Beispiel Krankenkasse"), ("status", "PFLICHTVERSICHERT"), ("von", "2024-02-01")),
    ),
    (C.GESUNDHEIT, None): (
        "gesundheit",
        (("befund", (("art", "DIAGNOSE"), ("icd", "M54.5"), ("datum", "2025-12-03"))),),
    ),
    (C.BEHINDERUNG_PFLEGE, None): (
        "behinderungPflege",
        (("gdb", "50"), ("merkzeichen", "G"), ("gueltigAb", "2023-01-01")),
    ),
    (C.SUCHT_PSYCHE, None): ("suchtPsyche", (("art", "PSYCHOSOZIALE_BETREUUNG"), ("von", "2025-06-01"))),
    (C.SCHWANGERSCHAFT, None): ("schwangerschaft", (("geburtstermin", "2027-02-20"),)),
    (C.RELIGION_WELTANSCHAUUNG, None): (
        "religionWeltanschauung",
        (("art", "GEWERKSCHAFT"), ("bezeichnung", "Beispielgewerkschaft")),
    ),
    (C.ETHNIE_HERKUNFT, None): ("ethnieHerkunft", (("bezeichnung", "Beispielvolk"),)),
    (C.SEXUALITAET, None): ("sexualitaet", (("art", "ORIENTIERUNG"), ("angabe", "HETEROSEXUELL"))),
    (C.STRAFRECHT, None): ("strafrecht", (("art", "BEWAEHRUNG"), ("paragraf", "242"), ("von", "2025-09-01"))),
    (C.JUGENDHILFE_STATUS, None): (
        "jugendhilfeStatus",
        (("hilfeart", "PAR31_FAMILIENHILFE"), ("von", "2025-05-01"), ("status", "LAUFEND")),
    ),
    (C.JUGENDHILFE_STATUS, Part.WEGFALL): ("unterbringungszeitraum", (("von", "2025-12-01"),)),
    (C.JUGENDHILFE_INHALT, None): (
        "jugendhilfeInhalt",
        (("hilfeplanVom", "2026-01-20"), ("ziel", (("bereich", "SCHULE_AUSBILDUNG"), ("stand", "IN_ARBEIT")))),
    ),
    (C.KINDESWOHL, None): (
        "kindeswohl",
        (
            ("anhaltspunkt", (("art", "VERNACHLAESSIGUNG"), ("datum", "2026-01-18"))),
            ("einschaetzung", "OFFEN"),
            ("mitteilung", "SCHULE"),
        ),
    ),
}
