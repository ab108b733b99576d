"""What goes wrong around the service: a full disk, a transport that is away, records twice, a clock that jumps."""

from __future__ import annotations

import httpx
import pytest
from sqlalchemy import event, text

from broker.delivery.intake import take_in
from broker.outbox.relay import publish_due
from broker.transport.base import Consumed, Outlet, TransportUnavailable
from tests.flow.world import JOBCENTER, SOZIALAMT, Kreis, Office
from tests.world import on_sqlite, through_kafka


class Away:
    """A transport that is not there: a stand-in for a broker that does not answer."""

    async def outlet(self, _: int) -> Outlet:
        """Open nothing."""
        raise TransportUnavailable


async def through(kreis: Kreis, jobcenter: Office, sozialamt: Office, transfer: str) -> None:
    """See that a transfer goes its way to the end, once."""
    await kreis.pump()
    [item] = await sozialamt.inbox()
    await sozialamt.answer(item)
    assert (item["transfer_id"], await jobcenter.state(transfer)) == (transfer, "acknowledged")


@on_sqlite
async def test_full_disk_refuses_and_forgets_nothing(kreis: Kreis) -> None:
    """A database that can grow no more answers 503, keeps no half state, and takes the same message when it can."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    message = jobcenter.message(SOZIALAMT)
    await jobcenter.headers()
    pages = await kreis.scalar("PRAGMA page_count")

    def limited(connection: object, *_: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages}")  # type: ignore[attr-defined]

    pool = kreis.gateway.db.engine.sync_engine.pool
    event.listen(pool, "checkout", limited)
    answers = [await jobcenter.post_xml("/v1/transfers", jobcenter.message(SOZIALAMT)) for _ in range(12)]
    refused = [answer for answer in answers if answer.status_code != httpx.codes.ACCEPTED]
    accepted = len(answers) - len(refused)
    event.remove(pool, "checkout", limited)
    async with kreis.gateway.db.writing() as connection:
        await connection.execute(text("PRAGMA max_page_count = 1073741823"))
    again = await jobcenter.post_xml("/v1/transfers", message)

    assert refused
    assert {(a.status_code, a.json()["type"]) for a in refused} == {(503, "/problems/temporarily-unavailable")}
    assert all(answer.headers["retry-after"] for answer in refused)
    assert again.status_code == httpx.codes.ACCEPTED
    for table in ("transfers", "submissions", "outbox", "transfer_keys"):
        assert await kreis.scalar(f"SELECT count(*) FROM {table}") == accepted + 1, table  # noqa: S608 - fixed names
    await kreis.pump()
    assert len(await sozialamt.inbox(limit=50)) == accepted + 1


@through_kafka
async def test_transport_that_is_away_is_no_error_of_submission(kreis: Kreis) -> None:
    """While nobody takes records, submissions are accepted and wait; afterwards they go out, each once."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    transfer = await jobcenter.accepted(SOZIALAMT)
    for _ in range(2):
        with pytest.raises(TransportUnavailable):
            await publish_due(kreis.gateway, Away(), "one")  # type: ignore[arg-type]
    nothing = await publish_due(kreis.gateway, kreis.transport, "another")
    kreis.clock.move(seconds=31)

    assert nothing == 0
    await through(kreis, jobcenter, sozialamt, transfer)


async def test_records_out_of_order_are_handed_over_in_order(kreis: Kreis) -> None:
    """A transport may give records of a case late: they are handed over in the order of their acceptance."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    ids = [await jobcenter.accepted(SOZIALAMT, case_sender="BG-1") for _ in range(3)]
    await kreis.publish()
    async with kreis.gateway.db.writing() as connection:
        await connection.execute(text("UPDATE embedded_records SET position = 100 - position"))
    await kreis.take_in()
    fetched = [item["transfer_id"] for item in await sozialamt.inbox(limit=10)]

    assert fetched == ids


@through_kafka
async def test_records_that_come_twice_are_taken_in_once(kreis: Kreis) -> None:
    """A transport may give all records again, to the same reader and to one after it: each is handed over once."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    ids = [await jobcenter.accepted(SOZIALAMT, case_sender="BG-1") for _ in range(3)]
    await kreis.publish()
    again = [Consumed(record, position) for position, record in enumerate(await kreis.carried())]
    await take_in(kreis.gateway, again + again)
    await kreis.pump()
    before = [item["transfer_id"] for item in await sozialamt.inbox(limit=10)]
    await take_in(kreis.gateway, again)
    after = await sozialamt.inbox(limit=10)

    assert (before, after) == (ids, [])
    assert [item.record.record_id for item in again] == ids


@through_kafka
async def test_clock_that_jumps_back_loses_nothing(kreis: Kreis) -> None:
    """A clock set back an hour delays at most: claims and leases end, and the transfer arrives once."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    transfer = await jobcenter.accepted(SOZIALAMT)
    kreis.clock.move(hours=-1)
    await through(kreis, jobcenter, sozialamt, transfer)


@through_kafka
async def test_clock_that_jumps_ahead_hands_nothing_out_twice(kreis: Kreis) -> None:
    """A clock set a day ahead ends leases; a second fetch is the next attempt, and one quittung ends both."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    transfer = await jobcenter.accepted(SOZIALAMT)
    await kreis.pump()
    [first] = await sozialamt.inbox()
    kreis.clock.move(days=1)
    [second] = await sozialamt.inbox()
    answers = [await sozialamt.answer(first), await sozialamt.answer(second)]

    assert (first["message"], second["attempt"]) == (second["message"], 2)
    assert [answer.json()["state"] for answer in answers] == ["acknowledged", "acknowledged"]
    assert await jobcenter.state(transfer) == "acknowledged"
    assert len((await jobcenter.get(f"/v1/transfers/{transfer}/quittungen")).json()["items"]) == 2
