"""What of a decision a reader is shown: a sender its own, a recipient what it was given, an officer everything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from broker.decisions.shapes import DecisionOut, DutyOfDecision, DutyStanding, ExplanationOut, SectionOut, SentenceOut
from broker.decisions.stored import DENIED, Stored, Way
from broker.duties.api import state_of
from broker.problems import problem_body
from broker.transfers.answers import NEUTRAL_CODE, findings_body, hidden, removed_body, visible
from consent.catalogue import Catalogue
from consent.decision import Outcome, RefusalKind
from consent.explanation.argument import Reasons, explain
from consent.explanation.sentences import Language
from consent.owed import due
from consent.rows import Bound, DutyRow, Lasts

SIDE = {Bound.BROKER: "broker", Bound.ABSENDER: "sender", Bound.EMPFAENGER: "recipient"}


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads: an instance, or an officer (`instance` None), who sees everything of the own agency."""

    instance: str | None
    today: date
    language: Language

    def is_recipient(self, stored: Stored) -> bool:
        """Whether the reader is the recipient and not the sender."""
        return self.instance is not None and self.instance != stored.sender


@dataclass(frozen=True, slots=True)
class Follows:
    """What follows from a decision, as far as the reader may know."""

    owed: Sequence[Any]
    """Rows of the transfer's duties that bind the reader."""
    way: Way


def narrowed(stored: Stored, reader: Reader) -> Stored:
    """Leave what the reader may see: to a recipient what it was given and on which ground, nothing of the rest."""
    if reader.is_recipient(stored):
        ground = tuple(f for f in stored.findings if f.gate == "G5" and not hidden(f, reader.instance or ""))
        facts = stored.facts
        if facts is not None:
            facts = replace(facts, items=tuple(item for item in facts.items if item.id in stored.kept))
        return replace(stored, outcome="PERMIT", removed=(), consents=(), findings=ground, facts=facts)
    return stored


def decision_out(stored: Stored, reader: Reader, catalogue: Catalogue | None, follows: Follows) -> DecisionOut:
    """Write a decision for a reader; `catalogue` None: it cannot be read here."""
    concealed = _concealed(stored, reader)
    hidden_refusal = stored.outcome == DENIED and concealed
    return DecisionOut(
        id=stored.id,
        transfer_id=stored.transfer_id,
        occasion=stored.occasion,
        sender=stored.sender,
        recipient=stored.recipient,
        purpose=stored.purpose,
        mode=stored.mode,
        at=stored.at,
        on=stored.day,
        outcome=stored.outcome,
        rejected=stored.rejected,
        kind=_kind(stored, hidden=hidden_refusal),
        code=NEUTRAL_CODE if hidden_refusal else stored.code,
        catalogue=stored.catalogue,
        engine=stored.engine_version,
        facts_version=stored.facts_version,
        switches=list(stored.switches),
        grounds=list(stored.grounds),
        kept=list(stored.kept),
        removed=[] if hidden_refusal else removed_body(stored, reader.instance),
        consents=list(stored.consents),
        findings=findings_body(stored.findings, reader.instance),
        duties=list(_duties(stored, reader, catalogue, follows)) if catalogue else [],
        explanation=_explanation(stored, reader, catalogue, follows) if catalogue else None,
        problems=list(_problems(stored, catalogue)),
        links=_links(stored),
    )


def _problems(stored: Stored, catalogue: Catalogue | None) -> Iterator[dict[str, Any]]:
    """Say what is missing in the answer, and why."""
    if catalogue is None:
        yield problem_body("catalogue-unreadable", f"Der Katalog {stored.catalogue} ist hier nicht zu lesen.")
    if stored.facts is None:
        known = f" (Version {stored.facts_version})" if stored.facts_version is not None else ""
        yield problem_body("facts-unreadable", f"Die Fakten dieser Entscheidung{known} sind hier nicht zu lesen.")


