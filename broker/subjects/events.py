"""What an event about a person tells the rest of the service, in the transaction of the event."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fastapi import Request
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.subjects.state import Key


@dataclass(frozen=True, slots=True)
class SubjectEvent:
    """Something that may stop transfers in flight was recorded about a person at a controller."""

    event: str
    """``consent.recorded`` (a refusal), ``consent.withdrawn`` or ``stop.recorded``."""
    controller: str
    pseudonym: str
    near: tuple[str, ...]
    case_key: str | None
    consent_id: str | None = None
    stop_id: str | None = None


SubjectChanged = Callable[[AsyncConnection, SubjectEvent], Awaitable[None]]


async def subject_changed(request: Request) -> SubjectChanged:
    """Give a route what looks again at transfers in flight (set by `create_app`)."""
    hook: SubjectChanged = request.app.state.subject_changed
    return hook


def state_keys(controller: str, pseudonym: str, case_key: str | None, *, owner: str | None = None) -> list[Key]:
    """Return the rows of `subject_state` that an event about the person raises.

    `owner`: under whose keys the pseudonym is, where that is not the controller (register of protected addresses).
    """
    return [(owner or controller, pseudonym), *([(controller, case_key)] if case_key is not None else [])]
