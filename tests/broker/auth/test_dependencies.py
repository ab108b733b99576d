"""What a route asks for: a token, and a role."""

from __future__ import annotations

import httpx
import pytest

from broker.auth.caller import Caller, Role
from broker.auth.tokens import issue
from broker.gateway import Gateway
from tests.broker.auth.conftest import INSTANCE


@pytest.mark.parametrize("header", [None, "", "Bearer", "Basic YTpi", "Token abc"])
async def test_no_token_is_told_apart_from_a_bad_one(client: httpx.AsyncClient, header: str | None) -> None:
    """Without a bearer token the challenge holds no error code (RFC 6750, section 3.1)."""
    answer = await client.get("/who", headers={} if header is None else {"Authorization": header})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="amtsbruecke"'
    assert answer.json()["type"] == "/problems/not-authenticated"


@pytest.mark.parametrize("token", ["x", "a.b.c", "é", "x" * 20_000])
async def test_a_bad_token_is_told(client: httpx.AsyncClient, token: str) -> None:
    """With a token that does not hold the challenge says ``invalid_token``."""
    answer = await client.get("/who", headers={"Authorization": f"Bearer {token}".encode("latin-1")})
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


async def test_a_role_opens_its_routes_alone(client: httpx.AsyncClient, gateway: Gateway) -> None:
    """Officers pass; an instance is told which roles do."""
    officer = issue(gateway, Caller("o", Role.OFFICER, agency="jugendamt-marl"))
    answer = await client.get("/officers", headers={"Authorization": f"bearer {officer}"})
    assert answer.json() == "officer:jugendamt-marl"
    instance = issue(gateway, Caller("i", Role.INSTANCE, INSTANCE))
    answer = await client.get("/officers", headers={"Authorization": f"Bearer {instance}"})
    assert (answer.status_code, answer.json()["allowed"]) == (403, ["officer", "operator"])
