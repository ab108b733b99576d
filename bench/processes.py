"""Processes of a round: started, watched for their processor time, and ended. ``/proc`` tells (Linux)."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

STOP_SECONDS = 15.0
TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def started(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process while the body runs; what it says goes to a log in `folder`."""
    name = "-".join(word for word in command[1:4] if not word.startswith("-"))
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(command, env=dict(environment), stdout=log, stderr=log)  # noqa: S603 - our own modules
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process, its children, and those of them that have ended; 0 where it is gone."""
    own = _stat(pid)
    if own is None:
        return 0.0
    return sum(own[11:15]) / TICKS + sum(sum(stat[11:15]) / TICKS for stat in map(_stat, children_of(pid)) if stat)


def children_of(pid: int, *, everyone: bool = False) -> list[int]:
    """Return the children of a process, or all processes of the machine."""
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [other for other in pids if everyone or ((stat := _stat(other)) and stat[1] == pid)]


def parent_of(pid: int) -> int:
    """Return the parent of a process; 0 where there is no such process on this machine."""
    stat = _stat(pid)
    return stat[1] if stat else 0


def _stat(pid: int) -> list[int] | None:
    """Read ``/proc/PID/stat`` behind the name: fields 3 and on; the state counts as 0."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(") ")[2].split()
    except OSError:
        return None
    return [int(field) if field.lstrip("-").isdigit() else 0 for field in fields]
