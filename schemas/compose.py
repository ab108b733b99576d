"""Write messages from plain arguments: for examples, the demonstration, measurements and tests.

A Fachverfahren writes its own XML; this module is no gate. What it writes is valid as long as the arguments are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from lxml import etree

from schemas.declarations import Received
from schemas.identifiers import DataCategory, Mode, OriginMark, Part, Ueberhang
from schemas.message import PersonRole
from schemas.message_types import latest
from schemas.samples import SAMPLES, Content

#: Names of the case format → element names of ``erklaerungen``, in the order of the XSD.
DECLARATION_ELEMENTS = {
    "konkreter_bedarf": "konkreterBedarf",
    "bedingungen": "bedingungen",
    "par64_2_erfolg_gefaehrdet": "par64Abs2ErfolgGefaehrdet",
    "fachkraft": "fachkraft",
    "par65_key": "par65Schluessel",
    "anvertraut_von": "anvertrautVon",
    "absender_beruf_203": "absenderBeruf203",
    "hinweis_par76": "hinweisPar76",
    "verfahrensbeginn": "verfahrensbeginn",
    "gewichtige_anhaltspunkte": "gewichtigeAnhaltspunkte",
    "dringend": "dringend",
    "gefahrrelevant": "gefahrrelevant",
    "anhaltspunkte_schutz": "anhaltspunkteSchutz",
    "ersuchen_vom": "ersuchenVom",
    "leitung_entschieden": "leitungEntschieden",
    "norm": "norm",
    "richterliche_anordnung": "richterlicheAnordnung",
    "verpflichtung_privat": "verpflichtungPrivat",
    "mahnung_am": "mahnungAm",
    "mahnung_mit_hinweis": "mahnungMitHinweis",
    "frist_bis": "fristBis",
    "gerichtsverfahren": "gerichtsverfahren",
    "haushaltsmitglieder_eingewilligt": "haushaltsmitgliederEingewilligt",
    "nachweis_fuer_anspruch": "nachweisFuerAnspruch",
    "fortdauernder_zustand": "fortdauernderZustand",
    "raeumungstermin": "raeumungstermin",
    "sorge": "sorge",
    "betreuer_aufgabenkreis": "betreuerAufgabenkreis",
    "anhang": "anhang",
    "kategorien_erklaert": "kategorienErklaert",
    "anderer_traeger": "andererTraeger",
}


@dataclass(frozen=True, slots=True)
class PersonSpec:
    """A person to write: reference, role, and the identity for its block ``stammdaten``. Names are made up."""

    ref: str = "p1"
    role: PersonRole = "betroffene_person"
    family: str = "Beispiel"
    given: str = "Erika"
    birth: date = date(1961, 3, 9)


@dataclass(frozen=True, slots=True)
class BlockSpec:
    """A data block to write. `content` None = the made-up default; `id` None = ``b1``, ``b2`` … by position."""

    category: DataCategory
    part: Part | None = None
    person: str = "p1"
    marks: tuple[OriginMark, ...] = ()
    contested: bool = False
    received: Received | None = None
    content: Content | None = None
    id: str | None = None


#: What `compose_uebermittlung` takes for a block: a spec, a category, or a category with its part.
AnyBlock = BlockSpec | DataCategory | tuple[DataCategory, Part | None]


def compose_uebermittlung(  # noqa: PLR0913 – a message has these parts; all but four have a default
    *,
    message_id: str,
    sender: str,
    recipient: str,
    purpose: str,
    blocks: Sequence[AnyBlock],
    persons: Sequence[PersonSpec] = (PersonSpec(),),
    mode: Mode | str = Mode.UNAUFGEFORDERT,
    created_at: datetime | str = "2026-11-02T09:30:00+01:00",
    case_sender: str = "AZ-2026/0815",
    case_recipient: str | None = None,
    reply_to: str | None = None,
    ground: str | None = None,
    ersuchen: str | None = None,
    ueberhang: Ueberhang | str | None = None,
    declarations: Mapping[str, Any] | None = None,
    consents: Sequence[str] = (),
    test: bool = True,
) -> bytes:
    """Write an ``uebermittlung`` as UTF-8 bytes with XML declaration.

    `blocks` are data blocks (see `AnyBlock`); a category alone belongs to the first person. `declarations` has the
    names of the case format, with dates, booleans, texts or lists as values. Raises `KeyError` for a declaration or
    a category with part that the format does not know.
    """
    root = _root("uebermittlung")
    kopf = etree.SubElement(root, "kopf")
    head = {"nachrichtId": message_id, "absender": sender, "empfaenger": recipient, "erstelltAm": created_at}
    _texts(kopf, {**head, "antwortAuf": reply_to, "betrieb": "TEST" if test else "ECHT"})
    fall = etree.SubElement(root, "fall")
    _texts(fall, {"aktenzeichenAbsender": case_sender, "aktenzeichenEmpfaenger": case_recipient})
    basis = etree.SubElement(root, "grundlage")
    _texts(basis, {"zweck": purpose, "grund": ground, "modus": mode, "ersuchenId": ersuchen, "ueberhang": ueberhang})
    _declare(root, declarations or {})
    _rely_on(root, consents)
    _list_persons(root, persons)
    daten = etree.SubElement(root, "daten")
    for position, block in enumerate(blocks, start=1):
        _write_block(daten, _spec(block, persons[0].ref), position, {person.ref: person for person in persons})
    return _bytes(root)


def compose_quittung(
    *,
    message_id: str,
    transfer_id: str,
    reply_to: str,
    sender: str,
    status: str,
    reason: str | None = None,
    created_at: datetime | str = "2026-11-02T11:05:00+01:00",
) -> bytes:
    """Write a ``quittung`` as UTF-8 bytes with XML declaration; `reply_to` is the id of the message received."""
    root = _root("quittung")
    ids = {"nachrichtId": message_id, "uebermittlungId": transfer_id, "bezug": reply_to, "absender": sender}
    _texts(root, {**ids, "erstelltAm": created_at, "status": status, "grund": reason})
    return _bytes(root)


def _root(name: str) -> etree._Element:
    message_type = latest(name)
    return etree.Element(message_type.tag, nsmap={"ab": message_type.namespace})


def _bytes(root: etree._Element) -> bytes:
    etree.indent(root)
    written: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    return written


def _text(value: object) -> str:
    """Write a value in its XSD form: booleans in lower case, days and moments in ISO 8601, lists with blanks."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list | tuple | set | frozenset):
        return " ".join(sorted(str(word) for word in value))
    return str(value)


