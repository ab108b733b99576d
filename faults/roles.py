"""The roles as processes, two or more of each, and a small supervisor that starts again what ends.

What ends without our hand is kept as a finding: no fault from outside may end a role.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from faults.commands import ROOT

MODULE = "broker"
"""What is run; tests of the supervisor run something simpler."""
RESTART_SECONDS = 0.5
STOP_SECONDS = 12.0
"""A role has ten seconds to end in order."""
LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Doom:
    """A place where a process kills itself; see `faults.dying`."""

    place: str
    when: str
    nth: int = 1


@dataclass(slots=True)
class Process:
    """One process of a role, through all its lives."""

    name: str
    role: str
    words: Sequence[str]
    env: Mapping[str, str]
    log: Path
    popen: subprocess.Popen[bytes] | None = None
    doom: Doom | None = None
    """What its next life ends by."""
    mark: Path | None = None
    expected: bool = False
    """Whether its present life was ended by us."""
    held: bool = False
    """Whether it stays down until it is released."""
    ended_at: float = 0.0
    lives: int = 0


@dataclass(frozen=True, slots=True)
class Ended:
    """A process that ended though nobody of us ended it."""

    name: str
    code: int


@dataclass(slots=True)
class Supervisor:
    """Keeps processes running until `stop`."""

    folder: Path
    processes: dict[str, Process] = field(default_factory=dict)
    unexpected: list[Ended] = field(default_factory=list)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def add(self, role: str, name: str, words: Sequence[str], env: Mapping[str, str]) -> None:
        """Start a process and keep it running."""
        with self._lock:
            process = Process(name, role, words, env, self.folder / f"{name}.log")
            self.processes[name] = process
            _launch(process)
        if self._thread is None:
            self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)
            self._thread.start()

    def of(self, role: str) -> list[str]:
        """Return the names of a role's processes."""
        return [name for name, process in self.processes.items() if process.role == role]

    def kill(self, name: str) -> None:
        """End a process (kill -9) and those that it keeps, as systemd does with a service; it comes again."""
        with self._lock:
            process = self.processes[name]
            process.expected = True
            kept = self._children(name)
            self._signal(name, signal.SIGKILL)
            for child in kept:
                _end(child)

    def kill_child(self, name: str) -> bool:
        """End one process that a process keeps (a worker of a gateway); return whether there was one."""
        with self._lock:
            kept = self._children(name)
            if kept:
                _end(kept[0])
        return bool(kept)

    def _children(self, name: str) -> list[int]:
        popen = self.processes[name].popen
        path = Path(f"/proc/{popen.pid}/task/{popen.pid}/children") if popen else None
        return [int(word) for word in path.read_text().split()] if path is not None and path.exists() else []

    def pause(self, name: str) -> None:
        """Let a process stand still."""
        self._signal(name, signal.SIGSTOP)

    def wake(self, name: str) -> None:
        """Let it go on."""
        self._signal(name, signal.SIGCONT)

    def hold(self, name: str) -> None:
        """End a process in order and keep it down until `release`."""
        with self._lock:
            self.processes[name].held = self.processes[name].expected = True
            self._signal(name, signal.SIGTERM)

    def release(self, name: str) -> None:
        """Let a process that was held come again."""
        with self._lock:
            self.processes[name].held = False

    def dies_at(self, name: str, doom: Doom, seconds: float) -> bool:
        """Put a life in the place of a process that ends at a place; return whether it got there in time.

        Afterwards the process is an ordinary one again.
        """
        with self._lock:
            process = self.processes[name]
            process.doom = doom
            process.mark = self.folder / f"{name}-{process.lives}.mark"
            mark = process.mark
            self.kill(name)
        end = time.monotonic() + seconds
        while not mark.exists() and time.monotonic() < end:
            time.sleep(LOOK_SECONDS)
        with self._lock:
            reached = mark.exists()
            if not reached:
                process.doom = None
                self.kill(name)
            return reached

    def stop(self) -> None:
        """End all in order; what does not end in its time is killed and counts as unexpected."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        for name in self.processes:
            self._signal(name, signal.SIGCONT)
            self._signal(name, signal.SIGTERM)
        end = time.monotonic() + STOP_SECONDS
        for process in self.processes.values():
            if process.popen is None:
                continue
            try:
                process.popen.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                self.unexpected.append(Ended(process.name, -signal.SIGKILL))
                self._signal(process.name, signal.SIGKILL)
                process.popen.wait()

    def _signal(self, name: str, number: int) -> None:
        popen = self.processes[name].popen
        if popen is not None and popen.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(popen.pid, number)

    def _watch(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            with self._lock:
                for process in self.processes.values():
                    self._look_after(process)

    def _look_after(self, process: Process) -> None:
        code = process.popen.poll() if process.popen is not None else 0
        if code is None:
            return
        if process.popen is not None:
            by_doom = process.mark is not None and process.mark.exists() and code == -signal.SIGKILL
            if not process.expected and not by_doom:
                self.unexpected.append(Ended(process.name, code))
            process.popen, process.ended_at = None, time.monotonic()
        if not process.held and time.monotonic() - process.ended_at >= RESTART_SECONDS:
            _launch(process)


def _end(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _launch(process: Process) -> None:
    """Begin a life; with a doom, one that ends by it."""
    command = [sys.executable, "-m", MODULE, *process.words]
    if process.doom is not None:
        doom = process.doom
        words = [doom.place, doom.when, str(doom.nth), str(process.mark), "--", *process.words]
        command = [sys.executable, "-m", "faults.dying", MODULE, *words]
    else:
        process.mark = None
    process.doom, process.expected = None, False
    process.lives += 1
    with process.log.open("ab") as log:
        process.popen = subprocess.Popen(
            command, cwd=ROOT, env=dict(process.env), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
