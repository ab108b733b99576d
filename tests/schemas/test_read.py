"""What a message says arrives in the types, whole and in the right field."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, date, datetime
from typing import Any

import pytest

from schemas.compose import DECLARATION_ELEMENTS
from schemas.declarations import Declarations
from schemas.identifiers import DataCategory, Instance, Mode, OriginMark, Part, Ueberhang
from schemas.message import Identity
from schemas.read import PERSON_ROLES
from schemas.xml import validate, validate_quittung
from tests.schemas.messages import MESSAGE_ID, OTHER_ID, BlockSpec, PersonSpec, message, receipt, spoiled

C = DataCategory
#: Declarations that come from a register, from the recipient or from the blocks, never from the sender's message.
NOT_THE_SENDERS = {"schutzanschrift_im_register", "verfahren", "anzahl_personen", "received", "ordnungsmerkmal_typ"}
SAID: dict[str, Any] = {
    "konkreter_bedarf": False,
    "bedingungen": frozenset({"MB", "KOPF"}),
    "par64_2_erfolg_gefaehrdet": "unklar",
    "fachkraft": "ASD-17",
    "par65_key": "Nr. 3",
    "anvertraut_von": "beide Sorgeberechtigte",
    "absender_beruf_203": frozenset({C.GESUNDHEIT}),
    "hinweis_par76": date(2026, 1, 2),
    "verfahrensbeginn": date(2026, 1, 3),
    "gewichtige_anhaltspunkte": True,
    "dringend": True,
    "gefahrrelevant": frozenset({C.KINDESWOHL, C.ANSCHRIFT}),
    "anhaltspunkte_schutz": True,
    "ersuchen_vom": date(2026, 1, 4),
    "leitung_entschieden": False,
    "norm": "§ 62 Abs. 3 Nr. 2 Buchst. d SGB VIII",
    "richterliche_anordnung": date(2026, 1, 5),
    "verpflichtung_privat": date(2026, 1, 6),
    "mahnung_am": date(2026, 1, 7),
    "mahnung_mit_hinweis": True,
    "frist_bis": date(2026, 1, 8),
    "gerichtsverfahren": False,
    "haushaltsmitglieder_eingewilligt": True,
    "nachweis_fuer_anspruch": False,
    "fortdauernder_zustand": True,
    "raeumungstermin": date(2026, 1, 9),
    "sorge": "allein",
    "betreuer_aufgabenkreis": True,
    "anhang": "BESCHEID",
    "kategorien_erklaert": True,
    "anderer_traeger": False,
}


def test_every_declaration_of_the_sender_is_in_the_format() -> None:
    """No field of `Declarations` is forgotten, and none is in the format that is not the sender's."""
    named = {field.name for field in fields(Declarations)}
    assert set(DECLARATION_ELEMENTS) == set(SAID) == named - NOT_THE_SENDERS


@pytest.mark.parametrize("name", SAID)
def test_each_declaration_arrives_alone(name: str) -> None:
    """One declared field is set, all others stay undeclared."""
    read = validate(message(declarations={name: SAID[name]})).declarations
    assert read == Declarations(**{name: SAID[name]})


def test_all_declarations_arrive_together() -> None:
    """The order of the XSD holds for all at once."""
    assert validate(message(declarations=SAID)).declarations == Declarations(**SAID)


def test_what_is_not_declared_stays_undeclared() -> None:
    """Without ``erklaerungen`` nothing is declared."""
    assert validate(message()).declarations == Declarations()


def test_the_head_arrives() -> None:
    """Every field of the head, the case and the basis is read."""
    more = {"mode": Mode.ERSUCHEN, "ersuchen": OTHER_ID, "reply_to": OTHER_ID, "case_recipient": "MARL-7"}
    sent = message(**more, ground="§ 69 Abs. 1 Nr. 1 SGB X", ueberhang=Ueberhang.ENTFERNEN, test=False)
    head = validate(sent).head
    assert (head.message_id, head.reply_to, head.ersuchen) == (MESSAGE_ID, OTHER_ID, OTHER_ID)
    assert head.sender == Instance.parse("jobcenter-kreis-re:JOBCENTER")
    assert head.recipient == Instance.parse("sozialamt-marl:SOZIALAMT_SGBXII")
    assert head.created_at == datetime(2026, 11, 2, 8, 30, tzinfo=UTC)
    assert (head.test, head.mode, head.ueberhang) == (False, Mode.ERSUCHEN, Ueberhang.ENTFERNEN)
    assert (head.case_sender, head.case_recipient) == ("AZ-2026/0815", "MARL-7")
    assert (head.purpose, head.ground_claimed) == ("RECHTSKREISWECHSEL", "§ 69 Abs. 1 Nr. 1 SGB X")


