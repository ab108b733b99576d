"""Following an advice: the facts as they are once the sender has done what an explanation says, or a day later.

Each advice of the sentences has an entry here; what nobody can do has none to follow and stands in `NOTHING_HELPS`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from typing import Any

from consent.consents import NOTICES, Consent, ConsentForm, GivenBy
from consent.explanation.argument import Sentence
from consent.explanation.sentences import Said, sentences
from consent.facts import FirstCollection, PersonFacts, TransferFacts
from schemas.declarations import Received, RegisteredProcedure
from schemas.identifiers import DataCategory, Mode, OriginMark, Part, Purpose
from tests.consent.samples import RELEASE, items

Key = tuple[str, str, str]
Follow = Callable[[TransferFacts, date, Sentence], TransferFacts]
LATER = timedelta(days=20)
"""Whoever follows advice comes back on another day."""
ADULT, ALONE = 18, 15


@cache
def keys(text: str) -> frozenset[Key]:
    """Return which advices a text is: (code, gate, variant), or (condition, "", "")."""
    return frozenset(key for key, pattern in _patterns().items() if pattern.fullmatch(text))


@cache
def _patterns() -> Mapping[Key, re.Pattern[str]]:
    said = sentences()
    told = {key: code.remedy for key, code in said.codes.items()}
    told |= {(code, "", ""): condition.remedy for code, condition in said.conditions.items()}
    return {key: _pattern(remedy) for key, remedy in told.items()}


def _pattern(said: Said) -> re.Pattern[str]:
    frames = sentences().frames
    asked = "|".join(_loose(frames[name].de) for name in ("consent", "consent_written"))
    more = ("consent_represented", "consent_age", "consent_household")
    tail = "|".join(_loose(f" {frames[name].de}") for name in more)
    text = _loose(said.de, einwilligung=f"(?:{asked})(?:{tail})*", vertretung=f"(?:{tail})?", alter=f"(?:{tail})?")
    return re.compile(text)


def _loose(template: str, **known: str) -> str:
    parts = re.split(r"\{(\w+)\}", template)
    return "".join(known.get(part, ".+?") if place % 2 else re.escape(part) for place, part in enumerate(parts))


def _declared(facts: TransferFacts, **more: Any) -> TransferFacts:
    return replace(facts, declarations=replace(facts.declarations, **more))


def declare(**more: Any) -> Follow:
    """Follow by declaring something."""
    return lambda facts, _, __: _declared(facts, **more)


def listed(condition: str) -> Follow:
    """Follow by declaring a condition as fulfilled."""
    return lambda facts, _, __: replace(
        _declared(facts, bedingungen=facts.declarations.bedingungen | {condition}),
        persons=tuple(replace(person, german=None) for person in facts.persons),
    )


def element(part: Part) -> Follow:
    """Follow by sending nothing more than the condition says, in the element for it."""

    def follow(facts: TransferFacts, _: date, advice: Sentence) -> TransferFacts:
        return replace(
            facts, items=tuple(replace(i, part=part) if i.category in advice.categories else i for i in facts.items)
        )

    return follow


def leave_out(facts: TransferFacts, _: date, advice: Sentence) -> TransferFacts:
    """Leave the named categories out of the message, and the tax id out of a file number."""
    left = tuple(item for item in facts.items if item.category not in advice.categories)
    return replace(facts, items=left)


def file_number(facts: TransferFacts, _: date, __: Sentence) -> TransferFacts:
    """Use a file number in place of the tax id."""
    clean = tuple(replace(item, part=None) if item.part is Part.STEUER_IDNR else item for item in facts.items)
    return replace(_declared(facts, ordnungsmerkmal_typ=None), items=clean)


def no_address(facts: TransferFacts, _: date, __: Sentence) -> TransferFacts:
    """Leave every address out."""
    return replace(facts, items=tuple(item for item in facts.items if item.category is not DataCategory.ANSCHRIFT))


def by_whom(person: PersonFacts) -> GivenBy:
    """Return who decides for a person."""
    return GivenBy.PERSON if person.age is not None and person.age >= ALONE else GivenBy.BEIDE


def consents(*, release: bool = False, household: bool = True) -> Follow:
    """Follow by a consent of every person concerned, as the advice words it."""

    def follow(facts: TransferFacts, on: date, advice: Sentence) -> TransferFacts:
        named = advice.categories or tuple(item.category for item in facts.items)
        if "Alter" in advice.text:
            grown = tuple(replace(person, age=30 if person.age is None else person.age) for person in facts.persons)
            facts = replace(facts, persons=grown)
        given = tuple(_consent(facts, person, named, on, release=release) for person in facts.persons)
        known = tuple(replace(consent, insight_of_minor=None) for consent in facts.consents)
        told = {"haushaltsmitglieder_eingewilligt": True} if household and "Haushalts" in advice.text else {}
        return _declared(replace(facts, consents=known + given), **told)

    return follow


def _consent(
    facts: TransferFacts, person: PersonFacts, named: tuple[DataCategory, ...], on: date, *, release: bool
) -> Consent:
    return Consent(
        id=f"new-{len(facts.consents)}-{person.ref}",
        person=person.ref,
        given_by=by_whom(person),
        granted=on - timedelta(days=1),
        purpose=facts.purpose,
        recipients=frozenset({facts.recipient.instance}),
        categories=frozenset(category.value for category in named),
        form=ConsentForm.SCHRIFTLICH,
        notices=NOTICES,
        voluntary=True,
        release_of=RELEASE if release else None,
    )


def entrusted(facts: TransferFacts, on: date, advice: Sentence) -> TransferFacts:
    """Follow by the consent of whoever entrusted, and name the key and who it was."""
    found = consents()(facts, on, advice)
    return _declared(found, par65_key="Nr. 1", anvertraut_von=by_whom(found.persons[0]).value)


def key_of_child(facts: TransferFacts, _: date, __: Sentence) -> TransferFacts:
    """Name the number of § 65 that holds in urgent danger."""
    return _declared(facts, par65_key="Nr. 5", fachkraft="F", dringend=True)


def urgent(facts: TransferFacts, _: date, advice: Sentence) -> TransferFacts:
    """Declare the danger as urgent, and that the data bear on it."""
    relevant = facts.declarations.gefahrrelevant | frozenset(advice.categories)
    return _declared(facts, dringend=True, gewichtige_anhaltspunkte=True, gefahrrelevant=relevant)


def opinion(facts: TransferFacts, _: date, advice: Sentence) -> TransferFacts:
    """State that the data come from an assessment, with notice in time."""
    marked = tuple(
        replace(i, marks=frozenset({OriginMark.GUTACHTEN})) if i.category in advice.categories else i
        for i in facts.items
    )
    return _declared(replace(facts, items=marked), hinweis_par76=date(2018, 5, 26), verfahrensbeginn=date(2018, 6, 1))


def requested(facts: TransferFacts, on: date, _: Sentence) -> TransferFacts:
    """Wait for a request, with the person asked before; of the police, decided by the head."""
    asked = _declared(facts, ersuchen_vom=on, leitung_entschieden=True)
    return replace(asked, mode=Mode.ERSUCHEN, requested=None, first_collection=in_vain(on))


def in_vain(on: date) -> FirstCollection:
    """Return a question that the person did not answer in time."""
    return FirstCollection("VERSUCHT_FRUCHTLOS", asked=on - timedelta(days=16), deadline=on - timedelta(days=1))


def asked_first(facts: TransferFacts, on: date, _: Sentence) -> TransferFacts:
    """Let the recipient ask the person first."""
    return replace(facts, first_collection=in_vain(on))


def by_task(facts: TransferFacts, _: date, __: Sentence) -> TransferFacts:
    """Let the recipient state the nature of its task."""
    return replace(facts, first_collection=FirstCollection("AUFGABENART"))


def procedure(facts: TransferFacts, _: date, __: Sentence) -> TransferFacts:
    """Have a procedure approved, registered and notified, for all that is in the message."""
    named = frozenset(item.category for item in facts.items)
    return _declared(
        facts,
        verfahren=RegisteredProcedure(
            "V-1", "AKTIV", genehmigt=True, ldi_unterrichtet=date(2019, 1, 1), kategorien=named
        ),
    )


def without_no(facts: TransferFacts, _: date, __: Sentence) -> TransferFacts:
    """End the objection, on record."""
    return replace(facts, objections=())


def complete(facts: TransferFacts, on: date, _: Sentence) -> TransferFacts:
    """State what was missing: age, indications, the request's day, categories of what is attached."""
    persons = tuple(replace(person, age=30 if person.age is None else person.age) for person in facts.persons)
    said, named = facts.declarations, facts.items or items("STAMMDATEN", "LEISTUNGSBEZUG", person=persons[0].ref)
    return _declared(
        replace(facts, persons=persons, items=named),
        gewichtige_anhaltspunkte=True if said.gewichtige_anhaltspunkte is None else said.gewichtige_anhaltspunkte,
        ersuchen_vom=on,
        kategorien_erklaert=True,
    )


