"""G1 REGIME and G2 SAME CONTROLLER."""

from __future__ import annotations

from consent.facts import TransferFacts
from consent.gates.case import PASSED, SENDER, Case, Stop, Verdict, missing
from consent.rows import UnitRow


def regime(case: Case) -> Verdict:
    """G1: which law decides about the sender's data: SGB X, the AsylbLG with the DSG NRW, or § 68 SGB VIII alone.

    Norm: SGB X § 67 Abs. 2, AsylbLG § 9, SGB VIII §§ 61, 68 (dossier 1.1). Later gates read it from the sender's row.
    """
    return Verdict(norms=case.sender.norms)


def controller(case: Case) -> Verdict:
    """G2: whether both sides are one controller; then this is use, not transfer, and only some gates are asked.

    Norm: SGB X § 67 Abs. 4 Satz 2, § 67c. Reading C 5: declared as one although the controllers' keys differ, or
    although another Träger is declared, is a contradiction that the sender has to clear up.
    """
    facts = case.facts
    contrary = facts.declarations.anderer_traeger is True or case.sender.controller != case.recipient.controller
    if facts.same_controller is True and contrary:
        return Verdict(stop=Stop("UNVOLLSTAENDIG", missing=missing("same_controller", SENDER)))
    return PASSED


def one_controller(facts: TransferFacts, sender: UnitRow, recipient: UnitRow) -> bool:
    """Whether sender and recipient are one controller (reading C 5).

    Undeclared: equal codes are two Träger; different codes under one key are one, unless another Träger is declared.
    """
    if facts.same_controller is not None:
        return facts.same_controller
    if sender.code is recipient.code or facts.declarations.anderer_traeger is True:
        return False
    return sender.controller == recipient.controller
