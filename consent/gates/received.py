"""G4 EMPFANGEN: data received from elsewhere."""

from __future__ import annotations

from consent.facts import Item
from consent.gates.case import NOT_ASKED, SENDER, Case, Fall, Verdict, missing, travelling
from consent.gates.keys import opened
from schemas.identifiers import OriginMark


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
    return Verdict(falls=falls)


def _received(case: Case, item: Item) -> Fall | None:
    origin = item.received or case.facts.declarations.received
    if origin.ursprungszweck is None and not case.internal:
        return Fall(item, "UNVOLLSTAENDIG", missing=missing("ursprungszweck", SENDER))
    same = origin.ursprungszweck == case.facts.purpose
    deletion = case.day.deletions.get(origin.ursprungszweck or "")
    if not same and deletion is not None:
        return Fall(item, "LOESCHPFLICHT", norms=deletion.norms)
    if not same and not case.sender.par35:
        return Fall(item, "PAR78")
    locks = case.day.locks
    for mark in sorted(travelling(case, item) & locks.keys(), key=lambda mark: locks[mark].rank):
        if not (same and opened(case, item, locks[mark].code, mark)):
            return Fall(item, locks[mark].code, norms=locks[mark].norms)
    return None