def one_controller(facts: TransferFacts, _: date, __: Sentence) -> TransferFacts:
    """Correct the statement on the controller."""
    return replace(_declared(facts, anderer_traeger=None), same_controller=None)


def origin_purpose(facts: TransferFacts, _: date, __: Sentence) -> TransferFacts:
    """State for what, and from whom, the data were received."""
    came = Received(ursprung=facts.sender.unit, ursprungszweck=Purpose(facts.purpose))
    found = tuple(replace(item, received=came) if item.received else item for item in facts.items)
    return _declared(replace(facts, items=found), received=came)


CONSENT, RELEASED = consents(), consents(release=True)
FOLLOWED: Mapping[Key, Follow] = {
    ("UNVOLLSTAENDIG", "G0", ""): complete,
    ("UNVOLLSTAENDIG", "G2", ""): one_controller,
    ("UNVOLLSTAENDIG", "G4 c", ""): declare(par64_2_erfolg_gefaehrdet="nein", fachkraft="F"),
    ("UNVOLLSTAENDIG", "G4 EMPFANGEN", ""): origin_purpose,
    ("UNVOLLSTAENDIG", "G5", ""): complete,
    ("UNVOLLSTAENDIG", "G6", ""): complete,
    ("UNVOLLSTAENDIG", "G7", ""): asked_first,
    ("PAR65", "G4 a", ""): entrusted,
    ("PAR65", "G4 a", "kinderschutz"): key_of_child,
    ("PAR76", "G4 b", ""): RELEASED,
    ("PAR76", "G4 b", "begutachtung"): RELEASED,
    ("PAR76", "G4 b", "widerspruch"): RELEASED,
    ("PAR76", "G4 b", "nachweis"): declare(nachweis_fuer_anspruch=True),
    ("PAR76", "G4 b", "kinderschutz"): urgent,
    ("PAR76", "G4 b", "nicht_69"): leave_out,
    ("KEIN_GRUND", "G5", "gesundheit"): leave_out,
    ("PAR203", "G4 e", ""): RELEASED,
    ("PAR203", "G4 e", "kinderschutz"): urgent,
    ("PAR64_2", "G4 c", ""): CONSENT,
    ("PAR64_2", "G4 c", "ja"): declare(par64_2_erfolg_gefaehrdet="nein", fachkraft="F"),
    ("SCHUTZINTERESSE", "G8", ""): declare(anhaltspunkte_schutz=None),
    ("SCHUTZINTERESSE", "G8", "register"): no_address,
    ("PAR68", "G5", ""): CONSENT,
    ("KEIN_GRUND", "G5", "auf_ersuchen"): requested,
    ("KEIN_GRUND", "G5", "einzelfall"): requested,
    ("KEIN_GRUND", "G5", "leitung"): declare(leitung_entschieden=True),
    ("KEIN_GRUND", "G5", "par87"): declare(norm="§ 87(2) AufenthG"),
    ("KEIN_GRUND", "G5", "anhaltspunkte"): declare(gewichtige_anhaltspunkte=True),
    ("KEIN_GRUND", "G5", "einwilligung"): CONSENT,
    ("KEIN_GRUND", "G5", "einwilligung_oder_ersuchen"): CONSENT,
    ("KEIN_GRUND", "G5", "nicht_genannt"): CONSENT,
    ("VERPFLICHTUNG_FEHLT", "G5", ""): lambda facts, on, _: _declared(facts, verpflichtung_privat=on),
    ("NICHT_ERFORDERLICH", "G5", ""): declare(konkreter_bedarf=None),
    ("NICHT_ERFORDERLICH", "G6", ""): leave_out,
    ("NICHT_ERFORDERLICH", "G6", "steuer_id"): file_number,
    ("ERSTERHEBUNG_FEHLT", "G7", ""): asked_first,
    ("ERSTERHEBUNG_FEHLT", "G7", "kinderschutz"): by_task,
    ("ERSTERHEBUNG_FRIST", "G7", ""): asked_first,
    ("ERSTERHEBUNG_FRIST", "G7", "kinderschutz"): by_task,
    ("WIDERSPRUCH", "G8", ""): without_no,
    ("VERFAHREN_NICHT_REGISTRIERT", "G9", ""): procedure,
    ("VERFAHREN_NICHT_REGISTRIERT", "G9", "viele"): procedure,
    ("VERFAHREN_NICHT_REGISTRIERT", "G9", "kategorie"): procedure,
    ("ANORDNUNG_FEHLT", "G5", ""): lambda facts, on, _: _declared(facts, richterliche_anordnung=on),
    ("ERSUCHEN_VERALTET", "G5", ""): lambda facts, on, _: _declared(facts, ersuchen_vom=on),
    ("PAR74_MAHNUNG", "G5", ""): lambda facts, on, _: _declared(
        facts, mahnung_am=on - timedelta(days=16), mahnung_mit_hinweis=True, frist_bis=on - timedelta(days=1)
    ),
    **{(f"EINWILLIGUNG_{fault}", gate, ""): CONSENT for gate in ("G5", "G6") for fault in (
        "PAUSCHAL", "VERWEIGERT", "FALSCHE_PERSON", "ALTER", "SORGE", "ZWECK", "EMPFAENGER", "HINWEIS", "UNFREIWILLIG",
        "OPTOUT", "FORM", "NOCH_NICHT", "WIDERRUFEN", "ABGELAUFEN",
    )},
    ("EINWILLIGUNG_FALSCHE_PERSON", "G6", "haushalt"): declare(haushaltsmitglieder_eingewilligt=True),
    ("EW", "", ""): CONSENT,
    ("ERS", "", ""): requested,
    **{(condition, "", ""): listed(condition) for condition in ("AUSL", "MB", "K12", "KOPF")},
    ("OBJ_OK", "", ""): RELEASED,
    **{(part.value, "", ""): element(part) for part in (Part.ARBG, Part.WEGFALL, Part.MIET)},
    ("FORT", "", ""): declare(fortdauernder_zustand=True),
    ("REL", "", ""): urgent,
    ("NR1A", "", ""): declare(nachweis_fuer_anspruch=True),
    ("INTERN", "", ""): leave_out,
}  # fmt: skip
"""Advice → what it makes of the facts."""

