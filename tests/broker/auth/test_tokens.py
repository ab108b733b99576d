"""Access tokens: what they say, how long they hold, and what never passes for one."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc.jwk import OKPKey
from sqlalchemy import update

from broker.auth import jose, tokens
from broker.auth.caller import Caller, Role
from broker.auth.clients import NewClient, revoke_client
from broker.auth.jose import BadToken
from broker.auth.models import Client
from broker.auth.tokens import issue, verify_token
from broker.gateway import Gateway
from tests.broker.auth.conftest import INSTANCE
from tests.world import START, MovableClock

ISSUER = "https://gateway.example"
NOW = int(START.timestamp())


def forged(gateway: Gateway, header: dict[str, Any] | None = None, key: OKPKey | None = None, **changes: Any) -> str:
    """Return a token with changed header, key or claims; None takes a claim away."""
    good = {"iss": ISSUER, "aud": ISSUER, "sub": "c", "role": "instance", "instance": INSTANCE, "exp": NOW + 300}
    claims = {name: value for name, value in (good | changes).items() if value is not None}
    signing = key or gateway.keys.tokens[0]
    return jose.sign({"typ": "at+jwt", "kid": "tokens-1", **(header or {})}, claims, signing)


async def test_a_token_says_who_calls(gateway: Gateway, new: NewClient) -> None:
    """The claims are those of RFC 9068, and come back as the caller."""
    token = issue(gateway, new.caller)
    header, claims = jose.peek(token)
    assert header == {"alg": "Ed25519", "typ": "at+jwt", "kid": "tokens-1"}
    assert set(claims) == {"iss", "aud", "sub", "client_id", "role", "instance", "jti", "iat", "exp"}
    assert claims["exp"] - claims["iat"] == gateway.settings.token_seconds
    assert await verify_token(gateway, token) == new.caller


@pytest.mark.parametrize("caller", [Caller("o", Role.OFFICER, agency="jugendamt-marl"), Caller("b", Role.OPERATOR)])
async def test_other_roles_come_back_too(gateway: Gateway, caller: Caller) -> None:
    """An officer keeps the agency, an operator has none."""
    assert await verify_token(gateway, issue(gateway, caller)) == caller


async def test_the_forgery_helper_makes_good_tokens(gateway: Gateway) -> None:
    """Unchanged, the helper's token holds: the refusals below are for what was changed."""
    assert (await verify_token(gateway, forged(gateway))).instance == INSTANCE


CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "other issuer": ({"iss": "https://other.example"}, "issuer"),
    "other audience": ({"aud": "https://other.example"}, "audience"),
    "audience as a list": ({"aud": [ISSUER]}, "audience"),
    "over": ({"exp": NOW}, "expired"),
    "no end": ({"exp": None}, "expired"),
    "no role": ({"role": None}, "claims"),
    "unknown role": ({"role": "root"}, "claims"),
    "role of another type": ({"role": ["officer"]}, "claims"),
    "no subject": ({"sub": None}, "claims"),
    "plain JWT": ({"header": {"typ": "JWT"}}, "type"),
    "unknown key": ({"header": {"kid": "tokens-2"}}, "key"),
    "the statements' key": ({"header": {"kid": "signing-1"}}, "key"),
}


@pytest.mark.parametrize(("changes", "reason"), CHANGES.values(), ids=CHANGES.keys())
async def test_a_token_that_is_not_ours_is_refused(gateway: Gateway, changes: dict[str, Any], reason: str) -> None:
    """Each deviation from what this gateway issues is refused."""
    with pytest.raises(BadToken) as caught:
        await verify_token(gateway, forged(gateway, **changes))
    assert caught.value.reason == reason


async def test_a_foreign_key_signs_nothing_here(gateway: Gateway, new: NewClient) -> None:
    """Neither a stranger's key nor a client's own signs a token, under our key id."""
    assert new.private_jwk is not None
    for key in (OKPKey.generate_key("Ed25519", private=True), OKPKey.import_key(new.private_jwk)):
        with pytest.raises(BadToken, match="signature"):
            await verify_token(gateway, forged(gateway, key=key))


