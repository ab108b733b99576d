"""The token endpoint from outside: what is given, and every attack that is not."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc.jwk import ECKey, Key, OKPKey

from broker.auth import jose
from broker.auth.caller import Role
from broker.auth.client_assertion import client_assertion, token_form
from broker.auth.clients import NewClient, add_client, revoke_client
from broker.gateway import Gateway
from tests.broker.auth.conftest import INSTANCE
from tests.world import START, MovableClock, evidence

AUDIENCE = "https://gateway.example"
NOW = int(START.timestamp())


def b64(value: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def part(value: Any) -> str:
    """Return a part of a JWT."""
    return b64(json.dumps(value).encode())


def claims(new: NewClient, **changes: Any) -> dict[str, Any]:
    """Return the claims of a good assertion, changed; None takes a claim away."""
    good = {"iss": new.client_id, "sub": new.client_id, "aud": AUDIENCE, "jti": "j", "iat": NOW, "exp": NOW + 300}
    return {name: value for name, value in (good | changes).items() if value is not None}


def key_of(new: NewClient) -> Key:
    """Return the client's private key."""
    assert new.private_jwk is not None
    return OKPKey.import_key(new.private_jwk)


def signed(new: NewClient, header: dict[str, Any] | None = None, **changes: Any) -> str:
    """Return an assertion of the client with changed claims."""
    return jose.sign({"kid": new.kid, **(header or {})}, claims(new, **changes), key_of(new))


async def post(client: httpx.AsyncClient, assertion: str, **fields: str) -> httpx.Response:
    """Ask for a token."""
    return await client.post("/v1/token", data={**token_form(assertion), **fields})


def refused(answer: httpx.Response) -> None:
    """Check that an answer says that the client is not authenticated, and nothing else."""
    assert answer.status_code == 401, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert (body["type"], body["error"]) == ("/problems/not-authenticated", "invalid_client")
    assert body["detail"].startswith("Der Zugang ist nicht nachgewiesen: Kennung, Schlüssel, aud, Zeiten und jti")


async def reasons(gateway: Gateway) -> list[str]:
    """Return the reasons that the evidence has for refused tokens."""
    return [entry.data["reason"] for entry, _ in await evidence(gateway, "token.refused")]


@pytest.mark.parametrize("audience", [AUDIENCE, AUDIENCE + "/v1/token"])
async def test_a_good_assertion_gets_a_token_that_works(
    client: httpx.AsyncClient, new: NewClient, audience: str
) -> None:
    """The answer is that of RFC 6749, and the token says which instance calls."""
    assert new.private_jwk is not None
    answer = await post(client, client_assertion(new.client_id, new.private_jwk, audience, START))
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert (body["token_type"], body["expires_in"], body["scope"]) == ("Bearer", 300, "instance")
    who = await client.get("/who", headers={"Authorization": f"Bearer {body['access_token']}"})
    assert who.json() == {"client_id": new.client_id, "actor": INSTANCE, "instance": INSTANCE, "agency": None}


async def test_a_client_with_an_own_p256_key_gets_a_token(client: httpx.AsyncClient, gateway: Gateway) -> None:
    """ES256 works like Ed25519; only the public key was ever here."""
    key = ECKey.generate_key("P-256", private=True)
    new = await add_client(gateway, Role.OFFICER, agency="jugendamt-marl", public_jwk=dict(key.as_dict(private=False)))
    assert new.private_jwk is None
    private = {**key.as_dict(private=True), "kid": new.kid}
    answer = await post(client, client_assertion(new.client_id, private, AUDIENCE, START), client_id=new.client_id)
    assert answer.json()["scope"] == "officer"


async def test_the_older_name_of_the_algorithm_is_taken(client: httpx.AsyncClient, new: NewClient) -> None:
    """``EdDSA`` in the header is what many libraries write for Ed25519."""
    head, body = part({"alg": "EdDSA", "kid": new.kid}), part(claims(new))
    signature = key_of(new).get_op_key("sign").sign(f"{head}.{body}".encode())  # type: ignore[union-attr, call-arg, arg-type]
    assert (await post(client, f"{head}.{body}.{b64(signature)}")).status_code == 200


async def test_an_assertion_serves_once(client: httpx.AsyncClient, gateway: Gateway, new: NewClient) -> None:
    """The second use of a jti is refused, with another signature too, and stands in the evidence."""
    assert (await post(client, signed(new))).status_code == 200
    refused(await post(client, signed(new)))
    refused(await post(client, signed(new, exp=NOW + 301)))
    assert await reasons(gateway) == ["replayed", "replayed"]


async def test_of_many_at_once_one_wins(client: httpx.AsyncClient, new: NewClient) -> None:
    """The same assertion sent ten times at once gives one token."""
    answers = await asyncio.gather(*(post(client, signed(new)) for _ in range(10)))
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 9


