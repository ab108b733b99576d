"""Key files: made at the first start, rotated by adding, backed up apart from the data.

One file a key, ``<purpose>-<id>.json``, readable by its owner alone. Losing ``sealing`` loses what is not yet handed
over; losing ``pseudonym`` loses the binding of consents and stops to persons; losing ``signing``, ``tokens`` or
``checkpoint`` loses nothing that exists, they are replaced by adding (docs/keys.md). Of ``sealing`` there is one for
each period; its file is deleted when nothing hangs on it any more (`broker.sealing_keys`).
"""

from __future__ import annotations

import base64
import json
import os
import tempfile
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from joserfc.jwk import OKPKey

from broker.crypto import derive, keyed_hash, new_key
from broker.errors import ProblemError

SECRET_PURPOSES = ("pseudonym", "sealing")
SIGNING_PURPOSES = ("signing", "tokens", "checkpoint")
PURPOSES = SECRET_PURPOSES + SIGNING_PURPOSES
PSEUDONYM, SEALING = SECRET_PURPOSES


class KeyFileError(Exception):
    """A key file is missing, unreadable, or readable by others. Names the file, never its content."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A master secret with its id."""

    kid: str
    value: bytes

    def check_value(self, purpose: str) -> str:
        """Return what tells this key from another and says nothing about it: HMAC-SHA256 over its name (64 hex)."""
        return keyed_hash(owner_key(self.value, "check", purpose), f"{purpose}-{self.kid}")


@dataclass(slots=True)
class Keys:
    """All keys of this gateway; the newest of a purpose stands first.

    What concerns ``sealing`` changes while a process runs (`broker.key_watch`); the others stay as they were read.
    """

    pseudonym: tuple[Secret, ...]
    sealing: tuple[Secret, ...]
    signing: tuple[OKPKey, ...]
    tokens: tuple[OKPKey, ...]
    checkpoint: tuple[OKPKey, ...] = ()
    """Keys of the log of evidence; a file may hold the public half alone, for checkpoints of former days."""
    seals_with: str | None = None
    """Id of the sealing key of this period; None: that with the highest number."""
    sealing_fault: str | None = None
    """Why something about the sealing keys is to be looked at: a reason code of `broker.health`."""
    seals: bool = True
    """Whether contents may be sealed here: not with a key that others will soon delete, nor without one."""

    def pseudonym_keys(self, controller: str) -> list[tuple[str, bytes]]:
        """Return (id, key) of a controller, newest first."""
        return [(s.kid, owner_key(s.value, "pseudonym", controller)) for s in self.pseudonym]

    def case_key(self, controller: str, case_reference: str) -> str:
        """Return the keyed hash under which an Aktenzeichen of a controller is found again (oldest key: stable)."""
        oldest = self.pseudonym[-1]
        key = owner_key(oldest.value, "case", controller)
        return f"{oldest.kid}:{keyed_hash(key, ' '.join(case_reference.split()).casefold())}"

    def cursor_keys(self, instance: str, walked: str) -> list[bytes]:
        """Return the keys of an instance's cursors in one list, newest first: cursors outlive a change of keys."""
        return [owner_key(s.value, f"cursor/{walked}", instance) for s in self.pseudonym]

    def sealing_key(self, recipient: str, kid: str | None = None) -> tuple[str, bytes]:
        """Return (id, wrapping key) of a recipient instance: that of this period, or the one named.

        Raises `KeyFileError` where the one named is not here, and ``temporarily-unavailable`` where none may seal.
        """
        if kid is None and not self.seals:
            raise ProblemError("temporarily-unavailable", NO_SEALING_KEY, headers={"Retry-After": "60"})
        wanted = kid or self.seals_with
        secret = next((s for s in self.sealing if wanted is None or s.kid == wanted), None)
        if secret is None:
            raise KeyFileError(f"sealing key {kid} is not there")
        return secret.kid, owner_key(secret.value, "sealing", recipient)


