"""Key files: made at the first start, rotated by adding, backed up apart from the data.

One file a key, ``<purpose>-<id>.json``, readable by its owner alone. Losing ``sealing`` loses what is not yet handed
over; losing ``pseudonym`` loses the binding of consents and stops to persons; losing ``signing``, ``tokens`` or
``checkpoint`` loses nothing that exists, they are replaced by adding (docs/keys.md).
"""

from __future__ import annotations

import base64
import json
import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from joserfc.jwk import OKPKey

from broker.crypto import derive, keyed_hash, new_key

SECRET_PURPOSES = ("pseudonym", "sealing")
SIGNING_PURPOSES = ("signing", "tokens", "checkpoint")


class KeyFileError(Exception):
    """A key file is missing, unreadable, or readable by others. Names the file, never its content."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A master secret with its id."""

    kid: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Keys:
    """All keys of this gateway; the newest of a purpose stands first."""

    pseudonym: tuple[Secret, ...]
    sealing: tuple[Secret, ...]
    signing: tuple[OKPKey, ...]
    tokens: tuple[OKPKey, ...]
    checkpoint: tuple[OKPKey, ...] = ()
    """Keys of the log of evidence; a file may hold the public half alone, for checkpoints of former days."""

    def pseudonym_keys(self, controller: str) -> list[tuple[str, bytes]]:
        """Return (id, key) of a controller, newest first."""
        return [(s.kid, owner_key(s.value, "pseudonym", controller)) for s in self.pseudonym]

    def case_key(self, controller: str, case_reference: str) -> str:
        """Return the keyed hash under which an Aktenzeichen of a controller is found again (oldest key: stable)."""
        oldest = self.pseudonym[-1]
        key = owner_key(oldest.value, "case", controller)
        return f"{oldest.kid}:{keyed_hash(key, ' '.join(case_reference.split()).casefold())}"

    def sealing_key(self, recipient: str, kid: str | None = None) -> tuple[str, bytes]:
        """Return (id, wrapping key) of a recipient instance: the newest, or the one named."""
        secret = next((s for s in self.sealing if kid is None or s.kid == kid), None)
        if secret is None:
            raise KeyFileError(f"sealing key {kid} is not there")
        return secret.kid, owner_key(secret.value, "sealing", recipient)


@lru_cache(maxsize=4096)
def owner_key(master: bytes, purpose: str, owner: str) -> bytes:
    """Derive once and remember."""
    return derive(master, purpose, owner)


def load_keys(folder: Path, *, makes: bool = True) -> Keys:
    """Read all key files; the first of a purpose is made where there is none, if this process `makes` keys.

    Raises `KeyFileError`.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as exc:
        text = f"Den Ordner {folder} gibt es nicht, und er ist nicht anzulegen ({exc.strerror})."
        raise KeyFileError(f"{text} AMTSBRUECKE_DATA_DIR prüfen.") from exc
    missing = [p for p in SECRET_PURPOSES + SIGNING_PURPOSES if not any(folder.glob(f"{p}-*.json"))]
    if missing and not makes:
        raise KeyFileError(
            f"In {folder} fehlen Schlüssel ({', '.join(missing)}). Alle Prozesse einer Datenbank brauchen dieselben "
            "(docs/keys.md): die Dateien dorthin kopieren; die allerersten macht „amtsbruecke directory load“."
        )
    for purpose in missing:
        _create(folder, purpose, "1")
    pseudonym, sealing = (_secrets(folder, purpose) for purpose in SECRET_PURPOSES)
    signing, tokens, checkpoint = (_signers(folder, purpose) for purpose in SIGNING_PURPOSES)
    return Keys(pseudonym, sealing, signing, tokens, checkpoint)


def _create(folder: Path, purpose: str, kid: str) -> None:
    """Make a key file, whole or not at all; where another process was first, its file stays and counts."""
    if purpose in SECRET_PURPOSES:
        content: dict[str, object] = {"kid": kid, "key": base64.b64encode(new_key()).decode()}
    else:
        jwk = OKPKey.generate_key("Ed25519", {"kid": f"{purpose}-{kid}"}, private=True)
        content = {"kid": kid, "jwk": jwk.as_dict(private=True)}
    path = folder / f"{purpose}-{kid}.json"
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=folder)
    with os.fdopen(descriptor, "w") as stream:
        json.dump(content, stream)
        stream.flush()
        os.fsync(stream.fileno())
    with suppress(FileExistsError):
        os.link(temporary, path)
    Path(temporary).unlink()
    directory = os.open(folder, os.O_RDONLY)
    os.fsync(directory)
    os.close(directory)


def _files(folder: Path, purpose: str) -> list[dict[str, object]]:
    found = []
    for path in sorted(folder.glob(f"{purpose}-*.json"), key=_number, reverse=True):
        if path.stat().st_mode & 0o077:
            raise KeyFileError(f"{path} dürfen auch andere lesen: chmod 600, und prüfen, wer sie kennt (docs/keys.md).")
        try:
            found.append(json.loads(path.read_text()))
        except (OSError, ValueError) as exc:
            raise KeyFileError(f"{path} ist nicht zu lesen oder kein JSON: aus der Sicherung holen.") from exc
    return found


def _number(path: Path) -> int:
    digits = path.stem.rpartition("-")[2]
    return int(digits) if digits.isdigit() else 0


def _secrets(folder: Path, purpose: str) -> tuple[Secret, ...]:
    return tuple(Secret(str(f["kid"]), base64.b64decode(str(f["key"]))) for f in _files(folder, purpose))


def _signers(folder: Path, purpose: str) -> tuple[OKPKey, ...]:
    return tuple(OKPKey.import_key(f["jwk"]) for f in _files(folder, purpose))  # type: ignore[arg-type]
