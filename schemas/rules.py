"""Rules of the messages that an XSD cannot say. Each has an id ``AB-…`` and a German text; none repeats a value.

Every rule but `normal_form` gets a tree that the XSD has accepted, so elements stand where they must and values have
their form.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import islice
from typing import cast
from zoneinfo import ZoneInfo

from lxml import etree

from schemas.check_digits import iban_is_valid, tax_id_is_valid
from schemas.errors import Violation
from schemas.identifiers import Mode, OriginMark
from schemas.limits import MOST_VIOLATIONS
from schemas.xsd_model import known_names

BERLIN = ZoneInfo("Europe/Berlin")

#: Pairs of elements that stand side by side in one parent: the first day is never after the second.
_SPANS = (
    ("von", "bis"),
    ("erteiltAm", "gueltigBis"),
    ("gueltigAb", "gueltigBis"),
    ("antragAm", "eingangAm"),
    ("datum", "bis"),
    ("mahnungAm", "fristBis"),
)
_SPAN_STARTS: dict[str, tuple[str, ...]] = {}
for _start, _end in _SPANS:
    _SPAN_STARTS[_end] = (*_SPAN_STARTS.get(_end, ()), _start)
#: Days that lie in the past when the message is written.
_PAST = ("geburtsdatum", "bescheidVom", "antragAm", "eingangAm", "festgestelltAm", "titelVom")
BELOW_MARKS = bytes(range(0xCC))
"""Bytes of UTF-8 for characters below U+0300: all are in NFC as they stand, whatever their neighbours are."""
_RECEIVED = ("ursprung", "ursprungszweck", "ursprungsmarke")


def path_of(element: etree._Element) -> str:
    """Path of an element with positions where siblings share a name; names no XSD declares are shown as ``*``."""
    steps: list[str] = []
    node: etree._Element | None = element
    while node is not None:
        name, parent = etree.QName(node).localname, node.getparent()
        twins = [] if parent is None else parent.findall(str(node.tag))
        position = f"[{twins.index(node) + 1}]" if len(twins) > 1 else ""
        steps.append((name if name in known_names() else "*") + position)
        node = parent
    return "/" + "/".join(reversed(steps))


def _violation(element: etree._Element, rule: str, text: str, attribute: str | None = None) -> Violation:
    path = path_of(element) + (f"/@{attribute}" if attribute else "")
    return Violation(path, rule, text, cast("int | None", element.sourceline))


def _value(element: etree._Element) -> str:
    return " ".join((element.text or "").split())


def normal_form(root: etree._Element, content: bytes) -> Iterator[Violation]:
    """Demand Unicode normalisation form C for all text (DIN 91379, section 5).

    Every part of a normalised text is normalised, so the raw bytes answer for most messages; only character
    references can hide something from them. Asked before the XSD, whose character sets refuse the same text with a
    less helpful reason.
    """
    if b"&#" not in content and (
        not content.translate(None, BELOW_MARKS) or unicodedata.is_normalized("NFC", content.decode("utf-8"))
    ):
        return
    for element in root.iter():
        if element.text and not unicodedata.is_normalized("NFC", element.text):
            text = "Der Text steht nicht in der Unicode-Normalform NFC; bitte normalisieren."
            yield _violation(element, "AB-NFC", text)


def request_and_mode(root: etree._Element) -> Iterator[Violation]:
    """Demand a request id where there is a request, and nowhere else."""
    basis = root.find("grundlage")
    if basis is None:
        return
    mode, request = basis.findtext("modus", "").strip(), basis.find("ersuchenId")
    if request is None and mode in (Mode.ERSUCHEN, Mode.ABRUF):
        text = f"Der Modus {mode} verlangt die Kennung des Ersuchens (ersuchenId)."
        yield _violation(basis, "AB-ERSUCHEN-FEHLT", text)
    if request is not None and mode == Mode.UNAUFGEFORDERT:
        text = "Der Modus UNAUFGEFORDERT schließt eine ersuchenId aus; bitte weglassen oder den Modus ändern."
        yield _violation(request, "AB-ERSUCHEN-ZUVIEL", text)


def order_of_days(root: etree._Element) -> Iterator[Violation]:
    """Refuse spans that end before they begin."""
    for end in root.iter(*_SPAN_STARTS):
        for before in end.itersiblings(*_SPAN_STARTS[str(end.tag)], preceding=True):
            if _value(before) > _value(end):
                text = f"Der Tag liegt vor dem Tag in {before.tag}; bitte beide prüfen."
                yield _violation(end, "AB-DATUM-FOLGE", text)


def days_in_the_past(root: etree._Element) -> Iterator[Violation]:
    """Refuse days after the message for what has happened already (days in Europe/Berlin)."""
    written = datetime.fromisoformat(root.findtext("kopf/erstelltAm", "").strip())
    today = written.astimezone(BERLIN).date().isoformat()
    for element in root.iter(*_PAST):
        if _value(element) > today:
            text = "Der Tag liegt nach der Erstellung der Nachricht (erstelltAm); bitte beide prüfen."
            yield _violation(element, "AB-DATUM-ZUKUNFT", text)


def check_digits(root: etree._Element) -> Iterator[Violation]:
    """Ask the check digits of IBAN and tax id."""
    for element in root.iter("iban"):
        if not iban_is_valid(_value(element)):
            text = "Die Prüfziffer der IBAN stimmt nicht (ISO 13616); bitte die Nummer prüfen."
            yield _violation(element, "AB-IBAN", text)
    for element in root.iter("idnr"):
        if not tax_id_is_valid(_value(element)):
            text = "Das ist keine gültige Steuer-Identifikationsnummer (Prüfziffer oder Ziffernfolge, § 139b AO)."
            yield _violation(element, "AB-IDNR", text)


def received_items(root: etree._Element) -> Iterator[Violation]:
    """Allow origin, original purpose and mark only at blocks that are marked EMPFANGEN."""
    for block in root.iterfind("daten/*"):
        present = [name for name in _RECEIVED if name in block.attrib]
        if not present:
            continue
        if OriginMark.EMPFANGEN not in str(block.get("herkunft", "")).split():
            text = "Das Attribut steht nur an Blöcken mit der Herkunftsmarke EMPFANGEN."
            yield _violation(block, "AB-URSPRUNG", text, present[0])
        elif block.get("ursprungsmarke") == OriginMark.EMPFANGEN:
            text = "Gefragt ist die Marke, unter der die ursprüngliche Stelle die Angabe hatte, nicht EMPFANGEN selbst."
            yield _violation(block, "AB-URSPRUNGSMARKE", text, "ursprungsmarke")


def reason_of_rejection(root: etree._Element) -> Iterator[Violation]:
    """Demand a reason where a receipt rejects, and nowhere else."""
    rejected, reason = root.findtext("status", "").strip() == "ABGELEHNT", root.find("grund")
    if rejected and reason is None:
        yield _violation(root, "AB-GRUND-FEHLT", "Eine Ablehnung nennt ihren Grund (grund).")
    if not rejected and reason is not None:
        yield _violation(reason, "AB-GRUND-ZUVIEL", "Ein Grund steht nur bei der Ablehnung; bitte weglassen.")


Rule = Callable[[etree._Element], Iterator[Violation]]  # noqa: SLF001 – lxml's own name for an element's type

#: Rules of each message type, by its name, in the order they are asked.
RULES: dict[str, tuple[Rule, ...]] = {
    "uebermittlung": (request_and_mode, order_of_days, days_in_the_past, check_digits, received_items),
    "quittung": (reason_of_rejection,),
}


def broken(root: etree._Element, message_type: str) -> tuple[Violation, ...]:
    """Ask all rules of the type about a tree that the XSD has accepted; empty where all are kept."""
    return first(violation for rule in RULES[message_type] for violation in rule(root))


def first(found: Iterator[Violation]) -> tuple[Violation, ...]:
    """Take as many violations as are reported."""
    return tuple(islice(found, MOST_VIOLATIONS))
