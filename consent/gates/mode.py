"""G9 MODE: retrieval, regular delivery and bulk need a registered procedure."""

from __future__ import annotations

from consent.gates.case import NOT_ASKED, Case, Fall, Stop, Verdict
from schemas.declarations import RegisteredProcedure

NOT_REGISTERED = "VERFAHREN_NICHT_REGISTRIERT"


def mode(case: Case) -> Verdict:
    """G9: an active entry in the register of procedures, approved (retrieval), the LDI told, listing the categories.

    Norm: SGB X § 79, DSG NRW § 6. Reading C 20: asked in the modes of the table (ABRUF, REGELMAESSIG), and above the
    bound of persons in any.
    """
    declarations = case.facts.declarations
    bulk = (declarations.anzahl_personen or 0) > case.day.parameters["MASSEN_PERSONEN"]
    row = case.day.procedures.get((case.facts.mode, case.sender.regime))
    if row is None and not bulk:
        return NOT_ASKED
    entry = declarations.verfahren
    if entry is None or not _in_order(case, entry, approvals=row is not None and row.approved):
        return Verdict(stop=Stop(NOT_REGISTERED))
    falls = tuple(Fall(item, NOT_REGISTERED) for item in case.kept if item.category not in entry.kategorien)
    return Verdict(falls=falls, norms=row.norms if row else ())


def _in_order(case: Case, entry: RegisteredProcedure, *, approvals: bool) -> bool:
    told = entry.ldi_unterrichtet is not None and entry.ldi_unterrichtet <= case.on
    approved = entry.genehmigt is True or not approvals
    return bool(entry.verfahren_id) and entry.status == "AKTIV" and told and approved
