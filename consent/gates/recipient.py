"""G3 RECIPIENT."""

from __future__ import annotations

from consent.gates.case import Case, Stop, Verdict


def recipient(case: Case) -> Verdict:
    """G3: the recipient has a task: a social authority, or a body that a row of the purpose names.

    Norm: SGB X § 67b Abs. 1, DSGVO Art. 5 Abs. 1 Buchst. b. Reading C 6; consent creates no task (dossier 6.6).
    """
    if case.recipient.social or (case.facts.purpose, case.recipient.code.value) in case.day.named_recipients:
        return Verdict()
    return Verdict(stop=Stop("KEINE_AUFGABE"))
