"""The signatures of this gateway's clients and tokens: which algorithms, which keys, which sizes.

Ed25519 (RFC 8037, RFC 9864) and ES256 (RFC 7518), nothing else: no symmetric algorithm, so that a public key can never
serve as a shared secret, and no ``none``. ``EdDSA``, the older name that many libraries still write, means Ed25519.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import JoseError, UnsupportedAlgorithmError
from joserfc.jwk import ECKey, Key, OKPKey
from joserfc.jws import JWSRegistry

ED25519 = "Ed25519"
ES256 = "ES256"
LONGEST = 4096
"""Characters of an assertion or token; more is refused before any work."""
LATEST = 253_402_300_800
"""Seconds from 1970 to the year 10000; what is not below is no time, and NaN is none either."""
PRIVATE = "Das ist der private Schlüssel. Er bleibt beim Client; einzureichen ist nur der öffentliche."
UNREADABLE = "Der öffentliche Schlüssel ist nicht lesbar; es gelten JWK (RFC 7517) und PEM, Ed25519 oder P-256."
_MEMBERS = {"OKP": ("kty", "crv", "x"), "EC": ("kty", "crv", "x", "y")}
_CURVES = {"OKP": "Ed25519", "EC": "P-256"}


class SignatureRegistry(JWSRegistry):
    """The algorithms of this gateway, whatever else the library knows."""

    algorithms = {  # noqa: RUF012 - the library's attribute, narrowed
        ED25519: JWSRegistry.algorithms[ED25519],
        "EdDSA": JWSRegistry.algorithms[ED25519],
        ES256: JWSRegistry.algorithms[ES256],
    }
    max_payload_length = LONGEST


_REGISTRY = SignatureRegistry(algorithms=[ED25519, "EdDSA", ES256])


class BadKey(ValueError):
    """A key is none that this gateway takes. The text is German and says which it takes."""


class BadToken(Exception):
    """A JWT does not hold. `reason` is a code for the evidence, never shown to the caller."""

    def __init__(self, reason: str) -> None:
        """Carry the reason code."""
        super().__init__(reason)
        self.reason = reason


def public_key(jwk: dict[str, Any]) -> Key:
    """Read a public JWK with nothing but its public members. Raises `BadKey`."""
    kty = jwk.get("kty")
    if not isinstance(kty, str) or kty not in _MEMBERS or jwk.get("crv") != _CURVES[kty]:
        raise BadKey("Der Schlüssel ist keiner für Ed25519 (kty OKP) oder ES256 (kty EC, crv P-256).")
    if "d" in jwk:
        raise BadKey(PRIVATE)
    members: Any = {name: jwk.get(name) for name in _MEMBERS[kty]}
    try:
        key: Key = OKPKey.import_key(members) if kty == "OKP" else ECKey.import_key(members)
        key.get_op_key("verify")
    except (JoseError, ValueError, TypeError) as exc:
        raise BadKey(UNREADABLE) from exc
    return key


def read_public_key(text: str) -> dict[str, Any]:
    """Read a public key from a file's text, JWK (RFC 7517) or PEM, as JWK. Raises `BadKey`."""
    if "PRIVATE KEY" in text:
        raise BadKey(PRIVATE)
    if "-----BEGIN" not in text:
        try:
            jwk = json.loads(text)
        except (ValueError, RecursionError) as exc:
            raise BadKey(UNREADABLE) from exc
        if not isinstance(jwk, dict):
            raise BadKey(UNREADABLE)
        return dict(public_key(jwk).as_dict(private=False))
    for kind in (OKPKey, ECKey):
        with suppress(JoseError, ValueError, TypeError):
            return dict(public_key(dict(kind.import_key(text).as_dict(private=False))).as_dict(private=False))
    raise BadKey(UNREADABLE)


def algorithm_of(key: Key) -> str:
    """Return the algorithm that a key signs with."""
    return ED25519 if isinstance(key, OKPKey) else ES256


def sign(header: dict[str, Any], claims: dict[str, Any], key: Key) -> str:
    """Return a signed JWT; the algorithm is the key's."""
    return jwt.encode({"alg": algorithm_of(key), **header}, claims, key, registry=_REGISTRY)


def peek(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return header and claims of a JWT whose signature nobody has checked yet. Raises `BadToken`."""
    if len(token) > LONGEST or not token.isascii():
        raise BadToken("malformed")
    try:
        unchecked = jws.extract_compact(token.encode(), registry=_REGISTRY)
        claims = json.loads(unchecked.payload)
    except (JoseError, ValueError, TypeError, RecursionError) as exc:
        raise BadToken("malformed") from exc
    header: Any = unchecked.headers()
    if not isinstance(header, dict) or not isinstance(claims, dict) or "crit" in header or "b64" in header:
        raise BadToken("malformed")
    return dict(header), claims


def verify(token: str, key: Key) -> None:
    """Check the signature of a JWT that `peek` has read. Raises `BadToken`."""
    try:
        jws.deserialize_compact(token.encode(), key, registry=_REGISTRY)
    except UnsupportedAlgorithmError as exc:
        raise BadToken("algorithm") from exc
    except (JoseError, ValueError, TypeError) as exc:
        raise BadToken("signature") from exc


def number(claims: dict[str, Any], name: str) -> float | None:
    """Return a NumericDate (RFC 7519, section 2) in seconds, None if it is missing. Raises `BadToken`."""
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < LATEST:
        raise BadToken("time")
    return float(value)
