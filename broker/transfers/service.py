"""Stations 3 to 5 for a batch of submissions: gathered, decided, recorded, in the caller's one transaction.

The stations of one submission, numbered as in the architecture:
(3) gather the facts, (4) decide, (5) record decision, evidence and outbox row. A refusal is returned and committed;
an error is raised, belongs to its own submission, and leaves nothing of it behind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection

from broker import metrics
from broker.audit.log import entry_of
from broker.audit.promise import promise
from broker.bulk import Sql, fetch
from broker.clock import day_of
from broker.errors import ProblemError
from broker.gateway import Gateway
from broker.ids import new_id
from broker.metrics import station
from broker.transfers.answers import decision_body, excess_body, links_of, refusal_body, removed_body
from broker.transfers.gather import Records, facts_of, load_records
from broker.transfers.models import DecisionRow, Submission
from broker.transfers.record import (
    Decided,
    Rows,
    add_transfer,
    decision_event,
    decision_row,
    submission_row,
)
from broker.transfers.seek import Sought, seek
from broker.transfers.statement import reduction_statement
from broker.transfers.submission import ACCEPTED, Answer, Result, Submitted
from consent.decision import Permit, Refusal
from consent.engine import bind_reduced, decide
from schemas.identifiers import Ueberhang
from schemas.xml import reduce

MessageKey = tuple[str, str]

#: One look into the index for each: a join that is planned while the table is small would read it whole in every batch,
#: for as long as the connection keeps its plan (``OFFSET 0`` keeps the planner from making one of it).
FIRST_ANSWERS = Sql(
    """SELECT s.sender, s.message_id, s.digest, s.status, s.body
    FROM unnest($1::text[], $2::text[]) AS w(sender, message_id) CROSS JOIN LATERAL (
        SELECT * FROM submissions f WHERE f.sender = w.sender AND f.message_id = w.message_id OFFSET 0
    ) s""",
    """SELECT sender, message_id, digest, status, body FROM submissions
    WHERE sender IN (SELECT value FROM json_each(?)) AND message_id IN (SELECT value FROM json_each(?))""",
)

REFUSED = 403
CHECKED = 200


async def submit_batch(gateway: Gateway, batch: Sequence[Submitted]) -> list[Result]:
    """Answer a batch in one commit, in order. A result that is an exception left nothing behind."""
    metrics.batch(len(batch))
    async with gateway.db.writing() as connection:
        results = await answer_batch(connection, gateway, batch)
    for result in results:
        metrics.submission(outcome_of(result))
    if any(isinstance(r, Answer) and r.status == ACCEPTED for r in results):
        gateway.outbox_filled.notify()
    return results


def outcome_of(result: Result) -> str:
    """Name the outcome of a submission, as the figures count it."""
    if isinstance(result, Exception):
        return "failed"
    if result.repeated:
        return "repeated"
    if result.status == REFUSED:
        return metrics.REFUSED[str(result.body["kind"])]
    return "accepted" if result.status == ACCEPTED else "checked"


async def answer_batch(connection: AsyncConnection, gateway: Gateway, batch: Sequence[Submitted]) -> list[Result]:
    """Answer a batch in the caller's transaction."""
    known = await _first_answers(connection, batch)
    sought = {s.transfer_id: seek(gateway.keys, s) for s in batch}
    with station("gathered"):
        records = await load_records(connection, list(sought.values()), day_of(gateway.clock()))
    rows = Rows()
    results: list[Result] = []
    for submitted in batch:
        try:
            answer = _repeated(submitted, known) or _decide_one(gateway, submitted, sought, records, rows)
        except Exception as exc:  # noqa: BLE001 - each submission has its own failure
            results.append(exc)
            continue
        if not submitted.only_check and not answer.repeated:
            known[submitted.message_key] = (submitted.payload.digest, answer)
        results.append(answer)
    with station("recorded"):
        await rows.write(connection)
        if records.counter is not None:
            await records.counter.write(connection)
    return results


async def _first_answers(
    connection: AsyncConnection, batch: Sequence[Submitted]
) -> dict[MessageKey, tuple[str, Answer]]:
    senders, ids = [s.sender for s in batch], [s.payload.head.message_id for s in batch]
    rows = await fetch(connection, FIRST_ANSWERS, senders, ids)
    return {(r.sender, r.message_id): (r.digest, Answer(r.status, _body(r.body))) for r in rows}


