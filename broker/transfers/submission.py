"""One submission on its way through the stations, and the answer to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from schemas.message import ValidatedPayload


@dataclass(frozen=True, slots=True)
class Submitted:
    """A validated message of an authenticated instance. `only_check`: decide and log, queue nothing."""

    transfer_id: str
    payload: ValidatedPayload
    client_id: str
    at: datetime
    other_traeger: bool
    """Sender and recipient belong to different Träger, as the directory says."""
    only_check: bool = False
    traceparent: str = ""
    """The trace that the request belongs to (W3C Trace Context); travels with the record."""

    @property
    def sender(self) -> str:
        """The sending instance."""
        return str(self.payload.head.sender)

    @property
    def recipient(self) -> str:
        """The receiving instance."""
        return str(self.payload.head.recipient)

    @property
    def message_key(self) -> tuple[str, str]:
        """The scope of idempotency: sending instance and message id."""
        return self.sender, self.payload.head.message_id


@dataclass(frozen=True, slots=True)
class Answer:
    """What the sender gets: HTTP status and body."""

    status: int
    body: dict[str, Any]
    repeated: bool = False


Result = Answer | Exception

ACCEPTED = 202


def content_bytes(submitted: Submitted) -> int:
    """Return what a submission weighs: the bytes of its message."""
    return len(submitted.payload.content)
