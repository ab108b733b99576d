"""What a recipient may answer, in which order, and that the content ends with it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from itertools import product
from typing import Any

import httpx
import pytest

from broker.batcher import Batcher
from broker.delivery.quittung import Accepted, Brought, accept_batch, accept_quittung, content_bytes
from broker.gateway import Gateway
from schemas.xml import validate_quittung
from tests.flow.world import JOBCENTER, SOZIALAMT, Kreis, Office
from tests.world import evidence, on_postgresql

NEIGHBOUR = "sozialamt-herten:WOHNGELDSTELLE"
UNKNOWN = "00000000-0000-4000-8000-000000000000"
STATES = {"ANGENOMMEN": "acknowledged", "VERARBEITET": "processed", "ABGELEHNT": "rejected"}
FOLLOWING = {
    ("ANGENOMMEN", "ANGENOMMEN"),
    ("ANGENOMMEN", "VERARBEITET"),
    ("ANGENOMMEN", "ABGELEHNT"),
    ("VERARBEITET", "VERARBEITET"),
    ("ABGELEHNT", "ABGELEHNT"),
}


async def handed_over(kreis: Kreis) -> tuple[Office, dict[str, Any]]:
    """Hand a transfer over; return its recipient and the item of the inbox."""
    sozialamt = await kreis.office(SOZIALAMT)
    await (await kreis.office(JOBCENTER)).accepted(SOZIALAMT)
    await kreis.pump()
    [item] = await sozialamt.inbox()
    return sozialamt, item


def parts(status: str) -> dict[str, str]:
    """Return what a status asks for."""
    return {"reason": "NICHT_ZUSTAENDIG"} if status == "ABGELEHNT" else {}


async def test_both_orders_of_every_two_answers(kreis: Kreis) -> None:
    """An answer may be followed by itself and, where it is the first step, by the second; by nothing else."""
    for (first, state), (second, then) in product(STATES.items(), repeat=2):
        office, item = await handed_over(kreis)
        one = await office.answer(item, first, **parts(first))
        two = await office.answer(item, second, **parts(second))

        assert (one.status_code, one.json()["state"], one.json()["repeated"]) == (200, state, False)
        if (first, second) in FOLLOWING:
            assert (two.status_code, two.json()["state"]) == (200, then)
        else:
            assert (two.status_code, two.json()["type"]) == (409, "/problems/state-conflict")
            assert two.json()["state"] == state
            assert state not in two.json()["allowed"]


@pytest.mark.parametrize("status", STATES)
async def test_content_ends_with_every_answer(kreis: Kreis, status: str) -> None:
    """Whatever is answered, key and ciphertext are gone with it, and the evidence says so."""
    office, item = await handed_over(kreis)
    await office.answer(item, status, **parts(status))

    assert await kreis.scalar("SELECT count(*) FROM transfer_keys") == 0
    assert await kreis.scalar("SELECT sum(length(sealed)) FROM deliveries") == 0
    events = {entry.event for entry, _ in await evidence(kreis.gateway)}
    assert {"transfer.quittung", "transfer.key_deleted"} <= events


async def test_reason_of_a_rejection_reaches_the_sender(kreis: Kreis) -> None:
    """The sender reads why, as a code."""
    office, item = await handed_over(kreis)
    await office.answer(item, "ABGELEHNT", reason="PERSON_UNBEKANNT")
    seen = await (await kreis.office(JOBCENTER)).get(f"/v1/transfers/{item['transfer_id']}")

    assert (seen.json()["history"][-1]["state"], seen.json()["history"][-1]["reason"]) == (
        "rejected",
        "PERSON_UNBEKANNT",
    )


async def test_same_quittung_again_is_answered_and_counts_once(kreis: Kreis) -> None:
    """The same bytes get the present state again, even after a later answer, and leave no second entry."""
    office, item = await handed_over(kreis)
    path, first = f"/v1/inbox/{item['transfer_id']}/quittung", office.quittung(item)
    answers = [await office.post_xml(path, first) for _ in range(2)]
    await office.answer(item, "VERARBEITET")
    late = await office.post_xml(path, first)

    assert [answer.json()["repeated"] for answer in answers] == [False, True]
    assert (late.json()["repeated"], late.json()["state"]) == (True, "processed")
    assert await kreis.scalar("SELECT count(*) FROM audit_entries WHERE event = 'transfer.quittung'") == 2


async def test_same_id_with_other_bytes_is_a_conflict(kreis: Kreis) -> None:
    """A nachrichtId that carried another quittung is refused, and the first one stays."""
    office, item = await handed_over(kreis)
    await office.answer(item, message_id=UNKNOWN)
    other = await office.answer(item, "VERARBEITET", message_id=UNKNOWN)

    assert (other.status_code, other.json()["type"]) == (409, "/problems/message-conflict")
    assert await office.state(item["transfer_id"]) == "acknowledged"


async def test_transfer_of_another_instance_is_as_good_as_unknown(kreis: Kreis) -> None:
    """Sender, neighbour and stranger get the answer that an invented id gets."""
    _, item = await handed_over(kreis)
    for instance in (NEIGHBOUR, JOBCENTER, "sozialamt-marl:SOZIALAMT_SGBXII"):
        office = await kreis.office(instance)
        foreign = await office.answer(item)
        unknown = await office.answer(item | {"transfer_id": UNKNOWN})

        assert foreign.status_code == unknown.status_code == httpx.codes.NOT_FOUND
        assert foreign.json() == unknown.json()
    assert await kreis.scalar("SELECT count(*) FROM quittungen") == 0


async def test_nobody_signs_for_another(kreis: Kreis) -> None:
    """A quittung in another's name, or sent to another transfer's address, is refused at the door."""
    office, item = await handed_over(kreis)
    neighbour = await kreis.office(NEIGHBOUR)
    path = f"/v1/inbox/{item['transfer_id']}/quittung"
    answers = [
        await neighbour.post_xml(path, office.quittung(item)),
        await office.post_xml(f"/v1/inbox/{UNKNOWN}/quittung", office.quittung(item)),
    ]

    assert {(answer.status_code, answer.json()["type"]) for answer in answers} == {(422, "/problems/invalid-request")}
    assert await office.state(item["transfer_id"]) == "handing_over"


async def test_quittung_must_name_the_message(kreis: Kreis) -> None:
    """A bezug to another message is refused at its field, and does not use the id up."""
    office, item = await handed_over(kreis)
    wrong = await office.answer(item | {"message_id": UNKNOWN}, message_id=UNKNOWN)
    right = await office.answer(item, message_id=UNKNOWN)

    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "bezug")
    assert right.status_code == httpx.codes.OK


async def test_nothing_is_answered_before_it_is_handed_over(kreis: Kreis) -> None:
    """A transfer that is not handed over yet, or was recalled, takes no quittung; its key is as it was."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    message_id = "11111111-2222-4333-8444-555555555555"
    transfer = await jobcenter.accepted(SOZIALAMT, message_id=message_id)
    item = {"transfer_id": transfer, "message_id": message_id}
    early = await sozialamt.answer(item)
    keys = await kreis.scalar("SELECT count(*) FROM transfer_keys")
    await jobcenter.post(f"/v1/transfers/{transfer}/recall")
    recalled = await sozialamt.answer(item)

    assert (early.status_code, recalled.status_code, keys) == (409, 409, 1)
    assert (early.json()["state"], recalled.json()["state"]) == ("accepted", "recalled")
    assert "handing_over" in early.json()["allowed"]


