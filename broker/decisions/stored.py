"""A decision as it was kept, and who may read it."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.clock import day_of
from broker.errors import ProblemError
from broker.lifecycle.models import TransferEvent
from broker.lifecycle.states import ENDS, State
from broker.transfers.again import ENDS_IT
from broker.transfers.models import DecisionRow
from consent.decision import Finding, Missing, Outcome, RefusalKind, Removed
from consent.facts import TransferFacts
from consent.facts_json import UnreadableFacts, facts_from_json
from schemas.identifiers import DataCategory

log = logging.getLogger(__name__)

CODE = re.compile(r"[A-Z0-9_]{1,64}")
DENIED = "DENY"
HAND_OVER = "hand_over"


@dataclass(frozen=True, slots=True)
class Stored:
    """A kept decision, with the facts that it was taken on."""

    id: str
    transfer_id: str
    occasion: str
    sender: str
    recipient: str
    at: datetime
    day: date
    outcome: str
    kind: RefusalKind | None
    code: str | None
    catalogue: str
    engine_version: str
    purpose: str | None
    mode: str | None
    facts_version: int | None
    """These three are None where the facts do not even say this."""
    findings: tuple[Finding, ...]
    removed: tuple[Removed, ...]
    kept: tuple[str, ...]
    grounds: tuple[str, ...]
    consents: tuple[str, ...]
    duties: tuple[str, ...]
    switches: tuple[str, ...]
    rejected: bool
    """Something fell, and the sender had asked to send all or nothing."""
    ends_it: bool
    """It was a later decision, and let not everything pass that was sealed: nothing was handed over by it."""
    facts: TransferFacts | None
    """None: this program cannot read them."""

    @property
    def given(self) -> date | None:
        """The day on which the content was handed over by this very decision."""
        return self.day if self.occasion == HAND_OVER and self.outcome != DENIED and not self.ends_it else None


@dataclass(frozen=True, slots=True)
class Way:
    """How far the transfer of a decision has come."""

    handed_over: date | None
    """The day on which its content was first handed over."""
    ended: bool = False
    """It ended without that."""


async def way_of(connection: AsyncConnection, stored: Stored) -> Way:
    """Return how far the transfer has come, for one of its sides."""
    query = select(TransferEvent.state, TransferEvent.at).where(TransferEvent.transfer_id == stored.transfer_id)
    events = (await connection.execute(query.order_by(TransferEvent.seq))).all()
    given = next((day_of(event.at) for event in events if event.state == State.HANDING_OVER.value), None)
    return Way(given, given is None and bool(events) and State(events[-1].state) in ENDS)


async def decision_by_id(connection: AsyncConnection, decision_id: str) -> Row[Any] | None:
    """Return one decision."""
    return (await connection.execute(select(DecisionRow).where(DecisionRow.id == decision_id))).one_or_none()


async def decision_for(connection: AsyncConnection, decision_id: str, instance: str) -> Stored:
    """Return a decision that an instance may see: every one of its own, and as recipient those that gave it a content.

    Raises ``not-found``, the same for unknown and for others' decisions.
    """
    row = await decision_by_id(connection, decision_id)
    if row is None or not _concerns(row, instance):
        raise absent()
    return stored_of(row)


async def decision_of(connection: AsyncConnection, decision_id: str, agency: str) -> Stored:
    """Return a decision of a transfer from or to an agency, for its officers. Raises ``not-found``."""
    row = await decision_by_id(connection, decision_id)
    if row is None or agency not in {side.partition(":")[0] for side in (row.sender, row.recipient)}:
        raise absent()
    return stored_of(row)


def _concerns(row: Any, instance: str) -> bool:  # noqa: ANN401 - a Row
    given = row.occasion == HAND_OVER and row.outcome != DENIED and not row.detail.get(ENDS_IT, False)
    return bool(instance == row.sender or (instance == row.recipient and given))


def absent() -> ProblemError:
    """Build the problem of a decision that is not there for the caller."""
    return ProblemError("not-found", "Diese Entscheidung gibt es für diesen Zugang nicht.")


def stored_of(row: Any) -> Stored:  # noqa: ANN401 - a Row
    """Read a row of `DecisionRow`; what was decided shows also where the facts cannot be read any more."""
    detail: dict[str, Any] = row.detail
    purpose, mode, version = _labels(row.facts)
    return Stored(
        id=row.id,
        transfer_id=row.transfer_id,
        occasion=row.occasion,
        sender=row.sender,
        recipient=row.recipient,
        at=row.at,
        day=row.day,
        outcome=row.outcome,
        kind=RefusalKind(row.kind) if row.kind else None,
        code=row.code,
        catalogue=row.catalogue,
        engine_version=row.engine_version,
        purpose=purpose,
        mode=mode,
        facts_version=version,
        findings=tuple(_finding(one) for one in detail["findings"]),
        removed=tuple(_removed(detail["removed"])),
        kept=tuple(detail["kept"]),
        grounds=tuple(detail["grounds"]),
        consents=tuple(detail["consents"]),
        duties=tuple(detail["duties"]),
        switches=tuple(detail["switches"]),
        rejected=detail.get("rejected", False),
        ends_it=detail.get(ENDS_IT, False),
        facts=_facts(row),
    )


def _facts(row: Any) -> TransferFacts | None:  # noqa: ANN401 - a Row
    try:
        return facts_from_json(row.facts)
    except UnreadableFacts as exc:
        log.warning("facts cannot be read", extra={"transfer": row.transfer_id, "error": type(exc).__name__})
        return None


def _labels(facts: Any) -> tuple[str | None, str | None, int | None]:  # noqa: ANN401 - any JSON value
    """Return purpose, mode and version of stored facts, as far as they are codes and a number."""
    said = facts.get("facts") if isinstance(facts, dict) else None
    found = [said.get(name) if isinstance(said, dict) else None for name in ("purpose", "mode")]
    purpose, mode = (one if isinstance(one, str) and CODE.fullmatch(one) else None for one in found)
    version = facts.get("version") if isinstance(facts, dict) else None
    return purpose, mode, version if isinstance(version, int) else None


def _finding(kept: dict[str, Any]) -> Finding:
    return Finding(
        gate=kept["gate"],
        outcome=Outcome(kept["outcome"]),
        text=kept["text"],
        norms=tuple(kept["norms"]),
        code=kept["code"],
        kind=RefusalKind(kept["kind"]) if kept["kind"] else None,
        items=tuple(kept["items"]),
        missing=tuple(Missing(**lack) for lack in kept["missing"]),
        rests_on=kept["rests_on"],
    )


def _removed(kept: Sequence[dict[str, Any]]) -> list[Removed]:
    return [
        Removed(one["block"], one["person"], DataCategory(one["category"]), one["code"], tuple(one["norms"]))
        for one in kept
    ]
