"""G4 a, b, d, e LOCKS: § 65 SGB VIII, § 76 SGB X, the protected address, § 203 StGB."""

from __future__ import annotations

from consent.facts import Item
from consent.gates.case import NOT_ASKED, Case, Fall, Verdict, marks
from consent.gates.keys import BY_CONSENT, LOCKS_76, objector, opened
from schemas.identifiers import DataCategory, OriginMark

SHELTER = "SCHUTZINTERESSE"


def entrusted(case: Case) -> Verdict:
    """G4 a: what was entrusted to the Jugendamt passes with a key alone, inside the office too.

    Norm: SGB VIII § 65 Abs. 1. Reading C 7: per item; key Nr. 1 is a valid consent for purpose and recipient that names
    the item and was given by the one who entrusted it; Nr. 2 to 5 serve the protection of a child alone.
    """
    return _locked(case, frozenset({OriginMark.ANVERTRAUT_65}))


def medical(case: Case) -> Verdict:
    """G4 b: data from a professional bound to secrecy passes only as that professional could pass it.

    Norm: SGB X § 76. Reading C 8: an expert opinion opens with notice in time and no objection, under § 69 alone, or
    with a written release granted after the objection; anything else with a release that names a natural person. Both
    open in urgent danger to a child that they bear on, and where they prove a claim for reimbursement; an opinion
    again under § 69 alone.
    """
    return _locked(case, LOCKS_76)


def protected_address(case: Case) -> Verdict:
    """G4 d: a protected address falls, inside one controller too, unless the danger to a child turns on it.

    Norm: BMG § 51, SGB X § 67d Abs. 1. Reading C 10.
    """
    asked = [item for item in case.kept if item.category is DataCategory.SCHUTZANSCHRIFT]
    if not asked:
        return NOT_ASKED
    falls = tuple(Fall(item, SHELTER) for item in asked if not opened(case, item, SHELTER, None))
    return Verdict(falls=falls)


def own_secrecy(case: Case) -> Verdict:
    """G4 e: what the acting employee learned under their own professional secrecy passes only when released by name.

    Norm: StGB § 203. Reading C 10: or in urgent danger to a child.
    """
    learned = case.facts.declarations.absender_beruf_203
    asked = [item for item in case.kept if item.category in learned]
    if not asked:
        return NOT_ASKED
    falls = tuple(
        Fall(item, "PAR203", rests_on=_rests_on(case, item, "PAR203", None))
        for item in asked
        if not opened(case, item, "PAR203", None)
    )
    return Verdict(falls=falls)


def _rests_on(case: Case, item: Item, lock: str, mark: OriginMark | None) -> str | None:
    """Return on whose record it rests that no key fits: another's, where one would fit without that record."""
    own = objector(case, item) if mark is OriginMark.GUTACHTEN else None
    own = own if own == case.facts.sender.instance else None
    return case.rests_on(lambda other: opened(other, item, lock, mark), own)


def _locked(case: Case, asked_marks: frozenset[OriginMark]) -> Verdict:
    """Ask every item under one of the marks for a key; an item under two of them needs one for each."""
    falls: list[Fall] = []
    norms: list[str] = []
    recorded: list[str] = []
    locked = [(item, found) for item in case.kept if (found := marks(case, item) & asked_marks)]
    for item, found in locked:
        for mark in sorted(found, key=lambda mark: case.day.locks[mark].rank):
            lock = case.day.locks[mark]
            key = opened(case, item, lock.code, mark)
            if key is None:
                falls.append(Fall(item, lock.code, norms=lock.norms, rests_on=_rests_on(case, item, lock.code, mark)))
                break
            norms += key.norms
            if not BY_CONSENT.isdisjoint(key.conditions):
                recorded += [consent.recorded_by for consent in case.covering(item) if consent.recorded_by]
    if not locked:
        return NOT_ASKED
    return Verdict(falls=tuple(falls), norms=tuple(dict.fromkeys(norms)), rests_on=min(recorded, default=None))
