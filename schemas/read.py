"""From an accepted tree to plain values. Nothing is checked here: the XSD and the rules have done that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import cast, get_args

from lxml import etree

from schemas.declarations import Declarations, Par64Answer, Received, Sorge
from schemas.identifiers import (
    ConsentId,
    DataCategory,
    ErsuchenId,
    Instance,
    MessageId,
    Mode,
    OriginMark,
    Part,
    Purpose,
    TransferId,
    Ueberhang,
    UnitCode,
)
from schemas.message import Block, Head, Identity, Person, PersonRole
from schemas.quittung import Quittung, QuittungGrund, QuittungStatus

_GERMANY = "DE"
_NO_MARKS: frozenset[OriginMark] = frozenset()


@dataclass(frozen=True, slots=True)
class _Values:
    """The texts of one parent's children, read by name; white space is collapsed as the XSD says."""

    texts: dict[str, str]

    def text(self, name: str) -> str | None:
        return self.texts.get(name)

    def day(self, name: str) -> date | None:
        text = self.texts.get(name)
        return date.fromisoformat(text) if text else None

    def flag(self, name: str) -> bool | None:
        text = self.texts.get(name)
        return None if text is None else text in ("true", "1")

    def categories(self, name: str) -> frozenset[DataCategory]:
        return frozenset(DataCategory(word) for word in self.texts.get(name, "").split())


def _values(parent: etree._Element | None) -> _Values:
    if parent is None:
        return _Values({})
    return _Values({str(child.tag): " ".join((child.text or "").split()) for child in parent})


def head(root: etree._Element) -> Head:
    """Read kopf, fall and grundlage."""
    kopf, fall, basis = (_values(root.find(name)).texts for name in ("kopf", "fall", "grundlage"))
    reply, request = kopf.get("antwortAuf"), basis.get("ersuchenId")
    return Head(
        message_id=MessageId(kopf["nachrichtId"]),
        sender=Instance.parse(kopf["absender"]),
        recipient=Instance.parse(kopf["empfaenger"]),
        created_at=datetime.fromisoformat(kopf["erstelltAm"]),
        reply_to=MessageId(reply) if reply else None,
        test=kopf["betrieb"] == "TEST",
        case_sender=fall["aktenzeichenAbsender"],
        case_recipient=fall.get("aktenzeichenEmpfaenger"),
        purpose=Purpose(basis["zweck"]),
        ground_claimed=basis.get("grund"),
        mode=Mode(basis["modus"]),
        ersuchen=ErsuchenId(request) if request else None,
        ueberhang=Ueberhang(basis.get("ueberhang", Ueberhang.ABLEHNEN)),
    )


def declarations(root: etree._Element) -> Declarations:
    """Read what the sender declares; what is absent stays undeclared."""
    said = _values(root.find("erklaerungen"))
    if not said.texts:
        return Declarations()
    return Declarations(
        konkreter_bedarf=said.flag("konkreterBedarf"),
        bedingungen=frozenset((said.text("bedingungen") or "").split()),
        par64_2_erfolg_gefaehrdet=cast("Par64Answer | None", said.text("par64Abs2ErfolgGefaehrdet")),
        fachkraft=said.text("fachkraft"),
        par65_key=said.text("par65Schluessel"),
        anvertraut_von=said.text("anvertrautVon"),
        absender_beruf_203=said.categories("absenderBeruf203"),
        hinweis_par76=said.day("hinweisPar76"),
        verfahrensbeginn=said.day("verfahrensbeginn"),
        gewichtige_anhaltspunkte=said.flag("gewichtigeAnhaltspunkte"),
        dringend=said.flag("dringend"),
        gefahrrelevant=said.categories("gefahrrelevant"),
        anhaltspunkte_schutz=said.flag("anhaltspunkteSchutz"),
        ersuchen_vom=said.day("ersuchenVom"),
        leitung_entschieden=said.flag("leitungEntschieden"),
        norm=said.text("norm"),
        richterliche_anordnung=said.day("richterlicheAnordnung"),
        verpflichtung_privat=said.day("verpflichtungPrivat"),
        mahnung_am=said.day("mahnungAm"),
        mahnung_mit_hinweis=said.flag("mahnungMitHinweis"),
        frist_bis=said.day("fristBis"),
        gerichtsverfahren=said.flag("gerichtsverfahren"),
        haushaltsmitglieder_eingewilligt=said.flag("haushaltsmitgliederEingewilligt"),
        nachweis_fuer_anspruch=said.flag("nachweisFuerAnspruch"),
        fortdauernder_zustand=said.flag("fortdauernderZustand"),
        raeumungstermin=said.day("raeumungstermin"),
        sorge=cast("Sorge | None", said.text("sorge")),
        betreuer_aufgabenkreis=said.flag("betreuerAufgabenkreis"),
        anhang=said.text("anhang"),
        kategorien_erklaert=said.flag("kategorienErklaert"),
        anderer_traeger=said.flag("andererTraeger"),
    )


