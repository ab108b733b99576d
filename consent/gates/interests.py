"""G8 COUNTER-INTERESTS: protected interests, objections, opt-outs."""

from __future__ import annotations

from consent.decision import RefusalKind
from consent.facts import Objection, ObjectionScope
from consent.gates.case import PASSED, Case, Stop, Verdict
from schemas.identifiers import DataCategory

_AGAINST_ALL = frozenset({ObjectionScope.ART21, ObjectionScope.ALLE, ObjectionScope.OPT_OUT})


def interests(case: Case) -> Verdict:
    """G8: no protected interest of the person stands against it, and no objection, unless the row is an obligation.

    Norm: SGB X § 67a Abs. 2 Satz 2 Nr. 1 Buchst. c, § 84 Abs. 5; DSGVO Art. 21. Readings C 10, C 19: indications, or a
    protected address in the register where an address is in the message, stop the whole case in every mode and under an
    obligation too, but never the protection of a child. An objection (Art. 21, or against everything) and an opt-out
    (dossier 10) go to a human, also where consent is the ground. A stop that was found by a near match only goes to a
    human, under an obligation too: the stricter answer; the protection of a child does not wait for that, because
    there it would not count if it were certain.
    """
    declarations, protected = case.facts.declarations, not case.purpose.schutzauftrag
    if protected and declarations.anhaltspunkte_schutz is True:
        return Verdict(stop=Stop("SCHUTZINTERESSE"))
    if protected and declarations.schutzanschrift_im_register is True and _address_in_message(case):
        return Verdict(stop=Stop("SCHUTZINTERESSE", rests_on=case.facts.shelter_recorded_by))
    against = [objection for objection in case.objections() if _counts(case, objection)]
    if against:
        recorded = case.first_own(objection.recorded_by for objection in against)
        return Verdict(stop=Stop("WIDERSPRUCH", kind=RefusalKind.HUMAN, rests_on=recorded))
    return PASSED


def _address_in_message(case: Case) -> bool:
    return any(item.category is DataCategory.ANSCHRIFT for item in case.facts.items)


def _counts(case: Case, objection: Objection) -> bool:
    near = objection.near and not case.purpose.schutzauftrag
    return near or (objection.scope in _AGAINST_ALL and not case.obligation)
