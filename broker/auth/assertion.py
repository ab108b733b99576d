"""Check a client's assertion: ``private_key_jwt`` (RFC 7521, RFC 7523, OpenID Connect Core 9).

The checks bear the numbers of RFC 7523, section 3. A reason code says for the evidence which one failed; the caller
learns only that the client is not authenticated.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from broker.auth import jose
from broker.auth.jose import BadToken

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LONGEST_LIFE = timedelta(minutes=10)
LEEWAY = timedelta(seconds=60)
TYPES = (None, "JWT", "client-authentication+jwt")
JTI_LENGTH = 128
ID_LENGTH = 64


@dataclass(frozen=True, slots=True)
class Claimed:
    """What an assertion says of itself; nothing of it is proved."""

    client_id: str
    kid: str
    header: dict[str, Any]
    claims: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Proved:
    """An assertion that holds, but for its single use: `jti` is to be used up until `expires_at`."""

    client_id: str
    jti: str
    expires_at: datetime


def read(assertion: str) -> Claimed:
    """Read who an assertion claims to be from. Raises `BadToken`."""
    header, claims = jose.peek(assertion)
    client_id, kid = claims.get("sub"), header.get("kid")
    if not isinstance(client_id, str) or not 0 < len(client_id) <= ID_LENGTH or "\0" in client_id:
        raise BadToken("subject")
    return Claimed(client_id, kid if isinstance(kid, str) and "\0" not in kid else "", header, claims)


def check(assertion: str, claimed: Claimed, jwk: dict[str, Any], audiences: frozenset[str], now: datetime) -> Proved:
    """Check an assertion against the client's public key; `audiences` are this gateway's names. Raises `BadToken`."""
    if claimed.header.get("typ") not in TYPES:
        raise BadToken("type")
    jose.verify(assertion, jose.public_key(jwk))  # 9: signed, by a key of this client
    if claimed.claims.get("iss") != claimed.client_id:  # 1 and 2: issuer and subject are the client
        raise BadToken("issuer")
    _audience(claimed.claims.get("aud"), audiences)  # 3
    expires_at = _times(claimed.claims, now)  # 4, 5 and 6
    return Proved(claimed.client_id, _jti(claimed.claims), expires_at + LEEWAY)  # 7


def _audience(value: object, audiences: frozenset[str]) -> None:
    """Take one name of this gateway and no other beside it, so that nobody else can use the assertion here."""
    names = value if isinstance(value, list) else [value]
    if len(names) != 1 or not isinstance(names[0], str) or names[0] not in audiences:
        raise BadToken("audience")


def _times(claims: dict[str, Any], now: datetime) -> datetime:
    expires, begins, issued = (jose.number(claims, name) for name in ("exp", "nbf", "iat"))
    second, leeway, life = now.timestamp(), LEEWAY.total_seconds(), LONGEST_LIFE.total_seconds()
    if expires is None or expires <= second - leeway:
        raise BadToken("expired")
    if expires > second + life + leeway:
        raise BadToken("lifetime")
    if begins is not None and begins > second + leeway:
        raise BadToken("not-yet-valid")
    if issued is not None and not second - life - leeway <= issued <= second + leeway:
        raise BadToken("issued-at")
    return datetime.fromtimestamp(expires, UTC)


def _jti(claims: dict[str, Any]) -> str:
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= JTI_LENGTH or "\0" in jti:
        raise BadToken("jti")
    return jti
