"""Access tokens: JWTs after RFC 9068, signed by this gateway for itself, short-lived, and ended early by revocation."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import uuid4
from weakref import WeakKeyDictionary

from joserfc.jwk import OKPKey
from sqlalchemy.ext.asyncio import AsyncEngine

from broker.auth import jose, repository
from broker.auth.caller import Caller, Role
from broker.auth.jose import BadToken
from broker.gateway import Gateway

TOKEN_TYPE = "at+jwt"  # noqa: S105 - a media type
REMEMBERED = 4096
"""Tokens whose signature need not be checked again."""
FRESH = timedelta(seconds=2)
"""So long another process may still take the token of a client that was revoked."""
LONGEST_TOKEN = timedelta(hours=1, seconds=60)
"""Longer than `Settings.token_seconds` can be: who was revoked before that has no living token."""


def issuer(gateway: Gateway) -> str:
    """Return the name of this gateway in tokens: its public address."""
    return gateway.settings.public_url.rstrip("/")


def issue(gateway: Gateway, caller: Caller) -> str:
    """Return an access token for a client (RFC 9068, section 2)."""
    key, issued = gateway.keys.tokens[0], int(gateway.clock().timestamp())
    claims = {
        "iss": issuer(gateway), "aud": issuer(gateway), "sub": caller.client_id, "client_id": caller.client_id,
        "role": caller.role.value, "instance": caller.instance, "agency": caller.agency,
        "jti": str(uuid4()), "iat": issued, "exp": issued + gateway.settings.token_seconds,
    }  # fmt: skip
    claims = {name: value for name, value in claims.items() if value is not None}
    return jose.sign({"typ": TOKEN_TYPE, "kid": key.kid}, claims, key)


async def verify_token(gateway: Gateway, token: str) -> Caller:
    """Return who a token was issued to. Raises `BadToken`, also for a client that was revoked since."""
    memory = _memory(gateway)
    now = gateway.clock()
    digest = sha256(token.encode(errors="replace")).digest()
    caller, expires_at = memory.verified.get(digest) or _checked(gateway, token)
    if expires_at <= now:
        memory.verified.pop(digest, None)
        raise BadToken("expired")
    if caller.client_id in await memory.revoked(gateway, now):
        memory.verified.pop(digest, None)
        raise BadToken("revoked")
    memory.remember(digest, caller, expires_at)
    return caller


def forget_revocations(gateway: Gateway) -> None:
    """Ask the database again at the next token: a client was revoked in this process."""
    _memory(gateway).forget_revocations()


class _Memory:
    """What one process knows of one database's tokens and revocations."""

    def __init__(self) -> None:
        self.verified: OrderedDict[bytes, tuple[Caller, datetime]] = OrderedDict()
        self._read_at: datetime | None = None
        self._revoked: frozenset[str] = frozenset()
        self._generation = 0
        self._lock = asyncio.Lock()

    def remember(self, digest: bytes, caller: Caller, expires_at: datetime) -> None:
        """Keep a verified token; the one not used for longest goes when there are too many."""
        self.verified[digest] = (caller, expires_at)
        self.verified.move_to_end(digest)
        while len(self.verified) > REMEMBERED:
            self.verified.popitem(last=False)

    async def revoked(self, gateway: Gateway, now: datetime) -> frozenset[str]:
        """Return the clients revoked lately, at most `FRESH` old."""
        if self._is_fresh(now):
            return self._revoked
        async with self._lock:
            if not self._is_fresh(now):
                generation = self._generation
                async with gateway.db.reading() as connection:
                    found = await repository.revoked_since(connection, now - LONGEST_TOKEN)
                self._revoked = found
                self._read_at = now if generation == self._generation else None
            return self._revoked

    def forget_revocations(self) -> None:
        """Read them again at the next token, also where a read is under way."""
        self._generation += 1
        self._read_at = None

    def _is_fresh(self, now: datetime) -> bool:
        return self._read_at is not None and timedelta() <= now - self._read_at < FRESH


_MEMORIES: WeakKeyDictionary[AsyncEngine, _Memory] = WeakKeyDictionary()


def _memory(gateway: Gateway) -> _Memory:
    return _MEMORIES.setdefault(gateway.db.engine, _Memory())


def _checked(gateway: Gateway, token: str) -> tuple[Caller, datetime]:
    header, claims = jose.peek(token)
    if header.get("typ") != TOKEN_TYPE:
        raise BadToken("type")
    jose.verify(token, _signing_key(gateway, header.get("kid")))
    if claims.get("iss") != issuer(gateway):
        raise BadToken("issuer")
    if claims.get("aud") != issuer(gateway):
        raise BadToken("audience")
    expires = jose.number(claims, "exp")
    if expires is None:
        raise BadToken("expired")
    return _caller(claims), datetime.fromtimestamp(expires, UTC)


def _signing_key(gateway: Gateway, kid: object) -> OKPKey:
    for key in gateway.keys.tokens:
        if key.kid == kid:
            return key
    raise BadToken("key")


def _caller(claims: dict[str, Any]) -> Caller:
    try:
        return Caller(str(claims["sub"]), Role(claims["role"]), claims.get("instance"), claims.get("agency"))
    except (KeyError, ValueError) as exc:
        raise BadToken("claims") from exc
