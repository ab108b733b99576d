"""G0 FORM."""

from __future__ import annotations

from consent.gates.case import PASSED, SENDER, Case, Stop, Verdict, missing


def form(case: Case) -> Verdict:
    """G0: the message is complete in form: it holds data, and an attachment is broken down into categories.

    Norm: DSGVO Art. 5 Abs. 1 Buchst. c, SGB X § 67d Abs. 2. Reading A 2: a missing fact is missed by the gate that asks
    for it; this gate looks at form alone. A document that was not broken down counts as all categories (dossier 3).
    """
    declarations = case.facts.declarations
    if declarations.anhang is not None and declarations.kategorien_erklaert is not True:
        return Verdict(stop=Stop("UNVOLLSTAENDIG", missing=missing("kategorien_erklaert", SENDER)))
    if not case.facts.items:
        return Verdict(stop=Stop("UNVOLLSTAENDIG", missing=missing("kategorien", SENDER)))
    return PASSED
