"""kill -9 at every station: after a restart nothing is lost, nothing doubled, nothing readable that should be gone."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from schemas.compose import PersonSpec, compose_quittung, compose_uebermittlung
from tests.flow.dying import MESSAGE, QUITTUNG, killed
from tests.flow.world import CORE, FOLDER_AGENCY, JOBCENTER, SOZIALAMT, Kreis, Office, open_kreis
from tests.world import START, through_kafka

pytestmark = through_kafka

FAMILY_NAME = "Zwirbelhuber"
"""A name that no text of ours holds."""
MESSAGE_ID = "11111111-2222-4333-8444-555555555555"
FOLDER_OFFICE = f"{FOLDER_AGENCY}:SOZIALAMT_SGBXII"

#: Step, place, when: each place where a station's work is half done. Names in braces are the transport's own.
SUBMIT = [
    ("submit", "broker.transfers.service:answer_batch", "before"),
    ("submit", "broker.transfers.record:insert_all", "before"),
    ("submit", "broker.transfers.service:answer_batch", "after"),
    ("submit", "broker.batcher:_settle", "before"),
]
RELAY = [
    ("relay", "broker.outbox.relay:claim", "after"),
    ("relay", "broker.outbox.relay:Relay._claim", "after"),
    ("relay", "broker.transport.{inside}", "after"),
    ("relay", "broker.transport.{outlet}.publish", "after"),
    ("relay", "broker.outbox.relay:forget", "after"),
    ("relay", "broker.outbox.relay:advance", "after"),
]
INTAKE = [
    ("intake", "broker.delivery.intake:take_in", "before"),
    ("intake", "broker.delivery.intake:take_in", "after"),
    ("intake", "broker.transport.{subscription}.commit", "after"),
]
FETCH = [
    ("fetch", "broker.delivery.handover:decide_again", "after"),
    ("fetch", "broker.delivery.handover:lease", "after"),
    ("fetch", "broker.delivery.handover:release", "after"),
    ("fetch", "broker.delivery.inbox:fetch", "after"),
]
ANSWER = [
    ("answer", "broker.delivery.quittung:advance_each", "after"),
    ("answer", "broker.delivery.quittung:forget_sealed", "after"),
    ("answer", "broker.delivery.quittung:accept_quittungen", "after"),
]
BRING = [
    ("bring", "broker.delivery.handover:release", "after"),
    ("bring", "broker.delivery.bringing:bring", "before"),
    ("bring", "adapters.registry:ConfiguredAdapter.deliver", "after"),
    ("bring", "broker.delivery.bringing:bring", "after"),
]


def write_message(folder: Path, recipient: str) -> None:
    """Lay the message ready that all processes submit."""
    content = compose_uebermittlung(
        message_id=MESSAGE_ID,
        sender=JOBCENTER,
        recipient=recipient,
        purpose="RECHTSKREISWECHSEL",
        blocks=CORE,
        persons=[PersonSpec(family=FAMILY_NAME)],
        created_at=START,
    )
    (folder / MESSAGE).write_bytes(content)


async def submitted(kreis: Kreis, folder: Path) -> str:
    """Submit (again) and return the transfer's id."""
    office = await kreis.office(JOBCENTER)
    answer = await office.post_xml("/v1/transfers", (folder / MESSAGE).read_bytes())
    assert answer.status_code == httpx.codes.ACCEPTED, answer.text
    return str(answer.json()["transfer_id"])


async def fetched(office: Office) -> list[dict[str, Any]]:
    """Fetch the inbox, again after a 503: what the dead process held is given up when its server has noticed."""
    for _ in range(5):
        answer = await office.get("/v1/inbox")
        if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
            break
        await asyncio.sleep(float(answer.headers["retry-after"]))
    assert answer.status_code == httpx.codes.OK, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def finished(kreis: Kreis, folder: Path) -> None:
    """Take the transfer to its end, as the sender and the recipient would after a crash; see that all is as it must."""
    transfer = await submitted(kreis, folder)
    sozialamt = await kreis.office(SOZIALAMT)
    items = []
    for _ in range(3):
        kreis.clock.move(seconds=121)
        await kreis.pump()
        items += await fetched(sozialamt)
    assert {item["transfer_id"] for item in items} == {transfer}
    assert {item["message"].encode() for item in items} == {(folder / MESSAGE).read_bytes()}
    answer = await sozialamt.answer(items[-1])
    assert answer.json()["state"] == "acknowledged"
    kreis.clock.move(seconds=121)
    await kreis.pump()
    assert await sozialamt.inbox() == []
    await ended(kreis)


