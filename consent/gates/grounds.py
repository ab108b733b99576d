"""G5 GROUND: statute before consent, and nothing without either."""

from __future__ import annotations

from dataclasses import dataclass

from consent import consents as declared
from consent.consents import Consent
from consent.decision import RefusalKind
from consent.facts import Item
from consent.gates.case import RECIPIENT, SENDER, Case, Fall, Stop, Verdict, missing
from consent.gates.proofs import NO_GROUND, lacking
from consent.rows import ANY, ConsentOnlyRow
from schemas.identifiers import Mode

BY_STATUTE = "gesetz"
BY_CONSENT = "einwilligung"
_USE = ("SGB X § 67c",)


@dataclass(frozen=True, slots=True)
class Basis:
    """What would carry the transfer: `norms`, by statute or by consent; `code` where a consent is missing."""

    by_statute: bool
    norms: tuple[str, ...]
    code: str = NO_GROUND

    @property
    def strict(self) -> bool:
        """Whether every item must be named, or the whole case stops (§ 68 SGB VIII)."""
        return self.code != NO_GROUND

    @property
    def par69(self) -> bool:
        """Whether the transfer is one under § 69 SGB X."""
        return self.by_statute and any(f"{norm} ".startswith("SGB X § 69 ") for norm in self.norms)


def basis(case: Case) -> Basis | None:
    """Find what would carry this route for this purpose (reading C 12); None where the catalogue has nothing."""
    if case.row is None:
        return None
    only = consent_only(case)
    if only is None and not case.purpose.nur_einwilligung:
        norms = _norms(case, case.facts.purpose, BY_STATUTE)
        return None if norms is None else Basis(by_statute=True, norms=norms)
    norms = _norms(case, ANY, BY_CONSENT)
    code = NO_GROUND if only is None else only.code
    return None if norms is None else Basis(by_statute=False, norms=norms, code=code)


def ground(case: Case) -> Verdict:
    """G5: a row carries the transfer by statute, or a consent names each item.

    Norm: SGB X §§ 67b, 67d Abs. 1, 69, 71 Abs. 2a, 78 Abs. 1 Satz 2; SGB VIII § 68. Readings C 5, C 12 to 15: the use
    by one controller carries nothing between two; no row for the route is a gap; inside one controller nothing else is
    asked; a barred route has no ground; on request only where the row says so; no concrete need, no transfer; a
    refusal or withdrawal stops what is not an obligation; where consent is the only ground it has to hold; then the
    proofs that the ground asks for; a private recipient's commitment is asked last.
    """
    if case.purpose.nur_intern:
        return Verdict(norms=_USE) if case.internal else Verdict(stop=Stop(NO_GROUND))
    if case.internal and case.row is not None:
        return Verdict(norms=_USE)
    if (case.facts.purpose, case.sender.code, case.recipient.code) in case.day.barred:
        return Verdict(stop=Stop(NO_GROUND))
    found = basis(case)
    if found is None:
        return Verdict(stop=Stop(NO_GROUND, kind=RefusalKind.GAP))
    if _only_on_request(case) and case.facts.mode is Mode.UNAUFGEFORDERT:
        return Verdict(stop=Stop(NO_GROUND, norms=found.norms))
    if case.facts.declarations.konkreter_bedarf is False:
        return Verdict(stop=Stop("NICHT_ERFORDERLICH", norms=found.norms))
    verdict = _statute(case, found) if found.by_statute else _consent(case, found)
    if verdict.stop is None and (stop := lacking(case) or _uncommitted(case)) is not None:
        return Verdict(stop=stop, falls=verdict.falls)
    return verdict


def _norms(case: Case, purpose: str, kind: str) -> tuple[str, ...] | None:
    """Norms of the ground for the sender's regime; a row that names the recipient comes before one that does not."""
    for recipient in (case.recipient.code.value, ANY):
        if row := case.day.grounds.get((purpose, case.sender.regime, recipient, kind)):
            return row.norms
    return None


def consent_only(case: Case) -> ConsentOnlyRow | None:
    """Find the row that takes the statute away on this route (reading C 12)."""
    facts = case.facts
    for row in case.day.consent_only:
        if (
            row.sender is case.sender.code
            and (case.recipient.code in row.recipients or ANY in row.recipients)
            and facts.mode in row.modes
            and facts.purpose not in row.except_purposes
            and not (facts.purpose in row.except_par64_nein and facts.declarations.par64_2_erfolg_gefaehrdet == "nein")
        ):
            return row
    return None


def _only_on_request(case: Case) -> bool:
    return case.purpose.nur_auf_ersuchen or (case.row is not None and case.row.nur_auf_ersuchen)


def _uncommitted(case: Case) -> Stop | None:
    """Stop where a private recipient has not committed itself by that day (SGB X § 78 Abs. 1 Satz 2)."""
    committed = case.facts.declarations.verpflichtung_privat
    if not case.recipient.private or (committed is not None and committed <= case.on):
        return None
    return Stop("VERPFLICHTUNG_FEHLT", missing=missing("verpflichtung_privat", RECIPIENT))


