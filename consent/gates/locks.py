"""G4 LOCKS: § 65 SGB VIII, § 76 SGB X, § 64 Abs. 2 SGB VIII, protected address, § 203 StGB, received data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from consent.consents import Consent, ConsentForm, GivenBy, decides_alone
from consent.decision import RefusalKind
from consent.facts import Item, Objection, ObjectionScope
from consent.gates.case import NOT_ASKED, SENDER, Case, Fall, Stop, Verdict, marks, missing, travelling
from consent.gates.grounds import basis
from consent.rows import KeyCondition, KeyRow
from schemas.identifiers import DataCategory, OriginMark

_WRITTEN = frozenset({ConsentForm.SCHRIFTLICH, ConsentForm.ELEKTRONISCH})
_PARENTS = frozenset({GivenBy.MUTTER, GivenBy.VATER, GivenBy.BEIDE, GivenBy.VORMUND})
_THEMSELVES = frozenset({GivenBy.PERSON, GivenBy.JUGENDLICHER, GivenBy.KIND})
_BY_CONSENT = frozenset(
    {KeyCondition.EINWILLIGUNG_ANVERTRAUER, KeyCondition.ENTBINDUNG, KeyCondition.ENTBINDUNG_NACH_WIDERSPRUCH}
)
_LOCKS_76 = frozenset({OriginMark.GUTACHTEN, OriginMark.ARZT_203})


@dataclass(frozen=True, slots=True)
class Lock:
    """One locked item: the mark, the key that is tried, and the case around it."""

    case: Case
    item: Item
    key: KeyRow


def entrusted(case: Case) -> Verdict:
    """G4 a: what was entrusted to the Jugendamt passes with a key alone, inside the office too.

    Norm: SGB VIII § 65 Abs. 1. Reading C 7: per item; key Nr. 1 is a valid consent for purpose and recipient that names
    the item and was given by the one who entrusted it. Further keys are rows of the table of keys.
    """
    return _locked(case, frozenset({OriginMark.ANVERTRAUT_65}))


def medical(case: Case) -> Verdict:
    """G4 b: data from a professional bound to secrecy passes only as that professional could pass it.

    Norm: SGB X § 76. Reading C 8: an expert opinion opens with notice in time and no objection, under § 69 alone, or
    with a written release granted after the objection; anything else with a release that names a natural person.
    """
    return _locked(case, _LOCKS_76)


def success_of_help(case: Case) -> Verdict:
    """G4 c: the Jugendamt has assessed that the transfer does not endanger the success of a help.

    Norm: SGB VIII § 64 Abs. 2. Reading C 9: asked of SGB8 senders towards another controller that is a social
    authority, for the whole case; missing, or ``nein`` without a Fachkraft, is incomplete; ``unklar`` passes with a
    valid consent of every person concerned; ``ja`` with such a consent goes to a human.
    """
    if case.sender.controller != "SGB8" or not case.recipient.social:
        return NOT_ASKED
    answer, fachkraft = case.facts.declarations.par64_2_erfolg_gefaehrdet, case.facts.declarations.fachkraft
    if answer is None or (answer == "nein" and not fachkraft):
        lacks = "fachkraft" if answer else "par64_2_erfolg_gefaehrdet"
        return Verdict(stop=Stop("UNVOLLSTAENDIG", missing=missing(lacks, SENDER)))
    norms = case.day.gates["G4 c"].norms
    if answer == "nein":
        return Verdict(norms=norms)
    consents = _consents_of_all(case)
    if consents is None:
        return Verdict(stop=Stop("PAR64_2"))
    recorded = min((consent.recorded_by for consent in consents if consent.recorded_by), default=None)
    if answer == "ja" and "PAR64_2_JA_MIT_EINWILLIGUNG" not in case.switches:
        return Verdict(stop=Stop("PAR64_2", kind=RefusalKind.HUMAN, rests_on=recorded))
    for consent in consents:
        case.rely(consent)
    return Verdict(norms=norms, rests_on=recorded)


def protected_address(case: Case) -> Verdict:
    """G4 d: a protected address falls, inside one controller too.

    Norm: BMG § 51, SGB X § 67d Abs. 1. Reading C 10, for the purposes that the catalogue has rows for.
    """
    falls = tuple(Fall(item, "SCHUTZINTERESSE") for item in case.kept if item.category is DataCategory.SCHUTZANSCHRIFT)
    return Verdict(falls=falls) if falls else NOT_ASKED


def own_secrecy(case: Case) -> Verdict:
    """G4 e: what the acting employee learned under their own professional secrecy passes only when released by name.

    Norm: StGB § 203. Reading C 10.
    """
    learned = case.facts.declarations.absender_beruf_203
    asked = [item for item in case.kept if item.category in learned]
    if not asked:
        return NOT_ASKED
    falls = tuple(Fall(item, "PAR203") for item in asked if not _opened(case, item, "PAR203", None))
    return Verdict(falls=falls, norms=() if falls else case.day.gates["G4 e"].norms)


def received(case: Case) -> Verdict:
    """G4 EMPFANGEN: data received from elsewhere keeps the purpose and the lock under which it came.

    Norm: SGB X §§ 67c, 78 Abs. 1; SGB VIII § 65 Abs. 1 Satz 2, § 68 Abs. 4. Reading C 11: without the original purpose
    incomplete, except inside one controller; the same purpose: only the mark that travels; another purpose, in this
    order: duty to delete, sender not under § 35 SGB I, the lock of the mark, to which no key fits any more.
    """
    asked = [item for item in case.kept if OriginMark.EMPFANGEN in item.marks]
    if not asked:
        return NOT_ASKED
    falls = tuple(fall for item in asked if (fall := _received(case, item)) is not None)
    return Verdict(falls=falls, norms=() if falls else case.day.gates["G4 EMPFANGEN"].norms)


def all_marks(case: Case, item: Item) -> frozenset[OriginMark]:
    """Return the marks of an item, those under which it was received included."""
    own = marks(case, item)
    return own | travelling(case, item) if OriginMark.EMPFANGEN in own else own


def opinion_open(case: Case, item: Item) -> bool:
    """OBJ_OK (reading A 4): an opinion with notice and no objection, or a valid written release; never SELBST."""
    found = all_marks(case, item)
    if OriginMark.SELBST in found:
        return False
    locks = found & _LOCKS_76
    return all(_opened(case, item, "PAR76", mark) for mark in locks) if locks else _release(case, item) is not None


def _received(case: Case, item: Item) -> Fall | None:
    origin = item.received or case.facts.declarations.received
    if origin.ursprungszweck is None and not case.internal:
        return Fall(item, "UNVOLLSTAENDIG", missing=missing("ursprungszweck", SENDER))
    same = origin.ursprungszweck == case.facts.purpose
    if not same and origin.ursprungszweck in case.day.deletions:
        return Fall(item, "LOESCHPFLICHT")
    if not same and not case.sender.par35:
        return Fall(item, "PAR78")
    locks = case.day.locks
    for mark in sorted(travelling(case, item) & locks.keys(), key=lambda mark: locks[mark].rank):
        if not (same and _opened(case, item, locks[mark].code, mark)):
            return Fall(item, locks[mark].code, norms=locks[mark].norms)
    return None


def _locked(case: Case, asked_marks: frozenset[OriginMark]) -> Verdict:
    """Ask every item under one of the marks for a key; an item under two of them needs one for each."""
    falls: list[Fall] = []
    norms: list[str] = []
    recorded: list[str] = []
    asked = False
    for item in case.kept:
        for mark in sorted(marks(case, item) & asked_marks, key=lambda mark: case.day.locks[mark].rank):
            asked, lock = True, case.day.locks[mark]
            key = _opened(case, item, lock.code, mark)
            if key is None:
                rests = _objector(case, item) if mark is OriginMark.GUTACHTEN else None
                falls.append(Fall(item, lock.code, norms=lock.norms, rests_on=rests))
                break
            norms += key.norms
            if not _BY_CONSENT.isdisjoint(key.conditions):
                recorded += [consent.recorded_by for consent in case.covering(item) if consent.recorded_by]
    if not asked:
        return NOT_ASKED
    return Verdict(falls=tuple(falls), norms=tuple(dict.fromkeys(norms)), rests_on=min(recorded, default=None))


def _opened(case: Case, item: Item, lock: str, mark: OriginMark | None) -> KeyRow | None:
    """Return the first key of the table whose conditions all hold."""
    for key in case.day.keys:
        fits = key.lock == lock and (mark is None or mark in key.marks)
        fits = fits and (not key.switch or key.switch in case.switches)
        if fits and all(CONDITIONS[condition](Lock(case, item, key)) for condition in key.conditions):
            return key
    return None


def _declared(lock: Lock) -> bool:
    """Tell whether the sender declared this key (A 1: an absent supporting declaration counts as not given)."""
    return lock.case.facts.declarations.par65_key == lock.key.name


def _consent_of_entruster(lock: Lock) -> bool:
    by = lock.case.facts.declarations.anvertraut_von
    for consent in lock.case.covering(lock.item):
        if by is not None and consent.given_by.value == by:
            lock.case.rely(consent)
            return True
    return False


def _notice_in_time(lock: Lock) -> bool:
    """On or before the start of the procedure; its start undeclared: on a day before the transfer."""
    declarations, on = lock.case.facts.declarations, lock.case.on
    notice, start = declarations.hinweis_par76, declarations.verfahrensbeginn
    if notice is None:
        return False
    return notice < on if start is None else notice <= min(start, on)


def _objection_76(case: Case, item: Item) -> Objection | None:
    """Return the latest objection under § 76 that counts: of the person, or without insight of the representative."""
    found = [
        objection
        for objection in case.objections(item)
        if objection.scope in {ObjectionScope.PAR76, ObjectionScope.ALLE} and _may_object(case, item, objection.by)
    ]
    return max(found, key=lambda objection: (objection.date, objection.recorded_by or ""), default=None)


def _may_object(case: Case, item: Item, by: GivenBy) -> bool:
    """Whether this was the one entitled to object; where the age is unknown, anyone's no counts."""
    around = case.circumstances(item.person)
    insight = [consent.insight_of_minor for consent in case.consents.get(item.person, ())]
    if around.age is None:
        return True
    if around.age >= around.adult_age:
        return by in {GivenBy.PERSON, GivenBy.BETREUER}
    alone = decides_alone(around, insight=False if False in insight else None)
    unsure = len(set(insight)) > 1
    return by in _THEMSELVES | _PARENTS if unsure else by in (_THEMSELVES if alone else _PARENTS)