async def test_a_jti_is_another_clients_own(client: httpx.AsyncClient, gateway: Gateway, new: NewClient) -> None:
    """Two clients may use the same jti."""
    other = await add_client(gateway, Role.INSTANCE, "sozialamt-marl:WOHNGELDSTELLE")
    assert [(await post(client, signed(one))).status_code for one in (new, other)] == [200, 200]


async def test_a_jti_is_forgotten_only_when_the_assertion_is_dead(
    client: httpx.AsyncClient, new: NewClient, clock: MovableClock
) -> None:
    """However long one waits, an assertion never serves twice."""
    assertion = signed(new)
    assert (await post(client, assertion)).status_code == 200
    for _ in range(80):
        clock.move(seconds=5)
        later = int(clock.now.timestamp())
        await post(client, signed(new, jti=str(later), iat=later, exp=later + 60))
        refused(await post(client, assertion))


CLAIMS = {
    "other issuer": ({"iss": "somebody"}, "issuer"),
    "no issuer": ({"iss": None}, "issuer"),
    "other audience": ({"aud": "https://other.example"}, "audience"),
    "audience with a slash too many": ({"aud": AUDIENCE + "/"}, "audience"),
    "no audience": ({"aud": None}, "audience"),
    "two audiences": ({"aud": [AUDIENCE, "https://other.example"]}, "audience"),
    "audience of another type": ({"aud": [{"a": 1}]}, "audience"),
    "no end": ({"exp": None}, "expired"),
    "over": ({"exp": NOW - 61, "iat": NOW - 300}, "expired"),
    "lives too long": ({"exp": NOW + 661}, "lifetime"),
    "an end that is no number": ({"exp": "9999999999"}, "time"),
    "an end that is true": ({"exp": True}, "time"),
    "an endless end": ({"exp": float("inf")}, "time"),
    "an end that compares with nothing": ({"exp": float("nan")}, "time"),
    "an end beyond the calendar": ({"exp": 10**30}, "time"),
    "not yet": ({"nbf": NOW + 61}, "not-yet-valid"),
    "issued tomorrow": ({"iat": NOW + 61}, "issued-at"),
    "issued long ago": ({"iat": NOW - 700}, "issued-at"),
    "no jti": ({"jti": None}, "jti"),
    "empty jti": ({"jti": ""}, "jti"),
    "long jti": ({"jti": "j" * 129}, "jti"),
    "jti of another type": ({"jti": 7}, "jti"),
    "jti with a zero byte": ({"jti": "a\0"}, "jti"),
}


@pytest.mark.parametrize(("changes", "reason"), CLAIMS.values(), ids=CLAIMS.keys())
async def test_a_claim_that_does_not_hold_is_refused(
    client: httpx.AsyncClient, gateway: Gateway, new: NewClient, changes: dict[str, Any], reason: str
) -> None:
    """Each bad claim gives the same answer; the evidence alone knows which one it was."""
    refused(await post(client, signed(new, **changes)))
    assert await reasons(gateway) == [reason]


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": NOW - 59, "iat": None},
        {"exp": NOW + 660},
        {"nbf": NOW + 60},
        {"iat": NOW + 60},
        {"iat": None},
        {"aud": [AUDIENCE]},
    ],
)
async def test_clocks_may_differ_by_a_minute(
    client: httpx.AsyncClient, new: NewClient, changes: dict[str, Any]
) -> None:
    """Within the leeway an assertion holds, and iat may be missing."""
    assert (await post(client, signed(new, **changes))).status_code == 200


async def test_no_signature_is_no_proof(client: httpx.AsyncClient, gateway: Gateway, new: NewClient) -> None:
    """Algorithm ``none`` is refused in every spelling, with and without a signature behind it."""
    for name in ("none", "None", "NONE", "nOnE"):
        head = part({"alg": name, "kid": new.kid})
        for signature in ("", "e30"):
            refused(await post(client, f"{head}.{part(claims(new))}.{signature}"))
    assert set(await reasons(gateway)) <= {"algorithm", "signature"}
    assert len(await reasons(gateway)) == 8


async def test_the_public_key_is_no_shared_secret(client: httpx.AsyncClient, gateway: Gateway, new: NewClient) -> None:
    """HMAC under the public key, in each form in which a library might take it, is refused."""
    public = jose.public_key(dict(key_of(new).as_dict(private=False)))
    secrets = [
        public.as_pem(private=False),
        json.dumps(public.as_dict(private=False)).encode(),
        base64.urlsafe_b64decode(str(public.as_dict(private=False)["x"]) + "="),
    ]
    for secret in secrets:
        signing_input = f"{part({'alg': 'HS256', 'kid': new.kid})}.{part(claims(new))}"
        mac = hmac.new(secret, signing_input.encode(), hashlib.sha256).digest()
        refused(await post(client, f"{signing_input}.{b64(mac)}"))
    assert await reasons(gateway) == ["algorithm"] * len(secrets)


