"""Our character sets are those of DIN 91379: the same answer as the official XSD for every character and sequence."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest
from lxml import etree

from schemas.message_types import PACKAGE_DIR

XS = "{http://www.w3.org/2001/XMLSchema}"
TYPES = {"ZeichenA": "datatypeA", "ZeichenB": "datatypeB", "ZeichenC": "datatypeC"}
#: All characters of the basic plane that XML 1.0 allows.
BMP = [chr(c) for c in range(0x10000) if c in (9, 10, 13) or (c >= 0x20 and not 0xD800 <= c <= 0xDFFF and c < 0xFFFE)]
BEYOND = ["\U00010000", "\U0001f600", "\U00020000", "\U0010ffff"]


def pattern(path: Path, name: str) -> str:
    """Give the pattern of a simple type."""
    (node,) = (node for node in etree.parse(path).iter(XS + "simpleType") if node.get("name") == name)
    value: str = node.find(f"{XS}restriction/{XS}pattern").get("value")
    return value


def accepts(text: str, expression: re.Pattern[str]) -> bool:
    """Whether the whole text matches."""
    return expression.fullmatch(text) is not None


@pytest.fixture(params=TYPES.items(), ids=TYPES)
def both(request: pytest.FixtureRequest, official_din_91379: Path) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Give our pattern and the official one; both use only what XSD and Python regular expressions share."""
    ours, official = request.param
    return (
        re.compile(pattern(PACKAGE_DIR / "xsd/grundtypen/1.0/zeichen.xsd", ours)),
        re.compile(pattern(official_din_91379, official)),
    )


def test_every_single_character(both: tuple[re.Pattern[str], re.Pattern[str]]) -> None:
    """The two agree on each character of the basic plane, and on some beyond."""
    ours, official = both
    assert [f"{ord(c):04X}" for c in [*BMP, *BEYOND] if accepts(c, ours) != accepts(c, official)] == []


def test_every_sequence(both: tuple[re.Pattern[str], re.Pattern[str]]) -> None:
    """The two agree on each letter followed by one or two combining marks, and on the letters joined by U+035F."""
    ours, official = both
    marks = [chr(c) for c in range(0x300, 0x370)]
    letters = [c for c in BMP if accepts(c, official)]
    pairs = (a + m for a in letters for m in marks)
    triples = (
        a + m + n for a in letters for m, n in itertools.product(["\u0315", "\u031b", "\u0325", "\u0328"], marks)
    )
    joined = (a + "\u035f" + b for a in letters for b in letters if a.isascii() and b.isascii())
    texts = itertools.chain(pairs, triples, joined)
    assert [text.encode("unicode_escape") for text in texts if accepts(text, ours) != accepts(text, official)] == []


def test_the_official_sequences_are_there(both: tuple[re.Pattern[str], re.Pattern[str]]) -> None:
    """The comparison is not empty: known sequences are accepted, known strangers refused."""
    for expression in both:
        assert all(
            accepts(text, expression) for text in ("Müller", "Łukasiewicz", "M\u0302", "C\u0328\u0306", "k\u035fh")
        )
        assert not any(accepts(text, expression) for text in ("Ж", "e\u0301", "\u0301", "日本"))


@pytest.mark.parametrize("name", TYPES)
def test_libxml2_reads_our_pattern_as_python_does(name: str) -> None:
    """What the comparison shows with Python's expressions holds for the validator that is used."""
    schema = etree.XMLSchema(
        etree.fromstring(
            f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="t"><xs:simpleType>'
            f'<xs:restriction base="xs:string"><xs:pattern value={_quoted(name)}/></xs:restriction>'
            f"</xs:simpleType></xs:element></xs:schema>"
        )
    )
    ours = re.compile(pattern(PACKAGE_DIR / "xsd/grundtypen/1.0/zeichen.xsd", name))
    element = etree.Element("t")
    wrong = []
    for character in (c for c in BMP if ord(c) < 0x2200):
        element.text = character
        if schema.validate(element) != accepts(character, ours):
            wrong.append(f"{ord(character):04X}")
    assert wrong == []


def _quoted(name: str) -> str:
    """Give our pattern as a quoted XML attribute value, characters as references."""
    value = pattern(PACKAGE_DIR / "xsd/grundtypen/1.0/zeichen.xsd", name)
    return '"' + "".join(f"&#{ord(c)};" for c in value) + '"'
