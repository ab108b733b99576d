"""Quittungen in a folder: picked up from ``quittungen/``, moved to ``erledigt/`` or ``fehler/`` once they are settled.

File names are the office's and may speak of a person; they stay in the office's folder and reach no log and no error.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path

from adapters import durable
from adapters.base import ReceivedQuittung
from schemas.identifiers import UnitCode

QUITTUNGEN = "quittungen"
SETTLED = "erledigt"
REFUSED = "fehler"
REASON_NAME = ".grund.txt"
TOO_LARGE = "quittung-too-large"
TEMPORARY = (".", "~", "#")
KEEP_SETTLED = timedelta(days=14)
"""As long as a payload is kept at most."""

_Found = tuple[os.stat_result, bytes | None]
"""A file's status and its bytes; None where it is too large."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """The most bytes of a quittung, and for how many seconds it must not have been written to."""

    max_bytes: int
    quiet_seconds: int


def prepare(place: int) -> None:
    """Make the folders of one place. Raises `OSError`."""
    durable.make_directory(QUITTUNGEN, place)
    with durable.directory(QUITTUNGEN, place) as inbound:
        durable.make_directory(SETTLED, inbound)
        durable.make_directory(REFUSED, inbound)


def collect(
    path: Path, target: str, units: frozenset[UnitCode], limits: Limits, now: datetime
) -> Iterator[ReceivedQuittung]:
    """Yield the quittungen of one place by name. Not yielded: temporary, too fresh, too large (refused), unreadable.

    Raises `DeliveryError` where the place cannot be read. One unreadable file is logged and holds up no other.
    """
    with durable.repairable(), _inbound(path, target) as inbound:
        names = [name for name in durable.names(inbound) if _is_finished(name)]
    for name in names:
        found = _read(path, target, name, limits.max_bytes)
        if found is None or _is_fresh(found[0], now, limits.quiet_seconds):
            continue
        quittung = _received(path, target, name, found, units)
        if found[1] is None:
            logger.warning("quittung refused: %s, %s", quittung.reference, TOO_LARGE)
            quittung.refuse(TOO_LARGE)
        else:
            yield quittung


def tidy(place: int, now: datetime) -> int:
    """Delete settled quittungen that are past their time; refused ones wait for a human. Raises `OSError`."""
    with durable.directory(QUITTUNGEN, place) as inbound, durable.directory(SETTLED, inbound) as settled:
        old = durable.older(settled, now - KEEP_SETTLED)
        for name in old:
            durable.remove(settled, name)
    return len(old)


def _is_finished(name: str) -> bool:
    return name.lower().endswith(".xml") and not name.startswith(TEMPORARY)


def _is_fresh(state: os.stat_result, now: datetime, quiet_seconds: int) -> bool:
    """Whether somebody may still be writing. A time far in the future is a wrong clock, and does not hold a file up."""
    return abs(now.timestamp() - state.st_mtime) < quiet_seconds


@contextmanager
def _inbound(path: Path, target: str) -> Iterator[int]:
    with (
        durable.directory(path) as share,
        durable.directory(target, share) as place,
        durable.directory(QUITTUNGEN, place) as inbound,
    ):
        yield inbound


def _read(path: Path, target: str, name: str, max_bytes: int) -> _Found | None:
    try:
        with _inbound(path, target) as inbound:
            return durable.read_file(inbound, name, max_bytes)
    except OSError as error:
        logger.warning("a quittung in folder:%s cannot be read: %s", target, durable.reason_of(error))
        return None


def _received(path: Path, target: str, name: str, found: _Found, units: frozenset[UnitCode]) -> ReceivedQuittung:
    state, content = found

    def settle(reason_code: str | None) -> None:
        with durable.repairable(), _inbound(path, target) as inbound:
            _move(inbound, name, state, reason_code)

    # The inode finds the file (find -inum) without repeating the office's name for it.
    return ReceivedQuittung(content or b"", f"folder:{target}/quittungen#{state.st_ino}", units, settle)


def _move(inbound: int, name: str, state: os.stat_result, reason_code: str | None) -> None:
    """Move the file that was read; one that was replaced since is another quittung, and stays for the next round.

    One that another process moved in the same moment is settled: two pick up at once where the first was slow.
    """
    now = durable.status(inbound, name)
    if now is None or (now.st_ino, now.st_mtime_ns) != (state.st_ino, state.st_mtime_ns):
        return
    with durable.directory(SETTLED if reason_code is None else REFUSED, inbound) as where:
        free = _free_name(where, name)
        if reason_code is not None:
            durable.write_hidden(where, ".grund.teil", reason_code.encode() + b"\n")
            durable.rename(where, ".grund.teil", f"{free}{REASON_NAME}")
        with suppress(FileNotFoundError):
            os.rename(name, free, src_dir_fd=inbound, dst_dir_fd=where)
        os.fsync(where)
        os.fsync(inbound)


def _free_name(where: int, name: str) -> str:
    """Return the name, with a number before its ending where another quittung of that name lies there."""
    path = Path(name)
    names = (name if number == 1 else f"{path.stem}-{number}{path.suffix}" for number in count(1))
    return next(candidate for candidate in names if not durable.exists(where, candidate))
