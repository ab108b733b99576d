"""Checkpoints: the state of the tree as a signed note (C2SP tlog-checkpoint, signed-note; Ed25519, RFC 8032)."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from joserfc.jwk import OKPKey

from broker.clock import timestamp

ED25519 = b"\x01"
KEY_ID_BYTES = 4


class NoCheckpointKey(Exception):
    """No key file of the purpose ``checkpoint`` holds a private key."""


def checkpoint_text(origin: str, size: int, root: bytes) -> str:
    """Return the text of a checkpoint, which is what is signed; extension lines may follow."""
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"


def public_bytes(key: OKPKey) -> bytes:
    """Return the 32 bytes of a public key."""
    public = key.public_key
    assert isinstance(public, Ed25519PublicKey)  # noqa: S101 - key files of this purpose hold no other
    return public.public_bytes_raw()


def key_id(origin: str, public: bytes) -> bytes:
    """Return the id of a key on notes."""
    return sha256(origin.encode() + b"\n" + ED25519 + public).digest()[:KEY_ID_BYTES]


def verifier_key(origin: str, key: OKPKey) -> str:
    """Return the public key as verifiers take it: name, id and key in one line (the "vkey" of signed notes)."""
    public = public_bytes(key)
    return f"{origin}+{key_id(origin, public).hex()}+{base64.b64encode(ED25519 + public).decode()}"


def sign(keys: Sequence[OKPKey], origin: str, size: int, root: bytes, at: datetime) -> str:
    """Return the signed note of a checkpoint, with one line for each private key. Raises `NoCheckpointKey`.

    When it was made is signed too (an extension line), so that nobody makes a promise look kept who has not the key.
    """
    text = f"{checkpoint_text(origin, size, root)}at {timestamp(at)}\n"
    lines = [_line(key, origin, text) for key in keys if key.is_private]
    if not lines:
        raise NoCheckpointKey("no key file checkpoint-*.json holds a private key")
    return text + "\n" + "".join(lines)


def is_own(keys: Sequence[OKPKey], origin: str, size: int, root: bytes, note: str) -> bool:
    """Whether a stored note is one that we signed for just this state."""
    text, _, lines = note.rpartition("\n\n")
    if not f"{text}\n".startswith(checkpoint_text(origin, size, root)):
        return False
    signatures = [line.split(" ")[-1] for line in lines.splitlines()]
    return any(_signed(key, origin, text + "\n", signature) for key in keys for signature in signatures)


def names_one_of(keys: Sequence[OKPKey], note: str) -> bool:
    """Whether a stored note names one of these keys as its signer; whether it signed is not asked."""
    origin, lines = note.partition("\n")[0], note.rpartition("\n\n")[2]
    ids = {key_id(origin, public_bytes(key)) for key in keys}
    try:
        return any(base64.b64decode(line.split(" ")[-1])[:KEY_ID_BYTES] in ids for line in lines.splitlines())
    except ValueError:
        return False


def _line(key: OKPKey, origin: str, text: str) -> str:
    private = key.private_key
    assert isinstance(private, Ed25519PrivateKey)  # noqa: S101 - key files of this purpose hold no other
    signature = key_id(origin, public_bytes(key)) + private.sign(text.encode())
    return f"\N{EM DASH} {origin} {base64.b64encode(signature).decode()}\n"


def _signed(key: OKPKey, origin: str, text: str, encoded: str) -> bool:
    public = public_bytes(key)
    try:
        signature = base64.b64decode(encoded)
        if signature[:KEY_ID_BYTES] != key_id(origin, public):
            return False
        Ed25519PublicKey.from_public_bytes(public).verify(signature[KEY_ID_BYTES:], text.encode())
    except (InvalidSignature, ValueError):
        return False
    return True
