"""The client's side of the token endpoint, for the demonstration, the bench and the tests."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import uuid4

from joserfc.jwk import ECKey, Key, OKPKey

from broker.auth import jose
from broker.auth.assertion import ASSERTION_TYPE

LIFE_SECONDS = 300


def client_assertion(client_id: str, private_jwk: dict[str, Any], audience: str, now: datetime) -> str:
    """Return an assertion (RFC 7523) for one request; `audience` is the gateway's public address or token address."""
    key: Key = (
        OKPKey.import_key(_key(private_jwk)) if private_jwk["kty"] == "OKP" else ECKey.import_key(_key(private_jwk))
    )
    issued = int(now.timestamp())
    claims = {
        "iss": client_id, "sub": client_id, "aud": audience,
        "jti": str(uuid4()), "iat": issued, "exp": issued + LIFE_SECONDS,
    }  # fmt: skip
    return jose.sign({"kid": private_jwk["kid"]}, claims, key)


def token_form(assertion: str) -> dict[str, str]:
    """Return the form fields of ``POST /v1/token``."""
    return {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": assertion,
    }


def _key(jwk: dict[str, Any]) -> Any:  # noqa: ANN401 - the library's own type of a JWK
    return {name: value for name, value in jwk.items() if name in {"kty", "crv", "x", "y", "d"}}
