"""Every error is a problem of the table (RFC 9457), teaches, and quotes nothing that was sent."""

from __future__ import annotations

import ast
import asyncio
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import event, text

from broker import problems
from broker.app import create_app
from broker.auth.caller import Caller, Role
from broker.config import Settings
from broker.db import Database
from broker.gateway import Gateway
from broker.in_force import LawInForce
from broker.keys import load_keys
from broker.problems import MEDIA_TYPE, PROBLEMS, TYPE_BASE, problem_body
from broker.transport.embedded import EmbeddedTransport
from consent.catalogue import load_catalogue
from schemas.limits import DEFAULT_LIMITS
from tests.deployment import DATABASE
from tests.flow.world import JOBCENTER, SOZIALAMT, Kreis
from tests.servers.databases import closed
from tests.world import PUBLIC_URL, MovableClock

SOURCES = sorted(Path(problems.__file__).parent.rglob("*.py"))
MARKER = "Zzyzxmarker"


@pytest.mark.parametrize("slug", PROBLEMS)
def test_every_problem_teaches(slug: str) -> None:
    """Each row has a status of an error, a German title, and a sentence that says what to do."""
    row = PROBLEMS[slug]

    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", slug)
    assert 400 <= row.status < 600
    assert row.title
    assert not row.title.endswith(".")
    assert len(row.remedy) > 20
    assert row.remedy.endswith(".")
    assert problem_body(slug, "x")["type"] == TYPE_BASE + slug


