"""Validate and reduce: what passes, what is said of what does not, and what reducing keeps."""

from __future__ import annotations

import hashlib
import string
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from schemas.errors import SchemasError, SchemaViolation, UnknownMessageType, Violation
from schemas.identifiers import DataCategory
from schemas.samples import SAMPLES
from schemas.xml import digest, reduce, require_identities, validate, validate_quittung
from tests.schemas.messages import (
    EXAMPLE,
    MARKER,
    RECEIPT,
    BlockSpec,
    PersonSpec,
    message,
    spoiled,
    violations_of,
)

#: Spoiled examples: what was there, what stands there now, the rule, and the path it is reported at.
SPOILED = [
    ("<betrieb>TEST", f"<betrieb>{MARKER}", "cvc-enumeration-valid", "/uebermittlung/kopf/betrieb"),
    ("<zweck>", f"<zweck>{MARKER}", "cvc-pattern-valid", "/uebermittlung/grundlage/zweck"),
    ("<familienname>Brinkhoff", f"<familienname>{MARKER}Ж", "cvc-pattern-valid", "//stammdaten[1]/familienname"),
    ("<familienname>Brinkhoff", f"<familienname>{MARKER * 11}", "cvc-maxLength-valid", "//stammdaten[1]/familienname"),
    ("<familienname>Brinkhoff", "<familienname>", "cvc-minLength-valid", "//stammdaten[1]/familienname"),
    ("<familienname>Brinkhoff", f'<familienname {MARKER}="1">B', "cvc-type.3.1.1", "//stammdaten[1]/familienname"),
    ("<familienname>Brinkhoff<", f"<familienname><{MARKER}/><", "cvc-type.3.1.2", "//stammdaten[1]/familienname"),
    ("<familienname>Brinkhoff</familienname>", "", "cvc-complex-type.2.4", "//stammdaten[1]/geburtsname"),
    ("<daten>", f"<daten>{MARKER}", "cvc-complex-type.2.3", "/uebermittlung/daten"),
    ("<kopf>", f"<kopf {MARKER}='1'>", "cvc-complex-type.3.2.1", "/uebermittlung/kopf"),
    ("<kopf>", f"<{MARKER}/><kopf>", "cvc-complex-type.2.4", "/uebermittlung/*"),
    (' person="p1"', "", "cvc-complex-type.4", "//stammdaten[1]/@person"),
    (' person="p1"', f' person="{MARKER}"', "cvc-identity-constraint", "//stammdaten"),
    ('mitglied person="p2"', 'mitglied person="b1"', "cvc-identity-constraint", "//mitglied"),
    ('id="b2" person="p2"', 'id="b2" person="p1"', "cvc-identity-constraint", "//stammdaten[2]"),
    ('herkunft="SELBST"', f'herkunft="{MARKER}"', "cvc-enumeration-valid", "//stammdaten[1]/@herkunft"),
    (
        "<geburtsdatum>1960-10-14",
        "<geburtsdatum>1960-02-30",
        "cvc-datatype-valid.1.2.1",
        "//stammdaten[1]/geburtsdatum",
    ),
    ("<anzahlPersonen>2", "<anzahlPersonen>200", "cvc-maxInclusive-valid", "//haushalt/anzahlPersonen"),
    ("<betrag>563.00", "<betrag>563", "cvc-pattern-valid", "//leistungshoehe/monat/posten[1]/betrag"),
    ("<betrag>563.00", "<betrag>-563.00", "cvc-minInclusive-valid", "//leistungshoehe/monat/posten[1]/betrag"),
    ("09:30:00+01:00", "09:30:00", "cvc-pattern-valid", "/uebermittlung/kopf/erstelltAm"),
]


@pytest.mark.parametrize(("old", "new", "rule", "path"), SPOILED, ids=[f"{case[2]}-{case[3]}" for case in SPOILED])
def test_a_violation_names_rule_and_place_and_no_value(old: str, new: str, rule: str, path: str) -> None:
    """Each fault is reported first, at its place and line, in German, without a word of the message."""
    violation = violations_of(spoiled(old, new))[0]
    where = path.replace("//", "/uebermittlung/daten/") if not path.endswith(("//stammdaten", "//mitglied")) else path
    assert (violation.rule, violation.path) == (rule, where)
    assert violation.line == EXAMPLE.decode().partition(old)[0].count("\n") + 1 + (1 if "geburtsname" in path else 0)
    assert MARKER not in repr(violations_of(spoiled(old, new)))


def test_the_text_says_what_would_be_right() -> None:
    """Codes are listed, missing elements named, forms described."""
    texts = [violations_of(spoiled(old, new))[0].text for old, new, _, _ in SPOILED]
    assert "Codes: TEST, ECHT." in texts[0]
    assert "ein Wort in Großbuchstaben" in texts[1]
    assert "Möglich ist hier: familienname." in texts[7]
    assert "Codes: SELBST, EIGEN, ARZT_203" in violations_of(spoiled('"SELBST"', '"X"'))[0].text


def said_about(content: bytes) -> str:
    """Give all that an error about the message says; nothing where it is accepted."""
    try:
        validate(content)
    except SchemasError as error:
        return f"{error!r} {error} {getattr(error, 'violations', '')}"
    return ""