def persons(root: etree._Element) -> tuple[Person, ...]:
    """Read the persons, each with the identity that its block ``stammdaten`` gives, if there is one."""
    identities = {block.get("person", "").strip(): _identity(block) for block in root.iterfind("daten/stammdaten")}
    german: dict[str, bool] = {}
    for block in root.iterfind("daten/staatsangehoerigkeit"):
        ref = block.get("person", "").strip()
        states = {" ".join((state.text or "").split()) for state in block}
        german[ref] = german.get(ref, False) or _GERMANY in states
    return tuple(
        Person(ref, cast("PersonRole", _values(person).texts["rolle"]), identities.get(ref), german.get(ref))
        for person in root.iterfind("personen/person")
        for ref in (person.get("id", "").strip(),)
    )


def _identity(block: etree._Element) -> Identity:
    said = _values(block).texts
    return Identity(
        family_name=said["familienname"],
        birth_name=said.get("geburtsname"),
        given_names=said["vornamen"],
        birth_date=date.fromisoformat(said["geburtsdatum"]),
    )


def blocks(root: etree._Element, categories: dict[str, tuple[DataCategory, Part | None]]) -> tuple[Block, ...]:
    """Read the data blocks in their order; `categories` maps element names as the XSD declares them."""
    return tuple(_block(element, *categories[str(element.tag)]) for element in root.iterfind("daten/*"))


def _block(element: etree._Element, category: DataCategory, part: Part | None) -> Block:
    said = {str(name): str(value).strip() for name, value in element.items()}
    marks = frozenset(OriginMark(mark) for mark in said["herkunft"].split()) if "herkunft" in said else _NO_MARKS
    return Block(
        id=said.get("id", ""),
        person=said.get("person", ""),
        category=category,
        part=part,
        marks=marks,
        contested=said.get("bestritten") in ("true", "1") or OriginMark.STRITTIG in marks,
        received=_received(said) if OriginMark.EMPFANGEN in marks else None,
    )


def _received(said: Mapping[str, str]) -> Received:
    unit, purpose, mark = (said.get(name) for name in ("ursprung", "ursprungszweck", "ursprungsmarke"))
    return Received(
        ursprung=UnitCode(unit) if unit else None,
        ursprungszweck=Purpose(purpose) if purpose else None,
        ursprungsmarke=OriginMark(mark) if mark else None,
    )


def consents(root: etree._Element) -> tuple[ConsentId, ...]:
    """Read the ids of the consents that the sender relies on, in their order."""
    return tuple(ConsentId((node.text or "").strip()) for node in root.iterfind("einwilligungen/einwilligungId"))


def quittung(root: etree._Element, digest: str, content: bytes) -> Quittung:
    """Read a receipt."""
    said = _values(root).texts
    reason = said.get("grund")
    return Quittung(
        message_id=MessageId(said["nachrichtId"]),
        transfer_id=TransferId(said["uebermittlungId"]),
        reply_to=MessageId(said["bezug"]),
        sender=Instance.parse(said["absender"]),
        created_at=datetime.fromisoformat(said["erstelltAm"]),
        status=QuittungStatus(said["status"]),
        reason=QuittungGrund(reason) if reason else None,
        digest=digest,
        content=content,
    )


#: The roles a person can have, as the type names them; tests hold the XSD to it.
PERSON_ROLES: tuple[str, ...] = get_args(PersonRole)
