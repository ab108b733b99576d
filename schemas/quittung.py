"""The receipt of a receiving office, the same on every channel."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from schemas.identifiers import Instance, MessageId, TransferId


class QuittungStatus(StrEnum):
    """What became of the message."""

    ANGENOMMEN = "ANGENOMMEN"
    ABGELEHNT = "ABGELEHNT"
    VERARBEITET = "VERARBEITET"


class QuittungGrund(StrEnum):
    """Why a message was rejected."""

    NICHT_ZUSTAENDIG = "NICHT_ZUSTAENDIG"
    PERSON_UNBEKANNT = "PERSON_UNBEKANNT"
    UNVOLLSTAENDIG = "UNVOLLSTAENDIG"
    NICHT_LESBAR = "NICHT_LESBAR"
    DOPPELT = "DOPPELT"
    SONSTIGES = "SONSTIGES"


@dataclass(frozen=True, slots=True)
class Quittung:
    """A receipt that passed the gate. `reason` is set for ABGELEHNT alone; `digest` is SHA-256 in hexadecimal."""

    message_id: MessageId
    transfer_id: TransferId
    reply_to: MessageId
    sender: Instance
    created_at: datetime
    status: QuittungStatus
    reason: QuittungGrund | None
    digest: str
    content: bytes
