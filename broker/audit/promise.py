"""The promise that goes with each decision: by when its entry stands in a checkpoint. A compact JWS (RFC 7515).

Whoever was told a decision holds with it the leaf of the entry about it; `amtsbruecke audit verify --promise` finds
where an entry was left out or exchanged. The leaf gives nothing away: it covers salted commitments that only the log
has, so what is not known of the entry cannot be guessed from it.
"""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.audit.log import Entry
from broker.clock import timestamp
from broker.gateway import Gateway

TYPE = "amtsbruecke-promise+jws"
ALGORITHM = "Ed25519"
"""RFC 9864."""


def promise(gateway: Gateway, entry: Entry) -> str:
    """Return the signed promise about an entry: log, entry id, leaf, and by when it is in a checkpoint."""
    settings, key = gateway.settings, gateway.keys.signing[0]
    by = entry.row["at"] + timedelta(seconds=settings.promise_seconds)
    claims = {"by": timestamp(by), "entry": entry.id, "leaf": entry.leaf.hex(), "log": settings.log_origin}
    signed = _header(key.kid) + b"." + _base64url(json.dumps(claims, separators=(",", ":")).encode())
    private = key.private_key
    assert isinstance(private, Ed25519PrivateKey)  # noqa: S101 - key files of this purpose hold no other
    return (signed + b"." + _base64url(private.sign(signed))).decode()


@lru_cache(maxsize=16)
def _header(kid: str | None) -> bytes:
    return _base64url(json.dumps({"alg": ALGORITHM, "kid": kid, "typ": TYPE}, separators=(",", ":")).encode())


def _base64url(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")