OTHERWISE: Mapping[Key, Follow] = {
    ("PAR65", "G4 a", "kinderschutz"): entrusted,
    ("PAR76", "G4 b", "begutachtung"): opinion,
    ("PAR76", "G4 b", "nachweis"): leave_out,
    ("PAR76", "G4 b", "kinderschutz"): RELEASED,
    ("PAR203", "G4 e", "kinderschutz"): RELEASED,
    ("KEIN_GRUND", "G5", "einwilligung_oder_ersuchen"): requested,
    ("KEIN_GRUND", "G5", "par87"): requested,
    ("VERFAHREN_NICHT_REGISTRIERT", "G9", ""): requested,
    ("VERFAHREN_NICHT_REGISTRIERT", "G9", "kategorie"): leave_out,
    **{(condition, "", ""): leave_out for condition in ("AUSL", "MB", "K12", "KOPF", "FORT", "REL", "NR1A")},
}
"""Advice that names a second way → what that makes of the facts."""

NOTHING_HELPS = frozenset(
    {
        ("KEINE_AUFGABE", "G3", ""),
        ("PAR65", "G4 EMPFANGEN", ""),
        ("PAR76", "G4 EMPFANGEN", ""),
        ("PAR64_2", "G4 c", "ja_einwilligung"),
        ("SCHUTZINTERESSE", "G4 d", ""),
        ("LOESCHPFLICHT", "G4 EMPFANGEN", ""),
        ("PAR78", "G4 EMPFANGEN", ""),
        ("PAR68", "G4 EMPFANGEN", ""),
        ("KEIN_GRUND", "G5", ""),
        ("KEIN_GRUND", "G0", "luecke"),
        ("KEIN_GRUND", "G5", "luecke"),
        ("KEIN_GRUND", "G5", "intern"),
        ("KEIN_GRUND", "G5", "gesperrt"),
        ("EINWILLIGUNG_VERWEIGERT", "G5", "mensch"),
        ("EINWILLIGUNG_WIDERRUFEN", "G5", "mensch"),
    }
)
"""Advice that says so: what fell stays out, or a human decides, or purpose and recipient are others."""
