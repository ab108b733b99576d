"""What the service as a whole must hold, whichever route is called."""

from __future__ import annotations

import asyncio
import os
import signal
from hashlib import sha256

import httpx
import pytest
from starlette.middleware.base import BaseHTTPMiddleware

from schemas.compose import BlockSpec
from schemas.identifiers import DataCategory
from tests.flow.world import BEZUG, JOBCENTER, SOZIALAMT, STAMMDATEN, Kreis
from tests.triggers import doom, mend


@pytest.mark.parametrize("table", ["submissions", "decisions", "outbox", "audit_entries"])
async def test_failed_commit_is_never_answered_202(kreis: Kreis, table: str) -> None:
    """Where the commit fails the sender hears so, nothing is left, and the same message is taken when it can be."""
    jobcenter = await kreis.office(JOBCENTER)
    await jobcenter.headers()
    message = jobcenter.message(SOZIALAMT)
    await doom(kreis.gateway, table)
    answers = await asyncio.gather(*(jobcenter.post_xml("/v1/transfers", message) for _ in range(3)))
    left = [await kreis.scalar(f"SELECT count(*) FROM {name}") for name in ("submissions", "transfers", "outbox")]  # noqa: S608 - fixed names
    await mend(kreis.gateway, table)
    again = await jobcenter.post_xml("/v1/transfers", message)

    assert {answer.status_code for answer in answers} == {500}
    assert left == [0, 0, 0]
    assert again.status_code == httpx.codes.ACCEPTED
    assert "idempotent-replayed" not in again.headers


async def test_failed_commit_of_a_withdrawal_or_a_quittung_is_told(kreis: Kreis) -> None:
    """An office that was not told 200 sends its quittung again; only then the content's key is gone."""
    sozialamt = await kreis.office(SOZIALAMT)
    await (await kreis.office(JOBCENTER)).accepted(SOZIALAMT)
    await kreis.pump()
    [item] = await sozialamt.inbox()
    await doom(kreis.gateway, "quittungen")
    failed = await sozialamt.answer(item)
    keys = await kreis.scalar("SELECT count(*) FROM transfer_keys")
    await mend(kreis.gateway, "quittungen")
    done = await sozialamt.answer(item)

    assert (failed.status_code, keys, done.status_code) == (500, 1, 200)
    assert await kreis.scalar("SELECT count(*) FROM transfer_keys") == 0


async def test_no_middleware_takes_requests_apart(kreis: Kreis) -> None:
    """No BaseHTTPMiddleware: it would run the handlers of a request in another task and answer before a commit."""
    assert not [one for one in kreis.app.user_middleware if issubclass(one.cls, BaseHTTPMiddleware)]


async def test_large_message_does_not_block_the_loop(kreis: Kreis) -> None:
    """While the process that validates a message of 900 kB stands still, other requests are answered."""
    jobcenter = await kreis.office(JOBCENTER)
    height = [BlockSpec(DataCategory.LEISTUNGSHOEHE)] * 450
    messages = [
        jobcenter.message(SOZIALAMT, [STAMMDATEN, BEZUG, *height]).replace(b"\n", b"\n" + b" " * 115) for _ in range(2)
    ]
    first = await jobcenter.post_xml("/v1/transfers", messages[0])
    os.kill(kreis.app.state.large.pid, signal.SIGSTOP)
    submission = asyncio.create_task(jobcenter.post_xml("/v1/transfers", messages[1]))
    await asyncio.sleep(0.2)
    live = await jobcenter.http.get("/livez")
    still_held = not submission.done()
    os.kill(kreis.app.state.large.pid, signal.SIGCONT)
    answers = [first, await submission]

    assert 900_000 < len(messages[0]) < 1_048_576
    assert (live.status_code, still_held) == (200, True)
    assert [answer.status_code for answer in answers] == [httpx.codes.ACCEPTED] * 2, answers[1].text


async def test_law_in_force_is_kept_under_its_fingerprint(kreis: Kreis) -> None:
    """The bytes of the catalogue lie in the database, give its fingerprint, and every decision names them."""
    await (await kreis.office(JOBCENTER)).accepted(SOZIALAMT)
    fingerprint = await kreis.scalar("SELECT DISTINCT catalogue FROM decisions")
    content = await kreis.scalar("SELECT content FROM catalogues WHERE fingerprint = :f", f=fingerprint)

    assert fingerprint == kreis.gateway.law.shipped.fingerprint
    assert sha256(content).hexdigest() == fingerprint


async def test_every_route_is_described(kreis: Kreis) -> None:
    """OpenAPI says of every operation what it is for, in words and not by its function; each has a name of its own."""
    operations = [
        (method, path, operation)
        for path, item in kreis.app.openapi()["paths"].items()
        for method, operation in item.items()
    ]

    assert len(operations) > 20
    for method, path, operation in operations:
        generated = operation["summary"].lower().replace(" ", "_")
        assert not operation["operationId"].startswith(generated), (method, path)
        assert len(operation["description"]) > 20, (method, path)
    ids = [operation["operationId"] for _, _, operation in operations]
    assert len(set(ids)) == len(ids)


async def test_description_itself_is_served(kreis: Kreis) -> None:
    """Makers of software read the description without a token."""
    async with kreis.http() as http:
        answers = [await http.get(path) for path in ("/openapi.json", "/docs")]

    assert [answer.status_code for answer in answers] == [200, 200]
