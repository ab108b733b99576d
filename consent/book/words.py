"""German words for the closed vocabularies of the rows, and how German lawyers cite and date."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date
from types import MappingProxyType

from consent.decision import RefusalKind
from consent.norm import Norm
from consent.rows import Bound, CategoryClass, Fulfilled, KeyCondition, Lasts, Occasion, Proof, Regime
from consent.validity import Validity
from schemas.identifiers import Mode, OriginMark, Part

GRADES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "V": (
            "am Gesetz geprüft",
            (
                "gegen den Wortlaut des Gesetzes gehalten, in einem konsolidierten Text mit Stand 2018/19 (nach der "
                "Anpassung "
                "an die DSGVO); spätere Änderungen sind berücksichtigt, soweit sie bekannt waren"
            ),
        ),
        "S": (
            "aus zweiter Hand",
            (
                "einem Kommentar, einer Aufsichtsbehörde, einem Gericht, einer Arbeitshilfe oder der Studie entnommen; "
                "der "
                "Wortlaut des Gesetzes wurde dafür nicht gelesen"
            ),
        ),
        "K": (
            "allgemeine Fachkenntnis",
            "nicht nachgeprüft; vor dem Einsatz mit echten Daten muss eine Juristin oder ein Jurist sie bestätigen",
        ),
    }
)
"""Evidence grade → short, and what it means."""

REGIMES: Mapping[Regime, str] = MappingProxyType(
    {
        Regime.SOZIALDATEN: "entscheidet das Recht der Sozialdaten (DSGVO, § 35 SGB I, §§ 67 ff. SGB X)",
        Regime.ASYLBLG: "entscheiden DSGVO, DSG NRW und §§ 9, 11 AsylbLG, nicht das SGB X",
        Regime.BEISTAND_68: "entscheiden DSGVO und § 68 SGB VIII, nicht §§ 62–65 SGB VIII und nicht das SGB X",
        Regime.KEINES: "gibt es hier kein Recht, das eine Übermittlung trüge",
    }
)
"""What decides about a sender's data, as the end of „übermittelt diese Stelle, so …“."""

SENDERS: Mapping[Regime, str] = MappingProxyType(
    {
        Regime.SOZIALDATEN: "eine Stelle nach § 35 SGB I",
        Regime.ASYLBLG: "die Stelle für das AsylbLG",
        Regime.BEISTAND_68: "der Beistand",
        Regime.KEINES: "eine andere Stelle",
    }
)
"""Who sends, by the law that binds."""

CLASSES: Mapping[CategoryClass, str] = MappingProxyType(
    {
        CategoryClass.O: "gewöhnliche Sozialdaten",
        CategoryClass.E: "Sozialdaten, deren Bekanntwerden besonders schadet",
        CategoryClass.G: "Gesundheitsdaten (§ 67b Abs. 1 Satz 3 SGB X, Art. 9 DSGVO)",
        CategoryClass.J: "Inhalte der Jugendhilfe, meist anvertraut (§ 65 SGB VIII)",
        CategoryClass.A9: "andere besondere Kategorien (Art. 9 DSGVO)",
        CategoryClass.A10: "Straftaten und Strafverfahren (Art. 10 DSGVO)",
    }
)

MARKS: Mapping[OriginMark, str] = MappingProxyType(
    {
        OriginMark.SELBST: "von der Person selbst angegeben",
        OriginMark.EIGEN: "von der Stelle selbst erzeugt",
        OriginMark.ARZT_203: "von einer Person mit Berufsgeheimnis (§ 203 StGB)",
        OriginMark.GUTACHTEN: "aus einer Begutachtung für eine Sozialleistung (§ 76 Abs. 2 Nr. 1 SGB X)",
        OriginMark.ANVERTRAUT_65: "einer Fachkraft der Jugendhilfe anvertraut (§ 65 SGB VIII)",
        OriginMark.DRITTER: "von Dritten mitgeteilt",
        OriginMark.EMPFANGEN: "von einer anderen Stelle empfangen",
        OriginMark.BEISTAND: "als Beistand, Pfleger oder Vormund erlangt (§ 68 SGB VIII)",
        OriginMark.STRITTIG: "von der Person bestritten",
    }
)

MODES: Mapping[Mode, str] = MappingProxyType(
    {
        Mode.ERSUCHEN: "auf Ersuchen",
        Mode.UNAUFGEFORDERT: "unaufgefordert",
        Mode.ABRUF: "im automatisierten Abruf",
        Mode.REGELMAESSIG: "in regelmäßiger Lieferung",
    }
)

LOCKS: Mapping[str, str] = MappingProxyType(
    {
        "PAR65": "Sperre für Anvertrautes (§ 65 SGB VIII)",
        "PAR76": "Sperre des Berufsgeheimnisses (§ 76 SGB X)",
        "PAR203": "Sperre der eigenen Schweigepflicht (§ 203 StGB)",
        "SCHUTZINTERESSE": "Sperre der Schutzanschrift (§ 51 BMG)",
        "PAR68": "Sperre der Beistandschaft (§ 68 SGB VIII)",
    }
)
"""The code with which a locked item falls → what locks it."""

