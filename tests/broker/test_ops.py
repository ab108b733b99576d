"""The operations port: what waits and what lags, and whether the process can work."""

from __future__ import annotations

import re

import httpx

from broker.health import Readiness, checks_of
from broker.lifecycle.progress import advance
from broker.lifecycle.states import State
from broker.ops import observed_by_operations, operations
from tests.flow.test_roles import free_port
from tests.flow.world import JOBCENTER, SOZIALAMT, Kreis
from tests.world import on_sqlite

SOZIALAMT_AGENCY = SOZIALAMT.partition(":")[0]


def ops(kreis: Kreis) -> httpx.AsyncClient:
    """Return a client of the service's operations port, over ASGI."""
    app = operations(kreis.gateway, Readiness(checks_of(kreis.gateway)))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://ops.example")


def value(text: str, name: str) -> float | None:
    """Return the value of one sample, None where it is not there."""
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    return None if found is None else float(found[1])


async def scrape(kreis: Kreis) -> str:
    """Return the figures as they are now."""
    async with ops(kreis) as http:
        return (await http.get("/metrics")).text


async def test_what_waits_is_counted_where_it_waits(kreis: Kreis) -> None:
    """A transfer counts in the outbox with its age, then for its agency, then among the dead letters, then nowhere."""
    transfer = await (await kreis.office(JOBCENTER)).accepted(SOZIALAMT)
    kreis.clock.move(seconds=30)
    in_outbox = await scrape(kreis)
    await kreis.publish()
    await kreis.take_in()
    published = await scrape(kreis)
    async with kreis.gateway.db.writing() as connection:
        await advance(connection, [transfer], State.DEAD, kreis.clock(), "broker:test")
    dead = await scrape(kreis)

    waiting = f'amtsbruecke_deliveries_waiting{{agency="{SOZIALAMT_AGENCY}"}}'
    letters = f'amtsbruecke_dead_letters{{agency="{SOZIALAMT_AGENCY}"}}'
    names = ("amtsbruecke_outbox_waiting", "amtsbruecke_outbox_oldest_seconds", waiting, letters)
    assert [value(in_outbox, name) for name in names] == [1, 30, None, None]
    assert [value(published, name) for name in names] == [0, 0, 1, None]
    assert [value(dead, name) for name in names] == [0, 0, None, 1]


async def test_scrapes_share_one_look_at_the_database(kreis: Kreis) -> None:
    """Who scrapes often reads the same figures again for some seconds."""
    async with ops(kreis) as http:
        before = (await http.get("/metrics")).text
        await (await kreis.office(JOBCENTER)).accepted(SOZIALAMT)
        after = (await http.get("/metrics")).text

    assert value(before, "amtsbruecke_outbox_waiting") == value(after, "amtsbruecke_outbox_waiting") == 0


async def test_readiness_says_what_fails(kreis: Kreis) -> None:
    """A database of another version is named, in German and English, with what to do; the other checks hold."""
    kreis.clock.goes = True  # as the database's does
    async with kreis.gateway.db.writing() as connection:
        await connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0000'")
    async with ops(kreis) as http:
        answer = await http.get("/readyz")
        figures = (await http.get("/metrics")).text
        live = await http.get("/livez")
    async with kreis.http() as http:
        public = await http.get("/readyz")

    [reason] = answer.json()["reasons"]
    assert (answer.status_code, public.status_code, live.status_code) == (503, 503, 200)
    assert (reason["check"], reason["code"]) == ("version", "database-version")
    assert "amtsbruecke db upgrade" in reason["text"]
    assert "amtsbruecke db upgrade" in reason["text_en"]
    assert answer.json()["checks"] == {
        "database": "ok",
        "version": "database-version",
        "login": "ok" if kreis.gateway.db.is_sqlite else "database-owner",
        "clock": "ok",
        "process": "ok",
        "keys": "ok",
        "sealing-key": "ok",
        "loops": "ok",
        "law": "ok",
        "law-to-come": "ok",
    }
    assert value(figures, 'amtsbruecke_ready{check="version"}') == 0
    assert value(figures, 'amtsbruecke_ready{check="database"}') == 1


@on_sqlite
async def test_a_database_that_is_away_hides_no_other_figure(kreis: Kreis) -> None:
    """Without its database a process still shows its own counters, and says nothing of what waits."""
    await kreis.gateway.db.engine.dispose()
    kreis.gateway.settings.data_dir.joinpath("amtsbruecke.db").rename(kreis.gateway.settings.data_dir / "aside")
    kreis.gateway.settings.data_dir.joinpath("amtsbruecke.db").mkdir()
    text = await scrape(kreis)

    assert value(text, 'amtsbruecke_ready{check="database"}') == 0
    assert value(text, "amtsbruecke_outbox_waiting") is None
    assert "amtsbruecke_requests_total" in text


async def test_the_api_shows_no_figures(kreis: Kreis) -> None:
    """Counts can reveal: /metrics is on the operations port alone, and that has nothing else."""
    async with kreis.http() as http:
        assert (await http.get("/metrics")).status_code == httpx.codes.NOT_FOUND
    async with ops(kreis) as http:
        assert (await http.get("/v1/transfers")).status_code == httpx.codes.NOT_FOUND


async def test_port_is_served_on_this_machine_alone(kreis: Kreis) -> None:
    """The operations port listens on 127.0.0.1 while the role runs, and no longer; 0 opens none."""
    kreis.clock.goes = True
    port = free_port()
    settings = kreis.gateway.settings.model_copy(update={"ops_port": port})
    gateway = type(kreis.gateway)(settings, kreis.clock, kreis.gateway.db, kreis.gateway.keys, kreis.gateway.law)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        async with observed_by_operations(gateway, checks_of(gateway)):
            live = await http.get("/livez")
            ready = await http.get("/readyz")
        try:
            await http.get("/livez")
        except httpx.ConnectError:
            ended = True

    assert (live.status_code, ready.status_code, ended) == (200, 200, True)
    assert settings.ops_host == "127.0.0.1"
    assert type(settings).model_fields["ops_port"].default == 0


async def test_a_loop_that_hangs_is_not_ready(kreis: Kreis) -> None:
    """A loop that came round once and then no more makes the process not ready."""
    kreis.gateway.pulse.beat("relay")
    kreis.gateway.pulse._beats["relay"] -= 3600
    async with ops(kreis) as http:
        answer = await http.get("/readyz")

    assert answer.json()["checks"]["loops"] == "role-silent"
