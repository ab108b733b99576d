"""G3 RECIPIENT."""

from __future__ import annotations

from consent.gates.case import PASSED, Case, Stop, Verdict

NO_TASK = "KEINE_AUFGABE"


def recipient(case: Case) -> Verdict:
    """G3: the recipient has a task: a social authority, or a body that a row of the purpose names.

    Norm: SGB X § 67b Abs. 1, DSGVO Art. 5 Abs. 1 Buchst. b. Reading C 6; consent creates no task (dossier 6.6), and a
    purpose without a task has none anywhere.
    """
    if case.purpose.ohne_aufgabe:
        return Verdict(stop=Stop(NO_TASK))
    if case.recipient.social or (case.facts.purpose, case.recipient.code.value) in case.day.named_recipients:
        return PASSED
    return Verdict(stop=Stop(NO_TASK))


def task(case: Case) -> Verdict:
    """G3 inside one controller, after the locks: no unit without a task in the matter looks in.

    Norm: SGB X § 67b Abs. 1, SGB I § 35 Abs. 1. Reading C 5.
    """
    return Verdict(stop=Stop(NO_TASK)) if case.purpose.ohne_aufgabe else PASSED
