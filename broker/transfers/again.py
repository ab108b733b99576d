"""Decide again about transfers on their way: at hand-over, and when something about their persons was recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from sqlalchemy import Row, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.bulk import insert_rows
from broker.clock import day_of
from broker.errors import ProblemError
from broker.gateway import Gateway
from broker.ids import new_id
from broker.lifecycle.models import Transfer, TransferSubject
from broker.transfers.answers import NEUTRAL_CODE, rests
from broker.transfers.gather import Records, complete, load_records
from broker.transfers.models import DecisionRow
from broker.transfers.record import decision_columns
from broker.transfers.seek import Sought, seek_again
from consent.decision import Decision, Permit, Refusal
from consent.engine import decide
from consent.facts import TransferFacts
from consent.facts_json import facts_from_json
from consent.owed import Owed, owed

ENDS_IT = "ends_it"
"""In the detail of a later decision: not everything that was sealed may still pass, so that nothing is handed over."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the law says now of a transfer that was permitted before."""

    transfer_id: str
    still_permitted: bool
    """Everything that was sealed may still pass."""
    decision_id: str
    """Empty where none could be taken."""
    code: str | None
    rests_on: str | None
    """The controller on whose record a refusal rests."""
    owing: tuple[Owed, ...] = ()
    """What a permit obliges to by a day."""

    def shown_code(self, viewer: str) -> str | None:
        """Return the code as this side may see it."""
        return self.code if self.rests_on in (None, viewer) else NEUTRAL_CODE


def undecidable(transfer_id: str, code: str) -> Verdict:
    """Return the verdict on a transfer about which nothing can be decided any more: it may not pass."""
    return Verdict(transfer_id, still_permitted=False, decision_id="", code=code, rests_on=None)


@dataclass(frozen=True, slots=True)
class Remembered:
    """A transfer as it was decided on, and the look-up of its persons."""

    sought: Sought
    facts: TransferFacts
    """Those of its first decision."""
    first: Row[Any]
    """Its row, with the detail of that decision."""


#: Parameter: ``ids``.
_KEPT = (
    select(
        Transfer.id,
        Transfer.sender,
        Transfer.recipient,
        Transfer.purpose,
        Transfer.order_key,
        Transfer.decision_id,
        DecisionRow.facts,
        DecisionRow.detail,
        TransferSubject.persons,
        TransferSubject.cases,
    )
    .join(DecisionRow, DecisionRow.id == Transfer.decision_id)
    .join(TransferSubject, TransferSubject.transfer_id == Transfer.id)
    .where(Transfer.id.in_(bindparam("ids", expanding=True)))
)


async def remember(connection: AsyncConnection, transfer_ids: Sequence[str]) -> list[Remembered]:
    """Read what a later decision about transfers needs: one query, in the order of the ids."""
    found = {row.id: row for row in await connection.execute(_KEPT, {"ids": list(transfer_ids)})}
    return [_remembered(found[transfer_id]) for transfer_id in transfer_ids]


def _remembered(row: Row[Any]) -> Remembered:
    facts = facts_from_json(row.facts)
    return Remembered(seek_again(row, facts), facts, row)


async def decide_again(
    connection: AsyncConnection, gateway: Gateway, batch: Sequence[Remembered], occasion: str
) -> list[Verdict]:
    """Decide about transfers on this day and keep the decisions; the caller moves the transfers.

    The caller has locked the transfers. Every event about one of their persons does that too before it decides, so that
    of two who decide the later one sees what the earlier one has recorded; the persons' rows need not be locked again.
    """
    day = day_of(gateway.clock())
    records = await load_records(connection, [one.sought for one in batch], day, lock=False)
    decided = [_decided(gateway, one, records, day, occasion) for one in batch]
    await insert_rows(connection, DecisionRow, [row for _, row in decided if row is not None])
    return [verdict for verdict, _ in decided]


def _decided(
    gateway: Gateway, remembered: Remembered, records: Records, day: date, occasion: str
) -> tuple[Verdict, dict[str, Any] | None]:
    """Decide about one transfer; return what follows, and the row of the decision where one was taken."""
    sought, first = remembered.sought, remembered.first
    try:
        facts = complete(remembered.facts, sought, records, day)
    except ProblemError as gone:  # the ersuchen was closed meanwhile
        return Verdict(sought.transfer_id, False, first.decision_id, gone.slug, None), None
    catalogue = gateway.law.on(day)
    decision = decide(facts, catalogue, day)
    row = {
        "id": new_id(),
        "transfer_id": sought.transfer_id,
        "occasion": occasion,
        "sender": sought.sender,
        "recipient": sought.recipient,
        "at": gateway.clock(),
        **decision_columns(decision, facts, sought.references),
    }
    verdict = _verdict(sought.transfer_id, row["id"], decision, first.detail["kept"])
    if not verdict.still_permitted:
        row["detail"][ENDS_IT] = True
    if verdict.still_permitted and isinstance(decision, Permit):
        verdict = replace(verdict, owing=owed(catalogue.as_of(day), decision.duties, day))
    return verdict, row


def _verdict(transfer_id: str, decision_id: str, decision: Decision, sealed: Sequence[str]) -> Verdict:
    if isinstance(decision, Refusal):
        deciding = decision.deciding
        return Verdict(transfer_id, False, decision_id, deciding.code, deciding.rests_on)
    still = set(sealed) <= set(decision.kept)
    lost = next((r for r in decision.removed if r.block in sealed), None)
    if lost is None:
        return Verdict(transfer_id, still, decision_id, None, None)
    return Verdict(transfer_id, still, decision_id, lost.code, rests(decision).get(lost.block))
