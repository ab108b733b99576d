"""Read promises as a verifier does: compact JWS (RFC 7515) with Ed25519 (RFC 9864)."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

TYPE = "amtsbruecke-promise+jws"
ALGORITHM = "Ed25519"


class BadPromise(Exception):
    """What was handed in is no promise of this log's service. German text."""


@dataclass(frozen=True, slots=True)
class PromiseKey:
    """A public key of the service, under its id."""

    kid: str
    public: bytes


@dataclass(frozen=True, slots=True)
class Promise:
    """What was promised: the entry with this leaf stands in a checkpoint by then (RFC 3339, UTC)."""

    entry: str
    leaf: bytes
    by: str
    log: str


def read_promise_key(jwk: Mapping[str, Any]) -> PromiseKey:
    """Read the public half of an Ed25519 JWK (RFC 8037). Raises `ValueError`."""
    return PromiseKey(str(jwk["kid"]), _decoded(str(jwk["x"])))


def find_tokens(text: str) -> list[str]:
    """Return the promises in a text: one a line, or as the member ``promise`` of the service's answers (JSON)."""
    try:
        found = json.loads(text)
    except ValueError:
        return [line.strip() for line in text.splitlines() if line.strip()]
    answers = found if isinstance(found, list) else [found]
    return [str(answer["promise"]) if isinstance(answer, dict) else str(answer) for answer in answers]


def read_promise(token: str, keys: Sequence[PromiseKey]) -> Promise:
    """Return what a promise says, if one of the keys signed it. Raises `BadPromise`."""
    header, promise, signature = _parsed(token)
    public = next((key.public for key in keys if key.kid == header.get("kid")), None)
    if public is None:
        raise BadPromise("Die Zusage ist mit keinem bekannten Schlüssel signiert.")
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, token.rpartition(".")[0].encode())
    except (InvalidSignature, ValueError):
        raise BadPromise("Die Signatur der Zusage stimmt nicht.") from None
    return promise


def _parsed(token: str) -> tuple[dict[str, Any], Promise, bytes]:
    try:
        first, second, third = token.split(".")
        header, claims, signature = json.loads(_decoded(first)), json.loads(_decoded(second)), _decoded(third)
        promise = Promise(str(claims["entry"]), bytes.fromhex(claims["leaf"]), str(claims["by"]), str(claims["log"]))
        ours = (header["alg"], header["typ"]) == (ALGORITHM, TYPE)
    except (ValueError, KeyError, TypeError):
        ours = False
    if not ours:
        raise BadPromise("Das ist keine Zusage des Brokers (JWS, amtsbruecke-promise+jws).")
    return header, promise, signature


def _decoded(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
