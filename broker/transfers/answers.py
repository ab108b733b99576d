"""What the two sides are told of a decision. Records of another controller show as one neutral finding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from broker.problems import problem_body
from consent.decision import Finding, Outcome, Permit, Refusal, RefusalKind, Removed

NEUTRAL_CODE = "NICHT_ZULAESSIG"
PERMITTED = "G10"
"""The gate that every permit ends with."""
NEUTRAL_TEXT = (
    "Die Übermittlung ist nicht zulässig. Näheres kann nur den Datenschutzbeauftragten mitgeteilt werden; "
    "bitte klären Sie die Sache außerhalb des Brokers, mit der betroffenen Person oder der anderen Stelle."
)


class Told(Protocol):
    """What a decision and a kept one have in common."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings."""

    @property
    def removed(self) -> tuple[Removed, ...]:
        """What fell."""


def hidden(finding: Finding, viewer: str) -> bool:
    """Whether the finding rests on a record of a controller other than the viewer (§ 35 SGB I)."""
    return finding.rests_on is not None and finding.rests_on != viewer


def finding_body(finding: Finding) -> dict[str, Any]:
    """Write one finding that the reader may see."""
    body: dict[str, Any] = {
        "gate": finding.gate,
        "outcome": finding.outcome.value,
        "code": finding.code,
        "norms": list(finding.norms),
        "text": finding.text,
    }
    if finding.items:
        body["blocks"] = list(finding.items)
    if finding.missing:
        body["missing"] = [{"field": m.field, "by": m.by} for m in finding.missing]
    return body


def visible(findings: Sequence[Finding], viewer: str | None) -> list[Finding]:
    """Return findings as a viewer may see them (an instance; None = officer, who sees all).

    Where the one that decided is hidden a neutral one stands alone: what was passed would show which gate it was. For
    the same reason nothing is told of what was passed where something fell by a hidden one, but the permit itself.
    """
    if viewer is None:
        return list(findings)
    if any(hidden(f, viewer) and f.outcome is Outcome.DENY for f in findings):
        return [Finding("", Outcome.DENY, NEUTRAL_TEXT, (), NEUTRAL_CODE)]
    told = [f for f in findings if not hidden(f, viewer)]
    if len(told) < len(findings) and any(hidden(f, viewer) and f.outcome is Outcome.REMOVE for f in findings):
        return [f for f in told if f.outcome is not Outcome.PASS or f.gate == PERMITTED]
    return told


def findings_body(findings: Sequence[Finding], viewer: str | None) -> list[dict[str, Any]]:
    """Write findings for a viewer."""
    return [finding_body(finding) for finding in visible(findings, viewer)]


def decision_body(decision: Permit | Refusal, decision_id: str, viewer: str | None) -> dict[str, Any]:
    """Write a decision for a viewer."""
    body: dict[str, Any] = {
        "id": decision_id,
        "on": decision.basis.on.isoformat(),
        "catalogue": decision.basis.catalogue,
        "engine": decision.basis.engine_version,
        "facts_version": decision.basis.facts_version,
        "switches": list(decision.basis.switches),
        "findings": findings_body(decision.findings, viewer),
    }
    if isinstance(decision, Permit):
        return body | {
            "outcome": "PERMIT_REDUCED" if decision.removed else "PERMIT",
            "grounds": list(decision.grounds),
            "kept": list(decision.kept),
            "duties": list(decision.duties),
            "consents": list(decision.consents),
        }
    return body | {"outcome": "DENY"} | _refusal_members(decision, viewer)


def _refusal_members(refusal: Refusal, viewer: str | None) -> dict[str, Any]:
    if viewer is not None and hidden(refusal.deciding, viewer):
        return {"kind": RefusalKind.NOT_PERMITTED.value, "code": NEUTRAL_CODE}
    return {"kind": refusal.kind.value, "code": refusal.code}


def rests(decision: Told) -> dict[str, str]:
    """Return on whose records the fall of blocks rests: block → controller."""
    return {
        block: finding.rests_on
        for finding in decision.findings
        if finding.outcome is Outcome.REMOVE and finding.rests_on is not None
        for block in finding.items
    }


def removed_body(decision: Told, viewer: str | None) -> list[dict[str, Any]]:
    """Write what falls: block, person reference, category, reason; never content.

    The reason shows where it rests on nobody's record, or on the viewer's (None: several sides read it).
    """
    owners = rests(decision)
    return [
        {"block": r.block, "person": r.person, "category": r.category.value}
        | (
            {"code": r.code, "norms": list(r.norms)}
            if owners.get(r.block) in (None, viewer)
            else {"code": NEUTRAL_CODE, "norms": []}
        )
        for r in decision.removed
    ]


def links_of(decision_id: str) -> dict[str, str]:
    """Link to the decision, where it is explained."""
    return {"decision": f"/v1/decisions/{decision_id}"}


def refusal_body(refusal: Refusal, decision_id: str, viewer: str) -> dict[str, Any]:
    """Write the problem ``transfer-refused``."""
    decision = decision_body(refusal, decision_id, viewer)
    extra = {
        "decision": decision["id"],
        "links": links_of(decision_id),
        "kind": decision["kind"],
        "code": decision["code"],
        "findings": decision["findings"],
        "on": decision["on"],
        "catalogue": decision["catalogue"],
    }
    text = NEUTRAL_TEXT if hidden(refusal.deciding, viewer) else refusal.deciding.text
    return problem_body("transfer-refused", text, extra)


def excess_body(permit: Permit, decision_id: str, viewer: str) -> dict[str, Any]:
    """Write the refusal of a message that holds too much and asks for ``ablehnen``."""
    decision = decision_body(permit, decision_id, viewer)
    detail = (
        f"Nicht zu übermittelnde Datenblöcke: {len(permit.removed)}; nichts wurde gesendet. "
        "Mit ueberhang „entfernen“ würde der Broker sie herausnehmen und den Rest senden."
    )
    extra = {
        "decision": decision_id,
        "links": links_of(decision_id),
        "kind": RefusalKind.NOT_PERMITTED.value,
        "code": "UEBERHANG",
        "findings": decision["findings"],
        "removed": removed_body(permit, viewer),
        "on": decision["on"],
        "catalogue": decision["catalogue"],
    }
    return problem_body("transfer-refused", detail, extra)
