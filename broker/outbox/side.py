"""Records beside the transfers, for adapters that an agency hosts itself: ids, codes and a link.

Of a quittung to the agency of the transfer's sender, of a notice to that of its recipient; no content, no person.
They go only where Apache Kafka carries: on the embedded topics nobody outside could read them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.bulk import insert_rows
from broker.clock import timestamp
from broker.gateway import Gateway
from broker.ids import new_id
from broker.lifecycle.models import Transfer
from broker.outbox.leases import partition_of
from broker.outbox.models import OutboxRow
from broker.telemetry import CURRENT, Trace, trace_of
from broker.transport.base import MITTEILUNGEN, QUITTUNGEN, side_topic_of

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class SideRecord:
    """What is told: `sort` names topic and type, `instance` who is told, `data` ids and codes, `link` where more is."""

    sort: str
    transfer_id: str
    instance: str
    data: Mapping[str, str | None]
    link: str


def of_quittung(transfer_id: str, sender: str, quittung_id: str, status: str, reason: str | None) -> SideRecord:
    """Tell the sender's agency of a quittung. `quittung_id` is its ``nachrichtId``."""
    data = {"quittung_id": quittung_id, "status": status, "reason": reason}
    return SideRecord(QUITTUNGEN, transfer_id, sender, data, f"/v1/transfers/{transfer_id}/quittungen")


def of_notice(transfer_id: str, recipient: str, notice_id: str, kind: str) -> SideRecord:
    """Tell the recipient's agency of a notice."""
    return SideRecord(MITTEILUNGEN, transfer_id, recipient, {"notice_id": notice_id, "kind": kind}, "/v1/notices")


@dataclass(frozen=True, slots=True)
class About:
    """The transfer that something is told of: its case's key, by which the record keeps its order, and its message."""

    order_key: str
    message_id: str


def record_rows(gateway: Gateway, told: SideRecord, about: About, trace: Trace | None = None) -> list[dict[str, Any]]:
    """Return the row of the record in the outbox, for the caller's transaction; none where nothing carries it.

    `trace`: of the request that is told of; else the one that is being served.
    """
    if not gateway.settings.kafka_bootstrap:
        return []
    ids = {"transfer_id": told.transfer_id, "message_id": about.message_id}
    record_id = new_id()
    row = {
        "record_id": record_id,
        "transfer_id": told.transfer_id,
        "partition": partition_of(about.order_key),
        "topic": side_topic_of(told.instance.partition(":")[0], told.sort),
        "key": about.order_key,
        "headers": _headers(gateway, told, record_id, trace or CURRENT.get() or trace_of(None)),
        "value": orjson.dumps(ids | dict(told.data) | {"link": told.link}),
    }
    return [row]


async def enqueue(connection: AsyncConnection, gateway: Gateway, told: SideRecord) -> None:
    """Write the record into the outbox, in the caller's transaction; it keeps the order of its case."""
    query = select(Transfer.order_key, Transfer.message_id).where(Transfer.id == told.transfer_id)
    about = About(*(await connection.execute(query)).one())
    await insert_rows(connection, OutboxRow, record_rows(gateway, told, about))


def _headers(gateway: Gateway, told: SideRecord, record_id: str, trace: Trace) -> dict[str, str]:
    return {
        "ce_specversion": "1.0",
        "ce_id": record_id,
        "ce_source": gateway.settings.public_url,
        "ce_type": f"de.amtsbruecke.{told.sort}.1",
        "ce_subject": told.instance,
        "ce_time": timestamp(gateway.clock()),
        "content-type": JSON,
        "traceparent": trace.traceparent,
    }
