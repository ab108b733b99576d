"""What goes when its time is over, what stays, and that nothing readable is left."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from broker.cleanup import role
from broker.cleanup.horizons import erasable
from broker.cleanup.role import clean_up, what_is_due
from broker.cleanup.tasks import SPARE_DAYS, TASKS
from broker.crypto import SealBroken, unseal, unwrap
from broker.delivery.quittung import Brought, accept_quittung
from broker.privileges import DbRole
from broker.transfers.models import DecisionRow
from broker.transport.models import EmbeddedRecord
from schemas.xml import validate_quittung
from tests.broker.test_metrics import sample
from tests.flow.test_stops import objection
from tests.flow.world import JOBCENTER, SOZIALAMT, Kreis, consent_body, person
from tests.world import evidence, on_postgresql, rows

ABOUT_TRANSFERS = (
    "transfers", "transfer_events", "transfer_subjects", "transfer_lookup", "transfer_keys", "deliveries", "outbox",
    "quittungen", "notices", "decisions", "submissions", "duties",
)  # fmt: skip


async def count(kreis: Kreis, table: str) -> int:
    """Return how many rows a table has."""
    return int(await kreis.scalar(f"SELECT count(*) FROM {table}"))  # noqa: S608 - names of our own tables


async def carried(kreis: Kreis) -> str:
    """Carry a transfer to its quittung."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    transfer = await jobcenter.accepted(SOZIALAMT)
    await kreis.pump()
    [item] = await sozialamt.inbox()
    await sozialamt.answer(item)
    return transfer


async def test_all_of_a_transfer_goes_two_years_after_its_end(kreis: Kreis) -> None:
    """A day before nothing is missing; after, nothing of it is left but entries without what points at persons."""
    await carried(kreis)
    days = kreis.gateway.settings.side_days
    kreis.clock.move(days=days)
    early = await what_is_due(kreis.gateway)
    kreis.clock.move(days=1)
    due = await what_is_due(kreis.gateway)
    done = await clean_up(kreis.gateway)
    left = {table: await count(kreis, table) for table in ABOUT_TRANSFERS}
    entries = [side for entry, side in await evidence(kreis.gateway) if entry.event.startswith("transfer.")]

    assert (early["transfers"], due["transfers"], done["transfers"]) == (0, 1, 1)
    assert left == dict.fromkeys(ABOUT_TRANSFERS, 0)
    assert entries
    assert not any(entries)
    of_transfers = [e for e, _ in await evidence(kreis.gateway, "cleanup.done") if e.data["kind"] == "transfers"]
    assert [entry.data["count"] for entry in of_transfers] == [1]


async def test_what_is_owed_does_not_go_by_waiting(kreis: Kreis) -> None:
    """A transfer stays while a duty from it is open, two years after its end and later; once done it goes."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    await jobcenter.accepted(SOZIALAMT, test=False)
    await kreis.pump()
    [item] = await sozialamt.inbox()
    await sozialamt.answer(item)
    kreis.clock.move(days=kreis.gateway.settings.side_days + 1)
    await clean_up(kreis.gateway)
    [duty] = (await sozialamt.get("/v1/duties", state="overdue")).json()["items"]
    decision = await sozialamt.get(duty["links"]["decision"])
    await sozialamt.post(duty["links"]["done"])
    await clean_up(kreis.gateway)

    assert decision.status_code == 200
    assert [await count(kreis, table) for table in ("transfers", "duties")] == [0, 0]


@on_postgresql
async def test_what_is_answered_while_it_would_be_deleted_stays(kreis: Kreis) -> None:
    """An answer that comes between finding a transfer and deleting it counts: the transfer goes another time."""
    transfer, sozialamt = await carried(kreis), await kreis.office(SOZIALAMT)
    [row] = await rows(kreis.gateway, "SELECT id AS transfer_id, message_id FROM transfers")
    kreis.clock.move(days=kreis.gateway.settings.side_days + 1)
    quittung = validate_quittung(sozialamt.quittung(row._mapping, "VERARBEITET"))
    async with kreis.gateway.db.writing() as connection:
        await accept_quittung(connection, kreis.gateway, Brought(quittung, str(quittung.sender.agency)))
        cleaning = asyncio.create_task(clean_up(kreis.gateway.acting(DbRole.ERASER)))
        await asyncio.sleep(0.5)
    done = await cleaning

    assert (done["transfers"], await sozialamt.state(transfer)) == (0, "processed")
    assert await count(kreis, "quittungen") == 2


async def test_what_is_on_its_way_stays(kreis: Kreis) -> None:
    """However often the clean-up runs, what waits can still be handed over."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    transfer = await jobcenter.accepted(SOZIALAMT)
    await clean_up(kreis.gateway)
    await kreis.publish()
    await clean_up(kreis.gateway)
    await kreis.take_in()
    kreis.clock.move(days=2)
    await clean_up(kreis.gateway)

    assert [item["transfer_id"] for item in await sozialamt.inbox()] == [transfer]


