"""Decide again about transfers on their way: at hand-over, and when something about their persons was recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.clock import day_of
from broker.errors import ProblemError
from broker.gateway import Gateway
from broker.ids import new_id
from broker.lifecycle.models import Transfer, TransferSubject
from broker.subjects.state import lock_shared
from broker.transfers.answers import NEUTRAL_CODE, rests
from broker.transfers.gather import complete, load_records
from broker.transfers.models import DecisionRow
from broker.transfers.record import decision_columns
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


@dataclass(frozen=True, slots=True)
class Remembered:
    """A transfer as it was decided on, and the look-up of its persons."""

    sought: Sought
    first: Any
    """The row of its first decision."""


async def remember(connection: AsyncConnection, transfer_id: str) -> Remembered:
    """Read what a later decision about a transfer needs."""
    transfer = (await connection.execute(select(Transfer).where(Transfer.id == transfer_id))).one()
    first = (await connection.execute(select(DecisionRow).where(DecisionRow.id == transfer.decision_id))).one()
    about = (await connection.execute(select(TransferSubject).where(TransferSubject.transfer_id == transfer_id))).one()
    return Remembered(seek_again(transfer, about, first.detail["references"]), first)


async def hold_persons(connection: AsyncConnection, remembered: Remembered) -> None:
    """Keep events about the transfer's persons waiting until the transaction ends, or wait for the one that runs.

    Everybody locks persons before transfers: a hand-over that did it the other way round and a withdrawal would wait
    for each other.
    """
    await lock_shared(connection, remembered.sought.state_keys())


async def decide_again(connection: AsyncConnection, gateway: Gateway, remembered: Remembered, occasion: str) -> Verdict:
    """Decide about one transfer on this day and keep the decision; the caller moves the transfer.

    Whoever lets something pass by the verdict has called `hold_persons`. An event about a person, which only ends
    transfers, holds its own person's row; those of others in the transfer are looked at by their own events.
    """
    sought, first = remembered.sought, remembered.first
    day = day_of(gateway.clock())
    records = await load_records(connection, [sought], day, lock=False)
    try:
        facts = complete(facts_from_json(first.facts), sought, records, day)
    except ProblemError as gone:  # the ersuchen was closed meanwhile
        return Verdict(sought.transfer_id, False, first.id, gone.slug, None)
    decision = decide(facts, gateway.catalogue, day)
    decision_id = await _keep(connection, gateway, sought, facts, decision, occasion)
    return _verdict(sought.transfer_id, decision_id, decision, first.detail["kept"])


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