KEY_CONDITIONS: Mapping[KeyCondition, str] = MappingProxyType(
    {
        KeyCondition.ERKLAERT: "der Absender erklärt, dass er sich auf diesen Schlüssel stützt",
        KeyCondition.EINWILLIGUNG_ANVERTRAUER: (
            "die Person, die das Datum anvertraut hat, hat wirksam eingewilligt: für diesen Zweck, diesen Empfänger "
            "und "
            "diese Datenkategorie"
        ),
        KeyCondition.HINWEIS_RECHTZEITIG: (
            "auf das Widerspruchsrecht wurde spätestens bei Beginn des Verfahrens hingewiesen (ist der Beginn nicht "
            "erklärt: vor dem Tag der Übermittlung)"
        ),
        KeyCondition.KEIN_WIDERSPRUCH: "kein Widerspruch der Person nach § 76 SGB X liegt vor",
        KeyCondition.ENTBINDUNG: (
            "eine wirksame Einwilligung nennt die Datenkategorie und entbindet schriftlich oder elektronisch eine "
            "namentlich genannte natürliche Person von der Schweigepflicht"
        ),
        KeyCondition.ENTBINDUNG_NACH_WIDERSPRUCH: (
            "eine wirksame Einwilligung nennt die Datenkategorie, entbindet schriftlich oder elektronisch eine "
            "namentlich "
            "genannte natürliche Person von der Schweigepflicht und ist, wo widersprochen wurde, später als der "
            "Widerspruch erteilt"
        ),
        KeyCondition.PAR69: "die Übermittlung stützt sich auf § 69 SGB X",
        KeyCondition.GLEICHER_ZWECK: "der Zweck ist derselbe, zu dem die Daten empfangen wurden",
        KeyCondition.FACHKRAFT: "eine Fachkraft steht für die Erklärung ein",
        KeyCondition.GEWICHTIGE_ANHALTSPUNKTE: "gewichtige Anhaltspunkte für eine Gefährdung sind erklärt",
        KeyCondition.DRINGEND: "die Gefahr ist als gegenwärtig und dringend erklärt",
        KeyCondition.GEFAHRRELEVANT: "die Datenkategorie ist als bedeutsam für die Gefahr erklärt",
        KeyCondition.NACHWEIS: "das Datum ist als Nachweis des Erstattungsanspruchs erklärt",
    }
)

PROOFS: Mapping[Proof, str] = MappingProxyType(
    {
        Proof.ANORDNUNG: "eine richterliche Anordnung, die spätestens am Tag der Übermittlung ergangen ist",
        Proof.ERSUCHEN_68: (
            "ein Ersuchen im Einzelfall, dessen Datum genannt und das nicht veraltet ist, und die Entscheidung der "
            "Leitung "
            "der Stelle"
        ),
        Proof.MAHNUNG_74: (
            "ein gerichtliches Verfahren, oder eine Mahnung mit Hinweis auf diese Auskunftsbefugnis, deren Frist vor "
            "dem "
            "Tag der Übermittlung abgelaufen ist"
        ),
        Proof.ERSUCHEN_ODER_87: (
            "ein Ersuchen, das nicht veraltet ist, oder, wenn unaufgefordert übermittelt wird, eine Pflicht aus "
            "§ 87 AufenthG"
        ),
        Proof.ANHALTSPUNKTE: "die Erklärung, dass es gewichtige Anhaltspunkte für eine Gefährdung des Kindes gibt",
    }
)

OCCASIONS: Mapping[Occasion, str] = MappingProxyType(
    {
        Occasion.IMMER: "mit jeder zugelassenen Übermittlung",
        Occasion.EMPFAENGER_PAR35: (
            "wenn der Empfänger eine Stelle nach § 35 SGB I und ein anderer Verantwortlicher als der Absender ist"
        ),
        Occasion.EMPFAENGER_NICHT_PAR35: "wenn der Empfänger keine Stelle nach § 35 SGB I ist",
        Occasion.EMPFAENGER_PRIVAT: "wenn der Empfänger eine private Stelle ist",
        Occasion.INFORMATION: (
            "wenn auf Ersuchen oder im Abruf übermittelt wird, oder der Empfänger eine Stelle nach § 35 SGB I und ein "
            "anderer Verantwortlicher ist"
        ),
        Occasion.ANVERTRAUT: "wenn anvertraute Daten (§ 65 SGB VIII) übermittelt werden",
        Occasion.BEISTAND: "wenn der Absender Beistand ist oder Daten aus einer Beistandschaft übermittelt werden",
        Occasion.STRITTIG: "wenn die Person eine der Angaben bestreitet",
        Occasion.ABGLEICH: "wenn zu einem Zweck übermittelt wird, dessen Daten danach zu löschen sind",
        Occasion.DRINGEND: "wenn zum Schutz eines Kindes übermittelt wird und die Gefahr dringend ist",
        Occasion.FACHKRAFT_AUSSERHALB: (
            "wenn das Jugendamt Anvertrautes mit dem Schlüssel Nr. 4 an einen anderen Verantwortlichen gibt"
        ),
    }
)

