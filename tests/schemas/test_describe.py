"""The outline of a message, the catalogue of types and the limits as data."""

from __future__ import annotations

from lxml import etree

from schemas.describe import schema_catalogue, show
from schemas.identifiers import DataCategory, OriginMark, Part
from schemas.message_types import MESSAGE_TYPES
from schemas.xml import reduce, validate
from tests.schemas.messages import EXAMPLE, BlockSpec, message


def test_the_outline_names_sides_persons_and_blocks() -> None:
    """Who sends what to whom, whom it is about and what it holds can be read in German."""
    text = show(validate(EXAMPLE))
    for words in (
        "Von              jobcenter-kreis-re:JOBCENTER",
        "An               sozialamt-marl:SOZIALAMT_SGBXII",
        "Erstellt         02.11.2026 09:30 Uhr",
        "betroffene_person    Hannelore Ruth Brinkhoff, geboren 14.10.1960",
        "Datenblöcke (13)",
        "b13    p1     ERWERBSFAEHIGKEIT    EIGEN",
    ):
        assert words in text


def test_the_outline_shows_parts_marks_and_missing_names() -> None:
    """Parts, contested data and undeclared origins can be told apart; so can a person without identity."""
    blocks = [
        BlockSpec(DataCategory.SCHULDEN, Part.MIET, marks=(OriginMark.STRITTIG,)),
        BlockSpec(DataCategory.EINKOMMEN, contested=True),
        BlockSpec(DataCategory.UNTERKUNFT),
    ]
    lines = show(validate(message(blocks))).splitlines()
    assert lines[-3].split() == ["b1", "p1", "SCHULDEN", "(nur", "MIET)", "STRITTIG"]
    assert lines[-2].split() == ["b2", "p1", "EINKOMMEN", "bestritten"]
    assert lines[-1].endswith("Herkunft nicht erklärt")
    assert any("(ohne Stammdaten)" in line for line in lines)


def test_the_outline_shows_no_content_of_blocks() -> None:
    """Amounts and account numbers are not listed."""
    text = show(reduce(validate(EXAMPLE), frozenset({"b9", "b11"})))
    assert "563.00" not in text
    assert "Brinkhoff" not in text


def test_the_catalogue_has_all_types_with_all_their_files() -> None:
    """Each type comes with its XSD first, and every file that another one names is there."""
    entries = schema_catalogue()
    assert [(entry.name, entry.version) for entry in entries] == [(t.name, t.version) for t in MESSAGE_TYPES]
    for entry, message_type in zip(entries, MESSAGE_TYPES, strict=True):
        assert next(iter(entry.files)) == message_type.xsd
        assert entry.xsd == message_type.xsd_path.read_bytes()
        names = {path.rpartition("/")[2] for path in entry.files}
        for content in entry.files.values():
            links = etree.fromstring(content).xpath("//@schemaLocation")
            assert {link.rpartition("/")[2] for link in links} <= names
