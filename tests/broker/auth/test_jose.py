"""Keys from files, and the algorithms that exist here."""

from __future__ import annotations

import json

import pytest
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from broker.auth import jose


@pytest.mark.parametrize("key", [OKPKey.generate_key("Ed25519"), ECKey.generate_key("P-256")], ids=["Ed25519", "P-256"])
def test_public_keys_are_read_from_both_formats(key: Key) -> None:
    """PEM and JWK of the same key give the same public members and nothing else."""
    pem, jwk = key.as_pem(private=False).decode(), json.dumps(key.as_dict(private=False, use="sig"))
    assert (
        jose.read_public_key(pem)
        == jose.read_public_key(jwk)
        == {name: value for name, value in key.as_dict(private=False).items() if name in {"kty", "crv", "x", "y"}}
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        "[" * 100_000,
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        RSAKey.generate_key(2048).as_pem(private=False).decode(),
        ECKey.generate_key("P-384").as_pem(private=False).decode(),
    ],
    ids=["empty", "list", "no JSON", "deep", "no key", "RSA", "P-384"],
)
def test_other_texts_are_no_keys(text: str) -> None:
    """What is no key for Ed25519 or ES256 is refused."""
    with pytest.raises(jose.BadKey):
        jose.read_public_key(text)


@pytest.mark.parametrize("key", [OKPKey.generate_key("Ed25519"), ECKey.generate_key("P-256")], ids=["Ed25519", "P-256"])
def test_a_private_key_is_turned_away_by_name(key: Key) -> None:
    """Whoever hands in the private key is told so, in both formats."""
    for text in (key.as_pem(private=True).decode(), json.dumps(key.as_dict(private=True))):
        with pytest.raises(jose.BadKey, match="private Schlüssel"):
            jose.read_public_key(text)


def test_three_names_and_no_more() -> None:
    """The registry knows Ed25519, its older name and ES256."""
    assert set(jose.SignatureRegistry.algorithms) == {"Ed25519", "EdDSA", "ES256"}