def _body(stored: Any) -> dict[str, Any]:  # noqa: ANN401 - a JSON column, read by one driver and as text by the other
    body: dict[str, Any] = orjson.loads(stored) if isinstance(stored, str) else stored
    return body


def _repeated(submitted: Submitted, known: Mapping[MessageKey, tuple[str, Answer]]) -> Answer | None:
    """Return the first answer again; raise where the id was used for other bytes (RFC 9110, 15.5.10)."""
    if submitted.only_check or submitted.message_key not in known:
        return None
    digest, answer = known[submitted.message_key]
    if digest != submitted.payload.digest:
        raise ProblemError(
            "message-conflict",
            "Unter dieser nachrichtId liegt schon eine Nachricht mit anderem Inhalt.",
            field="nachrichtId",
        )
    return Answer(answer.status, answer.body, repeated=True)


def _decide_one(
    gateway: Gateway, submitted: Submitted, sought: Mapping[str, Sought], records: Records, rows: Rows
) -> Answer:
    """Take one submission through stations 3 to 5; its rows are added only when all of it succeeded."""
    own = sought[submitted.transfer_id]
    day = day_of(submitted.at)
    # (3) gathered
    facts = facts_of(submitted, own, records, day)
    # (4) decided
    with station("decided"):
        decision = decide(facts, gateway.law.on(day), day)
    # (5) recorded
    order_key, numbers = records.order_key(own), records.numbers_of(own)
    decided = Decided(new_id(), submitted, facts, decision, own, order_key, numbers)
    own_rows = Rows()
    event, answer = _answer(gateway, decided, own_rows)
    event = "transfer.checked" if submitted.only_check else event
    entry = entry_of(decision_event(event, decided), gateway.clock())
    answer = Answer(answer.status, answer.body | {"promise": promise(gateway, entry)})
    if not submitted.only_check:
        own_rows.add(Submission, submission_row(submitted, answer))
    own_rows.add(DecisionRow, decision_row(decided, "check" if submitted.only_check else "submit"))
    own_rows.log(entry)
    rows.take(own_rows)
    if records.counter is not None and answer.status == ACCEPTED:
        records.counter.permitted(own.route, own.keys_at_sender)
    return answer


def _answer(gateway: Gateway, decided: Decided, rows: Rows) -> tuple[str, Answer]:
    """Return the event for the evidence and the answer; add the rows of a permitted transfer."""
    decision, submitted = decided.decision, decided.submitted
    if isinstance(decision, Refusal):
        return "transfer.refused", Answer(REFUSED, refusal_body(decision, decided.id, submitted.sender))
    if decision.removed and submitted.payload.head.ueberhang is Ueberhang.ABLEHNEN:
        return "transfer.refused", Answer(REFUSED, excess_body(decision, decided.id, submitted.sender))
    return "transfer.permitted", _permit(gateway, decided, decision, rows)


def _permit(gateway: Gateway, decided: Decided, permit: Permit, rows: Rows) -> Answer:
    """Reduce where something falls, seal, and answer 202 (a check: 200)."""
    submitted = decided.submitted
    carried, statement = submitted.payload, None
    if permit.removed:
        carried = reduce(submitted.payload, frozenset(permit.kept))
        permit = bind_reduced(permit, carried.digest)
        statement = reduction_statement(gateway.keys, permit, decided.id, submitted.payload.digest, carried.digest)
    body = {
        "decision": decision_body(permit, decided.id, submitted.sender),
        "removed": removed_body(permit, submitted.sender),
    } | ({"statement": statement} if statement else {})
    links = links_of(decided.id)
    if submitted.only_check:
        return Answer(CHECKED, body | {"links": links})
    add_transfer(rows, gateway, decided, permit, carried, statement)
    self_link = f"/v1/transfers/{submitted.transfer_id}"
    links |= {"self": self_link, "recall": f"{self_link}/recall"}
    return Answer(ACCEPTED, {"transfer_id": submitted.transfer_id, "state": "accepted", "links": links} | body)
