"""The product's own commands, run as an operator runs them: in a process of their own, set by the environment alone."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from broker.logins import login_of

ROOT = Path(__file__).resolve().parents[1]
PREFIX = "AMTSBRUECKE_"


class CommandFailed(RuntimeError):
    """A command did not end with 0; says what it said."""


def environment(settings: Mapping[str, str], extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a process with these settings (without prefix) and no others, and more variables."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    given = {PREFIX + name: value for name, value in settings.items()}
    return {**kept, **given, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **(extra or {})}


def amtsbruecke(settings: Mapping[str, str], *words: str) -> subprocess.CompletedProcess[bytes]:
    """Run ``amtsbruecke WORDS…`` to its end, whatever that is."""
    command = [sys.executable, "-m", "broker", *words]
    return subprocess.run(command, cwd=ROOT, env=environment(settings), check=False, capture_output=True)


def must(settings: Mapping[str, str], *words: str) -> None:
    """Run a command that has to do its work. Raises `CommandFailed`."""
    done = amtsbruecke(settings, *words)
    if done.returncode:
        said = (done.stdout + done.stderr).decode(errors="replace")[-2000:]
        raise CommandFailed(f"amtsbruecke {' '.join(words)} ended with {done.returncode}: {said}")


def as_login(address: str, process: str, secrets: Path) -> dict[str, str]:
    """Return the settings by which a process (of `broker.privileges.PROCESSES`) logs in under its own name.

    `address`: ``postgresql+asyncpg://{login}@…``; `secrets`: the folder that ``db logins`` has filled.
    """
    login = login_of(process)
    return {"DATABASE_URL": address.format(login=login), "DATABASE_PASSWORD_FILE": str(secrets / login)}
