"""What every adapter is: the types that pass between the broker and an agency's side.

Nothing here or below repeats a word of the payload: contents are kept out of every repr, and errors carry reason codes.
All input and output is blocking, and may hang like the share it works on; call `deliver`, `collect`, `prepare`, `tidy`
and the settling of a quittung in a thread.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from adapters.hours import Hours
from schemas.identifiers import AgencyId, MessageId, TransferId, UnitCode

REASON_CODE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
MESSAGE_NAME = "-1.xml"
"""How the name of a hand-over's message ends, after the transfer id; companions are ``-2`` and up."""

MessageVersion = tuple[str, str]
"""Message type and version, for example ``("uebermittlung", "1.0")``."""


class Reason(StrEnum):
    """Why an adapter could not hand over. A channel adds codes of its own."""

    MALFORMED_TRANSFER_ID = "malformed-transfer-id"
    MESSAGE_VERSION_NOT_ACCEPTED = "message-version-not-accepted"
    NO_TARGET_FOR_UNIT = "no-target-for-unit"
    UNKNOWN_BRANCH = "unknown-branch"
    CHANNEL_DOES_NOT_PUSH = "channel-does-not-push"
    MESSAGE_TOO_LARGE = "message-too-large"
    OTHER_BYTES_UNDER_THIS_ID = "other-bytes-under-this-id"
    TOO_LATE = "too-late"
    """It took so long that somebody else may have begun, or the law may have been asked again."""


class DeliveryError(Exception):
    """A hand-over (or pick-up) failed. `retryable`: later, or after a repair, the same call may succeed."""

    def __init__(self, *, retryable: bool, reason_code: str) -> None:
        """Carry a code of lower-case words and hyphens, so that nothing of a message can slip in (`ValueError`)."""
        if not REASON_CODE.fullmatch(reason_code):
            raise ValueError("a reason code is made of lower-case words and hyphens")
        super().__init__(f"hand-over failed: {reason_code} ({'retryable' if retryable else 'not retryable'})")
        self.retryable = retryable
        self.reason_code = str(reason_code)


def always() -> bool:
    """Say that a hand-over may go, for whoever knows no end of it."""
    return True


@dataclass(frozen=True, slots=True)
class Delivery:
    """One opened message on its way out. `content` is the XML, `statement` the signed reduction statement (JSON)."""

    transfer_id: TransferId
    message_id: MessageId
    agency: AgencyId
    unit: UnitCode
    branch: str | None
    message_type: str
    version: str
    content: bytes = field(repr=False)
    statement: bytes | None = field(repr=False)
    created_at: datetime
    may_go: Callable[[], bool] = field(default=always, repr=False)
    """Whether it may still become visible; asked right before it does, in the thread that hands over."""


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """One file of a hand-over; the name holds the transfer id and a number, nothing else."""

    name: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Package:
    """What one hand-over consists of. `files` holds companions first; the message is last, its sight is the signal."""

    transfer_id: TransferId
    target: str
    files: tuple[PlannedFile, ...]
    may_go: Callable[[], bool] = field(default=always, repr=False)

    def require_time(self) -> None:
        """Return where the message may still become visible. Raises `DeliveryError` (retryable)."""
        if not self.may_go():
            raise DeliveryError(retryable=True, reason_code=Reason.TOO_LATE)

    @property
    def message(self) -> PlannedFile:
        """The file that the office's software waits for."""
        return self.files[-1]

    @property
    def companions(self) -> tuple[PlannedFile, ...]:
        """The files that lie beside it."""
        return self.files[:-1]


@dataclass(frozen=True, slots=True)
class Handover:
    """Where a transfer was put. `repeated`: it had been handed over before and nothing was written."""

    reference: str
    files: tuple[str, ...]
    repeated: bool


