"""Relay, delivery, sealer, clean-up, erasure and HTTP, each under the login that it has in production."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from sqlalchemy import make_url

from broker.app import create_app
from broker.audit.sequencer import Sealer
from broker.cleanup.role import clean_up
from broker.db import Database
from broker.delivery.intake import GROUP, take_in_once
from broker.delivery.worker import adapters_of, deliver_once
from broker.erasure import EraseReason, Erasure, erase
from broker.gateway import Gateway
from broker.logins import login_of
from broker.outbox.relay import publish_due
from broker.privileges import PROCESSES
from broker.start import transport_of
from broker.transport.base import topic_of
from tests.deployment import environment_of, surroundings
from tests.flow.test_roles import ROOT
from tests.flow.test_stops import objection
from tests.flow.world import FOLDER_AGENCY, JOBCENTER, SOZIALAMT, Kreis, consent_body, ersuchen_body, person
from tests.world import on_postgresql

pytestmark = on_postgresql
FOLDER = f"{FOLDER_AGENCY}:SOZIALAMT_SGBXII"


@asynccontextmanager
async def logged_in(kreis: Kreis, process: str) -> AsyncIterator[Gateway]:
    """Give the gateway as a process has it: on connections of its own login, in its own role."""
    url = make_url(kreis.gateway.settings.database).set(username=login_of(process))
    database = Database(url.render_as_string(hide_password=False), PROCESSES[process][0])
    try:
        yield replace(kreis.gateway, db=database)
    finally:
        await database.close()


@pytest.fixture
async def processes(kreis: Kreis) -> AsyncIterator[dict[str, Gateway]]:
    """Give the gateway of each process; the API is served under the login of `serve`."""
    async with AsyncExitStack() as stack:
        found = {name: await stack.enter_async_context(logged_in(kreis, name)) for name in PROCESSES}
        await kreis.app.state.large.close()
        kreis.app = create_app(found["serve"], transport_of(found["serve"]))
        yield found


async def carry(kreis: Kreis, processes: dict[str, Gateway]) -> None:
    """Publish, take in and deliver what is due."""
    relay, deliver = processes["relay"], processes["deliver"]
    await publish_due(relay, transport_of(relay), "one")
    reader = transport_of(deliver).subscribe([topic_of(agency) for agency in await kreis.agencies()], GROUP)
    await take_in_once(deliver, reader, 0)
    await deliver_once(deliver, await adapters_of(deliver))
    await transport_of(deliver).keep_house()


async def test_each_process_does_its_work_with_its_own_login(kreis: Kreis, processes: dict[str, Gateway]) -> None:
    """Declared, carried both ways, recalled, warned of, expired, sealed, erased and cleaned up: nobody is refused."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    consent = await jobcenter.post("/v1/consents", consent_body(SOZIALAMT, "CASE_MANAGEMENT", ["KONTAKT"], person()))
    stop = await jobcenter.post("/v1/objections", objection(person(family="Andere")))
    ersuchen = await sozialamt.post("/v1/ersuchen", ersuchen_body(JOBCENTER, person(family="Dritte")))
    pulled, recalled = [await jobcenter.accepted(SOZIALAMT) for _ in range(2)]
    pushed = await jobcenter.accepted(FOLDER)
    await carry(kreis, processes)
    items = await sozialamt.inbox()
    answers = [await sozialamt.answer(item, "VERARBEITET") for item in items if item["transfer_id"] == pulled]
    notice = await jobcenter.post(f"/v1/transfers/{recalled}/recall")
    ends = [
        await jobcenter.post(f"/v1/consents/{consent.json()['id']}/withdrawal"),
        await jobcenter.post(f"/v1/objections/{stop.json()['id']}/end", {"grund": "IRRTUM"}),
        await sozialamt.post(f"/v1/ersuchen/{ersuchen.json()['id']}/close", {"grund": "ERLEDIGT"}),
    ]
    states = [await jobcenter.state(one) for one in (pulled, pushed)]
    sealer = Sealer(processes["seal"], "one")
    sealed = await sealer.seal()
    await sealer.stop()
    expiring = await jobcenter.accepted(SOZIALAMT)
    kreis.clock.move(days=kreis.gateway.settings.payload_days - 1)
    warned = await clean_up(processes["cleanup"])
    kreis.clock.move(days=2)
    expired = await clean_up(processes["cleanup"])
    state = await jobcenter.state(expiring)
    kreis.clock.move(days=2000)
    over = await erase(processes["cleanup"], Erasure(EraseReason.FRIST, due=True))
    gone = await clean_up(processes["cleanup"])

    assert [answer.status_code for answer in (consent, stop, ersuchen)] == [httpx.codes.CREATED] * 3
    assert [answer.status_code for answer in (*answers, notice)] == [httpx.codes.OK] * 2
    assert all(answer.is_success for answer in ends), [answer.text for answer in ends]
    assert states == ["processed", "delivered"]
    assert sealed > 0
    assert state == "expired"
    assert warned["warned"] == expired["expired"] >= 1
    assert over > 0
    assert gone["transfers"] == 4


async def dead_letters(data_dir: Path, *words: str) -> str:
    """Run ``amtsbruecke dead`` as a process with the login that the manual names; return what it says."""
    given = surroundings() | environment_of(data_dir, "dead")
    command = [sys.executable, "-m", "broker", "dead", *words]
    running = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, env=given, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    said, errors = await running.communicate()
    assert running.returncode == 0, errors.decode()
    return said.decode()


async def test_what_cannot_be_brought_is_decided_about(
    kreis: Kreis, processes: dict[str, Gateway], data_dir: Path
) -> None:
    """A share that is away: tried again, then dead, by the login of `deliver`; the rest by an operator's processes."""
    jobcenter, deliver = await kreis.office(JOBCENTER), processes["deliver"]
    few = {"retry_attempts": 2}
    processes["deliver"] = replace(deliver, settings=deliver.settings.model_copy(update=few))
    cases = ("BG-1", "BG-1", "BG-2", "BG-3")
    held, behind, given_up, again = [await jobcenter.accepted(FOLDER, case_sender=case) for case in cases]
    share = kreis.gateway.settings.data_dir / "folders" / FOLDER_AGENCY
    share.rename(share.with_name("aside"))
    for _ in range(few["retry_attempts"]):
        await carry(kreis, processes)
        kreis.clock.move(hours=2)
    listed = json.loads(await dead_letters(data_dir, "list", "--agency", FOLDER_AGENCY, "--json"))["items"]
    shown = await dead_letters(data_dir, "show", held)
    share.with_name("aside").rename(share)
    await asyncio.gather(
        dead_letters(data_dir, "release", held, "--reason", "EILIG"),
        dead_letters(data_dir, "discard", given_up, "--reason", "NICHT_ZUSTELLBAR"),
        dead_letters(data_dir, "retry", again),
    )
    await carry(kreis, processes)

    assert {(one["transfer_id"], one["waiting_behind"]) for one in listed} == {(held, 1), (given_up, 0), (again, 0)}
    assert all("folder" in one["reason"] for one in listed), listed
    assert FOLDER in shown
    states = [await jobcenter.state(one) for one in (held, behind, given_up, again)]
    assert states == ["dead", "delivered", "discarded", "delivered"]
