"""What a leaf of the evidence is: the hash of an entry's canonical bytes, with salted commitments in place of values.

Shared by those who write the evidence and those who verify it; nothing else is.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any

from broker.clock import timestamp
from schemas.canonical import canonical_json

SALT_BYTES = 16
LEAF_PREFIX = b"\x00"
COVERED = ("id", "event", "actor", "sender", "recipient", "reference", "data", "commitments")
"""What a leaf covers beside the time."""


def commitment(salt: bytes, value: str) -> str:
    """Return the salted commitment to a value: SHA-256(salt ‖ value), hexadecimal."""
    return sha256(salt + value.encode()).hexdigest()


def hashed_part(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of an entry that its leaf covers; `at` is a moment, or is written already."""
    at = row["at"]
    return {key: row[key] for key in COVERED} | {"at": timestamp(at) if isinstance(at, datetime) else at}


def entry_bytes(entry: Mapping[str, Any]) -> bytes:
    """Return the canonical bytes (RFC 8785) of an entry's hashed part: what tlog-tiles serve as the entry."""
    return canonical_json(entry)


def leaf_hash(entry: Mapping[str, Any]) -> bytes:
    """Return the leaf hash (RFC 6962, section 2.1) of an entry's hashed part."""
    return sha256(LEAF_PREFIX + entry_bytes(entry)).digest()
