"""Decide again about transfers on their way: at hand-over, and when something about their persons was recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.clock import day_of
from broker.errors import ProblemError
from broker.gateway import Gateway
from broker.lifecycle.models import Transfer, TransferSubject
from broker.transfers.answers import NEUTRAL_CODE, rests
from broker.transfers.gather import complete, load_records
from broker.transfers.models import DecisionRow
from broker.transfers.record import decision_columns, new_id
from broker.transfers.seek import Sought, seek_again
from consent.decision import Decision, Refusal
from consent.engine import decide
from consent.facts import TransferFacts
from consent.facts_json import facts_from_json


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the law says now of a transfer that was permitted before."""

    transfer_id: str
    still_permitted: bool
    """Everything that was sealed may still pass."""
    decision_id: str
    code: str | None
    rests_on: str | None
    """The controller on whose record a refusal rests."""

    def shown_code(self, viewer: str) -> str | None:
        """Return the code as this side may see it."""
        return self.code if self.rests_on in (None, viewer) else NEUTRAL_CODE


async def decide_again(connection: AsyncConnection, gateway: Gateway, transfer_id: str, occasion: str) -> Verdict:
    """Decide about one transfer on this day and keep the decision; the caller moves the transfer."""
    transfer = (await connection.execute(select(Transfer).where(Transfer.id == transfer_id))).one()
    first = (await connection.execute(select(DecisionRow).where(DecisionRow.id == transfer.decision_id))).one()
    about = select(TransferSubject).where(TransferSubject.transfer_id == transfer_id)
    sought = seek_again(transfer, (await connection.execute(about)).one(), first.detail["references"])
    day = day_of(gateway.clock())
    records = await load_records(connection, [sought], day)
    try:
        facts = complete(facts_from_json(first.facts), sought, records, day)
    except ProblemError as gone:  # the ersuchen was closed meanwhile
        return Verdict(transfer_id, False, first.id, gone.slug, None)
    decision = decide(facts, gateway.catalogue, day)
    decision_id = await _keep(connection, gateway, sought, facts, decision, occasion)
    return _verdict(transfer_id, decision_id, decision, first.detail["kept"])


async def _keep(
    connection: AsyncConnection,
    gateway: Gateway,
    sought: Sought,
    facts: TransferFacts,
    decision: Decision,
    occasion: str,
) -> str:
    row = {
        "id": new_id(),
        "transfer_id": sought.transfer_id,
        "occasion": occasion,
        "sender": sought.sender,
        "recipient": sought.recipient,
        "at": gateway.clock(),
        **decision_columns(decision, facts, sought.references),
    }
    await connection.execute(insert(DecisionRow), [row])
    return str(row["id"])


def _verdict(transfer_id: str, decision_id: str, decision: Decision, sealed: Sequence[str]) -> Verdict:
    if isinstance(decision, Refusal):
        deciding = decision.deciding
        return Verdict(transfer_id, False, decision_id, deciding.code, deciding.rests_on)
    still = set(sealed) <= set(decision.kept)
    lost = next((r for r in decision.removed if r.block in sealed), None)
    if lost is None:
        return Verdict(transfer_id, still, decision_id, None, None)
    return Verdict(transfer_id, still, decision_id, lost.code, rests(decision).get(lost.block))