def _objector(case: Case, item: Item) -> str | None:
    objection = _objection_76(case, item)
    return objection.recorded_by if objection else None


def _release(case: Case, item: Item) -> Consent | None:
    """Find a valid written consent that names the item and releases a natural person from secrecy."""
    for consent in case.covering(item):
        if consent.release_of is not None and consent.release_of.natural_person and consent.form in _WRITTEN:
            return case.rely(consent)
    return None


def _release_after_objection(lock: Lock) -> bool:
    objection = _objection_76(lock.case, lock.item)
    for consent in lock.case.covering(lock.item):
        released = consent.release_of is not None and consent.release_of.natural_person and consent.form in _WRITTEN
        if released and consent.granted and (objection is None or consent.granted > objection.date):
            lock.case.rely(consent)
            return True
    return False


def _under_69(lock: Lock) -> bool:
    found = basis(lock.case)
    return found is not None and found.par69


def _same_purpose(lock: Lock) -> bool:
    origin = lock.item.received or lock.case.facts.declarations.received
    return origin.ursprungszweck == lock.case.facts.purpose


def _consents_of_all(case: Case) -> tuple[Consent, ...] | None:
    """Return a consent valid for purpose and recipient from every person with items left, None where one has none."""
    found = []
    for person in case.concerned():
        valid = [consent for consent in case.consents.get(person, ()) if case.fault(consent) is None]
        if not valid:
            return None
        found.append(valid[0])
    return tuple(found)


CONDITIONS: Mapping[KeyCondition, Callable[[Lock], bool]] = MappingProxyType(
    {
        KeyCondition.ERKLAERT: _declared,
        KeyCondition.EINWILLIGUNG_ANVERTRAUER: _consent_of_entruster,
        KeyCondition.HINWEIS_RECHTZEITIG: _notice_in_time,
        KeyCondition.KEIN_WIDERSPRUCH: lambda lock: _objection_76(lock.case, lock.item) is None,
        KeyCondition.ENTBINDUNG: lambda lock: _release(lock.case, lock.item) is not None,
        KeyCondition.ENTBINDUNG_NACH_WIDERSPRUCH: _release_after_objection,
        KeyCondition.PAR69: _under_69,
        KeyCondition.GLEICHER_ZWECK: _same_purpose,
    }
)
"""What the conditions of the table of keys ask."""