def _kind(stored: Stored, *, hidden: bool) -> str | None:
    if stored.kind is None:
        return None
    return RefusalKind.NOT_PERMITTED.value if hidden else stored.kind.value


def _concealed(stored: Stored, reader: Reader) -> bool:
    """Whether something rests on a record that the reader may not know of: in a refusal, the finding that decided."""
    viewer = reader.instance
    if viewer is None:
        return False
    if reader.is_recipient(stored):
        return True
    denied = stored.outcome == DENIED
    return any(hidden(f, viewer) for f in stored.findings if not denied or f.outcome is Outcome.DENY)


def _links(stored: Stored) -> dict[str, str]:
    found = {"self": f"/v1/decisions/{stored.id}"}
    sent = stored.outcome != DENIED and stored.occasion != "check" and not stored.rejected
    return found | ({"transfer": f"/v1/transfers/{stored.transfer_id}"} if sent else {})


def _explanation(stored: Stored, reader: Reader, catalogue: Catalogue, follows: Follows) -> ExplanationOut | None:
    if stored.facts is None:
        return None
    findings, concealed = visible(stored.findings, reader.instance), _concealed(stored, reader)
    hidden_refusal = stored.outcome == DENIED and concealed
    reasons = Reasons(
        facts=stored.facts,
        on=stored.day,
        findings=tuple(findings),
        removed=() if hidden_refusal else stored.removed,
        kind=RefusalKind.NOT_PERMITTED if hidden_refusal else stored.kind,
        duties=stored.duties,
        consents=len(stored.consents),
        switches=stored.switches,
        occasion=stored.occasion,
        handed_over=follows.way.handed_over,
        concealed=concealed,
        rejected=stored.rejected,
    )
    sections = explain(reasons, catalogue, reader.language)
    return ExplanationOut(
        language=reader.language,
        sections=[
            SectionOut(
                key=section.key,
                title=section.title,
                sentences=[
                    SentenceOut(
                        text=one.text,
                        norms=list(one.norms),
                        code=one.code,
                        categories=[category.value for category in one.categories],
                        due=one.due,
                    )
                    for one in section.sentences
                ],
            )
            for section in sections
        ],
    )


def _duties(stored: Stored, reader: Reader, catalogue: Catalogue, follows: Follows) -> Iterator[DutyOfDecision]:
    """Write each duty once for each side that it binds."""
    begun = follows.way.handed_over
    sides = {Bound.ABSENDER: stored.sender, Bound.EMPFAENGER: stored.recipient}
    rows = {(row.duty, row.bound): row for row in follows.owed}
    for duty in catalogue.as_of(stored.day, frozenset(stored.switches)).duties:
        if duty.code not in stored.duties:
            continue
        for bound in duty.bound:
            row = rows.get((duty.code, sides.get(bound, "")))
            yield DutyOfDecision(
                duty=duty.code,
                bound=SIDE[bound],
                standing=_standing(stored, duty, row, follows.way, reader),
                due=row.due if row else _due(stored, duty, begun),
                norms=list(duty.norms),
                id=row.id if row else None,
            )


def _due(stored: Stored, duty: DutyRow, begun: date | None) -> date | None:
    return due(duty, begun) if begun and duty.lasts is Lasts.FRIST and not stored.rejected else None


def _standing(stored: Stored, duty: DutyRow, row: Any, way: Way, reader: Reader) -> DutyStanding:  # noqa: ANN401 - a Row
    if duty.lasts is Lasts.ERFUELLT:
        return DutyStanding.FULFILLED
    if stored.rejected or stored.ends_it or stored.occasion == "check" or way.ended:
        return DutyStanding.LAPSED
    if duty.lasts is Lasts.DAUERND:
        return DutyStanding.STANDING
    if row is not None:
        return DutyStanding(state_of(row, reader.today).value)
    return DutyStanding.NOT_SHOWN if way.handed_over else DutyStanding.PENDING
