"""The folder: messages are dropped into a directory that the office's software watches; quittungen lie beside them.

::

    <path>/                       the agency's share; made by the operator, never by us (it may be an absent mount)
      .uebergeben/<transfer id>   what was handed over: a digest, so that a second attempt writes nothing
      <target>/                   one place a unit or branch
        <transfer id>-1.xml       the message; companions ``-2.json``, ``-3.json`` appear before it
        quittungen/*.xml          written by the office's software
        quittungen/erledigt/      settled; deleted after `KEEP_SETTLED`
        quittungen/fehler/        refused, each with a ``.grund.txt`` that holds a reason code

The order makes every crash readable. Hidden files are written and synced, then the mark, then they get their names,
the message last. A mark whose message is still hidden was interrupted and is begun again; a mark without one was handed
over, even if the office has taken the file away since. So a transfer appears once, wholly or not at all.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from adapters import durable
from adapters.base import MESSAGE_NAME, DeliveryError, Handover, Package, Reason, ReceivedQuittung
from adapters.channels import folder_quittungen
from adapters.settings import AdapterSettingsError, whole_number
from schemas.identifiers import UnitCode

MARKS = ".uebergeben"
MARK_LIMIT = 4096
KEEP_MARKS = timedelta(days=90)
"""As long as message ids are kept for de-duplication."""
KEEP_HIDDEN = timedelta(days=1)
"""A hand-over that was interrupted and never taken up again leaves readable data under a hidden name; not for long."""
MEGABYTE = 1 << 20
MARK_UNREADABLE = "hand-over-mark-unreadable"
FIELDS = frozenset({"path", "message_max_bytes", "quittung_max_bytes", "quiet_seconds"})


@dataclass(frozen=True, slots=True)
class FolderChannel:
    """One agency's share. Sizes in bytes; `quiet_seconds`: how long a quittung must not have been written to."""

    path: Path
    message_max_bytes: int
    quittung_max_bytes: int
    quiet_seconds: int
    pushes: bool = True

    def prepare(self, targets: Mapping[str, frozenset[UnitCode]]) -> None:
        """Make the places below the share; the share itself must be there. Raises `DeliveryError`."""
        with durable.repairable(), durable.directory(self.path) as share:
            durable.make_directory(MARKS, share)
            with durable.directory(MARKS, share) as marks:
                os.fchmod(marks, 0o700)
            for target in sorted(targets):
                durable.make_directory(target, share)
                with durable.directory(target, share) as place:
                    folder_quittungen.prepare(place)

    def put(self, package: Package) -> Handover:
        """Hand over, idempotent by transfer id (module docstring). Places are not made here. Raises `DeliveryError`."""
        if any(len(file.content) > self.message_max_bytes for file in package.files):
            raise DeliveryError(retryable=False, reason_code=Reason.MESSAGE_TOO_LARGE)
        with durable.repairable(), ExitStack() as stack:
            share = stack.enter_context(durable.directory(self.path))
            marks = stack.enter_context(durable.directory(MARKS, share))
            place = stack.enter_context(durable.directory(package.target, share))
            stack.enter_context(durable.locked(marks))
            before = _handed_over(share, marks, package)
            if before is not None:
                return _handover(before, package, repeated=True)
            if durable.exists(place, package.message.name):
                _same_or_refuse(_digest_of(place, package.message.name, self.message_max_bytes), package)
                return _handover(package.target, package, repeated=True)
            _drop(place, marks, package)
            return _handover(package.target, package, repeated=False)

    def collect(self, targets: Mapping[str, frozenset[UnitCode]], now: datetime) -> Iterator[ReceivedQuittung]:
        """Yield quittungen by target and name; too large ones are refused on the way. Raises `DeliveryError`."""
        limits = folder_quittungen.Limits(self.quittung_max_bytes, self.quiet_seconds)
        for target in sorted(targets):
            yield from folder_quittungen.collect(self.path, target, targets[target], limits, now)

    def tidy(self, targets: Mapping[str, frozenset[UnitCode]], now: datetime) -> int:
        """Delete old marks, interrupted hand-overs and settled quittungen; return how many. Raises `DeliveryError`."""
        deleted = 0
        with durable.repairable(), ExitStack() as stack:
            share = stack.enter_context(durable.directory(self.path))
            marks = stack.enter_context(durable.directory(MARKS, share))
            stack.enter_context(durable.locked(marks))
            for target in sorted(targets):
                with durable.directory(target, share) as place:
                    deleted += _forget_hidden(place, marks, now - KEEP_HIDDEN)
                    deleted += folder_quittungen.tidy(place, now)
            old = durable.older(marks, now - KEEP_MARKS)
            for name in old:
                durable.remove(marks, name)
        return deleted + len(old)


