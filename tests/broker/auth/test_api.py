"""The form of the token request, the public keys, and the directory as a client sees it."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from joserfc.jwk import OKPKey

from broker.auth import jose, tokens
from broker.auth.api import LARGEST_FORM
from broker.auth.caller import Caller, Role
from broker.directory.document import DirectoryDocument
from broker.directory.service import load
from broker.gateway import Gateway
from tests.world import kreis_directory

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def bearer(gateway: Gateway) -> dict[str, str]:
    """Return the header of some authenticated caller."""
    return {"Authorization": f"Bearer {tokens.issue(gateway, Caller('c', Role.OPERATOR))}"}


@pytest.mark.parametrize(
    ("content", "status", "error"),
    [
        (b"", 422, "invalid_request"),
        (b"grant_type", 422, "invalid_request"),
        (b"grant_type=password", 422, "unsupported_grant_type"),
        (b"grant_type=client_credentials", 422, "invalid_request"),
        (b"grant_type=client_credentials&grant_type=client_credentials", 422, "invalid_request"),
        (b"&".join(b"a%d=b" % n for n in range(11)), 422, "invalid_request"),
        (b"grant_type=\xff", 422, "invalid_request"),
        (b"grant_type=%ff", 422, "invalid_request"),
        (b"a=" + b"b" * LARGEST_FORM, 413, "invalid_request"),
    ],
)
async def test_a_bad_form_is_told(client: httpx.AsyncClient, content: bytes, status: int, error: str) -> None:
    """A form that is none, has a field twice or too many, or is too large, is a problem with an OAuth error code."""
    answer = await client.post("/v1/token", content=content, headers=FORM)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_token_is_not_fetched_by_json(client: httpx.AsyncClient) -> None:
    """Another content type is refused."""
    assert (await client.post("/v1/token", json={})).status_code == 415


async def test_the_published_keys_verify_and_are_public(client: httpx.AsyncClient, gateway: Gateway) -> None:
    """Keys of tokens and of statements are there with id and algorithm, without a private part, and verify."""
    answer = await client.get("/v1/keys")
    published = {key["kid"]: key for key in answer.json()["keys"]}
    assert set(published) == {"tokens-1", "signing-1"}
    assert all(set(key) == {"kty", "crv", "x", "kid", "use", "alg"} for key in published.values())
    jose.verify(tokens.issue(gateway, Caller("c", Role.OPERATOR)), OKPKey.import_key(published["tokens-1"]))
    assert "max-age" in answer.headers["cache-control"]


async def test_agencies_come_in_pages(client: httpx.AsyncClient, gateway: Gateway) -> None:
    """Following the cursor gives every agency once, by id."""
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = await client.get("/v1/agencies", params={"limit": 10, "cursor": cursor}, headers=bearer(gateway))
        found += [item["id"] for item in answer.json()["items"]]
        cursor = answer.json()["next_cursor"]
    assert len(found) == 25
    assert found == sorted(set(found))


async def test_a_full_last_page_is_the_last(client: httpx.AsyncClient, gateway: Gateway) -> None:
    """Where the list ends with the page there is no cursor."""
    answer = await client.get("/v1/agencies", params={"limit": 25}, headers=bearer(gateway))
    assert (len(answer.json()["items"]), answer.json()["next_cursor"]) == (25, None)


async def test_agencies_are_found_by_kind(client: httpx.AsyncClient, gateway: Gateway) -> None:
    """A kind is a filter; one that does not exist is told with those that do."""
    answer = await client.get("/v1/agencies", params={"kind": "jobcenter"}, headers=bearer(gateway))
    assert [item["id"] for item in answer.json()["items"]] == ["jobcenter-kreis-re"]
    answer = await client.get("/v1/agencies", params={"kind": "finanzamt"}, headers=bearer(gateway))
    assert answer.status_code == 422
    assert "jugendamt" in answer.json()["errors"][0]["allowed"]


async def test_an_agency_shows_what_a_sender_needs_and_no_path(
    client: httpx.AsyncClient, gateway: Gateway, tmp_path: Path
) -> None:
    """Instances, branches and the name of the channel are shown; no setting of the channel is."""
    marl = await client.get("/v1/agencies/sozialamt-marl", headers=bearer(gateway))
    assert marl.json()["channel"] == "folder"
    assert [row["unit"] for row in marl.json()["instances"]] == [
        "SOZIALAMT_ASYLBLG",
        "SOZIALAMT_SGBXII",
        "WOHNGELDSTELLE",
    ]
    assert str(tmp_path) not in marl.text
    assert "folders" not in marl.text
    jobcenter = await client.get("/v1/agencies/jobcenter-kreis-re", headers=bearer(gateway))
    assert {"id": "marl", "name": "Marl"} in jobcenter.json()["branches"]


async def test_a_removed_agency_is_shown_but_not_listed(
    client: httpx.AsyncClient, gateway: Gateway, tmp_path: Path
) -> None:
    """What the evidence refers to can still be looked up, marked as inactive."""
    rest = [entry for entry in kreis_directory(tmp_path).agencies if entry.id != "sozialamt-marl"]
    await load(gateway, DirectoryDocument(tuple(rest)))
    shown = await client.get("/v1/agencies/sozialamt-marl", headers=bearer(gateway))
    assert shown.json()["active"] is False
    listed = await client.get("/v1/agencies", params={"limit": 200}, headers=bearer(gateway))
    assert "sozialamt-marl" not in [item["id"] for item in listed.json()["items"]]


@pytest.mark.parametrize("path", ["/v1/agencies", "/v1/agencies/sozialamt-marl"])
async def test_the_directory_needs_a_token(client: httpx.AsyncClient, path: str) -> None:
    """Nobody reads the directory without being authenticated."""
    assert (await client.get(path)).status_code == 401


@pytest.mark.parametrize(("path", "status"), [("gibt-es-nicht", 404), ("%00", 422), ("a" * 200, 422)])
async def test_an_unknown_agency_is_not_found(
    client: httpx.AsyncClient, gateway: Gateway, path: str, status: int
) -> None:
    """An id that is none, or is not in the directory, is a problem of the request."""
    assert (await client.get(f"/v1/agencies/{path}", headers=bearer(gateway))).status_code == status
