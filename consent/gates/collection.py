"""G7 COLLECTION: data are asked of the person first; the recipient of a request collects."""

from __future__ import annotations

from datetime import timedelta

from consent.consents import Consent
from consent.facts import FirstCollection
from consent.gates.case import NOT_ASKED, RECIPIENT, Case, Stop, Verdict, missing
from consent.norm import Norm, UnparsableNorm, cited

ABSENT = "ERSTERHEBUNG_FEHLT"


def collection(case: Case) -> Verdict:
    """G7: on a request or retrieval, the recipient has asked the person first, or says why it need not.

    Norm: SGB X § 67a Abs. 2, SGB VIII § 62 Abs. 2, 3. Reading C 18: asked of social authorities alone; nothing recorded
    is incomplete; each status has its own proof; not tried or not applicable is no reason.
    """
    if not case.requested or not case.recipient.social:
        return NOT_ASKED
    record = case.facts.first_collection
    if record is None:
        return _lacks(case, "first_collection")
    if record.status == "VERSUCHT_FRUCHTLOS":
        return _tried(case, record)
    if record.status == "UNVERHAELTNISMAESSIG":
        return _disproportionate(case, record)
    if record.status == "RECHTSNORM":
        return _by_norm(case, record)
    if record.status == "AUFGABENART":
        return _passed(case, by_task=True) if _task_needs_others(case) else _absent(case)
    if record.status == "EINWILLIGUNG":
        return _by_consent(case)
    return _absent(case)


def _tried(case: Case, record: FirstCollection) -> Verdict:
    """Asked with a deadline that has passed and gave at least the days of the rule."""
    if record.asked is None or record.deadline is None:
        return _lacks(case, "asked" if record.asked is None else "deadline")
    least = timedelta(days=case.day.parameters["ERSTERHEBUNG_FRIST_TAGE"])
    if record.deadline >= case.on or record.deadline - record.asked < least:
        return _refused(case, "ERSTERHEBUNG_FRIST", "deadline")
    return _passed(case)


def _disproportionate(case: Case, record: FirstCollection) -> Verdict:
    """One of the reason codes; that it is quicker, or digital anyway, is none."""
    if record.reason_code is None:
        return _lacks(case, "reason_code")
    return _passed(case) if record.reason_code in case.day.reasons else _absent(case)


def _by_norm(case: Case, record: FirstCollection) -> Verdict:
    """Ask for a norm of the list that belongs to the purpose, or to the recipient; of several named, one has to."""
    if record.norm is None:
        return _lacks(case, "norm")
    try:
        named = cited(record.norm)
    except UnparsableNorm:
        return _absent(case)
    for row in case.day.collection_norms:
        fits = row.purpose == case.facts.purpose or row.recipient == case.recipient.code
        if fits and any(norm.lies_in(Norm.parse(row.norms[0])) for norm in named):
            return Verdict(norms=row.norms)
    return _absent(case)


def _task_needs_others(case: Case) -> bool:
    """Tell whether the task by its nature asks others.

    It does in the protection of a child, for an SGB VIII recipient, and with a sender outside § 35 SGB I.
    """
    return case.purpose.schutzauftrag or case.recipient.controller == "SGB8" or not case.sender.par35


def _by_consent(case: Case) -> Verdict:
    """Every person of whom items are left has a valid consent that names at least one of them."""
    found = _covering(case)
    if not all(found.values()):
        return _absent(case, case.rests_on(lambda other: all(_covering(other).values()), None))
    chosen = [case.rely(min(consents, key=lambda consent: consent.id)) for consents in found.values()]
    recorded = min((consent.recorded_by for consent in chosen if consent.recorded_by), default=None)
    return Verdict(norms=("DSGVO Art. 6 Abs. 1 Buchst. a",), rests_on=recorded)


def _covering(case: Case) -> dict[str, set[Consent]]:
    found: dict[str, set[Consent]] = {person: set() for person in case.concerned()}
    for item in case.kept:
        found[item.person].update(case.covering(item)[:1])
    return found


def _passed(case: Case, *, by_task: bool = False) -> Verdict:
    if case.recipient.controller == "SGB8":
        return Verdict(norms=("SGB VIII § 62 Abs. 3 Nr. 2",) if by_task else ("SGB VIII § 62 Abs. 3 Nr. 3",))
    number = "Nr. 1" if case.sender.par35 else "Nr. 2"
    return Verdict(norms=(f"SGB X § 67a Abs. 2 Satz 2 {number}",))


def _lacks(case: Case, field: str) -> Verdict:
    return _refused(case, "UNVOLLSTAENDIG", field)


def _absent(case: Case, rests_on: str | None = None) -> Verdict:
    return _refused(case, ABSENT, "first_collection", rests_on)


def _refused(case: Case, code: str, field: str, rests_on: str | None = None) -> Verdict:
    """Stop; towards the Jugendamt the duty to ask the person first is that of SGB VIII § 62, too."""
    norms = ("SGB VIII § 62 Abs. 2",) if case.recipient.controller == "SGB8" else ()
    return Verdict(stop=Stop(code, missing=missing(field, RECIPIENT), norms=norms, rests_on=rests_on))
