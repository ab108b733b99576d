"""The contract of a transport. `tests/broker/transport/contract.py` says it once for every implementation.

A transport keeps the order of records with the same topic and key, keeps a record once `publish` returned, and may
give a record again (at least once): who reads it removes doubles by `record_id`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

TOPIC_PREFIX = "amtsbruecke.v1."
QUITTUNGEN, MITTEILUNGEN = "quittungen", "mitteilungen"


def topic_of(agency: str) -> str:
    """Return the topic of an agency: the transfers that are for it."""
    return TOPIC_PREFIX + agency


def agency_of(topic: str) -> str:
    """Return the agency that a topic, or one beside it, belongs to."""
    return topic.removeprefix(TOPIC_PREFIX).partition(".")[0]


def side_topic_of(agency: str, sort: str) -> str:
    """Return a topic beside it, `QUITTUNGEN` (to the sender) or `MITTEILUNGEN` (to the recipient): ids and codes."""
    return f"{TOPIC_PREFIX}{agency}.{sort}"


class Fault(StrEnum):
    """Why a transport takes or gives nothing. `docs/kafka.md` says what to do about each."""

    AWAY = "transport-away"
    TOPIC_MISSING = "topic-missing"
    FORBIDDEN = "transport-forbidden"
    LOGIN = "transport-login"
    TOO_LARGE = "record-too-large"
    FENCED = "outbox-taken-over"


HINTS = {
    Fault.AWAY: "Kafka ist nicht erreichbar, hat zu wenige Replikate oder weist die Anmeldung ab (docs/kafka.md).",
    Fault.TOPIC_MISSING: "Ein Topic fehlt: „amtsbruecke topics apply“ legt es an.",
    Fault.FORBIDDEN: "Die Zugriffslisten erlauben es diesem Namen nicht: „amtsbruecke topics acl“ zeigt, was fehlt.",
    Fault.LOGIN: "Kafka nimmt Name, Passwort oder Zertifikat nicht an: AMTSBRUECKE_KAFKA_* prüfen (docs/kafka.md).",
    Fault.TOO_LARGE: "Ein Datensatz ist größer, als das Topic erlaubt: „amtsbruecke topics apply“ passt es an.",
    Fault.FENCED: "Ein anderes Relay hat diesen Teil der Ausgangsablage übernommen.",
}


class TransportUnavailable(Exception):
    """The transport takes or gives nothing now; try again later. Nothing was lost. The text says what to do."""

    def __init__(self, fault: Fault = Fault.AWAY, topic: str | None = None) -> None:
        """`topic`: the one that is concerned, where it is one."""
        super().__init__(HINTS[fault])
        self.fault = fault
        self.topic = topic


@dataclass(frozen=True, slots=True)
class Record:
    """One record. `record_id` (the CloudEvents id) is a transfer's id, or that of a quittung or notice."""

    record_id: str
    topic: str
    key: str
    headers: Mapping[str, str]
    value: bytes


@dataclass(frozen=True, slots=True)
class Consumed:
    """A record as it was read, with its position on the topic (on one partition of it, where it has several)."""

    record: Record
    position: int
    partition: int = 0


class Outlet(Protocol):
    """The one open end of a partition of the outbox."""

    async def publish(self, records: Sequence[Record]) -> None:
        """Return when all records are durable, in their order.

        Raises `TransportUnavailable`; then any of them may be there, and this outlet is not to be used again. With
        `Fault.FENCED`: another has opened the partition since; nothing of this call is or will be seen by readers.
        """

    async def close(self) -> None:
        """Release what is held."""


class Subscription(Protocol):
    """One reader of a group of readers. Records with the same key go to one reader of a group at a time."""

    async def fetch(self, wait_seconds: float, limit: int = 100) -> Sequence[Consumed]:
        """Return records not yet committed, oldest first for each key; empty after `wait_seconds` without any.

        What a reader was given and did not commit is given to the next reader of the group; it may be given to the
        same one again, too. Raises `TransportUnavailable`.
        """

    async def commit(self, consumed: Sequence[Consumed]) -> None:
        """Remember for the group that these were taken in; they are not given again.

        Of what another reader has taken over meanwhile nothing is remembered. Raises `TransportUnavailable`.
        """

    async def close(self) -> None:
        """Leave the group."""


class Outlets(Protocol):
    """Where records go: all that a relay needs of a transport."""

    async def outlet(self, partition: int) -> Outlet:
        """Open a partition of the outbox; whoever opened it before publishes nothing more.

        Raises `TransportUnavailable`.
        """


class Transport(Outlets, Protocol):
    """Where records go, and come from."""

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
