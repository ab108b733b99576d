"""The inbox: the office fetches over HTTP and sends its quittung there, so there is nothing to bring or to pick up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from adapters.base import DeliveryError, Handover, Package, Reason, ReceivedQuittung
from schemas.identifiers import UnitCode

FIELDS: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class InboxChannel:
    """A channel that is pulled; always open."""

    pushes: bool = False

    def prepare(self, targets: Mapping[str, frozenset[UnitCode]]) -> None:
        """Do nothing: the inbox is the broker's own."""

    def put(self, package: Package) -> Handover:  # noqa: ARG002 - the protocol's argument; nothing can be put here
        """Refuse, not retryable: a message waits at the broker until it is fetched."""
        raise DeliveryError(retryable=False, reason_code=Reason.CHANNEL_DOES_NOT_PUSH)

    def collect(
        self,
        targets: Mapping[str, frozenset[UnitCode]],  # noqa: ARG002 - the protocol's argument
        now: datetime,  # noqa: ARG002 - the protocol's argument
    ) -> Iterator[ReceivedQuittung]:
        """Yield nothing: quittungen come in over HTTP."""
        return iter(())

    def tidy(
        self,
        targets: Mapping[str, frozenset[UnitCode]],  # noqa: ARG002 - the protocol's argument
        now: datetime,  # noqa: ARG002 - the protocol's argument
    ) -> int:
        """Delete nothing: the broker tidies its own."""
        return 0


def read(settings: Mapping[str, object]) -> InboxChannel:  # noqa: ARG001 - the registry's signature; it has no settings
    """Return the inbox."""
    return InboxChannel()
