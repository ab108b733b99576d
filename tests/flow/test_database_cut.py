"""The network to PostgreSQL is cut in the middle of a statement, silently: nobody waits for longer than a bound."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from time import monotonic

import httpx
import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import OperationalError

from broker.app import create_app
from broker.db import WAIT_SECONDS, Database
from broker.transfers import service
from faults.proxy import Proxy
from tests.deployment import SETTINGS
from tests.flow.world import JOBCENTER, SOZIALAMT, Kreis, open_kreis
from tests.world import on_postgresql

pytestmark = on_postgresql
BOUND = 1.0
ENDS = BOUND + 2 * WAIT_SECONDS
"""The bound itself, the farewell to what is cut, and a machine that does other things too."""


@pytest.fixture
def line(data_dir: Path) -> Iterator[Proxy]:
    """Put a network that can be cut between the service and its database."""
    path = data_dir / SETTINGS
    settings = json.loads(path.read_text())
    url = make_url(settings["database_url"])
    assert url.port is not None
    proxy = Proxy(url.port)
    cut = url.set(port=proxy.port).render_as_string(hide_password=False)
    path.write_text(json.dumps(settings | {"database_url": cut}))
    yield proxy
    proxy.heal()
    proxy.close()


@pytest.fixture
async def hurried(line: Proxy, data_dir: Path) -> AsyncIterator[Kreis]:
    """Give the service, which waits for a statement no longer than the bound."""
    line.heal()
    async with open_kreis(data_dir) as kreis:
        await (await kreis.office(JOBCENTER)).get("/v1/transfers")  # known from here on
        db = Database(kreis.gateway.settings.database, statement_seconds=BOUND)
        kreis.gateway = replace(kreis.gateway, db=db)
        kreis.app = create_app(kreis.gateway, kreis.transport)
        kreis.offices[JOBCENTER].http = kreis.http()
        yield kreis
        await db.close()


async def in_the_middle(database: Database, line: Proxy) -> None:
    """Cut the line inside a transaction, then send one more statement."""
    async with database.writing() as connection:
        await connection.execute(text("SELECT 1"))
        line.blackhole()
        await connection.execute(text("SELECT 2"))


async def at_the_commit(database: Database, line: Proxy) -> None:
    """Cut the line before the commit."""
    async with database.writing() as connection:
        await connection.execute(text("SELECT 1"))
        line.blackhole()


@pytest.mark.parametrize("place", [in_the_middle, at_the_commit])
async def test_a_statement_that_is_cut_off_passes_as_a_fault_of_the_database(
    hurried: Kreis, line: Proxy, place: Callable[[Database, Proxy], Awaitable[None]]
) -> None:
    """It ends within the bound as what passes by itself, and the next one has a connection of its own."""
    database = hurried.gateway.db
    began = monotonic()
    with pytest.raises(OperationalError):
        await place(database, line)
    took = monotonic() - began
    line.heal()
    async with database.reading() as connection:
        again = await connection.scalar(text("SELECT 3"))

    assert took < ENDS
    assert again == 3


async def test_a_request_that_is_cut_off_is_told_so_and_may_come_again(
    hurried: Kreis, line: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A submission whose line is cut between two statements gets 503 in time; the same again is taken, once."""
    jobcenter = hurried.offices[JOBCENTER]
    content = jobcenter.message(SOZIALAMT)
    looked = service.load_records

    async def cut(*given: object, **named: object) -> object:
        found = await looked(*given, **named)  # type: ignore[arg-type]
        line.blackhole()
        return found

    monkeypatch.setattr(service, "load_records", cut)
    began = monotonic()
    first = await jobcenter.post_xml("/v1/transfers", content)
    took = monotonic() - began
    monkeypatch.undo()
    line.heal()
    second = await jobcenter.post_xml("/v1/transfers", content)

    assert (first.status_code, int(first.headers["retry-after"]) > 0) == (httpx.codes.SERVICE_UNAVAILABLE, True)
    assert took < ENDS
    assert second.status_code == httpx.codes.ACCEPTED
    assert await hurried.scalar("SELECT count(*) FROM transfers") == 1
