"""Read signed notes as a verifier does (C2SP signed-note, tlog-checkpoint). Knows nothing of those who write them."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ED25519 = 1
KEY_BYTES = 32
HASH_BYTES = 32
MOST_SIGNATURES = 64
MOST_CHARACTERS = 1_000_000
DASH = "\N{EM DASH} "
SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
TEXT_LINES = 3
AT = re.compile(r"at ([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{3}Z)")


class BadNote(Exception):
    """A note, or the key to verify one with, is malformed, or is not signed by whom it should. German text."""


@dataclass(frozen=True, slots=True)
class NoteKey:
    """A public key under its name, as written in one line: ``name+id+key`` ("vkey")."""

    name: str
    id: bytes
    public: bytes


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a checkpoint says: which log, how many leaves, which root, and when it was made (RFC 3339, UTC)."""

    origin: str
    size: int
    root: bytes
    at: str | None = None
    """None: it does not say."""


def read_key(text: str) -> NoteKey:
    """Read a verifier key. Raises `BadNote`."""
    name, _, rest = text.strip().partition("+")
    written_id, _, encoded = rest.partition("+")
    key = _decoded(encoded)
    if not name or re.search(r"\s", name) or len(key) != KEY_BYTES + 1 or key[0] != ED25519:
        raise BadNote("Der Prüfschlüssel hat nicht die Form name+kennung+schlüssel (Ed25519).")
    key_id = sha256(name.encode() + b"\n" + key).digest()[:4]
    if written_id != key_id.hex():
        raise BadNote("Kennung und Schlüssel des Prüfschlüssels passen nicht zusammen.")
    return NoteKey(name, key_id, key[1:])


def open_note(note: str, keys: Sequence[NoteKey]) -> str:
    """Return the text of a note that one of the keys signed; signatures of others are ignored. Raises `BadNote`."""
    if len(note) > MOST_CHARACTERS or any(character < " " and character != "\n" for character in note):
        raise BadNote("Der Prüfpunkt ist keine signierte Notiz.")
    text, gap, signatures = note.rpartition("\n\n")
    lines = signatures.split("\n")
    if not gap or lines.pop() != "" or not lines or len(lines) > MOST_SIGNATURES:
        raise BadNote("Der Prüfpunkt ist keine signierte Notiz.")
    signed = text + "\n"
    known = [_verified(line, signed, keys) for line in lines]
    if not any(known):
        raise BadNote("Der Prüfpunkt trägt keine Signatur der bekannten Schlüssel.")
    return signed


def open_checkpoint(note: str, keys: Sequence[NoteKey]) -> Checkpoint:
    """Return what a checkpoint says, if one of the keys signed it. Raises `BadNote`."""
    lines = open_note(note, keys).split("\n")[:-1]
    if len(lines) < TEXT_LINES or not all(lines) or not SIZE.fullmatch(lines[1]):
        raise BadNote("Die signierte Notiz ist kein Prüfpunkt.")
    root = _decoded(lines[2])
    if len(root) != HASH_BYTES:
        raise BadNote("Die signierte Notiz ist kein Prüfpunkt.")
    at = next((said[1] for line in lines[TEXT_LINES:] if (said := AT.fullmatch(line))), None)
    return Checkpoint(lines[0], int(lines[1]), root, at)


def _verified(line: str, signed: str, keys: Sequence[NoteKey]) -> bool:
    """Whether a known key made this signature; False for a stranger's. Raises `BadNote` for a known key's bad one."""
    name, gap, encoded = line.removeprefix(DASH).partition(" ")
    signature = _decoded(encoded)
    if not line.startswith(DASH) or not name or not gap or len(signature) <= 4:  # noqa: PLR2004 - the id's four bytes
        raise BadNote("Eine Signaturzeile des Prüfpunkts ist nicht lesbar.")
    key = next((key for key in keys if (key.name, key.id) == (name, signature[:4])), None)
    if key is None:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(signature[4:], signed.encode())
    except InvalidSignature:
        raise BadNote("Die Signatur des Prüfpunkts stimmt nicht.") from None
    return True


def _decoded(text: str) -> bytes:
    """Decode base64 that has just one way to be written."""
    try:
        content = base64.b64decode(text, validate=True)
    except ValueError:
        raise BadNote("Der Prüfpunkt ist nicht lesbar (Base64).") from None
    if base64.b64encode(content).decode() != text:
        raise BadNote("Der Prüfpunkt ist nicht lesbar (Base64).")
    return content