async def test_message_id_is_kept_until_its_head_time_is_refused(kreis: Kreis) -> None:
    """There is no moment at which the same message could be taken a second time."""
    jobcenter = await kreis.office(JOBCENTER)
    settings = kreis.gateway.settings
    kreis.clock.move(seconds=-settings.clock_skew_seconds)
    ahead = kreis.clock() + timedelta(seconds=settings.clock_skew_seconds)
    message = jobcenter.message(SOZIALAMT, created_at=ahead)
    assert (await jobcenter.post_xml("/v1/transfers", message)).status_code == 202
    statuses = []
    away = settings.dedup_days - 3  # long before the end a few looks will do
    for days in (away // 2, away - away // 2, *([1] * (SPARE_DAYS + 5))):
        kreis.clock.move(days=days)
        await clean_up(kreis.gateway)
        answer = await jobcenter.post_xml("/v1/transfers", message)
        statuses.append((answer.status_code, answer.headers.get("idempotent-replayed")))

    assert set(statuses) == {(202, "true"), (422, None)}
    assert await count(kreis, "submissions") == 0
    assert await count(kreis, "transfers") == 1


async def test_warning_comes_once_and_expiry_by_itself(kreis: Kreis) -> None:
    """Three days before the end both offices read a warning; then it expires, and nothing of it can be opened."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    transfer = await jobcenter.accepted(SOZIALAMT)
    kreis.clock.move(days=10)
    before = await clean_up(kreis.gateway)
    kreis.clock.move(days=1)
    warned = [await clean_up(kreis.gateway) for _ in range(2)]
    feeds = [(await office.get("/v1/transfers")).json()["items"] for office in (jobcenter, sozialamt)]
    kreis.clock.move(days=3)
    end = await clean_up(kreis.gateway)

    assert [run["warned"] for run in (before, *warned)] == [0, 1, 0]
    assert [feed[-1]["reason"] for feed in feeds] == ["expires-soon"] * 2
    assert (end["expired"], await jobcenter.state(transfer)) == (1, "expired")
    assert await count(kreis, "transfer_keys") == 0


async def test_nothing_ends_for_good_by_a_clock_that_runs_ahead(kreis: Kreis) -> None:
    """What ends or is deleted for good must be over by the database's clock too."""
    jobcenter = await kreis.office(JOBCENTER)
    transfer = await jobcenter.accepted(SOZIALAMT)
    true = kreis.clock()

    async def second_clock() -> datetime:
        return true

    kreis.clock.move(days=3 * 366)
    done = await clean_up(replace(kreis.gateway, second_clock=second_clock))
    state = await jobcenter.state(transfer)

    assert {kind for kind, count in done.items() if count} <= {"warned"}
    assert state == "accepted"


async def test_consents_and_stops_go_three_years_after_their_end(kreis: Kreis) -> None:
    """What ended goes with its keys; a refusal and a stop that stand are kept, however old."""
    jobcenter, who = await kreis.office(JOBCENTER), person()
    body = consent_body(SOZIALAMT, "CASE_MANAGEMENT", ["KONTAKT"], who)
    consent = (await jobcenter.post("/v1/consents", body)).json()
    await jobcenter.post(f"/v1/consents/{consent['id']}/withdrawal")
    ended = (await jobcenter.post("/v1/objections", objection(who, "OPT_OUT"))).json()["id"]
    await jobcenter.post(f"/v1/objections/{ended}/end", {"grund": "IRRTUM"})
    await jobcenter.post("/v1/objections", objection(person("Anders", "Ada"), "OPT_OUT"))
    kreis.clock.move(days=kreis.gateway.settings.side_stop_days)
    early = await clean_up(kreis.gateway)
    kreis.clock.move(days=2)
    late = await clean_up(kreis.gateway)

    assert [(run["consents"], run["stops"]) for run in (early, late)] == [(0, 0), (1, 1)]
    assert [await count(kreis, t) for t in ("consents", "consent_near", "consent_withdrawals")] == [0, 0, 0]
    assert [await count(kreis, t) for t in ("stops", "stop_ends")] == [1, 0]


async def test_dry_run_changes_nothing(kreis: Kreis) -> None:
    """Counting what is due deletes nothing and writes no evidence."""
    await carried(kreis)
    kreis.clock.move(days=5000)
    before = {table: await count(kreis, table) for table in (*ABOUT_TRANSFERS, "audit_entries", "audit_side")}
    due = await what_is_due(kreis.gateway)

    assert set(due) == {"side"} | {task.name for task in TASKS}
    assert due["transfers"] == due["submissions"] == 1
    assert {table: await count(kreis, table) for table in before} == before


async def deletes(kreis: Kreis, before: datetime | None) -> bool:
    """Whether the database lets all decisions be deleted, with a moment named or without."""
    try:
        async with kreis.gateway.db.writing() as connection, AsyncExitStack() as stack:
            if before is not None:
                await stack.enter_async_context(erasable(connection, before, [DecisionRow]))
            await connection.execute(delete(DecisionRow))
    except IntegrityError:
        return False
    return True


async def test_only_what_is_past_the_named_moment_can_be_deleted(kreis: Kreis) -> None:
    """By the triggers of SQLite: without the moment, and for rows from it on, no; and no moment is left standing."""
    await carried(kreis)
    now = kreis.clock()
    if kreis.gateway.db.is_sqlite:  # on PostgreSQL the privilege does it, which is the eraser's
        assert not await deletes(kreis, None)
        assert not await deletes(kreis, now)

    assert await deletes(kreis, now + timedelta(seconds=1))
    assert await count(kreis, "erasure_horizons") == 0


@pytest.mark.parametrize("end", ["quittung", "recall", "expiry", "return"])
async def test_no_key_that_is_left_opens_any_copy(kreis: Kreis, end: str) -> None:
    """After each end no copy of key or ciphertext is in the database, and no key that there is opens the record."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    transfer = await jobcenter.accepted(SOZIALAMT, persons=[person("Marker", "Meta")])
    await kreis.publish()
    async with kreis.gateway.db.reading() as connection:
        [record] = (await connection.execute(select(EmbeddedRecord.value))).scalars()
    await kreis.take_in()
    wrapped = bytes(await kreis.scalar("SELECT wrapped FROM transfer_keys"))
    _, wrapping = kreis.gateway.keys.sealing_key(SOZIALAMT)
    assert b"Marker" in unseal(record, unwrap(wrapped, wrapping), transfer)
    if end == "quittung":
        [item] = await sozialamt.inbox()
        await sozialamt.answer(item)
    elif end == "recall":
        await jobcenter.post(f"/v1/transfers/{transfer}/recall")
    elif end == "return":
        await jobcenter.post("/v1/objections", objection(person("Marker", "Meta"), "OPT_OUT"))
    else:
        kreis.clock.move(days=15)
    await clean_up(kreis.gateway)
    await kreis.transport.keep_house()
    await kreis.gateway.db.shred()
    left = kreis.database_bytes()

    assert await kreis.scalar("SELECT count(*) FROM transfer_keys") == 0
    assert await kreis.scalar("SELECT coalesce(sum(length(sealed)), 0) FROM deliveries") == 0
    for name, secret in (("wrapped key", wrapped), ("ciphertext", record), ("content", b"Marker")):
        assert secret not in left, name
        assert secret.hex().encode() not in left, name
    with pytest.raises(SealBroken):
        unseal(record, wrapping, transfer)


async def test_rest_is_no_silence_and_ends_at_once(kreis: Kreis, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two runs, an hour apart, the loop shows that it is there; told to halt, it ends by itself at once.

    That a run came to its end is a figure, so that a clean-up that never does is noticed.
    """
    monkeypatch.setattr(role, "BEAT_SECONDS", 0.05)
    task = asyncio.create_task(role.run(kreis.gateway))
    await asyncio.sleep(1.5)
    age = kreis.gateway.pulse.ages()["cleanup"]
    kreis.gateway.stop()
    await asyncio.wait_for(task, 2)

    assert age < 1
    assert sample("cleanup_done_timestamp_seconds") == kreis.clock().timestamp()
