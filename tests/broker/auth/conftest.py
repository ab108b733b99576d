"""What the tests of clients and tokens share: a gateway with the directory loaded, and the app over ASGI."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

import httpx
import pytest
from fastapi import APIRouter, Depends

from broker.access import Guarded, Over, access
from broker.app import create_app
from broker.auth.caller import Caller, Role
from broker.auth.clients import NewClient, add_client
from broker.auth.dependencies import caller
from broker.directory.service import load
from broker.gateway import Gateway
from broker.transport.embedded import EmbeddedTransport
from tests.world import PUBLIC_URL, MovableClock, fresh_gateway, kreis_directory

INSTANCE = "jugendamt-marl:JUGENDAMT_ASD"


@pytest.fixture
async def gateway(tmp_path: Path, data_dir: Path, clock: MovableClock) -> AsyncIterator[Gateway]:
    """Give a gateway with the directory of the demonstration."""
    async with fresh_gateway(data_dir, clock) as found:
        await load(found, kreis_directory(tmp_path))
        yield found


@pytest.fixture
async def new(gateway: Gateway) -> NewClient:
    """Return a fresh client of one instance."""
    return await add_client(gateway, Role.INSTANCE, INSTANCE)


@pytest.fixture
async def client(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    """Give an HTTP client on the app, with two routes more that say who called."""
    app = create_app(gateway, EmbeddedTransport(gateway.db, gateway.topic_filled))

    routes = APIRouter(route_class=Guarded)

    @routes.get("/who")
    @access(everyone=Over.NOBODY)
    async def who(found: Annotated[Caller, Depends(caller)]) -> dict[str, str | None]:
        return {"client_id": found.client_id, "actor": found.actor, "instance": found.instance, "agency": found.agency}

    @routes.get("/officers")
    @access(officer=Over.NOBODY, operator=Over.NOBODY)
    async def officers(found: Annotated[Caller, Depends(caller)]) -> str:
        return found.actor

    app.include_router(routes)

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url=PUBLIC_URL) as found:
        yield found
