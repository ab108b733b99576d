"""Files that are there wholly or not at all: new under a hidden name, synced, renamed, the directory synced (POSIX).

Everything is done relative to open directories and without following links, so no name can lead out of its directory.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from enum import StrEnum

from adapters.base import DeliveryError

LOCK = ".sperre"
FILE_MODE = 0o640
DIRECTORY_MODE = 0o2770
"""Group-writable, so that the office's software can take files away; new files belong to the directory's group."""


class FileReason(StrEnum):
    """What the operating system said, without its words: they hold names."""

    FULL = "folder-full"
    FILE_LIMIT = "folder-file-size-limit"
    DENIED = "folder-permission-denied"
    READ_ONLY = "folder-read-only"
    MISSING = "folder-missing"
    NOT_A_FOLDER = "folder-not-a-folder"
    UNREACHABLE = "folder-unreachable"


REASONS = {
    errno.ENOSPC: FileReason.FULL,
    errno.EDQUOT: FileReason.FULL,
    errno.EFBIG: FileReason.FILE_LIMIT,
    errno.EACCES: FileReason.DENIED,
    errno.EPERM: FileReason.DENIED,
    errno.EROFS: FileReason.READ_ONLY,
    errno.ENOENT: FileReason.MISSING,
    errno.ENOTDIR: FileReason.NOT_A_FOLDER,
    errno.ELOOP: FileReason.NOT_A_FOLDER,
}


@contextmanager
def repairable() -> Iterator[None]:
    """Turn every `OSError` into a retryable `DeliveryError`: space, rights and mounts can be repaired."""
    try:
        yield
    except OSError as error:
        raise DeliveryError(retryable=True, reason_code=reason_of(error)) from None


def reason_of(error: OSError) -> FileReason:
    """Return the reason code of an error."""
    return REASONS.get(error.errno or 0, FileReason.UNREACHABLE)


@contextmanager
def directory(name: str | os.PathLike[str], within: int | None = None) -> Iterator[int]:
    """Open a directory for use as ``dir_fd``; below another one, links are not followed. Raises `OSError`."""
    follow = 0 if within is None else os.O_NOFOLLOW
    opened = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | follow, dir_fd=within)
    try:
        yield opened
    finally:
        os.close(opened)


@contextmanager
def locked(where: int) -> Iterator[None]:
    """Hold the directory's lock file, so that two processes never hand over at once. Waits; raises `OSError`."""
    opened = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, FILE_MODE, dir_fd=where)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
    finally:
        os.close(opened)


def make_directory(name: str, within: int) -> None:
    """Make a directory that the group may write to, unless it is there. Raises `OSError`."""
    with suppress(FileExistsError):
        os.mkdir(name, DIRECTORY_MODE, dir_fd=within)
        with directory(name, within) as made:
            os.fchmod(made, DIRECTORY_MODE)
    os.fsync(within)


def write_hidden(where: int, name: str, content: bytes) -> None:
    """Write a new file and sync it; a leftover of that name is removed first. Raises `OSError`."""
    remove(where, name)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    opened = os.open(name, flags, FILE_MODE, dir_fd=where)
    with os.fdopen(opened, "wb", buffering=0) as file:
        os.fchmod(opened, FILE_MODE)
        rest = memoryview(content)
        while rest:
            rest = rest[file.write(rest) :]
        os.fsync(opened)


def rename(where: int, old: str, new: str) -> None:
    """Give a file its name, in the same directory. Raises `OSError`."""
    os.rename(old, new, src_dir_fd=where, dst_dir_fd=where)


def remove(where: int, name: str) -> None:
    """Remove a file if it is there. Raises `OSError`."""
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=where)


def exists(where: int, name: str) -> bool:
    """Whether something of that name is there, a link included. Raises `OSError`."""
    return status(where, name) is not None


def status(where: int, name: str) -> os.stat_result | None:
    """Return what is known about a name without following it; None: not there. Raises `OSError`."""
    try:
        return os.stat(name, dir_fd=where, follow_symlinks=False)
    except FileNotFoundError:
        return None


def names(where: int) -> list[str]:
    """Return the names in an open directory, sorted. Raises `OSError`."""
    return sorted(os.listdir(where))


def older(where: int, limit: datetime) -> list[str]:
    """Return the names of the files (the lock apart) that were last changed before `limit`. Raises `OSError`."""
    found = ((name, status(where, name)) for name in names(where) if name != LOCK)
    return [
        name for name, state in found if state and stat.S_ISREG(state.st_mode) and state.st_ctime < limit.timestamp()
    ]


def read_file(where: int, name: str, limit: int) -> tuple[os.stat_result, bytes | None] | None:
    """Read a regular file: its status, and its bytes or None where it is over `limit` bytes.

    None as a whole: not there, or no regular file (links, pipes and devices are never opened for reading further).
    Raises `OSError`.
    """
    found = status(where, name)
    if found is None or not stat.S_ISREG(found.st_mode):
        return None
    opened = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=where)
    with os.fdopen(opened, "rb") as file:
        state = os.fstat(opened)
        if not stat.S_ISREG(state.st_mode):
            return None
        content = file.read(limit + 1)
    return state, content if len(content) <= limit else None
