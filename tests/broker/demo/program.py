"""The command as a person starts it: in a process of its own, on a free port, with data of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[3]
RUN = (sys.executable, "-m", "broker", "run")
LONGEST = 120
"""Seconds after which a test gives up on the process."""


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def environment(data: Path, port: int) -> dict[str, str]:
    """Return the environment of this machine, with settings for the gateway."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AMTSBRUECKE_")}
    return inherited | {"AMTSBRUECKE_DATA_DIR": str(data), "AMTSBRUECKE_PORT": str(port), "PYTHONPATH": str(ROOT)}


def run(data: Path, *arguments: str, port: int | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    env = environment(data, free_port() if port is None else port)
    return subprocess.run(
        [*RUN, *arguments], cwd=ROOT, env=env, capture_output=True, text=True, timeout=LONGEST, check=False
    )


@dataclass(frozen=True, slots=True)
class Running:
    """A command that stays up."""

    process: subprocess.Popen[str]
    url: str
    text: str
    """What it printed until it was ready."""

    def interrupt(self) -> tuple[int, str]:
        """Press Ctrl-C; return the exit status and what was still printed."""
        self.process.send_signal(signal.SIGINT)
        rest, _ = self.process.communicate(timeout=LONGEST)
        return self.process.returncode, rest


@contextmanager
def staying(data: Path, *arguments: str, ready: str) -> Iterator[Running]:
    """Run a command that stays up, until it has printed a line with `ready` in it."""
    port = free_port()
    process = subprocess.Popen(
        [*RUN, *arguments],
        cwd=ROOT,
        env=environment(data, port),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        yield Running(process, f"http://127.0.0.1:{port}", _until(process.stdout, ready))
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def _until(output: IO[str], ready: str) -> str:
    """Read lines up to the one that says it is ready."""
    lines: list[str] = []
    end = time.monotonic() + LONGEST
    for line in output:
        lines.append(line)
        if ready in line:
            return "".join(lines)
        assert time.monotonic() < end, "".join(lines)
    raise AssertionError(f"ended before it was ready: {''.join(lines)}")
