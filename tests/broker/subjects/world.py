"""A gateway on a fresh SQLite file, two towns' offices, and an app with the routes about persons."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI, Request
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from broker import problems
from broker.attempts import api as attempts_api
from broker.auth.caller import Caller, Role
from broker.consents import api as consents_api
from broker.consents import releases as releases_api
from broker.directory.models import Agency, AgencyInstance
from broker.gateway import Gateway
from broker.procedures import api as procedures_api
from broker.requests import api as requests_api
from broker.subjects import api as subjects_api
from broker.subjects.events import SubjectEvent
from tests.world import START, MovableClock, fresh_gateway

NOW = START
TODAY = NOW.date()
JOBCENTER = "jobcenter-kreis-re:JOBCENTER"
SOZIALAMT = "sozialamt-marl:SOZIALAMT_SGBXII"
JUGENDAMT = "jugendamt-marl:JUGENDAMT_ASD"
CLOSED = "sozialamt-alt:SOZIALAMT_SGBXII"
#: Occurs in requests alone; must be found in no file, no answer and no evidence.
MARKER = "Zzyzxmarkername"
STAFF = "Qqstaffmarker"
PERSON = {"familienname": MARKER, "vornamen": "Anna Maria", "geburtsdatum": "1990-02-03"}

As = Callable[[str], AbstractAsyncContextManager[httpx.AsyncClient]]


async def _offices(connection: AsyncConnection) -> None:
    for instance in (JOBCENTER, SOZIALAMT, JUGENDAMT, CLOSED):
        agency, _, unit = instance.partition(":")
        active = {"active": instance != CLOSED, "changed_at": NOW}
        place = {"name": agency, "kind": "other", "ags": "05562", "dms": None, "place": "Marl"}
        await connection.execute(insert(Agency), [{"id": agency} | place | active])
        await connection.execute(insert(AgencyInstance), [{"id": instance, "agency_id": agency, "unit": unit} | active])


@pytest.fixture
async def gateway(data_dir: Path, clock: MovableClock) -> AsyncIterator[Gateway]:
    """Give a gateway with the offices, a clock that stands still and the law as it is."""
    async with fresh_gateway(data_dir, clock) as made:
        async with made.db.writing() as connection:
            await _offices(connection)
        yield made


@pytest.fixture
def events() -> list[SubjectEvent]:
    """Give the list that the hook writes to."""
    return []


@pytest.fixture
def app(gateway: Gateway, events: list[SubjectEvent]) -> FastAPI:
    """Give an app whose caller is the instance named in a header."""
    made = FastAPI()
    problems.install(made)
    for part in (subjects_api, consents_api, releases_api, requests_api, procedures_api, attempts_api):
        made.include_router(part.router)

    async def note(_: AsyncConnection, event: SubjectEvent) -> None:
        events.append(event)

    async def named(request: Request) -> Caller:
        x_instance = request.headers["x-instance"]
        if x_instance == "officer":
            return Caller("client-of-officer", Role.OFFICER, agency="sozialamt-marl")
        return Caller("client-of-" + x_instance, Role.INSTANCE, x_instance)

    made.state.gateway = gateway
    made.state.subject_changed = note
    made.state.authenticate = named
    return made


@pytest.fixture
def acting(app: FastAPI) -> As:
    """Give a way to act as an instance, for ``async with``."""

    @asynccontextmanager
    async def client(instance: str) -> AsyncIterator[httpx.AsyncClient]:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        headers = {"x-instance": instance}
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway", headers=headers) as made:
            yield made

    return client
