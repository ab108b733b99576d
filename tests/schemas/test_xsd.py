"""The XSDs keep the house style, hold no free text, and agree with the types and the codelists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from schemas.identifiers import DataCategory, OriginMark, Part, UnitCode
from schemas.message_types import MESSAGE_TYPES, PACKAGE_DIR, latest
from schemas.quittung import QuittungGrund
from schemas.read import PERSON_ROLES
from schemas.xsd_model import block_map, model

XS = "{http://www.w3.org/2001/XMLSchema}"
FILES = sorted((PACKAGE_DIR / "xsd").rglob("*.xsd"))
CODELISTS = sorted((PACKAGE_DIR / "codelists").glob("*.xml"))
#: Built-in types whose values cannot hold prose.
NO_PROSE = {"boolean", "date", "dateTime", "gYearMonth", "decimal"}
LONGEST_TEXT = 200


def nodes(*kinds: str) -> Iterator[tuple[Path, etree._Element]]:
    """Give the declarations of these kinds in all files."""
    for path in FILES:
        for node in etree.parse(path).iter(*(XS + kind for kind in kinds)):
            yield path, node


def test_every_declaration_is_documented_in_german() -> None:
    """Each element, attribute and named type has a text in xs:documentation."""
    bare = [
        (path.name, node.get("name"))
        for path, node in nodes("element", "attribute", "simpleType", "complexType")
        if node.get("name") and not (node.findtext(f"{XS}annotation/{XS}documentation") or "").strip()
    ]
    assert bare == []


def test_every_file_says_whose_it_is() -> None:
    """Nobody takes these for an official XÖV standard."""
    for path in FILES:
        text = etree.parse(path).findtext(f"{XS}annotation/{XS}documentation")
        assert "Eigenes Schema des Projekts Amtsbrücke" in text
        assert "kein amtlicher XÖV-Standard" in text


def test_names_are_ascii_and_in_camel_case() -> None:
    """Elements and attributes begin in lower case, types in upper case."""
    for path, node in nodes("element", "attribute"):
        assert re.fullmatch(r"[a-z][A-Za-z0-9]*", node.get("name")), (path, node.get("name"))
    for path, node in nodes("simpleType", "complexType"):
        if node.get("name"):
            assert re.fullmatch(r"[A-Z][A-Za-z0-9]*", node.get("name")), (path, node.get("name"))


def _bounded(xsd_type: object) -> bool:
    """Whether values of a simple type are codes, numbers, days, or text of bounded length and form."""
    item = getattr(getattr(xsd_type, "base_type", None), "item_type", None)
    if getattr(xsd_type, "enumeration", None) or (item is not None and item.enumeration):
        return True
    if xsd_type.local_name == "IDREF":  # type: ignore[attr-defined]  # a key reference binds it to a person's id
        return True
    if xsd_type.root_type.local_name in NO_PROSE:  # type: ignore[attr-defined]  # xmlschema's simple types have it
        return True
    longest: int | None = getattr(xsd_type, "max_length", None)
    bounded = longest is not None and longest <= LONGEST_TEXT
    return bool(xsd_type.patterns) and (bounded or _pattern_is_bounded(xsd_type))  # type: ignore[attr-defined]


def _pattern_is_bounded(xsd_type: object) -> bool:
    """Whether no pattern of the type repeats without end."""
    return not any(re.search(r"(?<!\\)[*+](?![^\[]*\])", p) for p in xsd_type.patterns.regexps)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", [message_type.name for message_type in MESSAGE_TYPES])
def test_there_is_no_bucket_for_free_text(name: str) -> None:
    """Every element and attribute with a value holds a code, a number, a day or a short bounded text."""
    message_type = latest(name)
    loose = []
    seen = 0
    for element in model(message_type).elements[message_type.root].iter():
        simple = [("", element.type)] if element.type.is_simple() else []
        simple += [(f"@{key}", attribute.type) for key, attribute in element.attributes.items()]
        seen += len(simple)
        loose += [element.local_name + key for key, xsd_type in simple if not _bounded(xsd_type)]
    assert seen > 5
    assert loose == []


def test_the_measure_finds_a_bucket() -> None:
    """The test above can fail: a plain string type is not bounded."""
    assert not _bounded(model(latest("quittung")).meta_schema.types["string"])


def test_blocks_have_a_category_each_and_parts_are_their_own_elements() -> None:
    """The appinfo of the 39 block elements covers 35 categories and four parts, each once."""
    found = list(block_map(latest("uebermittlung")).values())
    assert sorted(found, key=str) == sorted(set(found), key=str)
    assert {category for category, part in found if part is None} == set(DataCategory)
    assert {part: category for category, part in found if part is not None} == {
        Part.MIET: DataCategory.SCHULDEN,
        Part.ARBG: DataCategory.BILDUNG_ARBEIT,
        Part.WEGFALL: DataCategory.JUGENDHILFE_STATUS,
        Part.STEUER_IDNR: DataCategory.ORDNUNGSMERKMAL,
    }
    assert block_map(latest("quittung")) == {}


@pytest.mark.parametrize(
    ("element", "children"),
    [
        ("mietschulden", ["rueckstand", "von", "bis", "stichtag"]),
        ("arbeitgeber", ["name", "anschrift"]),
        ("unterbringungszeitraum", ["von", "bis"]),
        ("steuerIdnr", ["idnr"]),
    ],
)
def test_a_part_holds_nothing_more_than_its_condition_says(element: str, children: list[str]) -> None:
    """What is sent as a part cannot carry the rest of its category."""
    daten = next(
        e for e in model(latest("uebermittlung")).elements["uebermittlung"].iterchildren() if e.name == "daten"
    )
    block = next(e for e in daten.iterchildren() if e.local_name == element)
    assert [child.local_name for child in block.iterchildren()] == children


def _type_codes(type_name: str) -> list[str]:
    for _, node in nodes("simpleType"):
        if node.get("name") == type_name:
            return [str(code.get("value")) for code in node.iter(XS + "enumeration")]
    raise AssertionError(type_name)


@pytest.mark.parametrize(
    ("type_name", "codes"),
    [
        ("Einheit", [code.value for code in UnitCode]),
        ("Datenkategorie", [code.value for code in DataCategory]),
        ("Herkunftsmarke", [code.value for code in OriginMark]),
        ("Rolle", list(PERSON_ROLES)),
        ("Ablehnungsgrund", [code.value for code in QuittungGrund]),
        ("Bedingung", ["AUSL", "MB", "K12", "KOPF"]),
    ],
)
def test_codes_are_those_of_the_types(type_name: str, codes: list[str]) -> None:
    """XSD and Python know the same codes in the same order."""
    assert _type_codes(type_name) == codes


def test_instances_end_in_a_known_unit() -> None:
    """The form of an instance names the units of the codelist, all of them."""
    (node,) = (node for _, node in nodes("simpleType") if node.get("name") == "Instanz")
    pattern = node.find(f"{XS}restriction/{XS}pattern").get("value")
    assert pattern.rpartition(":(")[2].rstrip(")").split("|") == [code.value for code in UnitCode]


def test_purposes_are_no_codes_of_the_format() -> None:
    """Purposes are data of the law: the XSD asks for an upper-case word only."""
    assert _type_codes("Zweck") == []


@pytest.mark.parametrize("path", CODELISTS, ids=[path.stem for path in CODELISTS])
def test_a_codelist_is_the_enumeration_of_its_type(path: Path) -> None:
    """Each genericode file lists the codes of the type of the same name, each with a text."""
    root = etree.parse(path).getroot()
    assert root.tag == "{http://docs.oasis-open.org/codelist/ns/genericode/1.0/}CodeList"
    assert root.findtext("Identification/CanonicalVersionUri") == f"urn:amtsbruecke:codeliste:{path.stem}:1.0"
    rows = [[value.findtext("SimpleValue") for value in row] for row in root.iterfind("SimpleCodeList/Row")]
    assert all(code and text for code, text in rows)
    types = {node.get("name", "").lower(): node.get("name", "") for _, node in nodes("simpleType")}
    assert [code for code, _ in rows] == _type_codes(types[path.stem])