def _statute(case: Case, found: Basis) -> Verdict:
    """Let the statute carry; a no on record beside it goes to a human, unless the row is an obligation (C 13)."""
    if not case.obligation and "WIDERRUF_NEBEN_GESETZ_UNBEACHTLICH" not in case.switches:
        for consent, code in _stopping(case):
            if not _superseded(case, consent):
                return Verdict(stop=Stop(code, kind=RefusalKind.HUMAN, rests_on=consent.recorded_by))
    return Verdict(norms=found.norms)


def _stopping(case: Case) -> list[tuple[Consent, str]]:
    """Return the declarations that say no to this purpose and recipient: the sender's own first, refusals first."""
    facts = case.facts
    found = []
    for consents in case.consents.values():
        for consent in consents:
            code = declared.stops(consent, facts.purpose, facts.recipient.instance, case.on)
            if code is not None:
                found.append((consent, code))
    own = facts.sender.instance
    return sorted(
        found, key=lambda pair: (pair[0].recorded_by not in (None, own), declared.ORDER.index(pair[1]), pair[0].id)
    )


def _superseded(case: Case, no: Consent) -> bool:
    """With the switch: valid declarations of a later day name every item of the person that is left.

    A declaration that is older than the no is not valid any more (`Case.fault`), so it covers nothing here.
    """
    return "SPAETERE_EINWILLIGUNG_HEBT_STOPP_AUF" in case.switches and all(
        case.covering(item) for item in case.kept if item.person == no.person
    )


def _consent(case: Case, found: Basis) -> Verdict:
    """Let consent carry; its fault is the case's where it concerns every person left (readings C 14, D 22)."""
    whole = {person: fault for person in case.concerned() if (fault := _whole_fault(case, person)) is not None}
    if len(whole) == len(case.concerned()):
        stop = whole[case.kept[0].person]
        return Verdict(stop=_par68(found, stop) if found.strict else stop)
    falls = tuple(fall for item in case.kept if (fall := _item_fault(case, item, whole.get(item.person))) is not None)
    strict = [
        fall for fall in falls if found.strict and (fall.code != NO_GROUND or not _class_g_named(case, fall.item))
    ]
    if strict:
        rests = None if None in (each := {fall.rests_on for fall in strict}) else case.first_own(each)
        return Verdict(stop=_par68(found, Stop(found.code, rests_on=rests)))
    relied = [case.rely(case.covering(item)[0]) for item in case.kept if case.covering(item)]
    recorded = sorted(consent.recorded_by for consent in relied if consent.recorded_by)
    return Verdict(falls=falls, norms=found.norms, rests_on=recorded[0] if recorded else None)


def _par68(found: Basis, stop: Stop) -> Stop:
    return Stop(found.code, missing=(), norms=(), rests_on=stop.rests_on)


def _whole_fault(case: Case, person: str) -> Stop | None:
    """Tell why no declaration of the person carries anything: none, or the fault of the best one."""
    consents = case.consents.get(person, ())
    if not consents:
        return Stop(NO_GROUND)
    faults = [(fault, consent) for consent in consents if (fault := case.fault(consent)) is not None]
    if len(faults) < len(consents):
        return None
    code = max((fault for fault, _ in faults), key=declared.ORDER.index)
    lacks = missing("alter", SENDER) if code == declared.AGE_UNKNOWN else ()
    recorded = case.first_own(consent.recorded_by for fault, consent in faults if fault == code)
    return Stop(code, missing=lacks, rests_on=case.rests_on(lambda other: _holds(other, person), recorded))


def _holds(case: Case, person: str) -> bool:
    return any(case.fault(consent) is None for consent in case.consents.get(person, ()))


def _item_fault(case: Case, item: Item, whole: Stop | None) -> Fall | None:
    if whole is not None:
        return Fall(item, whole.code, missing=whole.missing, rests_on=whole.rests_on)
    if case.covering(item):
        return Fall(item, NO_GROUND, norms=("SGB X § 67b Abs. 1",)) if _class_g(case, item) else None
    valid = [consent for consent in case.consents[item.person] if case.fault(consent) is None]
    faults = [case.item_fault(consent, item) for consent in valid]
    code = NO_GROUND if None in faults else max(filter(None, faults), key=declared.ORDER.index)
    recorded = case.first_own(consent.recorded_by for consent in valid)
    return Fall(item, code, rests_on=case.rests_on(lambda other: other.covering(item), recorded))


def _class_g(case: Case, item: Item) -> bool:
    """Tell whether these are health data, which never go on consent alone (C 14), unless the switch says so."""
    return case.klass(item) == "G" and "GESUNDHEIT_EINWILLIGUNG_ALLEIN" not in case.switches


def _class_g_named(case: Case, item: Item) -> bool:
    return _class_g(case, item) and bool(case.covering(item))
