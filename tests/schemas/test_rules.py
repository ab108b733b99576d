"""The rules beyond the XSD: each is broken alone, kept alone, and says where."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.declarations import Received
from schemas.errors import SchemaViolation
from schemas.identifiers import DataCategory, Mode, OriginMark, Part, Purpose, UnitCode
from schemas.xml import validate, validate_quittung
from tests.schemas.messages import (
    OTHER_ID,
    BlockSpec,
    PersonSpec,
    message,
    receipt,
    rules_of,
    spoiled,
    violations_of,
)

RECEIVED = Received(UnitCode.JUGENDAMT_ASD, Purpose("HILFEKOORDINATION"), OriginMark.ANVERTRAUT_65)


@pytest.mark.parametrize("mode", [Mode.ERSUCHEN, Mode.ABRUF])
def test_a_request_needs_its_id(mode: Mode) -> None:
    """Without the id the rule speaks, with it the message passes."""
    assert rules_of(message(mode=mode)) == ["AB-ERSUCHEN-FEHLT"]
    assert validate(message(mode=mode, ersuchen=OTHER_ID)).head.ersuchen == OTHER_ID


def test_no_request_no_id() -> None:
    """UNAUFGEFORDERT with an id is a contradiction; REGELMAESSIG may have one."""
    (violation,) = violations_of(message(ersuchen=OTHER_ID))
    assert (violation.rule, violation.path) == ("AB-ERSUCHEN-ZUVIEL", "/uebermittlung/grundlage/ersuchenId")
    assert validate(message(mode=Mode.REGELMAESSIG, ersuchen=OTHER_ID)).head.mode is Mode.REGELMAESSIG
    assert validate(message(mode=Mode.REGELMAESSIG)).head.ersuchen is None


@given(st.dates(date(1950, 1, 1), date(2090, 1, 1)), st.dates(date(1950, 1, 1), date(2090, 1, 1)))
def test_a_span_ends_on_its_first_day_or_later(first: date, last: date) -> None:
    """The rule speaks exactly where the last day is before the first."""
    content = (("ergebnis", "ERWERBSFAEHIG"), ("von", first.isoformat()), ("bis", last.isoformat()))
    sent = message([BlockSpec(DataCategory.ERWERBSFAEHIGKEIT, content=content)])
    if first <= last:
        assert validate(sent).blocks
    else:
        (violation,) = violations_of(sent)
        assert (violation.rule, violation.path) == ("AB-DATUM-FOLGE", "/uebermittlung/daten/erwerbsfaehigkeit/bis")


@pytest.mark.parametrize(
    ("category", "old", "new"),
    [
        (DataCategory.AUFENTHALTSSTATUS, "2027-03-04", "2025-03-04"),
        (DataCategory.ANTRAGSDATEN, "2026-01-13", "2026-01-11"),
    ],
)
def test_other_pairs_of_days_are_in_order_too(category: DataCategory, old: str, new: str) -> None:
    """Granted before expired, applied before received."""
    assert rules_of(spoiled(old, new, message([category]))) == ["AB-DATUM-FOLGE"]


def test_a_declared_deadline_is_not_before_its_reminder() -> None:
    """The declarations are asked as well."""
    said = {"mahnung_am": date(2026, 3, 2), "frist_bis": date(2026, 3, 1)}
    assert rules_of(message(declarations=said)) == ["AB-DATUM-FOLGE"]


def test_nobody_is_born_after_the_message() -> None:
    """The day counts in Europe/Berlin: 23:30 UTC on 1 July is 2 July there."""
    written = "2026-07-01T23:30:00Z"
    born = message(persons=[PersonSpec(birth=date(2026, 7, 2))], created_at=written)
    assert validate(born).persons[0].identity is not None
    later = message(persons=[PersonSpec(birth=date(2026, 7, 3))], created_at=written)
    (violation,) = violations_of(later)
    assert (violation.rule, violation.path) == ("AB-DATUM-ZUKUNFT", "/uebermittlung/daten/stammdaten/geburtsdatum")


def test_a_wrong_iban_and_a_wrong_tax_id_are_found() -> None:
    """One wrong digit is enough, and each is reported at its place."""
    sent = message([DataCategory.BANKVERBINDUNG, (DataCategory.ORDNUNGSMERKMAL, Part.STEUER_IDNR)])
    wrong = spoiled("<iban>DE53", "<iban>DE54", spoiled("<idnr>86", "<idnr>87", sent))
    assert [(v.rule, v.path) for v in violations_of(wrong)] == [
        ("AB-IBAN", "/uebermittlung/daten/bankverbindung/iban"),
        ("AB-IDNR", "/uebermittlung/daten/steuerIdnr/idnr"),
    ]


def test_an_origin_stands_only_at_received_data() -> None:
    """With the mark EMPFANGEN it is read, without it refused, and EMPFANGEN is no original mark."""
    block = BlockSpec(DataCategory.ANSCHRIFT, marks=(OriginMark.EMPFANGEN,), received=RECEIVED)
    assert validate(message([block])).blocks[0].received == RECEIVED
    assert rules_of(message([BlockSpec(DataCategory.ANSCHRIFT, received=RECEIVED)])) == ["AB-URSPRUNG"]
    again = Received(RECEIVED.ursprung, RECEIVED.ursprungszweck, OriginMark.EMPFANGEN)
    twice = BlockSpec(DataCategory.ANSCHRIFT, marks=(OriginMark.EMPFANGEN,), received=again)
    assert rules_of(message([twice])) == ["AB-URSPRUNGSMARKE"]


@pytest.mark.parametrize("written", ["Jo\u0308rg", "Jo&#x308;rg", "&#x212B;sa"])
def test_text_is_normalised(written: str) -> None:
    """Decomposed letters are refused, also where a character reference hides them."""
    wrong = spoiled("Erika", written, message())
    assert [(v.rule, v.path) for v in violations_of(wrong)] == [("AB-NFC", "/uebermittlung/daten/stammdaten/vornamen")]
    assert validate(spoiled("Erika", "Jörg", message())).persons[0].identity is not None


def test_text_outside_the_schema_is_not_named_by_its_element() -> None:
    """The normal form is asked before the XSD, so an unknown element shows as a star."""
    wrong = spoiled("<daten>", "<Geheimname>o\u0308</Geheimname><daten>", message())
    assert [v.path for v in violations_of(wrong)] == ["/uebermittlung/*"]


def test_a_receipt_gives_a_reason_where_it_rejects_and_nowhere_else() -> None:
    """ABGELEHNT needs a reason; the others must not have one."""
    assert validate_quittung(receipt(status="ABGELEHNT", reason="DOPPELT")).reason == "DOPPELT"
    for wrong, rule in (
        (receipt(status="ABGELEHNT"), "AB-GRUND-FEHLT"),
        (receipt(status="VERARBEITET", reason="DOPPELT"), "AB-GRUND-ZUVIEL"),
    ):
        with pytest.raises(SchemaViolation) as refused:
            validate_quittung(wrong)
        assert [violation.rule for violation in refused.value.violations] == [rule]
