"""An exported log made by hand, apart from the code that writes it: what verifying is tried on."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from broker.audit.verify import Report, Trust, Verifier

ORIGIN = "kreis.example/log"
LOG_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PROMISE_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
AT = "2026-03-16T10:00:00.000Z"


def dump(value: Any) -> bytes:
    """Return canonical JSON; the texts of these logs are plain."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def root_of(leaves: Sequence[bytes]) -> bytes:
    """Return the root by the definition (RFC 6962, section 2.1)."""
    if len(leaves) <= 1:
        return leaves[0] if leaves else sha256(b"").digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\x01" + root_of(leaves[:k]) + root_of(leaves[k:])).digest()


def vkey(key: Ed25519PrivateKey = LOG_KEY, name: str = ORIGIN) -> str:
    """Return a verifier key."""
    public = b"\x01" + key.public_key().public_bytes_raw()
    key_id = sha256(name.encode() + b"\n" + public).hexdigest()[:8]
    return f"{name}+{key_id}+{base64.b64encode(public).decode()}"


def signature(text: str, key: Ed25519PrivateKey = LOG_KEY, name: str = ORIGIN) -> str:
    """Return a signature line."""
    signed = bytes.fromhex(vkey(key, name).split("+")[1]) + key.sign(text.encode())
    return f"\N{EM DASH} {name} {base64.b64encode(signed).decode()}\n"


def note(leaves: Sequence[bytes], origin: str = ORIGIN, *more: str) -> str:
    """Return a signed checkpoint over leaves, with further signature lines before ours."""
    text = f"{origin}\n{len(leaves)}\n{base64.b64encode(root_of(leaves)).decode()}\nat {AT}\n"
    return text + "\n" + "".join(more) + signature(text)


@dataclass
class Log:
    """A log with its entries and the sizes at which checkpoints were made."""

    entries: list[dict[str, Any]] = field(default_factory=list)
    sides: list[dict[str, list[str]] | None] = field(default_factory=list)
    sizes: set[int] = field(default_factory=set)

    def add(self, count: int = 1) -> Log:
        """Add entries and a checkpoint over them."""
        for _ in range(count):
            number = len(self.entries)
            salt, value = sha256(f"salt{number}".encode()).hexdigest()[:32], f"person-{number}"
            committed = sha256(bytes.fromhex(salt) + value.encode()).hexdigest()
            self.entries.append(
                {
                    "id": f"entry-{number}",
                    "at": AT,
                    "event": "transfer.permitted",
                    "actor": "a:B",
                    "sender": "a:B",
                    "recipient": None,
                    "reference": f"transfer-{number}",
                    "data": {"removed": [], "test": True, "größe": number},
                    "commitments": {"persons": committed},
                }
            )
            self.sides.append({"persons": [salt, value]})
        self.sizes.add(len(self.entries))
        return self

    def leaves(self) -> list[bytes]:
        """Return the leaf hashes."""
        return [sha256(b"\x00" + dump(entry)).digest() for entry in self.entries]

    def lines(self) -> list[bytes]:
        """Return the lines of the export."""
        leaves = self.leaves()
        promise = base64.urlsafe_b64encode(PROMISE_KEY.public_key().public_bytes_raw()).rstrip(b"=").decode()
        head = {
            "format": "amtsbruecke-audit-export/1",
            "origin": ORIGIN,
            "exported_at": "2026-03-16T12:00:00.000Z",
            "side": True,
            "checkpoint_keys": [vkey()],
            "promise_keys": [{"kid": "signing-1", "x": promise}],
        }
        lines = [dump(head)]
        for index, (entry, side) in enumerate(zip(self.entries, self.sides, strict=True)):
            line = {"index": index, "leaf": leaves[index].hex(), "entry": entry}
            lines.append(dump(line | ({"side": side} if side is not None else {})))
            if index + 1 in self.sizes:
                lines.append(dump({"checkpoint": note(leaves[: index + 1]), "at": AT}))
        return ended(lines)


def ended(lines: Sequence[bytes]) -> list[bytes]:
    """Return lines with a right end, as one who changes a file would write it again."""
    kept = [line.rstrip(b"\n") + b"\n" for line in lines if not line.startswith(b'{"end"')]
    entries = sum(line.startswith(b'{"entry"') for line in kept)
    checkpoints = sum(line.startswith(b'{"at"') for line in kept)
    digest = sha256(b"".join(kept)).hexdigest()
    return [*kept, dump({"end": {"checkpoints": checkpoints, "entries": entries, "sha256": digest}}) + b"\n"]


def promise(entry: str, leaf: bytes, by: str = "2026-03-16T10:01:00.000Z", **changed: str) -> str:
    """Return a signed promise."""
    header = {"alg": "Ed25519", "kid": "signing-1", "typ": "amtsbruecke-promise+jws"}
    claims = {"by": by, "entry": entry, "leaf": leaf.hex(), "log": ORIGIN} | changed
    parts = [base64.urlsafe_b64encode(dump(part)).rstrip(b"=") for part in (header, claims)]
    signed = base64.urlsafe_b64encode(PROMISE_KEY.sign(b".".join(parts))).rstrip(b"=")
    return b".".join([*parts, signed]).decode()


def verified(lines: Sequence[bytes], **trust: Any) -> Report:
    """Verify lines."""
    verifier = Verifier(Trust(**trust))
    for line in b"".join(lines).splitlines(keepends=True):
        verifier.feed(line)
    return verifier.finish()