def raised() -> Iterator[str]:
    """Yield the slugs that the code raises or answers with."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
                first = node.args[0]
                if node.func.id in {"ProblemError", "problem_body", "problem_response"} and isinstance(
                    first, ast.Constant
                ):
                    yield str(first.value)


def test_table_and_code_know_the_same_problems() -> None:
    """What is raised stands in the table, and what stands there can happen."""
    used = {*raised(), *problems._BY_STATUS.values(), "invalid-request"}

    assert used == set(PROBLEMS)


async def test_what_the_framework_refuses_is_a_problem_too(kreis: Kreis) -> None:
    """Unknown paths, wrong methods, bodies that are none, wrong types and sizes come as our problems."""
    jobcenter = await kreis.office(JOBCENTER)
    headers = await jobcenter.headers()
    json, xml = {"content-type": "application/json"}, {"content-type": "application/xml"}
    large = b"x" * (DEFAULT_LIMITS.bytes + 1)
    asked: list[tuple[str, str, dict[str, Any], int, str]] = [
        ("GET", f"/v1/{MARKER}", {}, 404, "not-found"),
        ("GET", f"/{MARKER}?name={MARKER}", {}, 404, "not-found"),
        ("DELETE", "/v1/transfers", {}, 405, "method-not-allowed"),
        ("POST", "/v1/consents", {"content": f"{{{MARKER}".encode(), "headers": json}, 422, "invalid-request"),
        ("POST", "/v1/consents", {"content": b"\xff", "headers": json}, 422, "invalid-request"),
        ("POST", "/v1/consents", {"content": MARKER.encode(), "headers": xml}, 422, "invalid-request"),
        ("POST", "/v1/consents", {"json": [MARKER]}, 422, "invalid-request"),
        ("GET", f"/v1/inbox?limit={MARKER}", {}, 422, "invalid-request"),
        ("POST", "/v1/transfers", {"json": {"a": MARKER}}, 415, "unsupported-media-type"),
        ("POST", "/v1/token", {"json": {"a": MARKER}}, 415, "unsupported-media-type"),
        ("POST", "/v1/transfers", {"content": large, "headers": xml}, 413, "payload-too-large"),
        ("POST", "/v1/transfers", {"content": in_parts(large), "headers": xml}, 413, "payload-too-large"),
        ("GET", "/v1/inbox", {"headers": {"authorization": f"Bearer {MARKER}"}}, 401, "not-authenticated"),
        ("GET", "/v1/inbox", {"headers": {"authorization": f"Basic {MARKER}"}}, 401, "not-authenticated"),
    ]
    for method, path, more, status, slug in asked:
        given_headers = headers | more.pop("headers", {})
        answer = await jobcenter.http.request(method, path, headers=given_headers, **more)

        assert (answer.status_code, answer.headers["content-type"]) == (status, MEDIA_TYPE), (method, path)
        body = answer.json()
        assert (body["type"], body["status"], body["title"]) == (TYPE_BASE + slug, status, PROBLEMS[slug].title)
        assert body["detail"]
        assert body["remedy"] == PROBLEMS[slug].remedy
        assert MARKER not in answer.text


async def in_parts(content: bytes) -> Any:
    """Send a body without saying how long it is."""
    for begin in range(0, len(content), 65_536):
        yield content[begin : begin + 65_536]


async def test_405_names_what_is_allowed(kreis: Kreis) -> None:
    """A wrong method is answered with the right ones (RFC 9110, 15.5.6)."""
    async with kreis.http() as http:
        answer = await http.delete("/v1/limits")

    assert answer.headers["allow"] == "GET"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    """Give the real app, called by an instance; nothing that is refused by shape reaches its database."""
    given_settings = Settings(data_dir=tmp_path_factory.mktemp("problems"), public_url=PUBLIC_URL)
    db = Database(given_settings.database)
    gateway = Gateway(
        given_settings, MovableClock(), db, load_keys(given_settings.keys_dir), LawInForce(load_catalogue())
    )
    made = create_app(gateway, EmbeddedTransport(db, gateway.topic_filled))

    async def authenticate(_: Request) -> Caller:
        return Caller("c", Role.INSTANCE, JOBCENTER)

    made.state.authenticate = authenticate
    return made


def asked(app: FastAPI, method: str, path: str, **more: Any) -> httpx.Response:
    """Send one request."""

    async def send() -> httpx.Response:
        over = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=over, base_url=PUBLIC_URL) as http:
            return await http.request(method, path, **more)

    return asyncio.run(send())


marked = st.text(max_size=5).map(lambda text: MARKER + text)
junk = st.recursive(
    marked | st.lists(marked, min_size=1, max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(marked | st.sampled_from(["person", "name"]), inner),
    max_leaves=6,
)
FIELDS = {
    "/v1/consents": (
        "person", "erklaert_von", "erteilt_am", "gueltig_bis", "kategorien", "form", "hinweise", "freiwillig",
        "kennung", "nachweis", "entbindung", "dokumentiert",
    ),
    "/v1/objections": ("art", "person", "datum", "erklaert_von", "kennung", "kategorien"),
    "/v1/ersuchen": ("an", "kategorien", "person", "ersterhebung", "frist", "kennung"),
    "/v1/notices/x/acknowledgement": ("massnahme",),
}  # fmt: skip


@given(data=st.data(), path=st.sampled_from(sorted(FIELDS)))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_bodies_are_never_quoted(app: FastAPI, data: st.DataObject, path: str) -> None:
    """Whatever stands in whichever field, under known and unknown names, no answer repeats a word of it."""
    body = data.draw(st.dictionaries(st.sampled_from(FIELDS[path]) | marked, junk, max_size=4))
    answer = asked(app, "POST", path, json=body | {f"{MARKER} {MARKER}": 1, "person": [MARKER], "massnahme": MARKER})

    assert (answer.status_code, answer.headers["content-type"]) == (422, MEDIA_TYPE), answer.text
    assert answer.json()["errors"]
    assert MARKER not in answer.text


def test_own_names_of_fields_are_shown(app: FastAPI) -> None:
    """A mistyped field, and the place in a list, are told by name; what is no name of a field is a question mark."""
    answer = asked(app, "POST", "/v1/consents", json={"hinwiese": 1, "hinweise": ["zweck", 7], "Frau Zz": 1})
    fields = {error["field"] for error in answer.json()["errors"]}

    assert {"body.hinwiese", "body.hinweise.1", "body.?"} <= fields


QUERIES = ("/v1/inbox", "/v1/notices", "/v1/transfers", "/v1/agencies", "/v1/consents", "/v1/objections")


@given(value=marked, path=st.sampled_from(QUERIES))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_queries_are_never_quoted(app: FastAPI, value: str, path: str) -> None:
    """No query parameter comes back in an answer."""
    answer = asked(app, "GET", path, params={"limit": value, "wait": value, "cursor": value})

    assert (answer.status_code, answer.headers["content-type"]) == (422, MEDIA_TYPE), answer.text
    assert MARKER not in answer.text


async def impatient(kreis: Kreis) -> None:
    """Let connections give up soon, so that the test need not wait as long as the service does."""
    patience = "PRAGMA busy_timeout = 50" if kreis.gateway.db.is_sqlite else "SET lock_timeout = 50"

    def short(connection: Any, _: object) -> None:
        cursor = connection.cursor()
        cursor.execute(patience)
        cursor.close()
        connection.commit()  # else PostgreSQL takes the setting back with the transaction

    await kreis.gateway.db.engine.dispose()
    event.listen(kreis.gateway.db.engine.sync_engine, "connect", short)


async def test_locked_database_says_when_to_come_again(kreis: Kreis) -> None:
    """While another process holds the database, a submission gets 503 with Retry-After; afterwards it is taken."""
    jobcenter = await kreis.office(JOBCENTER)
    await jobcenter.headers()
    await impatient(kreis)
    message = jobcenter.message(SOZIALAMT)
    other = Database(kreis.gateway.settings.database)
    async with other.writing() as holding:
        if not other.is_sqlite:
            await holding.execute(text("LOCK TABLE subject_state"))
        refused = await jobcenter.post_xml("/v1/transfers", message)
    await other.close()
    taken = await jobcenter.post_xml("/v1/transfers", message)

    assert (refused.status_code, refused.json()["type"]) == (503, TYPE_BASE + "temporarily-unavailable")
    assert int(refused.headers["retry-after"]) > 0
    assert taken.status_code == httpx.codes.ACCEPTED


@contextmanager
def absent(gateway: Gateway) -> Iterator[None]:
    """Let nobody open the database."""
    if not gateway.db.is_sqlite:
        with closed(gateway.settings.database):
            yield
        return
    file = gateway.settings.data_dir / DATABASE
    file.rename(file.with_name("aside"))
    file.mkdir()
    yield
    file.rmdir()
    file.with_name("aside").rename(file)


async def test_absent_database_says_when_to_come_again(kreis: Kreis) -> None:
    """Where the database cannot be opened, answers are 503 with Retry-After, and /readyz says so; /livez lives."""
    kreis.clock.goes = True  # as the database's does
    jobcenter = await kreis.office(JOBCENTER)
    headers = await jobcenter.headers()
    await kreis.gateway.db.engine.dispose()
    with absent(kreis.gateway):
        answers = [await jobcenter.http.get(path, headers=headers) for path in ("/v1/inbox", "/v1/transfers")]
        ready, live = await jobcenter.http.get("/readyz"), await jobcenter.http.get("/livez")

    assert {answer.status_code for answer in answers} == {503}
    assert all(int(answer.headers["retry-after"]) > 0 for answer in answers)
    assert (ready.status_code, live.status_code) == (503, 200)
    assert (await jobcenter.http.get("/readyz")).status_code == httpx.codes.OK


@pytest.mark.parametrize("slug", PROBLEMS)
async def test_each_type_is_explained_under_its_own_address(kreis: Kreis, slug: str) -> None:
    """The `type` of a problem leads to its title and to what to do."""
    async with kreis.http() as http:
        shown = (await http.get(f"/problems/{slug}")).json()

    assert (shown["title"], shown["remedy"]) == (PROBLEMS[slug].title, PROBLEMS[slug].remedy)


class Asked(BaseModel):
    """What a request might ask for."""

    model_config = ConfigDict(extra="forbid")
    day: date
    number: int = Field(ge=1)
    names: list[str]
    state: Literal["a", "b"]


async def test_a_field_that_is_wrong_is_told_what_is_wanted() -> None:
    """Each text is a German sentence that names what the field wants, and quotes nothing that was sent."""
    with pytest.raises(ValidationError) as caught:
        Asked.model_validate({"number": 0, "day": MARKER, "names": MARKER, "state": MARKER, "more": MARKER})
    answer = await problems.on_validation(Request({"type": "http"}), RequestValidationError(caught.value.errors()))

    body = bytes(answer.body).decode()
    assert {error["field"]: error["text"] for error in json.loads(body)["errors"]} == {
        "day": "Verlangt ist ein Tag des Kalenders, z. B. 2026-12-01.",
        "number": "Verlangt ist mindestens 1.",
        "names": "Verlangt ist eine Liste.",
        "state": "Erlaubt ist: 'a' oder 'b'.",
        "more": "Ein solches Feld gibt es hier nicht.",
    }
    assert MARKER not in body
