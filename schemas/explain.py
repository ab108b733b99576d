"""Violations of an XSD in our own German words.

The messages of libxml2 hold values of the message, so none of them is passed on: the kind of error, the path (declared
names only) and what the XSD declares at that place make the text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from schemas.errors import Violation
from schemas.limits import MOST_VIOLATIONS
from schemas.message_types import MessageType
from schemas.xsd_model import known_names, model

if TYPE_CHECKING:
    from lxml import etree
    from xmlschema import XsdComponent

#: libxml2's names of errors → the validation rule of XML Schema, and our text. `{…}` is filled from the XSD.
_TEXTS = {
    "SCHEMAV_ELEMENT_CONTENT": ("cvc-complex-type.2.4", "Hier fehlt ein Element oder steht eines zu viel.{expected}"),
    "SCHEMAV_CVC_COMPLEX_TYPE_2_1": ("cvc-complex-type.2.1", "Das Element muss leer sein."),
    "SCHEMAV_CVC_COMPLEX_TYPE_2_3": ("cvc-complex-type.2.3", "Hier darf kein Text stehen, nur Elemente."),
    "SCHEMAV_CVC_COMPLEX_TYPE_3_2_1": ("cvc-complex-type.3.2.1", "Ein Attribut ist hier nicht vorgesehen."),
    "SCHEMAV_CVC_COMPLEX_TYPE_3_2_2": ("cvc-complex-type.3.2.2", "Ein Attribut ist hier nicht vorgesehen."),
    "SCHEMAV_CVC_COMPLEX_TYPE_4": ("cvc-complex-type.4", "Ein Pflichtattribut fehlt."),
    "SCHEMAV_CVC_TYPE_3_1_1": ("cvc-type.3.1.1", "Dieses Element hat keine Attribute."),
    "SCHEMAV_CVC_TYPE_3_1_2": ("cvc-type.3.1.2", "In diesem Element stehen keine weiteren Elemente.{type}"),
    "SCHEMAV_CVC_PATTERN_VALID": ("cvc-pattern-valid", "Der Wert hat nicht die vorgeschriebene Form.{type}"),
    "SCHEMAV_CVC_ENUMERATION_VALID": ("cvc-enumeration-valid", "Der Wert steht nicht in der Codeliste.{type}"),
    "SCHEMAV_CVC_MAXLENGTH_VALID": ("cvc-maxLength-valid", "Der Wert ist zu lang.{type}"),
    "SCHEMAV_CVC_MINLENGTH_VALID": ("cvc-minLength-valid", "Der Wert fehlt oder ist zu kurz.{type}"),
    "SCHEMAV_CVC_MAXINCLUSIVE_VALID": ("cvc-maxInclusive-valid", "Der Wert ist zu groß.{type}"),
    "SCHEMAV_CVC_MININCLUSIVE_VALID": ("cvc-minInclusive-valid", "Der Wert ist zu klein.{type}"),
    "SCHEMAV_CVC_DATATYPE_VALID_1_2_1": ("cvc-datatype-valid.1.2.1", "Der Wert passt nicht zum Datentyp.{type}"),
    "SCHEMAV_CVC_DATATYPE_VALID_1_2_2": ("cvc-datatype-valid.1.2.2", "Ein Wert der Liste ist ungültig.{type}"),
    "SCHEMAV_CVC_IDC": ("cvc-identity-constraint", "{constraint}"),
}
_OTHER = ("cvc-valid", "Die Nachricht entspricht hier nicht dem Schema.{type}")
_CONSTRAINTS = {
    "personen": "Zwei Personen haben dieselbe Kennung.",
    "bloecke": "Zwei Datenblöcke haben dieselbe Kennung.",
    "stammdatenJePerson": "Eine Person hat mehr als einen Block stammdaten.",
}
_DANGLING = "Der Verweis führt zu keiner Person dieser Nachricht; gemeint ist die Kennung (id) aus personen."
_ATTRIBUTE = re.compile(r"attribute '(?:\{[^}']*\})?([A-Za-z0-9]+)'")
_ELEMENT = re.compile(r"Element '(?:\{[^}']*\})?([A-Za-z0-9]+)'")
_REQUIRED = re.compile(r"The attribute '([A-Za-z0-9]+)' is required")
_EXPECTED = re.compile(r"Expected is (?:one of )?\(([^()]*)\)\.\s*$")
_CONSTRAINT = re.compile(r"(?:key|unique|keyref) identity-constraint '(?:\{[^}']*\})?([A-Za-z]+)'")
_STEP = re.compile(r"(?:[A-Za-z_][\w.-]*:)?([A-Za-z_][\w.-]*|\*)(\[\d+\])?")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an error lies: the path to show, the plain path in the model, and the attribute."""

    shown: str
    plain: tuple[str, ...]
    attribute: str | None