async def waiting(kreis: Kreis, number: int) -> tuple[Office, list[dict[str, Any]]]:
    """Hand several transfers over; return their recipient and the items of the inbox."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    for _ in range(number):
        await jobcenter.accepted(SOZIALAMT)
    await kreis.pump()
    return sozialamt, await sozialamt.inbox(limit=number)


def brought(content: bytes) -> Brought:
    """Return a quittung as the API brings it."""
    quittung = validate_quittung(content)
    return Brought(quittung, quittung.sender.agency, "c")


async def outcomes(kreis: Kreis, *batches: list[Brought]) -> list[str]:
    """Take batches, each in one commit; return state or problem of each quittung."""
    results = [one for batch in batches for one in await accept_batch(kreis.gateway, batch)]
    return [one.state.value if isinstance(one, Accepted) else getattr(one, "slug", "?") for one in results]


async def test_those_that_share_a_commit_have_their_own_failures(kreis: Kreis) -> None:
    """In one batch each gets the answer it would get alone and in this order; what fails leaves nothing behind."""
    office, (one, two, three) = await waiting(kreis, 3)
    first = office.quittung(one)
    batch = [
        brought(content)
        for content in (
            first,
            office.quittung(two | {"transfer_id": UNKNOWN}),
            office.quittung(two | {"message_id": UNKNOWN}),
            first,
            office.quittung(one, "VERARBEITET"),
            office.quittung(one, "ABGELEHNT", **parts("ABGELEHNT")),
            office.quittung(three, message_id=UNKNOWN),
            office.quittung(two, message_id=UNKNOWN),
        )
    ]

    assert await outcomes(kreis, batch) == [
        "acknowledged",
        "not-found",
        "invalid-request",
        "acknowledged",
        "processed",
        "state-conflict",
        "acknowledged",
        "message-conflict",
    ]
    assert [await office.state(item["transfer_id"]) for item in (one, two, three)] == [
        "processed",
        "handing_over",
        "acknowledged",
    ]
    assert await kreis.scalar("SELECT count(*) FROM quittungen") == 3
    assert await kreis.scalar("SELECT count(*) FROM transfer_keys") == 1


async def test_one_id_for_two_transfers_at_once_counts_for_one(kreis: Kreis) -> None:
    """Two gateways that get one nachrichtId with different quittungen in one moment: one counts, one is a conflict."""
    office, items = await waiting(kreis, 2)
    contents = [office.quittung(item, message_id=UNKNOWN) for item in items]
    gateways = [Batcher(partial(accept_batch, kreis.gateway), 64, 2**20, content_bytes) for _ in contents]
    answers = await asyncio.gather(
        *(one.submit(brought(content)) for one, content in zip(gateways, contents, strict=True)), return_exceptions=True
    )

    assert sorted(getattr(answer, "slug", "counts") for answer in answers) == ["counts", "message-conflict"]


async def test_quittungen_that_queue_share_commits(kreis: Kreis) -> None:
    """What comes while others are being committed goes into the next commit together."""
    office, items = await waiting(kreis, 12)
    sizes: list[int] = []

    async def noting(gateway: Gateway, batch: Sequence[Brought]) -> list[Accepted | Exception]:
        sizes.append(len(batch))
        return await accept_batch(gateway, batch)

    kreis.app.state.quittungen = Batcher(partial(noting, kreis.gateway), 64, 2**20, content_bytes)
    answers = await asyncio.gather(*(office.answer(item) for item in items))

    assert {answer.status_code for answer in answers} == {httpx.codes.OK}
    assert sum(sizes) == len(items)
    assert len(sizes) < len(items)


@on_postgresql
async def test_one_id_for_two_transfers_in_one_moment_is_a_conflict(kreis: Kreis) -> None:
    """Of two quittungen under one id that meet, about two transfers, one counts and the other is told why not."""
    office, first = await handed_over(kreis)
    _, second = await handed_over(kreis)
    quittung = validate_quittung(office.quittung(first, message_id=UNKNOWN))
    async with kreis.gateway.db.writing() as connection:
        await accept_quittung(connection, kreis.gateway, Brought(quittung, str(quittung.sender.agency)))
        other = asyncio.create_task(office.answer(second, message_id=UNKNOWN))
        await asyncio.sleep(0.5)
        waited = not other.done()
    answer = await other

    assert waited
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/message-conflict")
    assert [await office.state(one["transfer_id"]) for one in (first, second)] == ["acknowledged", "handing_over"]
