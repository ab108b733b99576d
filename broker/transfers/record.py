"""Station 5: everything that one decision leaves behind, as rows for one commit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from orjson import Fragment
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.audit.events import AuditEvent
from broker.audit.log import Entry, rows_of
from broker.bulk import insert_all
from broker.clock import timestamp
from broker.crypto import new_key, seal, wrap
from broker.db import Base
from broker.gateway import Gateway
from broker.lifecycle.models import Transfer, TransferEvent, TransferKey, TransferLookup, TransferSubject
from broker.lifecycle.progress import Moved, event_row
from broker.lifecycle.states import State
from broker.outbox.models import OutboxRow
from broker.outbox.repository import outbox_row
from broker.transfers.models import DecisionRow, Submission
from broker.transfers.seek import Sought
from broker.transfers.submission import Answer, Submitted
from consent.decision import Decision, Permit, Refusal
from consent.facts import TransferFacts
from consent.facts_json import facts_text
from schemas.identifiers import Ueberhang
from schemas.message import ValidatedPayload


class Rows:
    """Rows of a whole batch, table by table; written with one statement a table."""

    #: Parents first: the order in which foreign keys can be met.
    ORDER: tuple[type[Base], ...] = (
        Submission,
        DecisionRow,
        Transfer,
        TransferEvent,
        TransferSubject,
        TransferLookup,
        TransferKey,
        OutboxRow,
    )

    def __init__(self) -> None:
        self._rows: dict[type[Base], list[dict[str, Any]]] = defaultdict(list)
        self._entries: list[Entry] = []

    def add(self, table: type[Base], *rows: dict[str, Any]) -> None:
        """Add rows of one table."""
        self._rows[table] += rows

    def take(self, other: Rows) -> None:
        """Add all of another collection."""
        for table, rows in other._rows.items():
            self._rows[table] += rows
        self._entries += other._entries

    def log(self, entry: Entry) -> None:
        """Add an entry of the evidence."""
        self._entries.append(entry)

    async def write(self, connection: AsyncConnection) -> None:
        """Write all in the caller's transaction.

        Message ids in sorted order: where two gateways have the same ones, one waits for the other and not in a circle.
        """
        self._rows[Submission].sort(key=lambda row: (row["sender"], row["message_id"]))
        own = ((table, self._rows[table]) for table in self.ORDER)
        await insert_all(connection, *own, *rows_of(self._entries))


@dataclass(frozen=True, slots=True)
class Decided:
    """A submission with its decision, and what the decision saw."""

    id: str
    submitted: Submitted
    facts: TransferFacts
    decision: Decision
    sought: Sought
    order_key: str
    numbers: Mapping[str, int]
    """Numbers of `subject_state`."""


def decision_row(decided: Decided, occasion: str) -> dict[str, Any]:
    """Build the row that keeps a decision and all it rests on."""
    submitted = decided.submitted
    references = decided.sought.references | {"subject_state": dict(decided.numbers)}
    columns = decision_columns(decided.decision, decided.facts, references)
    if decided.decision.removed and submitted.payload.head.ueberhang is Ueberhang.ABLEHNEN:
        columns["detail"]["rejected"] = True
    return {
        "id": decided.id,
        "transfer_id": submitted.transfer_id,
        "occasion": occasion,
        "sender": submitted.sender,
        "recipient": submitted.recipient,
        "at": submitted.at,
        **columns,
    }


def decision_columns(decision: Decision, facts: TransferFacts, references: Mapping[str, Any]) -> dict[str, Any]:
    """Build the columns that follow from the decision itself; JSON columns hold what `broker.db.json_text` writes."""
    columns = answer_columns(decision)
    columns["detail"] |= {"switches": list(decision.basis.switches), "references": dict(references)}
    return columns | {
        "day": decision.basis.on,
        "catalogue": decision.basis.catalogue,
        "engine_version": decision.basis.engine_version,
        "facts": Fragment(facts_text(facts)),
    }


def answer_columns(decision: Decision) -> dict[str, Any]:
    """Build the columns of what the law said, without what it rests on."""
    permit = decision if isinstance(decision, Permit) else None
    refusal = decision if isinstance(decision, Refusal) else None
    return {
        "outcome": "DENY" if refusal else ("PERMIT_REDUCED" if decision.removed else "PERMIT"),
        "kind": refusal.kind.value if refusal else None,
        "code": refusal.code if refusal else None,
        "detail": {
            "kept": list(permit.kept) if permit else [],
            "removed": list(decision.removed),
            "grounds": list(permit.grounds) if permit else [],
            "consents": list(permit.consents) if permit else [],
            "duties": list(permit.duties) if permit else [],
            "findings": list(decision.findings),
        },
    }


def decision_event(event: str, decided: Decided) -> AuditEvent:
    """Build the entry of the evidence about a decision."""
    submitted, decision, sought = decided.submitted, decided.decision, decided.sought
    head = submitted.payload.head
    data: dict[str, Any] = {
        "decision": decided.id,
        "purpose": head.purpose,
        "mode": head.mode.value,
        "day": decision.basis.on.isoformat(),
        "catalogue": decision.basis.catalogue,
        "categories": sorted({b.category.value for b in submitted.payload.blocks}),
        "removed": sorted({r.category.value for r in decision.removed}),
        "test": head.test,
    }
    if isinstance(decision, Refusal):
        data |= {"kind": decision.kind.value, "code": decision.code}
    else:
        data |= {"grounds": list(decision.grounds), "duties": list(decision.duties)}
    side = {
        "client": submitted.client_id,
        "message_id": head.message_id,
        "payload_digest": submitted.payload.digest,
        "case": sought.case_keys.get(submitted.sender, ""),
        "persons": " ".join(sorted(sought.exact_keys(submitted.sender))),
    }
    return AuditEvent(event, submitted.sender, submitted.sender, submitted.recipient, submitted.transfer_id, data, side)


def submission_row(submitted: Submitted, answer: Answer) -> dict[str, Any]:
    """Build the row that uses the message id up and keeps the first answer."""
    sender, message_id = submitted.message_key
    return {
        "sender": sender,
        "message_id": message_id,
        "digest": submitted.payload.digest,
        "at": submitted.at,
        "status": answer.status,
        "body": answer.body,
    }


def add_transfer(
    rows: Rows, gateway: Gateway, decided: Decided, permit: Permit, carried: ValidatedPayload, statement: str | None
) -> None:
    """Add the transfer, its history, its sealed content, the wrapped key and the outbox row.

    `permit` is bound to `carried`, the message as it travels.
    """
    submitted, sought = decided.submitted, decided.sought
    transfer_id, recipient = submitted.transfer_id, submitted.recipient
    head = submitted.payload.head
    key = new_key()
    sealed = seal(carried.content, key, transfer_id)
    kid, wrapping_key = gateway.keys.sealing_key(recipient)
    rows.add(
        Transfer,
        {
            "id": transfer_id,
            "sender": submitted.sender,
            "recipient": recipient,
            "agency": head.recipient.agency,
            "message_id": head.message_id,
            "message_type": submitted.payload.message_type,
            "version": submitted.payload.version,
            "purpose": head.purpose,
            "test": head.test,
            "order_key": decided.order_key,
            "decision_id": decided.id,
            "digest": carried.digest,
            "statement": statement,
            "state": State.ACCEPTED.value,
            "state_at": submitted.at,
            "accepted_at": submitted.at,
            "expires_at": submitted.at + timedelta(days=gateway.settings.payload_days),
        },
    )
    born = Moved(transfer_id, submitted.sender, recipient, State.ACCEPTED)
    rows.add(TransferEvent, event_row(born, State.ACCEPTED, submitted.at, None))
    rows.add(TransferSubject, sought.subject_row())
    rows.add(TransferLookup, *sought.lookup_rows())
    rows.add(TransferKey, {"transfer_id": transfer_id, "sealing_kid": kid, "wrapped": wrap(key, wrapping_key)})
    headers = cloud_event_headers(submitted, gateway.settings.public_url)
    agency = head.recipient.agency
    rows.add(OutboxRow, outbox_row(permit, transfer_id, carried.content, sealed, agency, decided.order_key, headers))


def cloud_event_headers(submitted: Submitted, source: str) -> dict[str, str]:
    """Build the CloudEvents 1.0 headers of a record (binary mode); ids and codes alone."""
    return {
        "ce_specversion": "1.0",
        "ce_id": submitted.transfer_id,
        "ce_source": source,
        "ce_type": f"de.amtsbruecke.{submitted.payload.message_type}.{submitted.payload.version}",
        "ce_subject": submitted.recipient,
        "ce_time": timestamp(submitted.at),
        "content-type": "application/octet-stream",
    } | ({"traceparent": submitted.traceparent} if submitted.traceparent else {})
