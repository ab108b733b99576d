"""PostgreSQL stops, is killed, and comes back; or has no connection to give: 503, never 500, and nothing is lost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any

import httpx
import pytest

from broker import db
from broker.auth.client_assertion import client_assertion, token_form
from broker.db import WAIT_SECONDS
from broker.migrations import upgrade
from tests.deployment import SETTINGS
from tests.flow.test_roles import PATIENCE, clients, free_port, headers, ready
from tests.flow.test_shutdown import message, process
from tests.flow.world import JOBCENTER, SOZIALAMT, Kreis, consent_body, ersuchen_body, open_kreis, person
from tests.servers.postgres import Postgres
from tests.world import eventually

__all__ = ["clients"]

#: What answers without the database: descriptions, keys, liveness, and why one is not ready; tokens need a form.
WITHOUT = {
    "/v1/token",
    *("/livez", "/readyz", "/v1/keys", "/v1/limits", "/v1/schemas", "/v1/schemas/{path}", "/v1/log/keys"),
    "/problems/{slug}",
}
#: Longer than the memory of revocations and of the directory.
FORGOTTEN_SECONDS = 10
TURNS_SECONDS = 4.0
"""So long each loop meets the fault at least once."""
MANNERS = ("stop", "kill")


@pytest.fixture
def server() -> Iterator[Postgres]:
    """Run a PostgreSQL of this test's own, with all tables; its own user must reach its folder."""
    with TemporaryDirectory(prefix="amtsbruecke-") as folder:
        own = Postgres(Path(folder), fsync=True)
        own.start()
        try:
            upgrade(own.url)
            yield own
        finally:
            own.kill()


