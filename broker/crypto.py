"""Sealing: each payload under a key of its own, that key wrapped to the recipient; signing of statements.

AES-256-GCM (NIST SP 800-38D) for content, AES key wrap (RFC 3394) for its key, HKDF-SHA256 (RFC 5869) to derive a key
for each owner, Ed25519 (RFC 8032) for signatures.
"""

from __future__ import annotations

import os
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

if TYPE_CHECKING:
    from hashlib import _Hash as Hash

KEY_BYTES = 32
NONCE_BYTES = 12
HASH_BLOCK = 64
INNER, OUTER = (bytes(byte ^ pad for byte in range(256)) for pad in (0x36, 0x5C))


class SealBroken(Exception):
    """The ciphertext, its key or what it is bound to was changed."""


def new_key() -> bytes:
    """Return 32 random bytes."""
    return os.urandom(KEY_BYTES)


def derive(master: bytes, purpose: str, owner: str) -> bytes:
    """Derive the key of one owner for one purpose; different owners get independent keys."""
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=f"amtsbruecke/{purpose}/{owner}".encode()).derive(master)


def keyed_hash(key: bytes, text: str) -> str:
    """HMAC-SHA256 (RFC 2104) of a text, hexadecimal."""
    inner, outer = (state.copy() for state in _keyed(key))
    inner.update(text.encode())
    outer.update(inner.digest())
    return outer.hexdigest()


@lru_cache(maxsize=4096)
def _keyed(key: bytes) -> tuple[Hash, Hash]:
    """Take the key in once, as the inner and the outer hash; to copy both is half the work of a new HMAC."""
    block = (key if len(key) <= HASH_BLOCK else sha256(key).digest()).ljust(HASH_BLOCK, b"\0")
    return sha256(block.translate(INNER)), sha256(block.translate(OUTER))


def seal(content: bytes, key: bytes, bound_to: str) -> bytes:
    """Encrypt; the result opens only with `key` and the same `bound_to` (the transfer's id)."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, content, bound_to.encode())


def unseal(sealed: bytes, key: bytes, bound_to: str) -> bytes:
    """Decrypt. Raises `SealBroken`."""
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], bound_to.encode())
    except (InvalidTag, ValueError) as exc:  # ValueError: too short to hold a nonce
        raise SealBroken("the sealed content does not open") from exc


def wrap(key: bytes, wrapping_key: bytes) -> bytes:
    """Wrap a content key."""
    return aes_key_wrap(wrapping_key, key)


def unwrap(wrapped: bytes, wrapping_key: bytes) -> bytes:
    """Unwrap a content key. Raises `SealBroken`."""
    try:
        return aes_key_unwrap(wrapping_key, wrapped)
    except InvalidUnwrap as exc:
        raise SealBroken("the content key does not unwrap") from exc