@pytest.mark.parametrize("algorithm", ["none", "HS256", "ES256", "RS256", "Ed448"])
async def test_another_algorithm_is_refused(gateway: Gateway, algorithm: str) -> None:
    """The header cannot choose an algorithm, whatever the signature is."""
    good = issue(gateway, Caller("c", Role.OPERATOR)).split(".")
    raw = f'{{"alg":"{algorithm}","typ":"at+jwt","kid":"tokens-1"}}'.encode()
    head = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    for signature in ("", good[2]):
        with pytest.raises(BadToken):
            await verify_token(gateway, f"{head}.{good[1]}.{signature}")


async def test_a_token_ends_on_time(gateway: Gateway, clock: MovableClock) -> None:
    """A token holds until its last second and not after, also when it was verified before."""
    token = issue(gateway, Caller("c", Role.OPERATOR))
    clock.move(seconds=gateway.settings.token_seconds - 1)
    await verify_token(gateway, token)
    clock.move(seconds=1)
    with pytest.raises(BadToken, match="expired"):
        await verify_token(gateway, token)


async def test_revocation_here_works_at_once(gateway: Gateway, new: NewClient) -> None:
    """A token that was verified a moment ago does not hold once its client is revoked."""
    token = issue(gateway, new.caller)
    await verify_token(gateway, token)
    await revoke_client(gateway, new.client_id)
    with pytest.raises(BadToken, match="revoked"):
        await verify_token(gateway, token)


async def test_revocation_elsewhere_works_within_seconds(gateway: Gateway, new: NewClient, clock: MovableClock) -> None:
    """What another process wrote is seen after `FRESH`; a token of another client goes on."""
    token, other = issue(gateway, new.caller), issue(gateway, Caller("c", Role.OPERATOR))
    await verify_token(gateway, token)
    async with gateway.db.writing() as connection:
        await connection.execute(update(Client).values(status="revoked", revoked_at=clock.now))
    clock.move(seconds=tokens.FRESH.total_seconds())
    with pytest.raises(BadToken, match="revoked"):
        await verify_token(gateway, token)
    assert await verify_token(gateway, other)


async def test_a_revocation_during_a_read_is_not_lost(gateway: Gateway, new: NewClient) -> None:
    """Whoever asks after a revocation sees it, also if a read had begun before."""
    token = issue(gateway, new.caller)
    reading = [asyncio.create_task(verify_token(gateway, token)) for _ in range(5)]
    await asyncio.sleep(0)
    await revoke_client(gateway, new.client_id)
    await asyncio.gather(*reading, return_exceptions=True)
    with pytest.raises(BadToken, match="revoked"):
        await verify_token(gateway, token)


async def test_the_memory_of_tokens_is_bounded(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many tokens come, no more than the bound are remembered, and each still holds."""
    monkeypatch.setattr(tokens, "REMEMBERED", 5)
    many = [issue(gateway, Caller(f"c{n}", Role.OPERATOR)) for n in range(12)]
    for token in many:
        await verify_token(gateway, token)
    assert len(tokens._memory(gateway).verified) == 5
    assert (await verify_token(gateway, many[0])).client_id == "c0"


async def test_an_older_key_verifies_and_the_newest_signs(gateway: Gateway) -> None:
    """Keys are rotated by adding: tokens of the key before hold until they end."""
    old = issue(gateway, Caller("c", Role.OPERATOR))
    added = OKPKey.generate_key("Ed25519", {"kid": "tokens-2"}, private=True)
    rotated = replace(gateway, keys=replace(gateway.keys, tokens=(added, *gateway.keys.tokens)))
    assert jose.peek(issue(rotated, Caller("c", Role.OPERATOR)))[0]["kid"] == "tokens-2"
    assert await verify_token(rotated, old)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
@given(position=st.integers(0), character=st.characters(codec="ascii"))
async def test_a_token_with_one_changed_character_is_refused(gateway: Gateway, position: int, character: str) -> None:
    """No single character can be exchanged, even after the whole token was verified."""
    token = forged(gateway)
    await verify_token(gateway, token)
    place = position % len(token)
    changed = token[:place] + character + token[place + 1 :]
    if changed != token:
        with pytest.raises(BadToken):
            await verify_token(gateway, changed)
