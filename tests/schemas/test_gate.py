"""The gate refuses hostile bytes before a tree exists, quickly, and repeats nothing of them."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest
from lxml import etree

from schemas.errors import PayloadTooLarge, SchemasError, SchemaViolation, UnknownMessageType
from schemas.gate import check
from schemas.limits import DEFAULT_LIMITS, Limits
from schemas.xml import validate, warm_up
from tests.schemas.messages import EXAMPLE, MARKER, message, rules_of, spoiled, violations_of

HOSTILE = Path(__file__).parent / "hostile"
RULES = {
    "comment.xml": "AB-KOMMENTAR",
    "deep-nesting.xml": "AB-GRENZE-TIEFE",
    "doctype.xml": "AB-DOCTYPE",
    "empty.xml": "AB-WOHLGEFORMT",
    "encoding-latin-1.xml": "AB-KODIERUNG",
    "encoding-utf-16.xml": "AB-KODIERUNG",
    "entity-bomb.xml": "AB-DOCTYPE",
    "external-entity.xml": "AB-DOCTYPE",
    "invalid-utf-8.xml": "AB-KODIERUNG",
    "many-attributes.xml": "AB-GRENZE-ATTRIBUTE",
    "namespace-as-text.xml": "AB-NAMENSRAUM",
    "not-well-formed.xml": "AB-WOHLGEFORMT",
    "null-byte.xml": "AB-WOHLGEFORMT",
    "oversized-attribute.xml": "AB-GRENZE-TEXT",
    "oversized-text-in-cdata.xml": "AB-GRENZE-TEXT",
    "oversized-text.xml": "AB-GRENZE-TEXT",
    "parameter-entity.xml": "AB-DOCTYPE",
    "processing-instruction.xml": "AB-ANWEISUNG",
    "schema-location.xml": "AB-XSI",
    "truncated.xml": "AB-WOHLGEFORMT",
    "undefined-entity.xml": "AB-WOHLGEFORMT",
    "xinclude.xml": "AB-NAMENSRAUM",
    "xml-1.1.xml": "AB-XML-VERSION",
    "xsi-type.xml": "AB-XSI",
}
UNKNOWN = ("unknown-root.xml", "unknown-version.xml")
#: Far above what any message needs (under half a second here), far below what a quadratic step would take.
WORST_CASE_SECONDS = 5.0


def test_every_hostile_file_has_its_expectation() -> None:
    """No file lies in the folder untested."""
    assert sorted(path.name for path in HOSTILE.iterdir()) == sorted([*RULES, *UNKNOWN])


@pytest.mark.parametrize(("name", "rule"), RULES.items())
def test_a_hostile_file_is_refused_by_its_rule(name: str, rule: str) -> None:
    """Each file breaks exactly the rule that is meant for it, with a line, and no text of it comes back."""
    with pytest.raises(SchemaViolation) as refused:
        validate((HOSTILE / name).read_bytes())
    (violation,) = refused.value.violations
    assert violation.rule == rule
    assert violation.line is not None
    assert violation.line >= 1
    assert MARKER.lower() not in f"{violation} {refused.value}".lower()


@pytest.mark.parametrize("name", UNKNOWN)
def test_an_unknown_root_is_answered_with_what_is_known(name: str) -> None:
    """The answer names the types that are accepted, not the one that came."""
    with pytest.raises(UnknownMessageType) as refused:
        validate((HOSTILE / name).read_bytes())
    assert refused.value.allowed == ("uebermittlung/1.0", "quittung/1.0")
    assert MARKER.lower() not in str(refused.value).lower()


def test_path_and_line_lead_to_the_place() -> None:
    """A long text is reported at the element that holds it, counted in lines of the message."""
    with pytest.raises(SchemaViolation) as refused:
        validate((HOSTILE / "oversized-text.xml").read_bytes())
    (violation,) = refused.value.violations
    assert (violation.path, violation.line) == ("/uebermittlung/kopf/nachrichtId", 4)


def test_a_message_over_the_size_is_not_looked_at() -> None:
    """One byte too many is enough, and the limit is named."""
    limits = Limits(bytes=len(EXAMPLE))
    assert validate(EXAMPLE, limits=limits).content == EXAMPLE
    with pytest.raises(PayloadTooLarge) as refused:
        validate(EXAMPLE + b"\n", limits=limits)
    assert refused.value.limit == len(EXAMPLE)


def _needs() -> dict[str, int]:
    """Say what the example needs of each limit, counted on its tree."""
    elements = list(etree.fromstring(EXAMPLE).iter())
    return {
        "depth": max(len(list(element.iterancestors())) + 1 for element in elements),
        "nodes": len(elements),
        "attributes_per_element": max(len(element.attrib) for element in elements),
        "attributes": sum(len(element.attrib) for element in elements),
        "text": max(len(text) for element in elements for text in (element.text, element.tail) if text),
        "blocks": len(validate(EXAMPLE).blocks),
        "persons": len(validate(EXAMPLE).persons),
    }


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("depth", "AB-GRENZE-TIEFE"),
        ("nodes", "AB-GRENZE-ELEMENTE"),
        ("attributes_per_element", "AB-GRENZE-ATTRIBUTE"),
        ("attributes", "AB-GRENZE-ATTRIBUTE"),
        ("text", "AB-GRENZE-TEXT"),
        ("blocks", "AB-GRENZE-BLOECKE"),
        ("persons", "AB-GRENZE-PERSONEN"),
    ],
)
def test_each_limit_bites_just_below_what_is_needed(name: str, rule: str) -> None:
    """Exactly what the example needs is allowed; one less is refused by the rule of that limit."""
    need = _needs()[name]
    assert check(EXAMPLE, replace(DEFAULT_LIMITS, **{name: need})).name == "uebermittlung"
    with pytest.raises(SchemaViolation) as refused:
        check(EXAMPLE, replace(DEFAULT_LIMITS, **{name: need - 1}))
    assert [violation.rule for violation in refused.value.violations] == [rule]


def test_a_byte_order_mark_is_no_offence() -> None:
    """UTF-8 with a byte order mark is UTF-8."""
    assert validate(b"\xef\xbb\xbf" + EXAMPLE).blocks


def test_a_default_namespace_may_be_taken_back() -> None:
    """A writer that puts the namespace on the root and ``xmlns=""`` below is understood."""
    text = EXAMPLE.decode().replace("<ab:", "<").replace("</ab:", "</").replace("xmlns:ab=", "xmlns=")
    for name in ("kopf", "fall", "grundlage", "erklaerungen", "personen", "daten"):
        text = text.replace(f"<{name}>", f'<{name} xmlns="">')
    assert len(validate(text.encode()).blocks) == len(validate(EXAMPLE).blocks)


def test_a_prefix_is_no_place_for_text() -> None:
    """A prefix longer than ten letters is refused: it could say anything."""
    assert rules_of(
        EXAMPLE.replace(b"<ab:", b"<erikabeispiel:")
        .replace(b"</ab:", b"</erikabeispiel:")
        .replace(b"xmlns:ab", b"xmlns:erikabeispiel")
    ) == ["AB-NAMENSRAUM"]


def test_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    """No hostile file and no valid one opens a connection."""
    warm_up()

    def refuse(*_args: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr("socket.socket.connect", refuse)
    validate(EXAMPLE)
    for path in sorted(HOSTILE.iterdir()):
        with pytest.raises(SchemasError):
            validate(path.read_bytes())


def _worst_cases() -> dict[str, bytes]:
    """Messages near the limits, each built against another step."""
    block = (
        '<ethnieHerkunft id="c{i}" person="p1" herkunft="{marks}"><bezeichnung>{text}</bezeichnung></ethnieHerkunft>'
    )
    month = "<monat><monat>2026-09</monat>" + "<posten><art>HEIZUNG</art><betrag>x</betrag></posten>" * 12 + "</monat>"

    def blocks(count: int, text: str, marks: str = "EIGEN") -> bytes:
        more = "".join(block.format(i=i, text=text, marks=marks) for i in range(count))
        return spoiled("</daten>", more + "</daten>")

    return {
        "unknown elements": spoiled("<kopf>", "<kopf>" + "<x/>" * 19_000),
        "attributes": spoiled("<kopf>", "<kopf>" + ("<x " + " ".join(f'a{i}="1"' for i in range(32)) + "/>") * 300),
        "letters with marks": blocks(250, "L̥̄" * 600 + "Ж"),
        "letters": blocks(400, "a" * 1_900 + "Ж"),
        "not normalised": blocks(480, "o\u0308" * 600),
        "lists": blocks(480, "a", "EIGEN " * 330),
        "same ids": spoiled("</daten>", block.format(i=1, text="a", marks="EIGEN") * 480 + "</daten>"),
        "amounts": spoiled("<monat>", month * 200 + "<monat>"),
        "references": spoiled("Brinkhoff", "&#65;" * 150_000),
        "namespaces": spoiled("<kopf>", "<kopf " + " ".join(f'xmlns:a{i}="urn:x"' for i in range(20_000)) + ">"),
    }


@pytest.mark.parametrize(("name", "content"), _worst_cases().items(), ids=_worst_cases())
def test_the_worst_case_is_bounded(name: str, content: bytes) -> None:
    """A message built against one step of the gate is refused within the published time."""
    warm_up()
    assert len(content) <= DEFAULT_LIMITS.bytes, name
    start = time.perf_counter()
    with pytest.raises(SchemaViolation):
        validate(content)
    assert time.perf_counter() - start < WORST_CASE_SECONDS


def test_reports_are_bounded() -> None:
    """Hundreds of faults are reported as fifty."""
    bad = '<ordnungsmerkmal id="c{}" person="p1"><art>BG</art><wert>1</wert></ordnungsmerkmal>'
    content = spoiled("</daten>", "".join(bad.format(i) for i in range(400)) + "</daten>")
    assert len(violations_of(content)) == 50


def test_comments_are_refused_wherever_they_stand() -> None:
    """Before, inside and after the root element a comment is free text."""
    for content in (b"<!-- x -->" + message().partition(b"?>")[2], message() + b"<!-- x -->"):
        assert rules_of(content) == ["AB-KOMMENTAR"]
