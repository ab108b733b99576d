"""Records beside the transfers: who is told what, and that it names nobody."""

from __future__ import annotations

import json

from broker.outbox.leases import partition_of
from broker.transport.base import MITTEILUNGEN, QUITTUNGEN, Record, side_topic_of
from tests.flow.world import JOBCENTER, SOZIALAMT, Kreis, person
from tests.world import on_kafka, on_postgresql, rows

NAME, CASE = "Zzyzxmarker", "AZ-MARKER-4711"
PARTS = {"specversion", "id", "source", "type", "subject", "time"}


async def fetched(kreis: Kreis) -> dict[str, object]:
    """Let a transfer come to its recipient; return the item of the inbox."""
    await (await kreis.office(JOBCENTER)).accepted(SOZIALAMT, persons=[person(NAME)], case_sender=CASE)
    await kreis.pump()
    [item] = await (await kreis.office(SOZIALAMT)).inbox()
    return item


async def told(kreis: Kreis) -> tuple[Record, dict[str, str]]:
    """Publish; return the one record beside the transfer, which comes after it under the same key, and its data."""
    [waiting] = await rows(kreis.gateway, "SELECT key, partition FROM outbox")
    await kreis.publish()
    [transfer] = await rows(kreis.gateway, "SELECT id, order_key FROM transfers")
    records = await kreis.carried()
    [beside] = [record for record in records if record.record_id != transfer.id]

    assert {record.key for record in records} == {transfer.order_key, waiting.key}
    assert waiting.partition == partition_of(transfer.order_key)
    assert {name for name in beside.headers if name.startswith("ce_")} == {f"ce_{part}" for part in PARTS}
    assert not [word for word in (NAME, CASE, "Erika", "1961") if word in repr(records)]
    return beside, json.loads(beside.value)


@on_kafka
async def test_senders_agency_is_told_of_a_quittung(kreis: Kreis) -> None:
    """Its topic gets ids, the status and a link to the quittungen, in an event that names the sending instance."""
    item = await fetched(kreis)
    await (await kreis.office(SOZIALAMT)).answer(item)
    record, data = await told(kreis)

    assert record.topic == side_topic_of("jobcenter-kreis-re", QUITTUNGEN)
    assert (record.headers["ce_type"], record.headers["ce_subject"]) == ("de.amtsbruecke.quittungen.1", JOBCENTER)
    assert record.headers["ce_id"] == record.record_id
    assert set(data) == {"transfer_id", "message_id", "quittung_id", "status", "reason", "link"}
    assert (data["message_id"], data["status"]) == (item["message_id"], "ANGENOMMEN")
    assert data["link"] == f"/v1/transfers/{item['transfer_id']}/quittungen"


@on_kafka
async def test_recipients_agency_is_told_of_a_notice(kreis: Kreis) -> None:
    """Its topic gets ids, the kind and a link to the notices, in an event that names the receiving instance."""
    item = await fetched(kreis)
    await (await kreis.office(JOBCENTER)).post(f"/v1/transfers/{item['transfer_id']}/recall")
    record, data = await told(kreis)
    [notice] = (await (await kreis.office(SOZIALAMT)).get("/v1/notices")).json()["items"]

    assert record.topic == side_topic_of("sozialamt-herten", MITTEILUNGEN)
    assert (record.headers["ce_type"], record.headers["ce_subject"]) == ("de.amtsbruecke.mitteilungen.1", SOZIALAMT)
    assert set(data) == {"transfer_id", "message_id", "notice_id", "kind", "link"}
    assert (data["transfer_id"], data["notice_id"], data["kind"]) == (item["transfer_id"], notice["id"], "RUECKRUF")
    assert data["link"] == "/v1/notices"


@on_postgresql
async def test_nothing_is_told_where_nobody_outside_could_read_it(kreis: Kreis) -> None:
    """On embedded topics a quittung queues no record."""
    item = await fetched(kreis)
    await (await kreis.office(SOZIALAMT)).answer(item)

    assert await kreis.scalar("SELECT count(*) FROM outbox") == 0
