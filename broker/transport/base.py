"""The contract of a transport. `tests/broker/transport/contract.py` says it once for every implementation.

A transport keeps the order of records with the same topic and key, keeps a record once `publish` returned, and may
give a record again (at least once): who reads it removes doubles by `record_id`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

TOPIC_PREFIX = "amtsbruecke.v1."


def topic_of(agency: str) -> str:
    """Return the topic of an agency."""
    return TOPIC_PREFIX + agency


class TransportUnavailable(Exception):
    """The transport takes or gives nothing now; try again later. Nothing was lost."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record: `record_id` is the transfer's id, `value` ciphertext."""

    record_id: str
    topic: str
    key: str
    headers: Mapping[str, str]
    value: bytes


@dataclass(frozen=True, slots=True)
class Consumed:
    """A record as it was read, with its position on the topic."""

    record: Record
    position: int


class Subscription(Protocol):
    """One reader of a group of readers. Records of one topic go to one reader of a group at a time."""

    async def fetch(self, wait_seconds: float, limit: int = 100) -> Sequence[Consumed]:
        """Return records not yet committed by the group, oldest first; empty after `wait_seconds` without any."""

    async def commit(self, consumed: Sequence[Consumed]) -> None:
        """Remember for the group that these were taken in; they are not given again."""

    async def close(self) -> None:
        """Leave the group."""


class Transport(Protocol):
    """Where records go."""

    async def publish(self, records: Sequence[Record]) -> None:
        """Return when all records are durable. Raises `TransportUnavailable`; then any of them may be there."""

    def subscribe(self, topics: Sequence[str], group: str) -> Subscription:
        """Return a reader of these topics in a group."""

    async def keep_house(self) -> int:
        """Delete what every group has read, where the transport itself keeps records; return how many."""

    async def close(self) -> None:
        """Release what is held."""


@runtime_checkable
class Pinged(Protocol):
    """A transport that can be away by itself: it is asked whether it is there (readiness of relay and delivery)."""

    async def ping(self) -> None:
        """Return where the transport answers. Raises `TransportUnavailable`."""
