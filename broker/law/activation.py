"""Let a catalogue count from a day on; and see first what that does to transfers that are not handed over yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any

from sqlalchemy import Row, select

from broker.audit.events import AuditEvent
from broker.audit.log import append
from broker.clock import BERLIN, day_of
from broker.db import Database, one_at_a_time
from broker.gateway import ClockOff, Gateway
from broker.in_force import Start
from broker.law import keeper, repository
from broker.law.named import on_day
from broker.lifecycle.models import Transfer
from broker.lifecycle.states import BEFORE_HANDOVER
from broker.transfers.models import DecisionRow
from consent.catalogue import Catalogue
from consent.decision import Refusal
from consent.engine import decide
from consent.facts import TransferFacts
from consent.facts_json import UnreadableFacts, facts_from_json

PAGE = 500
ACTOR = "operator:*"
UNREADABLE = "UNLESBAR"
"""In place of a code: what was stored about the transfer cannot be decided on by this program."""
Route = tuple[str, str, str]
"""Purpose, unit that sends, unit that receives."""


class CannotActivate(Exception):
    """The catalogue cannot count from that day on. The text is German and says why."""


@dataclass(slots=True)
class Effect:
    """What a catalogue does to the queued transfers of one purpose and route."""

    queued: int = 0
    falls: Counter[str] = field(default_factory=Counter)
    """Reason code → transfers that would still pass and will not any more: they go back to their senders."""
    anyway: int = 0
    """Transfers that would not pass on that day by the other catalogue either."""
    passes: int = 0
    """Transfers that pass by this catalogue and would not by the other."""


async def effects(gateway: Gateway, catalogue: Catalogue, day: date) -> Mapping[Route, Effect]:
    """Decide about every queued transfer as of the day, by the catalogue that would count otherwise and by this one.

    Queued: accepted, and not handed over. Decided is on the facts of the first decision, so that nothing but the
    catalogue differs; nothing is recorded, changed or erased. What expires before the day is left out.
    """
    other = await on_day(gateway, day)
    found: dict[Route, Effect] = {}
    starts = datetime.combine(day, time(), BERLIN)
    async for row in _queued(gateway.db, starts):
        sides = (row.sender.partition(":")[2], row.recipient.partition(":")[2])
        _add(found.setdefault((row.purpose, *sides), Effect()), row, other, catalogue, day)
    return dict(sorted(found.items()))


def _add(effect: Effect, row: Row[Any], other: Catalogue, catalogue: Catalogue, day: date) -> None:
    effect.queued += 1
    try:
        facts = facts_from_json(row.facts)
    except UnreadableFacts:
        effect.falls[UNREADABLE] += 1
        return
    sealed = frozenset(row.detail["kept"])
    before, after = (_falls(facts, one, day, sealed) for one in (other, catalogue))
    if before is None and after is not None:
        effect.falls[after] += 1
    effect.anyway += before is not None and after is not None
    effect.passes += before is not None and after is None


def _falls(facts: TransferFacts, catalogue: Catalogue, day: date, sealed: frozenset[str]) -> str | None:
    """Return the code by which something of what was sealed falls; None where all of it passes."""
    decision = decide(facts, catalogue, day)
    if isinstance(decision, Refusal):
        return decision.deciding.code or UNREADABLE
    return next((removed.code for removed in decision.removed if removed.block in sealed), None)


async def _queued(db: Database, starts: datetime) -> AsyncIterator[Row[Any]]:
    columns = (Transfer.seq, Transfer.purpose, Transfer.sender, Transfer.recipient)
    states = [state.value for state in BEFORE_HANDOVER]
    query = (
        select(*columns, DecisionRow.facts, DecisionRow.detail)
        .join(DecisionRow, DecisionRow.id == Transfer.decision_id)
        .where(Transfer.state.in_(states), Transfer.expires_at > starts)
        .order_by(Transfer.seq)
        .limit(PAGE)
    )
    after = 0
    while True:
        async with db.reading() as connection:
            page = (await connection.execute(query.where(Transfer.seq > after))).all()
        for row in page:
            yield row
        if len(page) < PAGE:
            return
        after = page[-1].seq


def check(gateway: Gateway, catalogue: Catalogue, day: date) -> None:
    """Refuse a day in the past, and a catalogue of which nothing counts on that day. Raises `CannotActivate`."""
    today = day_of(gateway.clock())
    if day < today:
        raise CannotActivate(
            f"Der {day:%d.%m.%Y} liegt in der Vergangenheit: An ihm wurde schon entschieden. Frühestens: "
            f"{today:%d.%m.%Y}."
        )
    if not catalogue.as_of(day).purposes_with_rows:
        raise CannotActivate(f"Am {day:%d.%m.%Y} zählt keine Zeile dieses Katalogs; alles würde als Lücke abgelehnt.")


async def activate(gateway: Gateway, catalogue: Catalogue, day: date) -> bool:
    """Keep the catalogue and let it count from the day on, in one transaction with its evidence.

    Return whether anything was to be done: what counts from that very day on already is not recorded again. Running
    gateways take it on within seconds (`broker.law.keeper`). Raises `CannotActivate`, also where this machine's clock
    is off the database's: a day that is over there must not look like one to come.
    """
    try:
        await gateway.require_right_clock()
    except ClockOff as exc:
        raise CannotActivate(exc.detail) from exc
    check(gateway, catalogue, day)
    async with gateway.db.writing() as connection:
        await one_at_a_time(connection)
        starts = [(row.day, row.fingerprint) for row in await repository.days(connection)]
        last = next((fingerprint for start, fingerprint in reversed(starts) if start == day), None)
        if last == catalogue.fingerprint:
            return False
        now = gateway.clock()
        await repository.keep(connection, catalogue.fingerprint, catalogue.source_bytes, now)
        await repository.set_day(connection, day, catalogue.fingerprint, now)
        data = {"day": day.isoformat(), "catalogue": catalogue.fingerprint, "before": _before(gateway, starts, day)}
        await append(connection, [AuditEvent("law.activated", ACTOR, data=data)], now)
    await keeper.look(gateway)
    return True


def _before(gateway: Gateway, starts: list[Start], day: date) -> str:
    """Return the fingerprint that would have counted on the day."""
    past = sorted((start for start in starts if start[0] <= day), key=lambda start: start[0])
    return past[-1][1] if past else gateway.law.shipped.fingerprint
