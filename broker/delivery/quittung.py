"""What the recipient answers: a quittung moves the transfer on and ends the key. The same through every channel.

Quittungen that come while others are being committed share the next commit (`broker.batcher`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.audit.events import AuditEvent
from broker.audit.log import entry_of, rows_of
from broker.bulk import Sql, fetch, insert_all
from broker.delivery.models import QuittungRow
from broker.delivery.repository import forget_sealed
from broker.errors import ProblemError, invalid
from broker.gateway import Gateway
from broker.lifecycle.progress import Step, advance_each
from broker.lifecycle.states import State, sources
from broker.outbox.models import OutboxRow
from broker.outbox.side import About, of_quittung, record_rows
from broker.telemetry import CURRENT, Trace, trace_of
from schemas.quittung import Quittung, QuittungStatus

TARGETS = {
    QuittungStatus.ANGENOMMEN: State.ACKNOWLEDGED,
    QuittungStatus.VERARBEITET: State.PROCESSED,
    QuittungStatus.ABGELEHNT: State.REJECTED,
}


@dataclass(frozen=True, slots=True)
class Accepted:
    """A quittung that counts: the transfer and the state it is in by it."""

    transfer_id: str
    state: State
    repeated: bool


@dataclass(frozen=True, slots=True)
class Brought:
    """A quittung, and who brings it: the agency that it must come from, its client, the trace of the request."""

    quittung: Quittung
    agency: str
    client: str = ""
    trace: Trace = field(default_factory=lambda: CURRENT.get() or trace_of(None))

    @property
    def key(self) -> tuple[str, str]:
        """What names a quittung: who sent it, and its ``nachrichtId``."""
        return str(self.quittung.sender), self.quittung.message_id


Addressed = Row[Any]
"""id, sender, recipient, message_id, state, order_key of a transfer."""
#: Locks in the order of ids, like everywhere.
_ADDRESSED = Sql(
    """SELECT id, sender, recipient, message_id, state, order_key FROM transfers
    WHERE id = ANY($1::text[]) ORDER BY id FOR NO KEY UPDATE""",
    """SELECT id, sender, recipient, message_id, state, order_key FROM transfers
    WHERE id IN (SELECT value FROM json_each(?))""",
)
#: One look into the index for each, whatever the planner knew of the table (see `broker.transfers.service`).
_KNOWN = Sql(
    """SELECT q.sender, q.message_id, q.digest FROM unnest($1::text[], $2::text[]) AS w(sender, message_id)
    CROSS JOIN LATERAL (
        SELECT * FROM quittungen f WHERE f.sender = w.sender AND f.message_id = w.message_id OFFSET 0
    ) q""",
    """SELECT sender, message_id, digest FROM quittungen
    WHERE sender IN (SELECT value FROM json_each(?)) AND message_id IN (SELECT value FROM json_each(?))""",
)


async def accept_batch(gateway: Gateway, batch: Sequence[Brought]) -> list[Accepted | Exception]:
    """Take quittungen in one commit, in order. A result that is an exception left nothing behind."""
    async with gateway.db.writing() as connection:
        return await accept_quittungen(connection, gateway, batch)


async def accept_quittung(connection: AsyncConnection, gateway: Gateway, brought: Brought) -> Accepted:
    """Take one quittung in the caller's transaction. Raises the problems of `accept_quittungen`."""
    [result] = await accept_quittungen(connection, gateway, [brought])
    if isinstance(result, Exception):
        raise result
    return result


async def accept_quittungen(
    connection: AsyncConnection, gateway: Gateway, batch: Sequence[Brought]
) -> list[Accepted | Exception]:
    """Take quittungen in the caller's transaction, in order. The same again gets the same answer.

    In place of an answer stands the problem ``not-found`` (no such transfer for that instance), ``message-conflict``
    (same id, other bytes), ``state-conflict`` (not handed over yet, or answered otherwise) or ``invalid-request``
    (names another message).
    """
    results: dict[int, Accepted | Exception] = {}
    for places in _waves(batch):
        wave = [batch[place] for place in places]
        results.update(zip(places, await _accept_wave(connection, gateway, wave), strict=True))
    return [results[place] for place in range(len(batch))]


def _waves(batch: Sequence[Brought]) -> Iterator[list[int]]:
    """Yield the places of those that can be taken together: each transfer and each id once, in order."""
    rest = list(range(len(batch)))
    while rest:
        named: set[object] = set()
        wave: list[int] = []
        later: list[int] = []
        for place in rest:
            names = {batch[place].quittung.transfer_id, batch[place].key}
            (later if names & named else wave).append(place)
            named |= names
        yield wave
        rest = later


async def _accept_wave(
    connection: AsyncConnection, gateway: Gateway, wave: Sequence[Brought]
) -> list[Accepted | Exception]:
    addressed = await _addressed(connection, wave)
    known = await _known(connection, wave)
    results: list[Accepted | Exception | None] = [_at_once(one, addressed, known) for one in wave]
    new = [one for one, result in zip(wave, results, strict=True) if result is None]
    counted = iter(await _count(connection, gateway, new, addressed))
    return [next(counted) if result is None else result for result in results]