def violations(schema: etree.XMLSchema, message_type: MessageType) -> tuple[Violation, ...]:
    """Turn the errors of the last validation into violations in document order, one for each place, no values."""
    found: dict[tuple[str, int], Violation] = {}
    entries: Any = schema.error_log
    for entry in entries:
        place = _place(entry)
        rule, text = _TEXTS.get(entry.type_name, _OTHER)
        if (place.shown, entry.line) not in found:
            text = _fill(text, entry, place, message_type)
            found[place.shown, entry.line] = Violation(place.shown, rule, text, entry.line)
        if len(found) == MOST_VIOLATIONS:
            break
    return tuple(found.values())


def _place(entry: etree._LogEntry) -> _Place:
    known = known_names()
    steps = [m for m in (_STEP.fullmatch(s) for s in (entry.path or "").split("/")) if m]
    names = [m[1] if m[1] in known else "*" for m in steps]
    shown = "/" + "/".join(name + (m[2] or "") for name, m in zip(names, steps, strict=True))
    if not names:  # libxml2 gives no path for a reference that leads nowhere, only the element's name and line
        element = _ELEMENT.match(entry.message)
        shown = f"//{element[1]}" if element and element[1] in known else "/"
    named = _REQUIRED.search(entry.message) or _ATTRIBUTE.search(entry.message)
    attribute = named[1] if named and named[1] in known else None
    return _Place(f"{shown}/@{attribute}" if attribute else shown, tuple(names), attribute)


def _fill(text: str, entry: etree._LogEntry, place: _Place, message_type: MessageType) -> str:
    if "{expected}" in text:
        return text.replace("{expected}", _expected(entry.message))
    if "{constraint}" in text:
        named = _CONSTRAINT.search(entry.message)
        return text.replace("{constraint}", _CONSTRAINTS.get(named[1], _DANGLING) if named else _DANGLING)
    return text.replace("{type}", _declared(place, message_type))


def _expected(message: str) -> str:
    """Name what the XSD would accept; only declared names get through."""
    found = _EXPECTED.search(message)
    names = [name.strip() for name in found[1].split(",")] if found else []
    allowed = [name for name in names if name in known_names()]
    return f" Möglich ist hier: {', '.join(allowed)}." if allowed else ""


def _declared(place: _Place, message_type: MessageType) -> str:
    """Say what the XSD declares at the place: its type in words, and the codes where there are few."""
    xsd: Any = model(message_type).elements[message_type.root]
    for name in place.plain[1:]:
        xsd = next((e for e in xsd.iterchildren() if e.local_name == name), None) if xsd is not None else None
    if xsd is not None and place.attribute is not None:
        xsd = xsd.attributes.get(place.attribute)
    if xsd is None:
        return ""
    words = _words(xsd.type) or _words(xsd)
    codes = [str(code) for code in _codes(xsd.type)]
    return (f" Gemeint ist: {words}" if words else "") + (f" Codes: {', '.join(codes)}." if codes else "")


def _codes(xsd_type: Any) -> Sequence[Any]:  # noqa: ANN401 – simple and complex types share no base that has these
    """Codes of an enumeration, or of the items of a list."""
    item_type = getattr(getattr(xsd_type, "base_type", None), "item_type", None)
    return getattr(xsd_type, "enumeration", None) or getattr(item_type, "enumeration", None) or ()


def _words(component: XsdComponent) -> str:
    """Give the German documentation of an XSD component in one line."""
    annotation = getattr(component, "annotation", None)
    texts = [node.text or "" for node in annotation.documentation] if annotation is not None else []
    return " ".join(" ".join(texts).split())