def test_absent_options_have_their_defaults() -> None:
    """Without a word on excess the message is refused rather than cut."""
    head = validate(message()).head
    assert (head.ueberhang, head.reply_to, head.ersuchen) == (Ueberhang.ABLEHNEN, None, None)
    assert (head.case_recipient, head.ground_claimed, head.test) == (None, None, True)


def test_persons_have_the_identity_of_their_own_block() -> None:
    """Names go to the person whose block holds them; without a block there is no identity."""
    people = [PersonSpec("a", "kind", "Klein", "Mia", date(2015, 5, 5)), PersonSpec("b", "elternteil", "Groß", "Kim")]
    read = validate(message([BlockSpec(C.STAMMDATEN, person="a")], persons=people)).persons
    assert [(person.ref, person.role) for person in read] == [("a", "kind"), ("b", "elternteil")]
    assert read[0].identity == Identity("Klein", None, "Mia", date(2015, 5, 5))
    assert read[1].identity is None


@pytest.mark.parametrize("role", PERSON_ROLES)
def test_every_role_is_in_the_format(role: str) -> None:
    """The type and the XSD know the same roles."""
    person = PersonSpec(role=role)  # type: ignore[arg-type]  # taken from the type itself
    assert validate(message(persons=[person])).persons[0].role == role


@pytest.mark.parametrize(
    ("states", "german"), [(("DE",), True), (("UA",), False), (("UA", "DE"), True), (("ZZ",), False)]
)
def test_german_is_known_from_the_block_alone(states: tuple[str, ...], german: bool) -> None:
    """One German nationality among several is enough; without the block nothing is known."""
    content = tuple(("staat", state) for state in states)
    assert validate(message([BlockSpec(C.STAATSANGEHOERIGKEIT, content=content)])).persons[0].german is german
    assert validate(message()).persons[0].german is None


def test_blocks_arrive_in_their_order_with_category_part_and_marks() -> None:
    """What the XSD says of an element and what the message says of it come together."""
    sent = message(
        [
            BlockSpec(C.SCHULDEN, Part.MIET, marks=(OriginMark.DRITTER, OriginMark.STRITTIG), id="schuld"),
            BlockSpec(C.EINKOMMEN, contested=True),
        ]
    )
    first, second = validate(sent).blocks
    assert (first.id, first.category, first.part) == ("schuld", C.SCHULDEN, Part.MIET)
    assert (first.marks, first.contested) == ({OriginMark.DRITTER, OriginMark.STRITTIG}, True)
    assert (second.id, second.part, second.marks, second.contested) == ("b2", None, frozenset(), True)


def test_white_space_around_values_does_not_count() -> None:
    """What the XSD collapses is collapsed when it is read, in elements and in attributes."""
    sent = spoiled('id="b1" person="p1"', 'id=" b1 " person=" p1 "', message())
    spaced = spoiled("<vornamen>Erika<", "<vornamen>\n  Erika \n  Ruth <", sent)
    payload = validate(spoiled("<modus>UNAUFGEFORDERT<", "<modus> UNAUFGEFORDERT\n<", spaced))
    assert payload.persons[0].identity == Identity("Beispiel", None, "Erika Ruth", date(1961, 3, 9))
    assert (payload.blocks[0].id, payload.head.mode) == ("b1", Mode.UNAUFGEFORDERT)


def test_consents_arrive_in_their_order() -> None:
    """The ids the sender relies on are read as they stand."""
    assert validate(message(consents=[OTHER_ID, MESSAGE_ID])).consents == (OTHER_ID, MESSAGE_ID)


def test_a_receipt_arrives() -> None:
    """Every field of a receipt is read, and its bytes are kept with their digest."""
    content = receipt(status="ABGELEHNT", reason="NICHT_ZUSTAENDIG")
    read = validate_quittung(content)
    assert (read.message_id, read.transfer_id, read.reply_to) == (OTHER_ID, "0d9c1f52-0001", MESSAGE_ID)
    assert (read.sender, read.status, read.reason) == (
        Instance.parse("sozialamt-marl:SOZIALAMT_SGBXII"),
        "ABGELEHNT",
        "NICHT_ZUSTAENDIG",
    )
    assert (read.created_at, read.content) == (datetime(2026, 11, 2, 10, 5, tzinfo=UTC), content)
