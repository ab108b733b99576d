"""Under which logins of the database a command works, and over whose data: declared at each command.

On the machine of the service a command acts as the login of its settings (``amtsbruecke db logins``); what it opens the
database as is in the tests held against what it declares, and the logins' privileges against what it does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from broker.access import Over
from broker.privileges import PROCESSES

Command = TypeVar("Command", bound=Callable[..., Any])

OWNER = "owner"
"""The owner of the tables, who is no login of a process."""


@dataclass(frozen=True, slots=True)
class Operated:
    """As whom a command logs in (one of `PROCESSES`, or `OWNER`; None: it opens no database), over whose data."""

    login: str | None
    over: Over


def operated(login: str | None, over: Over) -> Callable[[Command], Command]:
    """Declare under which login a command works, and over whose data."""
    if login is not None and login != OWNER and login not in PROCESSES:
        raise LookupError(login)

    def declare(command: Command) -> Command:
        vars(command)["operated"] = Operated(login, over)
        return command

    return declare


def operated_of(command: Callable[..., Any]) -> Operated:
    """Return what is declared of a command. Raises `LookupError`."""
    declared = getattr(command, "operated", None)
    if isinstance(declared, Operated):
        return declared
    raise LookupError(f"{command.__qualname__}: no `operated` beside the command")
