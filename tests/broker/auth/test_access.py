"""One table of who may call what: every route and command states it, is held to it, and stands in docs/access.md."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import APIRouter
from sqlalchemy import event

from broker import access_page, app
from broker.access import Guarded, Over, Role, Undeclared, access, declared_routes
from broker.app import DESCRIPTION_PATHS, accesses, create_app
from broker.auth.caller import Caller
from broker.auth.tokens import issue
from broker.cli.operated import OWNER, operated_of
from tests.deployment import process_of
from tests.flow.world import JOBCENTER, Kreis
from tests.house.source import ROOT
from tests.world import on_sqlite

CALLERS = {
    Role.INSTANCE: Caller("i", Role.INSTANCE, JOBCENTER),
    Role.OFFICER: Caller("o", Role.OFFICER, agency="jobcenter-kreis-re"),
    Role.OPERATOR: Caller("p", Role.OPERATOR),
    Role.AUDITOR: Caller("a", Role.AUDITOR),
}
#: Whatever is wrong with a request, who may not call hears just that.
BROKEN: tuple[dict[str, Any], ...] = (
    {},
    {"content": b"{", "headers": {"content-type": "application/json"}},
    {"content": b"<x", "headers": {"content-type": "application/xml"}},
    {"content": b"x" * 70_000, "headers": {"content-type": "application/json"}},
    {"params": {"limit": "viele", "cursor": "zz", "reason": "x"}},
)


def headers_of(kreis: Kreis, role: Role) -> dict[str, str]:
    """Return the headers of a client of a role."""
    return {"authorization": f"Bearer {issue(kreis.gateway, CALLERS[role])}"}


def ways(kreis: Kreis) -> Iterator[tuple[str, str, frozenset[Role]]]:
    """Yield method, a path with ids that nothing has, and the roles that may call."""
    for (method, path), declared in accesses(kreis.app).items():
        yield method, path.replace(":path", "").replace("{", "Zz").replace("}", "Zz"), frozenset(declared.over)


@on_sqlite
async def test_who_may_not_call_hears_that_before_anything_else(kreis: Kreis) -> None:
    """401 without a token, else the same 403 everywhere; nothing is read, and the database not asked."""
    sent: list[str] = []
    engine = kreis.gateway.db.engine.sync_engine
    async with kreis.http() as http:
        await http.get("/v1/agencies", headers=headers_of(kreis, Role.OPERATOR))  # who was revoked is known for now
        event.listen(engine, "before_cursor_execute", lambda *given: sent.append(str(given[2])))
        walked = 0
        for method, path, roles in ways(kreis):
            for broken in BROKEN if roles else ():
                bare = await http.request(method, path, **broken)
                assert (bare.status_code, bare.json()["type"]) == (401, "/problems/not-authenticated"), (method, path)
                assert bare.headers["www-authenticate"].startswith("Bearer ")
                for role in sorted(set(Role) - roles):
                    merged = broken | {"headers": broken.get("headers", {}) | headers_of(kreis, role)}
                    answer = await http.request(method, path, **merged)
                    body = answer.json()
                    assert (answer.status_code, body["type"]) == (403, "/problems/wrong-role"), (method, path, role)
                    assert set(body.pop("allowed")) == set(roles)
                    assert body["detail"] == "Dieser Weg ist anderen Rollen vorbehalten."
                    walked += 1

    assert walked > 500
    assert sent == []


@on_sqlite
async def test_who_may_call_is_let_in(kreis: Kreis) -> None:
    """No route turns a role away that it names; a public one asks nobody."""
    async with kreis.http() as http:
        for method, path, roles in ways(kreis):
            for role in sorted(roles):
                answer = await http.request(method, path, headers=headers_of(kreis, role))
                assert answer.status_code not in {401, 405, 500}, (method, path, role, answer.text)
                assert answer.status_code != httpx.codes.FORBIDDEN, (method, path, role)
            if not roles:
                answer = await http.request(method, path)
                assert answer.status_code not in {401, 403}, (method, path)


@on_sqlite
async def test_every_route_is_in_the_table_and_in_the_openapi(kreis: Kreis) -> None:
    """The app serves what the table names and no more, and its description says the same of each operation."""
    table = accesses(kreis.app)
    assert declared_routes(kreis.app.routes, DESCRIPTION_PATHS) == table
    described = {
        (method.upper(), path): operation
        for path, item in kreis.app.openapi()["paths"].items()
        for method, operation in item.items()
    }
    shown = {(method, path.replace(":path", "")): found for (method, path), found in table.items()}

    assert described.keys() == {one for one in shown if one[1].startswith("/v1")}
    for way, operation in described.items():
        roles = {role.value: over.german for role, over in shown[way].over.items()}
        assert operation["x-access"] == (roles or "public"), way
        assert ("security" in operation) is bool(roles), way
        assert shown[way].told() in operation["description"]


@on_sqlite
async def test_no_service_starts_with_a_route_that_states_nothing(
    kreis: Kreis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A guarded route without a statement cannot be made; a plain one keeps the app from being made."""
    guarded, plain = APIRouter(route_class=Guarded), APIRouter()

    async def anything() -> None:
        """Do nothing."""

    with pytest.raises(Undeclared):
        guarded.get("/v1/anything")(anything)
    plain.get("/v1/anything")(access(instance=Over.SIDES)(anything))
    monkeypatch.setattr(app, "ROUTERS", (*app.ROUTERS, plain))
    with pytest.raises(Undeclared, match="/v1/anything"):
        create_app(kreis.gateway, kreis.transport)


def test_every_command_states_its_login() -> None:
    """Each command states under which login it works: the one under which the tests run it on PostgreSQL."""
    stated = {words: operated_of(command).login for words, command in access_page.commands()}
    needed = {
        words: process_of(*words.split(), *(["--no-roles"] if words == "serve" else [])) or OWNER
        for words, login in stated.items()
        if login is not None
    }

    assert len(stated) > 30
    assert {words: login for words, login in stated.items() if login is not None} == needed


def test_docs_access_is_written_anew() -> None:
    """docs/access.md is what routes and commands state (`make access-docs`)."""
    assert (ROOT / "docs" / "access.md").read_text(encoding="utf-8") == access_page.text()