NO_SEALING_KEY = "Hier fehlt der Schlüssel, mit dem Inhalte versiegelt werden; ein anderer Rechner kann sie annehmen."


@lru_cache(maxsize=4096)
def owner_key(master: bytes, purpose: str, owner: str) -> bytes:
    """Derive once and remember."""
    return derive(master, purpose, owner)


def load_keys(folder: Path, *, makes: Collection[str] = PURPOSES) -> Keys:
    """Read all key files; where there is none of a purpose that this process `makes`, its first one is made.

    Raises `KeyFileError`.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as exc:
        text = f"Den Ordner {folder} gibt es nicht, und er ist nicht anzulegen ({exc.strerror})."
        raise KeyFileError(f"{text} AMTSBRUECKE_DATA_DIR prüfen.") from exc
    missing = [purpose for purpose in PURPOSES if not any(folder.glob(f"{purpose}-*.json"))]
    if lost := [purpose for purpose in missing if purpose not in makes]:
        raise KeyFileError(
            f"In {folder} fehlen Schlüssel ({', '.join(lost)}). Alle Prozesse einer Datenbank brauchen dieselben "
            "(docs/keys.md): die Dateien dorthin kopieren; die allerersten macht „amtsbruecke directory load“."
        )
    for purpose in missing:
        make_key(folder, purpose, "1")
    pseudonym, sealing = (read_secrets(folder, purpose) for purpose in SECRET_PURPOSES)
    signing, tokens, checkpoint = (_signers(folder, purpose) for purpose in SIGNING_PURPOSES)
    return Keys(pseudonym, sealing, signing, tokens, checkpoint)


def make_key(folder: Path, purpose: str, kid: str) -> None:
    """Make a key file, whole or not at all; where another process was first, its file stays and counts."""
    if purpose in SECRET_PURPOSES:
        content: dict[str, object] = {"kid": kid, "key": base64.b64encode(new_key()).decode()}
    else:
        jwk = OKPKey.generate_key("Ed25519", {"kid": f"{purpose}-{kid}"}, private=True)
        content = {"kid": kid, "jwk": jwk.as_dict(private=True)}
    path = key_file(folder, purpose, kid)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=folder)
    with os.fdopen(descriptor, "w") as stream:
        json.dump(content, stream)
        stream.flush()
        os.fsync(stream.fileno())
    with suppress(FileExistsError):
        os.link(temporary, path)
    Path(temporary).unlink()
    _sync(folder)


def key_file(folder: Path, purpose: str, kid: str) -> Path:
    """Return where a key lies."""
    return folder / f"{purpose}-{kid}.json"


def shred_key(path: Path) -> None:
    """Overwrite a key file where it lies, and delete it; on disk when this returns. One that is gone is no fault.

    A file system that copies on write, or a flash drive, may keep the old blocks for a while: docs/keys.md.
    """
    with suppress(FileNotFoundError):
        with path.open("r+b") as stream:
            stream.write(os.urandom(path.stat().st_size))
            stream.flush()
            os.fsync(stream.fileno())
        path.unlink()
    _sync(path.parent)


def _sync(folder: Path) -> None:
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
    return number(path.stem.rpartition("-")[2])


def number(kid: str) -> int:
    """Return the number that orders the keys of a purpose; 0 for an id that is none."""
    return int(kid) if kid.isdigit() else 0


def read_secrets(folder: Path, purpose: str) -> tuple[Secret, ...]:
    """Read the secrets of a purpose, the newest first. Raises `KeyFileError`."""
    return tuple(Secret(str(f["kid"]), base64.b64decode(str(f["key"]))) for f in _files(folder, purpose))


def _signers(folder: Path, purpose: str) -> tuple[OKPKey, ...]:
    return tuple(OKPKey.import_key(f["jwk"]) for f in _files(folder, purpose))  # type: ignore[arg-type]