def read(settings: Mapping[str, object]) -> FolderChannel:
    """Read the folder's settings. Raises `AdapterSettingsError`."""
    path = settings.get("path")
    if not isinstance(path, str) or not path.startswith("/") or "\0" in path or ".." in Path(path).parts:
        raise AdapterSettingsError("path", "einen vollständigen Pfad ohne „..“ angeben, z. B. /srv/amtsbruecke/marl")
    return FolderChannel(
        Path(path),
        message_max_bytes=whole_number(settings, "message_max_bytes", 50 * MEGABYTE, 1, 1024 * MEGABYTE),
        quittung_max_bytes=whole_number(settings, "quittung_max_bytes", MEGABYTE, 1, 50 * MEGABYTE),
        quiet_seconds=whole_number(settings, "quiet_seconds", 5, 0, 3600),
    )


def _hidden(name: str) -> str:
    return f".{name}.teil"


def _handover(target: str, package: Package, *, repeated: bool) -> Handover:
    names = tuple(file.name for file in package.files)
    return Handover(f"folder:{target}/{package.message.name}", names, repeated)


def _digest(package: Package) -> str:
    return hashlib.sha256(package.message.content).hexdigest()


def _digest_of(place: int, name: str, limit: int) -> str | None:
    found = durable.read_file(place, name, limit)
    return None if found is None or found[1] is None else hashlib.sha256(found[1]).hexdigest()


def _same_or_refuse(digest: str | None, package: Package) -> None:
    """Compare messages; companions may be written otherwise by a later version of this program."""
    if digest != _digest(package):
        raise DeliveryError(retryable=False, reason_code=Reason.OTHER_BYTES_UNDER_THIS_ID)


def _handed_over(share: int, marks: int, package: Package) -> str | None:
    """Return the target where the transfer was handed over before; an interrupted attempt is taken back."""
    found = durable.read_file(marks, package.transfer_id, MARK_LIMIT)
    if found is None:
        return None
    try:
        mark = json.loads(found[1] or b"")
        target, digest = str(mark["target"]), str(mark["sha256"])
    except (ValueError, KeyError, TypeError):
        raise DeliveryError(retryable=False, reason_code=MARK_UNREADABLE) from None
    _same_or_refuse(digest, package)
    with durable.directory(target, share) as place:
        if not durable.exists(place, _hidden(package.message.name)):
            os.fsync(place)
            return target
        _take_back(place, marks, package)
    return None


def _take_back(place: int, marks: int, package: Package) -> None:
    """Undo an attempt whose message was never visible. The mark goes first: alone it would mean handed over."""
    durable.remove(marks, package.transfer_id)
    os.fsync(marks)
    durable.remove(marks, _hidden(package.transfer_id))
    for file in package.files:
        durable.remove(place, _hidden(file.name))
    for file in package.companions:
        durable.remove(place, file.name)


def _drop(place: int, marks: int, package: Package) -> None:
    marked = False
    try:
        for file in package.files:
            durable.write_hidden(place, _hidden(file.name), file.content)
        os.fsync(place)
        mark = json.dumps({"sha256": _digest(package), "target": package.target}).encode()
        durable.write_hidden(marks, _hidden(package.transfer_id), mark)
        marked = True
        durable.rename(marks, _hidden(package.transfer_id), package.transfer_id)
        os.fsync(marks)
        for file in package.companions:
            durable.rename(place, _hidden(file.name), file.name)
        package.require_time()
        durable.rename(place, _hidden(package.message.name), package.message.name)
        os.fsync(place)
    except (OSError, DeliveryError):
        with suppress(OSError):
            if not marked or durable.exists(place, _hidden(package.message.name)):
                _take_back(place, marks, package)
        raise


def _forget_hidden(place: int, marks: int, limit: datetime) -> int:
    """Delete hidden leftovers older than `limit`, the mark of an interrupted message before the message."""
    leftovers = [name for name in durable.older(place, limit) if name.startswith(".") and name.endswith(".teil")]
    ending = _hidden(MESSAGE_NAME)[1:]
    for name in leftovers:
        if name.endswith(ending):
            durable.remove(marks, name[1 : -len(ending)])
            os.fsync(marks)
        durable.remove(place, name)
    return len(leftovers)
