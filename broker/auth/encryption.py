"""Public keys to which content keys are encrypted, for clients that open records themselves.

JWE (RFC 7516) with ECDH-ES+A256KW and A256GCM (RFC 7518), to X25519 (RFC 8037) or P-256. A key for signing never serves
for encrypting: these are registered apart.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Any

from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OKPKey
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.audit import log
from broker.audit.events import AuditEvent
from broker.auth import repository
from broker.auth.caller import Role
from broker.auth.clients import OPERATOR, BadPublicKey, RoleMismatch, UnknownClient, caller_of
from broker.auth.models import EncryptionKey
from broker.gateway import Gateway

ALGORITHMS = ["ECDH-ES+A256KW", "A256GCM"]
_MEMBERS = {("OKP", "X25519"): ("kty", "crv", "x"), ("EC", "P-256"): ("kty", "crv", "x", "y")}


async def add_encryption_key(
    gateway: Gateway, client_id: str, public_jwk: Mapping[str, Any] | None = None
) -> tuple[str, dict[str, Any] | None]:
    """Register the key of an instance's client in place of an earlier one; return its id and, if made here, the pair.

    Without `public_jwk` an X25519 pair is made: shown once, kept nowhere. Raises a `ClientError`.
    """
    private = OKPKey.generate_key("X25519", private=True) if public_jwk is None else None
    key = public_encryption_key(dict(private.as_dict(private=False)) if private else dict(public_jwk or {}))
    kid, now = key.thumbprint(), gateway.clock()
    row = {"client_id": client_id, "kid": kid, "jwk": dict(key.as_dict(private=False)), "added_at": now}
    async with gateway.db.writing() as connection:
        client = await repository.find_client(connection, client_id)
        if client is None or client.status != repository.ACTIVE:
            raise UnknownClient("Diesen Zugang gibt es nicht (mehr); `amtsbruecke client list` zeigt alle.")
        if client.role != Role.INSTANCE.value:
            raise RoleMismatch("Inhalte gehen nur an Zugänge einer Instanz.")
        await _replace(connection, row)
        data = {"instance": client.instance_id, "kid": kid}
        side = {"client_id": client_id}
        event = AuditEvent("client.encryption_key", OPERATOR, caller_of(client).instance, data=data, side=side)
        await log.append(connection, [event], now)
    return kid, {**private.as_dict(private=True), "kid": kid} if private else None


async def _replace(connection: AsyncConnection, row: dict[str, Any]) -> None:
    of_client = EncryptionKey.client_id == row["client_id"]
    standing = update(EncryptionKey).where(of_client, EncryptionKey.revoked_at.is_(None))
    await connection.execute(standing.values(revoked_at=row["added_at"]))
    again = update(EncryptionKey).where(of_client, EncryptionKey.kid == row["kid"])
    if not (await connection.execute(again.values(revoked_at=None, added_at=row["added_at"]))).rowcount:
        await connection.execute(insert(EncryptionKey), [row | {"revoked_at": None}])


async def live_encryption_key(connection: AsyncConnection, client_id: str) -> dict[str, Any] | None:
    """Return the public JWK to which a client's contents are encrypted, with its ``kid``, or None."""
    query = select(EncryptionKey.kid, EncryptionKey.jwk).where(
        EncryptionKey.client_id == client_id, EncryptionKey.revoked_at.is_(None)
    )
    row = (await connection.execute(query)).first()
    return None if row is None else {**row.jwk, "kid": row.kid}


def public_encryption_key(jwk: dict[str, Any]) -> Key:
    """Read a public JWK with nothing but its public members. Raises `BadPublicKey`."""
    members = _MEMBERS.get((str(jwk.get("kty")), str(jwk.get("crv"))))
    if members is None or "d" in jwk:
        raise BadPublicKey("Der Schlüssel ist kein öffentlicher JWK für X25519 (kty OKP) oder P-256 (kty EC).")
    public: Any = {name: jwk.get(name) for name in members}
    try:
        return OKPKey.import_key(public) if jwk["kty"] == "OKP" else ECKey.import_key(public)
    except (JoseError, ValueError, TypeError) as exc:
        raise BadPublicKey("Der Schlüssel ist kein lesbarer JWK.") from exc


def read_jwk(text: str) -> dict[str, Any]:
    """Read a JWK from a file's text. Raises `BadPublicKey`."""
    try:
        jwk = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise BadPublicKey("Die Datei ist kein JWK (RFC 7517).") from exc
    return dict(jwk) if isinstance(jwk, dict) else {}


def encrypted_content_key(content_key: bytes, transfer_id: str, to: dict[str, Any]) -> str:
    """Return the key of a transfer's content as an encrypted JWK (RFC 7517, section 7) in compact form."""
    value = urlsafe_b64encode(content_key).rstrip(b"=").decode()
    jwk = {"kty": "oct", "k": value, "alg": "A256GCM", "kid": transfer_id}
    header = {"alg": ALGORITHMS[0], "enc": ALGORITHMS[1], "cty": "jwk+json", "kid": to["kid"]}
    key: Any = public_encryption_key(to)
    return jwe.encrypt_compact(header, json.dumps(jwk).encode(), key, algorithms=ALGORITHMS)