def _texts(parent: etree._Element, values: Mapping[str, object]) -> None:
    for name, value in values.items():
        if value is not None:
            etree.SubElement(parent, name).text = _text(value)


def _declare(root: etree._Element, declarations: Mapping[str, Any]) -> None:
    if unknown := set(declarations) - set(DECLARATION_ELEMENTS):
        raise KeyError(f"not a declaration of the sender: {', '.join(sorted(unknown))}")
    if declarations:
        said = {element: declarations.get(name) for name, element in DECLARATION_ELEMENTS.items()}
        _texts(etree.SubElement(root, "erklaerungen"), said)


def _rely_on(root: etree._Element, consents: Sequence[str]) -> None:
    if consents:
        parent = etree.SubElement(root, "einwilligungen")
        for consent in consents:
            etree.SubElement(parent, "einwilligungId").text = consent


def _list_persons(root: etree._Element, persons: Sequence[PersonSpec]) -> None:
    parent = etree.SubElement(root, "personen")
    for person in persons:
        _texts(etree.SubElement(parent, "person", {"id": person.ref}), {"rolle": person.role})


def _spec(block: AnyBlock, first_person: str) -> BlockSpec:
    if isinstance(block, BlockSpec):
        return block
    category, part = block if isinstance(block, tuple) else (block, None)
    return BlockSpec(category, part, person=first_person)


def _write_block(daten: etree._Element, block: BlockSpec, position: int, persons: Mapping[str, PersonSpec]) -> None:
    name, default = SAMPLES[block.category, block.part]
    element = etree.SubElement(daten, name, {"id": block.id or f"b{position}", "person": block.person})
    if block.marks:
        element.set("herkunft", " ".join(block.marks))
    if block.contested:
        element.set("bestritten", "true")
    if block.received is not None:
        for attribute in ("ursprung", "ursprungszweck", "ursprungsmarke"):
            if (value := getattr(block.received, attribute)) is not None:
                element.set(attribute, str(value))
    _fill(element, default if block.content is None else block.content, _blanks(block.person, persons))


def _blanks(ref: str, persons: Mapping[str, PersonSpec]) -> dict[str, str]:
    """Give the texts for the blanks of a sample; a block may belong to a person the caller did not describe."""
    person = persons.get(ref, PersonSpec(ref))
    blanks = {"person": ref, "family": person.family, "given": person.given, "birth": person.birth.isoformat()}
    return {f"{{{name}}}": value for name, value in blanks.items()}


def _fill(parent: etree._Element, content: Content, blanks: Mapping[str, str]) -> None:
    for name, value in content:
        child = etree.SubElement(parent, name)
        if isinstance(value, str):
            child.text = blanks.get(value, value)
        elif isinstance(value, dict):
            for attribute, text in value.items():
                child.set(attribute, blanks.get(text, text))
        else:
            _fill(child, value, blanks)
