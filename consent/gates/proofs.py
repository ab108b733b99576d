"""What a ground asks for beside its row: a judge's order, a fresh request, a reminder, indications of danger."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from consent.consents import add_months
from consent.gates.case import RECIPIENT, SENDER, Case, Stop, missing
from consent.norm import Norm, UnparsableNorm, cited
from consent.rows import Proof, ProofRow
from schemas.identifiers import Mode

NO_GROUND = "KEIN_GRUND"
INCOMPLETE = "UNVOLLSTAENDIG"
TOO_OLD = "ERSUCHEN_VERALTET"
PAR_87 = Norm("AufenthG", "87")


def lacking(case: Case) -> Stop | None:
    """Return the first proof of the ground that is lacking.

    Norm: SGB X §§ 68, 71 Abs. 2, 73, 74; AufenthG § 87; SGB VIII § 8a. Reading C 15; rows say which ground asks what.
    """
    for row in case.day.proofs.get(case.facts.purpose, ()):
        if _asked(case, row) and (stop := PROOFS[row.proof](case, row.norms)) is not None:
            return stop
    return None


def _asked(case: Case, row: ProofRow) -> bool:
    concerned = row.recipient == case.recipient.code and case.sender.regime in row.regimes
    return concerned and case.sender.controller not in row.except_controllers


def _order(case: Case, norms: tuple[str, ...]) -> Stop | None:
    """Ask whether the judge has ordered the transfer by that day (§ 73 Abs. 3 SGB X)."""
    ordered = case.facts.declarations.richterliche_anordnung
    if ordered is not None and ordered <= case.on:
        return None
    return Stop("ANORDNUNG_FEHLT", missing=missing("richterliche_anordnung", RECIPIENT), norms=norms)


def _request_68(case: Case, norms: tuple[str, ...]) -> Stop | None:
    """Ask for a request of known date, not too old, decided by the head, in the single case (§ 68 SGB X)."""
    said = case.facts.declarations
    if said.ersuchen_vom is None or said.ersuchen_vom > case.on:
        return Stop(INCOMPLETE, missing=missing("ersuchen_vom", RECIPIENT), norms=norms)
    if _too_old(case):
        return Stop(TOO_OLD, norms=norms)
    if said.leitung_entschieden is not True:
        return Stop(NO_GROUND, missing=missing("leitung_entschieden", SENDER), norms=norms)
    return None if case.facts.mode is Mode.ERSUCHEN else Stop(NO_GROUND, norms=norms)


def _too_old(case: Case) -> bool:
    """Whether the request is older than the months of the rule; absent, it is of the day itself."""
    asked = case.facts.declarations.ersuchen_vom
    return asked is not None and add_months(asked, case.day.parameters["ERSUCHEN_MONATE"]) < case.on


def _reminder_74(case: Case, norms: tuple[str, ...]) -> Stop | None:
    """Ask for court proceedings, or a reminder with notice and a deadline that has passed (§ 74 Abs. 1 SGB X)."""
    said = case.facts.declarations
    if said.gerichtsverfahren is True:
        return None
    if said.mahnung_am is None:
        lack = "mahnung_am"
    elif said.mahnung_mit_hinweis is not True:
        lack = "mahnung_mit_hinweis"
    elif said.frist_bis is None or not said.mahnung_am < said.frist_bis < case.on:
        lack = "frist_bis"
    else:
        return None
    return Stop("PAR74_MAHNUNG", missing=missing(lack, RECIPIENT), norms=norms)


def _request_or_87(case: Case, norms: tuple[str, ...]) -> Stop | None:
    """Ask for a request that is not too old or, unrequested, for a duty of § 87 AufenthG (§ 71 Abs. 2 SGB X)."""
    if case.facts.mode is Mode.UNAUFGEFORDERT:
        duty = _is_87(case.facts.declarations.norm)
        return None if duty else Stop(NO_GROUND, missing=missing("norm", SENDER), norms=norms)
    asked = case.facts.declarations.ersuchen_vom
    if asked is not None and asked > case.on:
        return Stop(INCOMPLETE, missing=missing("ersuchen_vom", RECIPIENT), norms=norms)
    return Stop(TOO_OLD, norms=norms) if _too_old(case) else None


def _is_87(text: str | None) -> bool:
    try:
        return text is not None and any(norm.lies_in(PAR_87) for norm in cited(text))
    except UnparsableNorm:
        return False


def _indications(case: Case, norms: tuple[str, ...]) -> Stop | None:
    """Ask for weighty indications of danger to the child (§ 8a SGB VIII); denied, there is no ground."""
    given = case.facts.declarations.gewichtige_anhaltspunkte
    if given is None:
        return Stop(INCOMPLETE, missing=missing("gewichtige_anhaltspunkte", SENDER), norms=norms)
    return None if given else Stop(NO_GROUND, norms=norms)


PROOFS: Mapping[Proof, Callable[[Case, tuple[str, ...]], Stop | None]] = MappingProxyType(
    {
        Proof.ANORDNUNG: _order,
        Proof.ERSUCHEN_68: _request_68,
        Proof.MAHNUNG_74: _reminder_74,
        Proof.ERSUCHEN_ODER_87: _request_or_87,
        Proof.ANHALTSPUNKTE: _indications,
    }
)
"""How each proof is asked."""