def _at_once(
    brought: Brought, addressed: Mapping[str, Addressed], known: Mapping[tuple[str, str], str]
) -> Accepted | Exception | None:
    """Answer what needs no writing: the same again, and what cannot count; None for all else."""
    quittung = brought.quittung
    row = addressed.get(quittung.transfer_id)
    if row is None or row.recipient != str(quittung.sender) or quittung.sender.agency != brought.agency:
        return ProblemError("not-found", "Diese Übermittlung gibt es für diese Instanz nicht.")
    if quittung.reply_to != row.message_id:
        return invalid("bezug", "Die Quittung bezieht sich auf eine andere Nachricht als die dieser Übermittlung.")
    digest = known.get(brought.key)
    if digest is None:
        return None
    if digest != quittung.digest:
        return ProblemError("message-conflict", "Diese nachrichtId trug schon eine andere Quittung.")
    return Accepted(row.id, State(row.state), repeated=True)


async def _count(
    connection: AsyncConnection, gateway: Gateway, new: Sequence[Brought], addressed: Mapping[str, Addressed]
) -> list[Accepted | Exception]:
    """Let new quittungen count: move their transfers, end the contents, write all down."""
    now = gateway.clock()
    refused = await _move(connection, new, addressed, now)
    counts = [one for one in new if one.quittung.transfer_id not in refused]
    if counts:
        await forget_sealed(connection, [one.quittung.transfer_id for one in counts])
        pairs = [(one, addressed[one.quittung.transfer_id]) for one in counts]
        outbox = [row for one, transfer in pairs for row in _told(gateway, one, transfer)]
        evidence = rows_of([entry_of(_evidence(transfer, one), now) for one, transfer in pairs])
        quittungen = [_row(one.quittung, now) for one in counts]
        await insert_all(connection, (QuittungRow, quittungen), (OutboxRow, outbox), *evidence)
    return [
        refused.get(one.quittung.transfer_id)
        or Accepted(one.quittung.transfer_id, TARGETS[one.quittung.status], repeated=False)
        for one in new
    ]


async def _move(
    connection: AsyncConnection, new: Sequence[Brought], addressed: Mapping[str, Addressed], now: datetime
) -> dict[str, ProblemError]:
    """Move each transfer where its quittung leads; return the problem of each that cannot go there."""
    refused: dict[str, ProblemError] = {}
    for status, target in TARGETS.items():
        steps = [
            Step(q.transfer_id, str(q.sender), q.reason)
            for q in (one.quittung for one in new)
            if q.status is status and State(addressed[q.transfer_id].state) is not target
        ]
        moved = {one.transfer_id for one in await advance_each(connection, steps, target, now)}
        stay = (step.transfer_id for step in steps if step.transfer_id not in moved)
        refused |= {one: _conflict(status, target, addressed[one].state) for one in stay}
    return refused


def _conflict(status: QuittungStatus, target: State, state: str) -> ProblemError:
    allowed = sorted(one.value for one in sources(target))
    text = f"Eine Quittung {status} ist im Zustand {state} nicht möglich."
    return ProblemError("state-conflict", text, state=state, allowed=allowed)


def _told(gateway: Gateway, brought: Brought, transfer: Addressed) -> list[dict[str, Any]]:
    quittung = brought.quittung
    told = of_quittung(transfer.id, transfer.sender, quittung.message_id, quittung.status, quittung.reason)
    return record_rows(gateway, told, About(transfer.order_key, transfer.message_id), brought.trace)


def _evidence(transfer: Addressed, brought: Brought) -> AuditEvent:
    quittung = brought.quittung
    data = {"status": quittung.status.value} | ({"reason": quittung.reason.value} if quittung.reason else {})
    side = {"client": brought.client, "quittung_digest": quittung.digest}
    return AuditEvent(
        "transfer.quittung", str(quittung.sender), transfer.sender, transfer.recipient, transfer.id, data, side
    )


async def _addressed(connection: AsyncConnection, wave: Sequence[Brought]) -> dict[str, Addressed]:
    """Lock the transfers that quittungen name and read what is asked of them."""
    rows = await fetch(connection, _ADDRESSED, [one.quittung.transfer_id for one in wave])
    return {row.id: row for row in rows}


async def _known(connection: AsyncConnection, wave: Sequence[Brought]) -> dict[tuple[str, str], str]:
    """Return the digests of those quittungen whose ids are known."""
    rows = await fetch(connection, _KNOWN, [one.key[0] for one in wave], [one.key[1] for one in wave])
    return {(row.sender, row.message_id): row.digest for row in rows}


def content_bytes(brought: Brought) -> int:
    """Return what a quittung weighs: its bytes."""
    return len(brought.quittung.content)


def _row(quittung: Quittung, now: datetime) -> dict[str, Any]:
    return {
        "sender": str(quittung.sender),
        "message_id": quittung.message_id,
        "transfer_id": quittung.transfer_id,
        "status": quittung.status.value,
        "reason": quittung.reason.value if quittung.reason else None,
        "digest": quittung.digest,
        "content": quittung.content,
        "at": now,
    }


async def quittungen_of(connection: AsyncConnection, transfer_id: str) -> Sequence[Any]:
    """Return the quittungen of a transfer, oldest first."""
    query = select(QuittungRow).where(QuittungRow.transfer_id == transfer_id).order_by(QuittungRow.at)
    return (await connection.execute(query)).all()