@pytest.fixture
def data_dir(tmp_path: Path, server: Postgres) -> Path:
    """Return a data directory on that server."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / SETTINGS).write_text(json.dumps({"database_url": server.url}))
    return folder


@pytest.fixture
async def kreis(data_dir: Path) -> AsyncIterator[Kreis]:
    """Give a running service on that server."""
    async with open_kreis(data_dir) as running:
        yield running


def away(answer: httpx.Response) -> bool:
    """Whether an answer says in full that the service cannot now."""
    told = answer.headers.get("retry-after", "0")
    body = answer.json() if "json" in answer.headers.get("content-type", "") else {}
    kind = body.get("type") if isinstance(body, dict) else None
    return (answer.status_code, kind) == (503, "/problems/temporarily-unavailable") and int(told) > 0


async def wrong(kreis: Kreis, own: dict[str, str]) -> dict[str, int]:
    """Ask all routes but those that need no database; return the answers that are not a 503 in full."""
    found: dict[str, int] = {}
    async with kreis.http() as http:
        for path, operations in kreis.app.openapi()["paths"].items():
            for method in set(operations) & {"get", "post"} if path not in WITHOUT else ():
                answer = await http.request(method, path.replace("{", "").replace("}", ""), headers=own)
                if not away(answer):
                    found[f"{method} {path}"] = answer.status_code
    return found


async def well_formed(kreis: Kreis) -> list[tuple[str, httpx.Response]]:
    """Make one request of each kind that an office makes, as one who is known already."""
    jobcenter, sozialamt = kreis.offices[JOBCENTER], kreis.offices[SOZIALAMT]
    who, own = person(), ("STAMMDATEN", "KONTAKT")
    item = {"transfer_id": "00000000-0000-4000-8000-000000000000", "message_id": "00000000-0000-4000-8000-000000000001"}
    transfer = f"/v1/transfers/{item['transfer_id']}"
    stop = {"art": "WIDERSPRUCH_ART21", "datum": "2026-03-16", "erklaert_von": "betroffene Person"}
    named = {"familienname": who.family, "vornamen": who.given, "geburtsdatum": who.birth.isoformat()}
    assert jobcenter.client.private_jwk is not None
    audience = kreis.gateway.settings.public_url
    form = token_form(
        client_assertion(jobcenter.client.client_id, jobcenter.client.private_jwk, audience, kreis.clock())
    )
    return [
        ("token", await jobcenter.http.post("/v1/token", data=form)),
        ("transfer", await jobcenter.submit(SOZIALAMT)),
        ("check", await jobcenter.post_xml("/v1/transfers/check", jobcenter.message(SOZIALAMT))),
        ("consent", await jobcenter.post("/v1/consents", consent_body(SOZIALAMT, "CASE_MANAGEMENT", own, who))),
        ("withdrawal", await jobcenter.post("/v1/consents/0-0/withdrawal")),
        ("objection", await jobcenter.post("/v1/objections", stop | {"person": named})),
        ("ersuchen", await sozialamt.post("/v1/ersuchen", ersuchen_body(JOBCENTER, who))),
        ("recall", await jobcenter.post(f"{transfer}/recall", {"grund": "IRRTUM"})),
        ("key", await sozialamt.post(f"{transfer}/key")),
        ("quittung", await sozialamt.answer(item)),
        *[(path, await jobcenter.get(path)) for path in ("/v1/inbox", "/v1/transfers", transfer, "/v1/notices")],
        *[(path, await jobcenter.get(path)) for path in ("/v1/consents", "/v1/objections", "/v1/ersuchen")],
    ]


@pytest.mark.parametrize("manner", MANNERS)
async def test_every_route_says_that_the_database_is_away(kreis: Kreis, server: Postgres, manner: str) -> None:
    """503 with Retry-After on every way that needs it, for those who are remembered and those who are not; then 202."""
    for name in (JOBCENTER, SOZIALAMT):
        await (await kreis.office(name)).get("/v1/transfers")
    before = await kreis.offices[JOBCENTER].submit(SOZIALAMT)
    own = await kreis.offices[JOBCENTER].headers()
    getattr(server, manner)()
    remembered = [(name, a.status_code, a.text) for name, a in await well_formed(kreis) if not away(a)]
    kreis.clock.move(seconds=FORGOTTEN_SECONDS)
    not_away = await wrong(kreis, own)
    async with kreis.http() as http:
        seen = await http.get("/readyz")
        alive = await http.get("/livez")
    server.start()
    after = await kreis.offices[JOBCENTER].submit(SOZIALAMT)
    await kreis.pump()
    taken = [item["transfer_id"] for item in await kreis.offices[SOZIALAMT].inbox(limit=10)]

    assert (remembered, not_away) == ([], {})
    assert (seen.status_code, alive.status_code) == (503, 200)
    assert {reason["code"] for reason in seen.json()["reasons"]} == {"database-unreachable"}
    assert (before.status_code, after.status_code) == (202, 202)
    assert sorted(taken) == sorted(answer.json()["transfer_id"] for answer in (before, after))


async def test_no_connection_left_is_said_in_time(kreis: Kreis) -> None:
    """Who finds all connections taken waits some seconds, then gets 503; with one given back all goes on."""
    jobcenter = await kreis.office(JOBCENTER)
    await jobcenter.get("/v1/transfers")
    async with AsyncExitStack() as held:
        for _ in range(db.POOL["pool_size"] + db.POOL["max_overflow"]):
            await held.enter_async_context(kreis.gateway.db.reading())
        began = monotonic()
        answers = await asyncio.gather(
            jobcenter.submit(SOZIALAMT), jobcenter.get("/v1/transfers"), jobcenter.post("/v1/consents/0-0/withdrawal")
        )
        waited = monotonic() - began
    after = await jobcenter.submit(SOZIALAMT)

    assert [answer.text for answer in answers if not away(answer)] == []
    assert waited < 4 * WAIT_SECONDS  # a request may ask for several connections in turn
    assert after.status_code == httpx.codes.ACCEPTED


async def test_roles_wait_until_the_database_is_back(
    server: Postgres, data_dir: Path, tmp_path: Path, clients: dict[str, Any]
) -> None:
    """Relay, delivery, sealer and clean-up outlive a stop and a kill of PostgreSQL, and carry on by themselves."""
    port, log = free_port(), tmp_path / "serve.log"
    given = {"AMTSBRUECKE_PORT": str(port), "AMTSBRUECKE_CLEANUP_SECONDS": "0.5"}
    with process("serve", "--roles", folder=data_dir, log=log, **given) as running:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE) as http:
            await ready(http)
            jobcenter, sozialamt = [await headers(http, clients[name]) for name in (JOBCENTER, SOZIALAMT)]
            xml = jobcenter | {"content-type": "application/xml"}
            accepted, refused = [await http.post("/v1/transfers", content=message(), headers=xml)], []
            for manner in MANNERS:
                getattr(server, manner)()
                refused.append(await http.post("/v1/transfers", content=message(), headers=xml))
                await asyncio.sleep(TURNS_SECONDS)
                refused.append(await http.get("/v1/inbox", headers=sozialamt))
                server.start()
                await ready(http)
                accepted.append(await http.post("/v1/transfers", content=message(), headers=xml))
            sent = {answer.json()["transfer_id"] for answer in accepted}
            arrived: set[str] = set()

            async def all_there() -> bool:
                items = (await http.get("/v1/inbox", params={"limit": 10}, headers=sozialamt)).json()["items"]
                arrived.update(item["transfer_id"] for item in items)
                return arrived >= sent

            await eventually(all_there, PATIENCE)
            still_there = running.poll() is None

    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    waited = {line["message"] for line in lines if line["level"] == "warning"}
    assert [answer.text for answer in refused if not away(answer)] == []
    assert (arrived, still_there) == (sent, True)
    assert {"relay waits", "delivery waits", "intake waits", "sealer waits", "clean-up waits"} <= waited
    assert not [line for line in lines if line["level"] == "critical" or line["message"] == "internal error"]