@dataclass(frozen=True, slots=True)
class ReceivedQuittung:
    """A quittung that an office left. `units`: whose place it lay in; only these may have signed for it.

    It comes again with every `collect` until it is settled: the effect has to be idempotent, and is committed first.
    """

    content: bytes = field(repr=False)
    reference: str
    units: frozenset[UnitCode]
    settle: Callable[[str | None], None] = field(repr=False)

    def acknowledge(self) -> None:
        """Put it among the settled ones. Blocking; raises `DeliveryError`."""
        self.settle(None)

    def refuse(self, reason_code: str) -> None:
        """Put it among the faulty ones, with the reason code beside it. Blocking; raises `DeliveryError`."""
        if not REASON_CODE.fullmatch(reason_code):
            raise ValueError("a reason code is made of lower-case words and hyphens")
        self.settle(reason_code)


@dataclass(frozen=True, slots=True)
class AdapterSettings:
    """What the directory says about one agency's side, checked by `adapters.settings.read_settings`."""

    targets: Mapping[UnitCode, str]
    branches: Mapping[str, str]
    accepts: frozenset[MessageVersion]
    hours: Hours | None
    """None: always."""

    def served(self) -> dict[str, frozenset[UnitCode]]:
        """Return each target with the units it serves; a branch serves all units of its agency."""
        units = frozenset(self.targets)
        places = {
            target: frozenset(unit for unit in units if self.targets[unit] == target)
            for target in self.targets.values()
        }
        return places | dict.fromkeys(self.branches.values(), units)


@dataclass(frozen=True, slots=True)
class Dialect:
    """What one kind of office's software receives: one file of this package, one entry in the registry."""

    kind: str
    units: Mapping[UnitCode, str] | None
    """The kind's units with their default targets; None: any unit, its target made from its code."""
    accepts: frozenset[MessageVersion]
    branches: bool
    """Whether places inside the agency (Bezirksstellen) are addressed."""
    separate: bool
    """Whether two units may never share a target."""
    channels: frozenset[str]
    hours: Hours | None
    plan: Callable[[Delivery, AdapterSettings], Package]


class Channel(Protocol):
    """A way to an office. One agency has one channel; a place on it is a `target`."""

    @property
    def pushes(self) -> bool:
        """Whether the broker brings the message; otherwise the office fetches it."""

    def prepare(self, targets: Mapping[str, frozenset[UnitCode]]) -> None:
        """Make the places ready, once, when the directory is loaded."""

    def put(self, package: Package) -> Handover:
        """Hand over, idempotent by transfer id; asks `Package.require_time` last. Raises `DeliveryError`."""

    def collect(self, targets: Mapping[str, frozenset[UnitCode]], now: datetime) -> Iterator[ReceivedQuittung]:
        """Yield the quittungen that lie there, in a stable order; raises `DeliveryError`."""

    def tidy(self, targets: Mapping[str, frozenset[UnitCode]], now: datetime) -> int:
        """Delete what is past its time and return how many files that were."""


class AgencyAdapter(Protocol):
    """One agency's side, as the broker sees it."""

    @property
    def pushes(self) -> bool:
        """Whether `deliver` is to be called; otherwise the office fetches from its inbox."""

    def accepts(self, message_type: str, version: str) -> bool:
        """Whether the office's software reads messages of this type and version."""

    def opens_at(self, moment: datetime, *, urgent: bool = False) -> datetime:
        """Return `moment` if it lies in the delivery hours (or is urgent), else their next beginning, in UTC."""

    def deliver(self, delivery: Delivery) -> Handover:
        """Hand over, idempotent by transfer id. Does not look at the hours. Blocking; raises `DeliveryError`."""

    def collect(self, now: datetime) -> Iterator[ReceivedQuittung]:
        """Yield the quittungen of this agency. Blocking; raises `DeliveryError`."""

    def prepare(self) -> None:
        """Make the agency's places ready. Blocking; raises `DeliveryError`."""

    def tidy(self, now: datetime) -> int:
        """Delete what is past its time and return how many files that were. Blocking; raises `DeliveryError`."""