async def test_a_foreign_key_proves_nothing(client: httpx.AsyncClient, gateway: Gateway, new: NewClient) -> None:
    """Another client's key is refused under its own id and under the victim's, and so is one that the header brings."""
    other = await add_client(gateway, Role.INSTANCE, "sozialamt-marl:WOHNGELDSTELLE")
    stranger = OKPKey.generate_key("Ed25519", private=True)
    for kid, key in ((other.kid, key_of(other)), (new.kid, key_of(other)), (new.kid, stranger)):
        refused(await post(client, jose.sign({"kid": kid}, claims(new), key)))
    with_key = {"kid": new.kid, "jwk": stranger.as_dict(private=False)}
    refused(await post(client, jose.sign(with_key, claims(new), stranger)))
    assert await reasons(gateway) == ["key", "signature", "signature", "signature"]


async def test_a_changed_assertion_is_refused(client: httpx.AsyncClient, gateway: Gateway, new: NewClient) -> None:
    """Claims that were swapped behind the signature do not hold."""
    head, _, signature = signed(new).split(".")
    refused(await post(client, f"{head}.{part(claims(new, jti='other'))}.{signature}"))
    assert await reasons(gateway) == ["signature"]


@pytest.mark.parametrize("header", [{"kid": "other"}, {"kid": ""}, {"typ": "at+jwt"}, {"typ": "logout+jwt"}])
async def test_a_header_that_is_not_of_an_assertion_is_refused(
    client: httpx.AsyncClient, gateway: Gateway, new: NewClient, header: dict[str, Any]
) -> None:
    """An unknown key id, and a JWT that was made for something else, are refused."""
    refused(await post(client, signed(new, header)))
    assert await reasons(gateway) in (["key"], ["type"])


async def test_an_access_token_is_no_assertion(client: httpx.AsyncClient, gateway: Gateway, new: NewClient) -> None:
    """What this gateway signed itself does not open its token endpoint."""
    token = (await post(client, signed(new))).json()["access_token"]
    refused(await post(client, token))
    assert await reasons(gateway) == ["key"]


async def test_a_revoked_client_gets_nothing(client: httpx.AsyncClient, gateway: Gateway, new: NewClient) -> None:
    """After revocation a good assertion is refused, and the attempt is on record for the controller."""
    await revoke_client(gateway, new.client_id)
    refused(await post(client, signed(new)))
    [(entry, side)] = await evidence(gateway, "token.refused")
    assert (entry.actor, entry.sender, entry.data) == (INSTANCE, INSTANCE, {"reason": "key"})
    assert side == {"client_id": new.client_id}


async def test_an_unknown_client_leaves_no_trace(client: httpx.AsyncClient, gateway: Gateway, new: NewClient) -> None:
    """Whoever guesses ids cannot fill the evidence, and learns nothing from the answer."""
    for name in ("somebody", "", "a\0", "x" * 65, 7):
        refused(await post(client, jose.sign({"kid": new.kid}, claims(new, iss=name, sub=name), key_of(new))))
    assert await reasons(gateway) == []


async def test_the_form_may_not_name_another_client(
    client: httpx.AsyncClient, gateway: Gateway, new: NewClient
) -> None:
    """A client_id beside the assertion must be the assertion's."""
    refused(await post(client, signed(new), client_id="another"))
    assert await reasons(gateway) == ["client-id"]


async def test_the_role_is_all_there_is_to_ask_for(client: httpx.AsyncClient, new: NewClient) -> None:
    """The client's own role may be asked for, nothing more."""
    assert (await post(client, signed(new, jti="1"), scope="instance")).json()["scope"] == "instance"
    answer = await post(client, signed(new, jti="2"), scope="operator")
    assert (answer.status_code, answer.json()["error"]) == (422, "invalid_scope")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    st.one_of(
        st.text(max_size=60),
        st.binary(max_size=40).map(lambda raw: f"{b64(raw)}.{b64(raw)}.{b64(raw)}"),
        st.dictionaries(
            st.sampled_from(["alg", "kid", "typ", "crit", "b64"]), st.sampled_from(["x", 1, None, ["b64"], False])
        ).map(lambda head: f"{part(head)}.{part({'sub': 'a'})}.e30"),
        st.just("." * 2),
        st.just(f"{part({'alg': 'Ed25519'})}.{b64(b'[' * 2500)}.e30"),
        st.just("a" * 10_000),
    )
)
async def test_any_other_text_is_refused(client: httpx.AsyncClient, assertion: str) -> None:
    """Whatever is sent as an assertion, the answer is the same 401, never a fault of the server."""
    refused(await post(client, assertion.encode("utf-8", "replace").decode()))
