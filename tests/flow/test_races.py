"""Withdrawal and objection racing submission and hand-over, on real concurrent connections of PostgreSQL.

Each race is forced: one side stops where it has looked at the records and not yet committed, the other runs meanwhile.
With the lock of `subject_state` taken out the same race is lost, which shows that the test can fail.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.auth.encryption import add_encryption_key
from broker.delivery import handover, in_flight
from broker.subjects import state
from broker.subjects.models import SubjectState
from broker.transfers import again, gather, service
from tests.flow.test_stops import BLOCKS, NAMED, consented, objection
from tests.flow.world import JOBCENTER, SOZIALAMT, Kreis, Office, consent_body, person
from tests.world import on_postgresql

pytestmark = on_postgresql
HELD = 0.5
"""Seconds in which the other side would have come through, if nothing held it."""


class Halt:
    """A place where one side stops until it is let go."""

    def __init__(self) -> None:
        self.reached, self.let_go = asyncio.Event(), asyncio.Event()

    async def pause(self) -> None:
        """Say that the place is reached, and wait there; whoever comes later passes."""
        if not self.reached.is_set():
            self.reached.set()
            await self.let_go.wait()


async def no_lock(connection: AsyncConnection, keys: Iterable[state.Key]) -> dict[state.Key, int]:
    """Read the numbers without locking, as if somebody had taken the lock out."""
    wanted = set(keys)
    found = await connection.execute(select(SubjectState.controller, SubjectState.pseudonym, SubjectState.number))
    return dict.fromkeys(wanted, 0) | {(r.controller, r.pseudonym): r.number for r in found}


def without_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the shared lock out of submission and hand-over."""
    for module in (gather, again):
        monkeypatch.setattr(module, "lock_shared", no_lock)