async def ended(kreis: Kreis) -> None:
    """See that there is one transfer, with one history and one piece of evidence for each event, and no content."""
    await kreis.publish()  # what tells the sender's agency of the quittung
    assert await kreis.scalar("SELECT count(*) FROM transfers") == 1
    assert await kreis.scalar("SELECT count(*) FROM submissions") == 1
    assert await kreis.scalar("SELECT count(*) FROM embedded_records") <= 1  # Kafka may hold two, of one id
    assert await kreis.scalar("SELECT count(*) FROM deliveries") == 1
    assert await kreis.scalar("SELECT count(*) FROM transfer_keys") == 0
    assert await kreis.scalar("SELECT count(*) FROM outbox") == 0
    assert await kreis.scalar("SELECT sum(length(sealed)) FROM deliveries") == 0
    for state in ("accepted", "published", "handing_over", "acknowledged"):
        count = await kreis.scalar("SELECT count(*) FROM transfer_events WHERE state = :state", state=state)
        assert count == 1, state
    for event in ("transfer.permitted", "transfer.key_deleted", "transfer.quittung"):
        assert await kreis.scalar("SELECT count(*) FROM audit_entries WHERE event = :event", event=event) == 1, event
    assert FAMILY_NAME.encode() not in kreis.database_bytes()


@pytest.mark.parametrize(("step", "place", "when"), SUBMIT)
async def test_killed_while_submitting(data_dir: Path, step: str, place: str, when: str) -> None:
    """The sender that got no answer sends the same again, and there is one transfer."""
    write_message(data_dir, SOZIALAMT)
    killed(data_dir, step, place, when)
    async with open_kreis(data_dir) as kreis:
        await finished(kreis, data_dir)


@pytest.mark.parametrize(("step", "place", "when"), RELAY)
async def test_killed_while_relaying(data_dir: Path, step: str, place: str, when: str) -> None:
    """Another relay takes the row; what was published twice arrives once."""
    write_message(data_dir, SOZIALAMT)
    async with open_kreis(data_dir) as kreis:
        await submitted(kreis, data_dir)
    killed(data_dir, step, place, when)
    async with open_kreis(data_dir) as kreis:
        await finished(kreis, data_dir)


@pytest.mark.parametrize(("step", "place", "when"), INTAKE)
async def test_killed_while_taking_in(data_dir: Path, step: str, place: str, when: str) -> None:
    """What was read but not committed is read again, and stands once."""
    write_message(data_dir, SOZIALAMT)
    async with open_kreis(data_dir) as kreis:
        await submitted(kreis, data_dir)
        await kreis.publish()
    killed(data_dir, step, place, when)
    async with open_kreis(data_dir) as kreis:
        await finished(kreis, data_dir)


@pytest.mark.parametrize(("step", "place", "when"), FETCH)
async def test_killed_while_handing_over(data_dir: Path, step: str, place: str, when: str) -> None:
    """The recipient that got no message gets it after the lease, under the same id."""
    write_message(data_dir, SOZIALAMT)
    async with open_kreis(data_dir) as kreis:
        await submitted(kreis, data_dir)
        await kreis.pump()
    killed(data_dir, step, place, when)
    async with open_kreis(data_dir) as kreis:
        await finished(kreis, data_dir)


@pytest.mark.parametrize(("step", "place", "when"), ANSWER)
async def test_killed_while_answering(data_dir: Path, step: str, place: str, when: str) -> None:
    """The recipient that got no answer sends its quittung again; it counts once, and the content is gone."""
    write_message(data_dir, SOZIALAMT)
    async with open_kreis(data_dir) as kreis:
        transfer = await submitted(kreis, data_dir)
        await kreis.pump()
        await (await kreis.office(SOZIALAMT)).inbox()
    ids = {"message_id": "22222222-2222-4333-8444-555555555555", "transfer_id": transfer, "reply_to": MESSAGE_ID}
    quittung = compose_quittung(sender=SOZIALAMT, status="ANGENOMMEN", created_at=START, **ids)
    (data_dir / QUITTUNG).write_bytes(quittung)
    killed(data_dir, step, place, when)
    async with open_kreis(data_dir) as kreis:
        sozialamt = await kreis.office(SOZIALAMT)
        answer = await sozialamt.post_xml(f"/v1/inbox/{transfer}/quittung", quittung)
        assert answer.json()["state"] == "acknowledged"
        await ended(kreis)


@pytest.mark.parametrize(("step", "place", "when"), BRING)
async def test_killed_while_bringing_a_file(data_dir: Path, step: str, place: str, when: str) -> None:
    """A file drop that was interrupted ends as one whole file."""
    write_message(data_dir, FOLDER_OFFICE)
    async with open_kreis(data_dir) as kreis:
        transfer = await submitted(kreis, data_dir)
        await kreis.publish()
        await kreis.take_in()
    killed(data_dir, step, place, when)
    async with open_kreis(data_dir) as kreis:
        kreis.clock.move(seconds=121)
        await kreis.pump()
        state = await (await kreis.office(JOBCENTER)).state(transfer)
        files = [path for path in (data_dir / "folders").rglob(f"{transfer}-1.xml") if path.is_file()]

    assert state == "delivered"
    assert [path.read_bytes() for path in files] == [(data_dir / MESSAGE).read_bytes()]
