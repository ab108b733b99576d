"""Ledgers: what a party saw, one JSON object a line, handed to the kernel before the party goes on.

No fsync: processes die here, not the machine, and the disk's time is the product's.

Moments are seconds of CLOCK_MONOTONIC, which all processes of a machine share and no jump of the clock moves.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Entry = dict[str, Any]

#: Files of a round's folder.
SENT = "sent.jsonl"
STOPS = "stops.jsonl"
RECEIVED = "received.jsonl"


def moment() -> float:
    """Return now, in seconds that never jump."""
    return time.clock_gettime(time.CLOCK_MONOTONIC)


class Ledger:
    """An append-only file; an entry that `write` returned from survives the death of its writer."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)

    def write(self, *entries: Entry) -> None:
        """Append entries."""
        if entries:
            self._file.write(b"".join(json.dumps(entry).encode() + b"\n" for entry in entries))

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read(path: Path) -> Iterator[Entry]:
    """Yield the entries of a ledger; a last line that was cut off is none. A file that is not there is empty."""
    if not path.exists():
        return
    for line in path.read_bytes().splitlines(keepends=True):
        if line.endswith(b"\n"):
            yield json.loads(line)


def tail(path: Path, offset: int) -> tuple[list[Entry], int]:
    """Return the whole entries behind a byte offset, and the offset behind them."""
    if not path.exists():
        return [], offset
    with path.open("rb") as file:
        file.seek(offset)
        lines = file.read().splitlines(keepends=True)
    whole = [line for line in lines if line.endswith(b"\n")]
    return [json.loads(line) for line in whole], offset + sum(map(len, whole))
