"""G4 c SUCCESS OF THE HELP: § 64 Abs. 2 SGB VIII."""

from __future__ import annotations

from consent.consents import Consent
from consent.decision import RefusalKind
from consent.gates.case import NOT_ASKED, PASSED, SENDER, Case, Stop, Verdict, missing


def success_of_help(case: Case) -> Verdict:
    """G4 c: the Jugendamt has assessed that the transfer does not endanger the success of a help.

    Norm: SGB VIII § 64 Abs. 2. Reading C 9: asked of SGB8 senders towards another controller that is a social
    authority, but not in the protection of a child; for the whole case; missing, or ``nein`` without a Fachkraft, is
    incomplete; ``unklar`` passes with a valid consent of every person concerned; ``ja`` with one goes to a human. A
    consent that one parent alone gave is none where an item of the person needs both.
    """
    if case.sender.controller != "SGB8" or not case.recipient.social or case.purpose.schutzauftrag:
        return NOT_ASKED
    answer, fachkraft = case.facts.declarations.par64_2_erfolg_gefaehrdet, case.facts.declarations.fachkraft
    if answer is None or (answer == "nein" and not fachkraft):
        lacks = "fachkraft" if answer else "par64_2_erfolg_gefaehrdet"
        return Verdict(stop=Stop("UNVOLLSTAENDIG", missing=missing(lacks, SENDER)))
    if answer == "nein":
        return PASSED
    consents = _consents_of_all(case)
    if consents is None:
        return Verdict(stop=Stop("PAR64_2", rests_on=case.rests_on(_consents_of_all, None)))
    recorded = min((consent.recorded_by for consent in consents if consent.recorded_by), default=None)
    if answer == "ja" and "PAR64_2_JA_MIT_EINWILLIGUNG" not in case.switches:
        return Verdict(stop=Stop("PAR64_2", kind=RefusalKind.HUMAN, rests_on=recorded))
    for consent in consents:
        case.rely(consent)
    return Verdict(rests_on=recorded)


def _consents_of_all(case: Case) -> tuple[Consent, ...] | None:
    """Return a consent valid for purpose and recipient from every person with items left, None where one has none.

    It has no fault for any of these items; whether it names them is not asked.
    """
    found = []
    for person in case.concerned():
        own = [item for item in case.kept if item.person == person]
        given = case.consents.get(person, ())
        valid = [consent for consent in given if not any(case.item_fault(consent, item) for item in own)]
        if not valid:
            return None
        found.append(valid[0])
    return tuple(found)
