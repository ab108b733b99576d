"""The product's own commands, run as an operator runs them: set by the environment alone, told by their words."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from broker.cli.main import app
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


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended, and all that it wrote."""

    code: int
    said: str


def amtsbruecke(settings: Mapping[str, str], *words: str) -> Ended:
    """Run ``amtsbruecke WORDS…`` to its end, whatever that is, in this process, which costs less than starting one.

    The environment is that of the command as long as it runs.
    """
    said = io.StringIO()
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(environment(settings))
    try:
        with redirect_stdout(said), redirect_stderr(said):
            app(words, prog_name="amtsbruecke")
    except SystemExit as end:
        return Ended(end.code if isinstance(end.code, int) else int(bool(end.code)), said.getvalue())
    except Exception as exc:  # noqa: BLE001 - a process would have ended by it
        return Ended(1, f"{said.getvalue()}{type(exc).__name__}: {exc}")
    finally:
        os.environ.clear()
        os.environ.update(before)
    return Ended(0, said.getvalue())


def must(settings: Mapping[str, str], *words: str) -> None:
    """Run a command that has to do its work. Raises `CommandFailed`."""
    done = amtsbruecke(settings, *words)
    if done.code:
        raise CommandFailed(f"amtsbruecke {' '.join(words)} ended with {done.code}: {done.said[-2000:]}")


def as_login(address: str, process: str, secrets: Path) -> dict[str, str]:
    """Return the settings by which a process (of `broker.privileges.PROCESSES`) logs in under its own name.

    `address`: ``postgresql+asyncpg://{login}@…``; `secrets`: the folder that ``db logins`` has filled.
    """
    login = login_of(process)
    return {"DATABASE_URL": address.format(login=login), "DATABASE_PASSWORD_FILE": str(secrets / login)}
