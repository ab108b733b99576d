"""One server for all processes of a test run: the first that asks has it started, after the last one it is stopped.

Every process that uses the server holds a shared lock on a file until it ends, however it ends. The keeper, a process
of its own in which the server lives, waits for the exclusive lock: it has it when nobody is left.
"""

from __future__ import annotations

import fcntl
import importlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 120.0
USERS, ADDRESS, FAULT, LOG = "users", "address", "fault", "keeper.log"

Server = Callable[[Path], AbstractContextManager[str]]


class ServerMissing(Exception):
    """The server did not start; says why."""


@cache
def shared(server: str) -> str:
    """Return the address of the run's one server ``module:function``, a context manager from a folder to an address.

    Raises `ServerMissing` where it does not start.
    """
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    folder = Path(tempfile.gettempdir()) / f"amtsbruecke-{server.rpartition('.')[2].replace(':', '-')}-{run}"
    _HELD.append(_joined(folder))
    if _is_first(folder):
        command = [sys.executable, "-m", __name__, server, str(folder)]
        os.posix_spawn(sys.executable, command, os.environ | {"PYTHONPATH": str(ROOT)}, setsid=True)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if (folder / ADDRESS).exists():
            return (folder / ADDRESS).read_text()
        if (folder / FAULT).exists():
            raise ServerMissing((folder / FAULT).read_text())
        time.sleep(0.02)
    raise ServerMissing(f"{server} did not start within {PATIENCE:.0f} s; see {folder / LOG}")


#: Locks that this process holds until it ends.
_HELD: list[IO[bytes]] = []


def _joined(folder: Path) -> IO[bytes]:
    """Take the shared lock; where the keeper is just taking the folder away, wait for it and begin anew."""
    while True:
        folder.mkdir(exist_ok=True)
        try:
            users = (folder / USERS).open("ab")
            fcntl.flock(users, fcntl.LOCK_SH)
            if os.fstat(users.fileno()).st_ino == (folder / USERS).stat().st_ino:
                return users
        except FileNotFoundError:
            continue


def _is_first(folder: Path) -> bool:
    try:
        (folder / "kept").mkdir()
    except FileExistsError:
        return False
    return True


def keep(server: str, folder: Path) -> None:
    """Run the server until no process of the run is left, then take its folder away."""
    with (folder / LOG).open("ab", buffering=0) as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    module, _, name = server.partition(":")
    make: Server = getattr(importlib.import_module(module), name)
    with (folder / USERS).open("ab") as users:
        try:
            with make(folder) as address:
                _say(folder / ADDRESS, address)
                fcntl.flock(users, fcntl.LOCK_EX)
                (folder / USERS).unlink()
        except Exception as exc:
            _say(folder / FAULT, str(exc))
            fcntl.flock(users, fcntl.LOCK_EX)
            raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _say(path: Path, text: str) -> None:
    """Write a file that is seen whole or not at all."""
    draft = path.with_suffix(".draft")
    draft.write_text(text)
    draft.rename(path)


if __name__ == "__main__":
    keep(sys.argv[1], Path(sys.argv[2]))
