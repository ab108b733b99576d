"""What the two sides are told of a decision. Records of another controller show as one neutral finding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from broker.problems import problem_body
from consent.decision import Finding, Outcome, Permit, Refusal, RefusalKind

NEUTRAL_CODE = "NICHT_ZULAESSIG"
NEUTRAL_TEXT = (
    "Die Übermittlung ist nicht zulässig. Näheres kann nur den Datenschutzbeauftragten mitgeteilt werden; "
    "bitte klären Sie die Sache außerhalb des Brokers, mit der betroffenen Person oder der anderen Stelle."
)


def hidden(finding: Finding, viewer: str) -> bool:
    """Whether the finding rests on a record of a controller other than the viewer (§ 35 SGB I)."""
    return finding.rests_on is not None and finding.rests_on != viewer


def finding_body(finding: Finding, viewer: str | None) -> dict[str, Any]:
    """Write one finding for `viewer` (an instance; None = officer, who sees all)."""
    if viewer is not None and hidden(finding, viewer):
        return {"gate": "", "outcome": finding.outcome.value, "code": NEUTRAL_CODE, "norms": [], "text": NEUTRAL_TEXT}
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


def findings_body(findings: Sequence[Finding], viewer: str | None) -> list[dict[str, Any]]:
    """Write findings for a viewer. Where one is hidden, what was passed does not show which gate it was."""
    if viewer is not None and any(hidden(f, viewer) and f.outcome is Outcome.DENY for f in findings):
        return [finding_body(f, viewer) for f in findings if hidden(f, viewer) and f.outcome is Outcome.DENY][:1]
    return [finding_body(f, viewer) for f in findings if not (viewer and hidden(f, viewer))]


def decision_body(decision: Permit | Refusal, decision_id: str, viewer: str | None) -> dict[str, Any]:
    """Write a decision for a viewer."""
    body: dict[str, Any] = {
        "id": decision_id,
        "on": decision.basis.on.isoformat(),
        "catalogue": decision.basis.catalogue,
        "engine": decision.basis.engine_version,
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


def rests(decision: Permit | Refusal) -> dict[str, str]:
    """Return on whose records the fall of blocks rests: block → controller."""
    return {
        block: finding.rests_on
        for finding in decision.findings
        if finding.outcome is Outcome.REMOVE and finding.rests_on is not None
        for block in finding.items
    }


def removed_body(decision: Permit | Refusal, viewer: str | None) -> list[dict[str, Any]]:
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


def refusal_body(refusal: Refusal, decision_id: str, viewer: str) -> dict[str, Any]:
    """Write the problem ``transfer-refused``."""
    decision = decision_body(refusal, decision_id, viewer)
    extra = {
        "decision": decision["id"],
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
        "kind": RefusalKind.NOT_PERMITTED.value,
        "code": "UEBERHANG",
        "findings": decision["findings"],
        "removed": removed_body(permit, viewer),
        "on": decision["on"],
        "catalogue": decision["catalogue"],
    }
    return problem_body("transfer-refused", detail, extra)