BOUND: Mapping[Bound, str] = MappingProxyType(
    {Bound.BROKER: "die Amtsbrücke", Bound.ABSENDER: "den Absender", Bound.EMPFAENGER: "den Empfänger"}
)

LASTS: Mapping[Lasts, str] = MappingProxyType(
    {
        Lasts.ERFUELLT: "sie ist mit der Entscheidung erfüllt",
        Lasts.DAUERND: "sie dauert an",
        Lasts.FRIST: "sie ist binnen einer Frist nach der Aushändigung zu erfüllen",
    }
)

FULFILLED: Mapping[Fulfilled, str] = MappingProxyType(
    {
        Fulfilled.ERKLAERT: "der Absender sie erklärt",
        Fulfilled.ELEMENT: "das Datum in der Nachricht in einem eigenen Element steht, das nichts weiter enthält",
        Fulfilled.EINWILLIGUNG: (
            "eine wirksame Einwilligung für diesen Zweck und Empfänger die Datenkategorie nennt; bei Haushalt und "
            "Unterhalt müssen außerdem die übrigen Mitglieder des Haushalts eingewilligt haben"
        ),
        Fulfilled.ERSUCHEN: (
            "auf Ersuchen oder im Abruf übermittelt wird, das Ersuchen die Datenkategorie nennt (wo eines vorliegt) "
            "und "
            "die Ersterhebung bei der Person in Ordnung ist"
        ),
        Fulfilled.GUTACHTEN: (
            "die Daten aus einer Begutachtung stammen, auf das Widerspruchsrecht rechtzeitig hingewiesen und nicht "
            "widersprochen wurde, oder eine schriftliche oder elektronische Entbindung von der Schweigepflicht "
            "vorliegt; "
            "nie für Angaben der Person selbst"
        ),
        Fulfilled.NICHT_DEUTSCH: "der Absender sie erklärt und nichts in der Nachricht dagegen spricht",
        Fulfilled.KIND: "der Absender sie erklärt, oder die Person ein Kind von 12 bis 17 Jahren ist",
        Fulfilled.FORTDAUERND: "der Absender einen fortdauernden Zustand erklärt",
        Fulfilled.GEFAHRRELEVANT: "der Absender die Datenkategorie als bedeutsam für die Gefahr erklärt",
        Fulfilled.NACHWEIS: "der Absender erklärt, dass das Datum den Anspruch nachweist",
        Fulfilled.INTERN: "beide Seiten ein Verantwortlicher sind",
    }
)

PARTS: Mapping[Part, str] = MappingProxyType(
    {
        Part.MIET: "nur Mietschulden",
        Part.ARBG: "nur Name und Anschrift des Arbeitgebers",
        Part.WEGFALL: "nur Beginn und Ende der Unterbringung",
        Part.STEUER_IDNR: "steuerliche Identifikationsnummer",
    }
)

KINDS: Mapping[RefusalKind, str] = MappingProxyType(
    {
        RefusalKind.NOT_PERMITTED: "nicht erlaubt",
        RefusalKind.INCOMPLETE: "unvollständig: Eine Angabe oder ein Nachweis fehlt",
        RefusalKind.GAP: "Lücke: Der Katalog hat dafür keine Zeile",
        RefusalKind.HUMAN: "ein Mensch muss entscheiden",
    }
)

PLACEHOLDERS: Mapping[str, str] = MappingProxyType(
    {"kategorien": "Datenkategorien", "fehlt": "fehlende Angabe", "absender": "Absender", "empfaenger": "Empfänger",
     "zweck": "Zweck", "wert": "Wert"}
)  # fmt: skip
"""What a text of a row leaves open for the case at hand."""


def german_day(day: date) -> str:
    """Write a day as ``22.11.2026``."""
    return f"{day:%d.%m.%Y}"


def german_span(valid: Validity) -> str:
    """Write from when to when a row counts."""
    return f"seit {german_day(valid.start)}" + (f" bis {german_day(valid.end)}" if valid.end else "")


def cited(norm: str) -> str:
    """Cite a norm as German lawyers do: ``SGB X § 69 Abs. 1`` becomes ``§ 69 Abs. 1 SGB X``."""
    statute = Norm.parse(norm).statute
    place = norm.removeprefix(statute).strip()
    return f"{re.sub(r'(?<=[0-9a-z])-(?=[0-9])', '–', place)} {statute}".strip()


def cited_all(norms: Iterable[str]) -> str:
    """Cite several norms."""
    return "; ".join(cited(norm) for norm in norms)


def listed(words: Iterable[str], last: str = "und") -> str:
    """List words as a sentence does: ``a, b und c``."""
    *first, end = [*words] or [""]
    return f"{', '.join(first)} {last} {end}" if first else end


def opened(text: str) -> str:
    """Write a text of a row to be quoted, its open places named: ``{zweck}`` becomes ``‹Zweck›``."""
    inner = text.replace("„", "‚").replace("“", "‘")
    return re.sub(r"\{(\w+)\}", lambda found: f"‹{PLACEHOLDERS.get(found[1], found[1])}›", inner)