@given(
    st.sampled_from([str(text) for text in etree.fromstring(EXAMPLE).xpath("//text()[normalize-space()]")]),
    st.text(st.sampled_from(string.ascii_letters + "äŁ<&\u0416 "), max_size=8),
)
def test_no_violation_repeats_a_value(old: str, tail: str) -> None:
    """Whatever text is put anywhere, an error about it never holds it."""
    new = (MARKER + tail).replace("&", "&amp;").replace("<", "&lt;")
    assert MARKER not in said_about(EXAMPLE.replace(f">{old}<".encode(), f">{new}<".encode(), 1))


def test_the_bytes_are_kept_and_their_digest_is_sha_256() -> None:
    """The payload holds what came, to the byte."""
    payload = validate(EXAMPLE)
    assert payload.content == EXAMPLE
    assert payload.digest == digest(EXAMPLE) == hashlib.sha256(EXAMPLE).hexdigest()


def test_one_type_is_not_taken_for_the_other() -> None:
    """A receipt is no handover, and the answer says what is expected."""
    with pytest.raises(UnknownMessageType) as refused:
        validate(RECEIPT)
    assert refused.value.allowed == ("uebermittlung/1.0",)
    with pytest.raises(UnknownMessageType) as refused:
        validate_quittung(EXAMPLE)
    assert refused.value.allowed == ("quittung/1.0",)


def test_a_person_without_identity_cannot_be_submitted() -> None:
    """Each person without the block is named by its position; a reduced message is not asked."""
    payload = validate(message([DataCategory.ANSCHRIFT], persons=[PersonSpec("a"), PersonSpec("b", "kind")]))
    with pytest.raises(SchemaViolation) as refused:
        require_identities(payload)
    assert [(violation.rule, violation.path) for violation in refused.value.violations] == [
        ("AB-STAMMDATEN-FEHLT", "/uebermittlung/personen/person[1]"),
        ("AB-STAMMDATEN-FEHLT", "/uebermittlung/personen/person[2]"),
    ]
    require_identities(validate(EXAMPLE))


ALL = message([BlockSpec(category, part) for category, part in SAMPLES])
ALL_IDS = sorted(block.id for block in validate(ALL).blocks)


@given(st.sets(st.sampled_from(ALL_IDS), min_size=1))
@settings(max_examples=60)
def test_reducing_keeps_exactly_what_it_is_told(keep: set[str]) -> None:
    """The blocks kept are those named, unchanged and in their order; head and declarations stay."""
    whole = validate(ALL)
    reduced = reduce(whole, frozenset(keep))
    assert reduced.blocks == tuple(block for block in whole.blocks if block.id in keep)
    assert (reduced.head, reduced.declarations, reduced.consents) == (whole.head, whole.declarations, whole.consents)
    assert reduced.digest == digest(reduced.content) != whole.digest
    kept = {
        node.get("id"): etree.tostring(node, method="c14n") for node in etree.fromstring(reduced.content).find("daten")
    }
    before = {node.get("id"): etree.tostring(node, method="c14n") for node in etree.fromstring(ALL).find("daten")}
    strip = {block: text.split(b">", 1)[1].rstrip() for block, text in kept.items()}
    assert strip == {block: before[block].split(b">", 1)[1].rstrip() for block in keep}


def test_without_its_block_the_name_is_gone() -> None:
    """Taking out ``stammdaten`` takes the name out of the bytes and out of the payload."""
    whole = validate(EXAMPLE)
    reduced = reduce(whole, frozenset(block.id for block in whole.blocks if block.category != DataCategory.STAMMDATEN))
    assert [person.identity for person in reduced.persons] == [None, None]
    for word in ("Brinkhoff", "Hannelore", "Łukasiewicz", "Jörg", "1960-10-14", "Gdańsk"):
        assert word in EXAMPLE.decode()
        assert word not in reduced.content.decode()


def test_reduced_bytes_are_canonical() -> None:
    """The result is exclusive C14N 1.0, so reducing again by the same blocks changes nothing."""
    reduced = reduce(validate(EXAMPLE), frozenset({"b1", "b4"}))
    assert reduced.content == etree.tostring(etree.fromstring(reduced.content), method="c14n", exclusive=True)
    assert reduce(reduced, frozenset({"b1", "b4"})).content == reduced.content


@pytest.mark.parametrize("keep", [frozenset(), frozenset({"b1", "b99"})])
def test_reducing_to_nothing_or_to_what_is_not_there_is_a_mistake(keep: frozenset[str]) -> None:
    """The caller is told, and no message comes out."""
    with pytest.raises(ValueError, match="keep must name"):
        reduce(validate(EXAMPLE), keep)


def test_threads_do_not_read_each_others_errors() -> None:
    """Many threads validate different faults at once, and each gets its own violations."""
    cases = [(spoiled(old, new), rule) for old, new, rule, _ in SPOILED] * 20

    def first(case: tuple[bytes, str]) -> tuple[Violation, str]:
        return violations_of(case[0])[0], case[1]

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(first, cases))
    assert all(violation.rule == rule for violation, rule in results)
