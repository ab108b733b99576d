"""The keys to the locks: which row of the table opens, and what its conditions ask."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from consent.consents import Consent, ConsentForm, GivenBy, decides_alone
from consent.facts import Item, Objection, ObjectionScope
from consent.gates.case import Case, all_marks
from consent.gates.grounds import basis
from consent.rows import KeyCondition, KeyRow
from schemas.identifiers import OriginMark

LOCKS_76 = frozenset({OriginMark.GUTACHTEN, OriginMark.ARZT_203})
BY_CONSENT = frozenset(
    {KeyCondition.EINWILLIGUNG_ANVERTRAUER, KeyCondition.ENTBINDUNG, KeyCondition.ENTBINDUNG_NACH_WIDERSPRUCH}
)
_WRITTEN = frozenset({ConsentForm.SCHRIFTLICH, ConsentForm.ELEKTRONISCH})
_PARENTS = frozenset({GivenBy.MUTTER, GivenBy.VATER, GivenBy.BEIDE, GivenBy.VORMUND})
_THEMSELVES = frozenset({GivenBy.PERSON, GivenBy.JUGENDLICHER, GivenBy.KIND})


@dataclass(frozen=True, slots=True)
class Lock:
    """One locked item: the mark, the key that is tried, and the case around it."""

    case: Case
    item: Item
    key: KeyRow


def opened(case: Case, item: Item, lock: str, mark: OriginMark | None) -> KeyRow | None:
    """Return the first key of the table that fits mark, purpose and recipient, and whose conditions all hold."""
    for key in case.day.keys.get(lock, ()):
        if _fits(case, key, mark) and all(CONDITIONS[condition](Lock(case, item, key)) for condition in key.conditions):
            return key
    return None


def _fits(case: Case, key: KeyRow, mark: OriginMark | None) -> bool:
    here = not key.recipients or case.recipient.code in key.recipients
    return here and (mark is None or mark in key.marks) and (not key.purposes or case.facts.purpose in key.purposes)


def opinion_open(case: Case, item: Item) -> bool:
    """OBJ_OK (reading A 4): an opinion with notice and no objection, or a valid written release; never SELBST."""
    found = all_marks(case, item)
    if OriginMark.SELBST in found:
        return False
    locks = found & LOCKS_76
    return all(opened(case, item, "PAR76", mark) for mark in locks) if locks else _release(case, item) is not None


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


def objection_76(case: Case, item: Item) -> Objection | None:
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


def objector(case: Case, item: Item) -> str | None:
    """Return on whose record the objection under § 76 rests that keeps the item locked, if any."""
    objection = objection_76(case, item)
    return objection.recorded_by if objection else None


def _release(case: Case, item: Item) -> Consent | None:
    """Find a valid written consent that names the item and releases a natural person from secrecy."""
    for consent in case.covering(item):
        if consent.release_of is not None and consent.release_of.natural_person and consent.form in _WRITTEN:
            return case.rely(consent)
    return None


def _release_after_objection(lock: Lock) -> bool:
    objection = objection_76(lock.case, lock.item)
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


CONDITIONS: Mapping[KeyCondition, Callable[[Lock], bool]] = MappingProxyType(
    {
        KeyCondition.ERKLAERT: _declared,
        KeyCondition.EINWILLIGUNG_ANVERTRAUER: _consent_of_entruster,
        KeyCondition.HINWEIS_RECHTZEITIG: _notice_in_time,
        KeyCondition.KEIN_WIDERSPRUCH: lambda lock: objection_76(lock.case, lock.item) is None,
        KeyCondition.ENTBINDUNG: lambda lock: _release(lock.case, lock.item) is not None,
        KeyCondition.ENTBINDUNG_NACH_WIDERSPRUCH: _release_after_objection,
        KeyCondition.PAR69: _under_69,
        KeyCondition.GLEICHER_ZWECK: _same_purpose,
        KeyCondition.FACHKRAFT: lambda lock: bool(lock.case.facts.declarations.fachkraft),
        KeyCondition.GEWICHTIGE_ANHALTSPUNKTE: lambda lock: (
            lock.case.facts.declarations.gewichtige_anhaltspunkte is True
        ),
        KeyCondition.DRINGEND: lambda lock: lock.case.facts.declarations.dringend is True,
        KeyCondition.GEFAHRRELEVANT: lambda lock: lock.item.category in lock.case.facts.declarations.gefahrrelevant,
        KeyCondition.NACHWEIS: lambda lock: lock.case.facts.declarations.nachweis_fuer_anspruch is True,
    }
)
"""What the conditions of the table of keys ask."""
