"""Hand over in a process of its own that something happens to. Run: ``python -m tests.adapters.interrupted``.

Arguments: what happens, a folder for shares, kind, unit, branch (may be empty). Writes JSON to standard output.

The steps are the calls into the operating system, seen by Python's profiler before they happen: the code under test is
not touched. Each attempt is a fork with a share of its own.
"""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from adapters.base import AgencyAdapter, Delivery, DeliveryError
from schemas.identifiers import UnitCode
from tests.adapters.examples import adapter, delivery

STEPS = frozenset({"open", "write", "fchmod", "fsync", "rename", "unlink", "flock"})
DONE = 0
FAILED_RETRYABLE = 10
FAILED_FOR_GOOD = 11
NOBODY = 65534
BIG = 32 << 20


def kill() -> None:
    """End this process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


def disk_full() -> None:
    """Fail the coming system call for want of space."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def strike_at(step: int, blow: Callable[[], None], steps: frozenset[str] = STEPS) -> None:
    """Let `blow` happen instead of the step of that number; afterwards all goes on undisturbed."""
    passed = 0

    def hook(_: FrameType, event: str, called: Any) -> None:
        nonlocal passed
        if event == "c_call" and called.__name__ in steps:
            passed += 1
            if passed == step:
                sys.setprofile(None)
                blow()

    sys.setprofile(hook)


def attempt(office: AgencyAdapter, message: Delivery, prelude: Callable[[], None]) -> int:
    """Hand over in a fork and return its wait status as an exit code (negative: the signal)."""
    child = os.fork()
    if child == 0:
        code = DONE
        try:
            prelude()
            office.deliver(message)
        except DeliveryError as error:
            code = FAILED_RETRYABLE if error.retryable else FAILED_FOR_GOOD
            os.write(2, f"{error.reason_code}\n".encode())
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def kill_before_it_is_seen(office: AgencyAdapter, message: Delivery) -> None:
    """Hand over until all is written and marked and nothing has its name yet: the mark's rename is the first one."""
    attempt(office, message, partial(strike_at, 2, kill, frozenset({"rename"})))


def at_every_step(
    root: Path, blow: Callable[[], None], kind: str, message: Delivery, *, again: bool = False
) -> list[int]:
    """Strike at step 1, 2, 3 … until an attempt gets through; return the exit codes. `again`: a second attempt."""
    codes: list[int] = []
    while not codes or codes[-1] != DONE:
        step = len(codes) + 1
        share = root / str(step)
        share.mkdir()
        office = adapter(kind, share)
        office.prepare()
        if again:
            kill_before_it_is_seen(office, message)
        codes.append(attempt(office, message, partial(strike_at, step, blow)))
    return codes


def limit_file_size(*, deadly: bool) -> None:
    """Let no file grow over 100 kB; where `deadly`, the kernel ends the process in the middle of the write."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL if deadly else signal.SIG_IGN)


def kill_while_writing(share: Path) -> None:
    """Watch the share, and kill -9 as soon as the first bytes of a file are there."""

    def watch() -> None:
        while not any(path.stat().st_size for path in share.glob("*/.*-1.xml.teil")):
            pass
        kill()

    threading.Thread(target=watch, daemon=True).start()


def lose_rights(share: Path) -> None:
    """Make the places read-only, and give up root where the tests run as root: it may write everywhere."""
    for path in [share, *share.rglob("*")]:
        if os.geteuid() == 0:
            os.chown(path, NOBODY, NOBODY)
        if path.parent == share and not path.name.startswith("."):
            path.chmod(0o550)
    if os.geteuid() == 0:
        os.setgid(NOBODY)
        os.setuid(NOBODY)


def main(happening: str, folder: str, kind: str, unit: str, branch: str) -> None:
    """Run what the arguments say and print the exit codes."""
    root = Path(folder)
    small = delivery(UnitCode(unit), branch=branch or None)
    big = delivery(UnitCode(unit), branch=branch or None, content=bytes(BIG))
    preludes: dict[str, Callable[[], None]] = {
        "file-limit": lambda: limit_file_size(deadly=False),
        "killed-by-limit": lambda: limit_file_size(deadly=True),
        "killed-while-writing": lambda: kill_while_writing(root),
        "no-rights": lambda: lose_rights(root),
    }
    if happening == "kill":
        codes = at_every_step(root, kill, kind, small)
    elif happening == "kill-again":
        codes = at_every_step(root, kill, kind, small, again=True)
    elif happening == "disk-full":
        codes = at_every_step(root, disk_full, kind, small)
    else:
        office = adapter(kind, root)
        office.prepare()
        codes = [attempt(office, big, preludes[happening])]
    sys.stdout.write(json.dumps(codes))


if __name__ == "__main__":
    main(*sys.argv[1:])