def halt_after(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> Halt:
    """Stop whoever has just done something in a module."""
    halt, done = Halt(), getattr(module, name)

    async def stopped(*arguments: Any, **named: Any) -> Any:
        result = await done(*arguments, **named)
        await halt.pause()
        return result

    monkeypatch.setattr(module, name, stopped)
    return halt


@asynccontextmanager
async def meanwhile(halt: Halt, first: Any, second: Any) -> AsyncIterator[tuple[asyncio.Task[Any], asyncio.Task[Any]]]:
    """Run one side to its halt, the other beside it, then let the first go."""
    one = asyncio.create_task(first)
    async with asyncio.timeout(20):
        await halt.reached.wait()
        other = asyncio.create_task(second)
        await asyncio.wait({other}, timeout=HELD)
        halt.let_go.set()
        await asyncio.gather(one, other)
    yield one, other


async def prepared(kreis: Kreis) -> tuple[Office, Office]:
    """Return both offices with fresh tokens."""
    offices = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    for office in offices:
        await office.headers()
    return offices


@pytest.mark.parametrize("locked", [True, False])
async def test_objection_and_submission(kreis: Kreis, monkeypatch: pytest.MonkeyPatch, locked: bool) -> None:
    """An objection that comes between a submission's look and its commit waits for it and then ends the transfer."""
    jobcenter, _ = await prepared(kreis)
    await jobcenter.accepted(SOZIALAMT, persons=[person()])  # the persons' rows are there, so that only locks tell
    if not locked:
        without_lock(monkeypatch)
    halt = halt_after(monkeypatch, service, "load_records")
    submission = jobcenter.submit(SOZIALAMT, persons=[person()])
    event = jobcenter.post("/v1/objections", objection(person(), "OPT_OUT"))
    async with meanwhile(halt, submission, event) as (sent, stopped):
        answer = sent.result()
    outcome = await jobcenter.state(answer.json()["transfer_id"])

    assert (answer.status_code, stopped.result().status_code) == (202, 201)
    assert outcome == ("withdrawn" if locked else "accepted")  # unlocked: a 202 stands against the objection


async def test_submission_after_an_objection_that_has_not_committed(
    kreis: Kreis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A submission that comes while an objection commits waits for it, and is refused."""
    jobcenter, _ = await prepared(kreis)
    await jobcenter.accepted(SOZIALAMT, persons=[person()])
    halt = halt_after(monkeypatch, in_flight, "decide_again")
    event = jobcenter.post("/v1/objections", objection(person(), "OPT_OUT"))
    submission = jobcenter.submit(SOZIALAMT, persons=[person()])
    async with meanwhile(halt, event, submission) as (_, sent):
        assert sent.result().status_code == 403


async def never(*_: Any) -> bool:
    """Look nowhere."""
    return False


@pytest.mark.parametrize("way", ["inbox", "key"])
@pytest.mark.parametrize("out", ["nothing", "persons", "persons and second look"])
async def test_withdrawal_and_hand_over(
    kreis: Kreis,
    monkeypatch: pytest.MonkeyPatch,
    way: str,
    out: str,
) -> None:
    """A withdrawal that comes between deciding again and handing over waits, and then tells the recipient.

    Without the lock on persons, that on the transfer lets the withdrawal look a second time; without both the race is
    lost: handed over though withdrawn, and nobody is told.
    """
    jobcenter, sozialamt = await prepared(kreis)
    await add_encryption_key(kreis.gateway, sozialamt.client.client_id)
    consent, transfer = await consented(jobcenter, person())
    await kreis.publish()
    await kreis.take_in()
    if out != "nothing":
        without_lock(monkeypatch)
    if out == "persons and second look":
        monkeypatch.setattr(in_flight, "_was_handed_over", never)
    halt = halt_after(monkeypatch, handover, "decide_again")
    fetch = sozialamt.get("/v1/inbox") if way == "inbox" else sozialamt.post(f"/v1/transfers/{transfer}/key")
    withdrawal = jobcenter.post(f"/v1/consents/{consent}/withdrawal")
    async with meanwhile(halt, fetch, withdrawal) as (fetched, withdrawn):
        assert (fetched.result().status_code, withdrawn.result().status_code) == (200, 200)
    notices = (await sozialamt.get("/v1/notices")).json()["items"]

    assert await jobcenter.state(transfer) == "handing_over"
    assert bool(notices) is (out != "persons and second look")


async def test_hand_over_after_a_withdrawal_that_has_not_committed(
    kreis: Kreis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever fetches while a withdrawal commits gets nothing: the transfer has ended."""
    jobcenter, sozialamt = await prepared(kreis)
    consent, transfer = await consented(jobcenter, person())
    await kreis.publish()
    await kreis.take_in()
    halt = halt_after(monkeypatch, in_flight, "decide_again")
    withdrawal = jobcenter.post(f"/v1/consents/{consent}/withdrawal")
    async with meanwhile(halt, withdrawal, sozialamt.get("/v1/inbox")) as (_, fetched):
        assert fetched.result().json()["items"] == []

    assert await jobcenter.state(transfer) == "withdrawn"


@pytest.mark.parametrize("asked", [True, False])
async def test_second_decision(kreis: Kreis, monkeypatch: pytest.MonkeyPatch, asked: bool) -> None:
    """A consent that is over when the content is fetched stops it by the second decision alone."""
    jobcenter, sozialamt = await prepared(kreis)
    body = consent_body(SOZIALAMT, "CASE_MANAGEMENT", NAMED, person(), gueltig_bis="2026-03-18")
    consent = (await jobcenter.post("/v1/consents", body)).json()["id"]
    parts: dict[str, Any] = {"purpose": "CASE_MANAGEMENT", "persons": [person()], "consents": [consent]}
    transfer = await jobcenter.accepted(SOZIALAMT, BLOCKS, **parts)
    await kreis.publish()
    await kreis.take_in()
    if not asked:

        async def permitted(*_: Any) -> Any:
            return [again.Verdict(transfer, True, "", None, None)]

        monkeypatch.setattr(handover, "decide_again", permitted)
    kreis.clock.move(days=4)

    assert len(await sozialamt.inbox()) == (0 if asked else 1)
