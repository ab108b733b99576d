"""What a transfer costs behind its answer: relay, intake, sealing, hand-over, each with its database and nothing else.

Transport and office are replaced by ones that do nothing. The ways take turns, as they do in the service, and
transfers come in turns of a size. Processor time of this process and of PostgreSQL's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from time import process_time
from typing import cast

from adapters.base import AgencyAdapter, Delivery
from bench.messages import RECIPIENT, SENDER, messages
from bench.processes import cpu_seconds
from broker.audit.sequencer import Lease, seal_batch, take_lease
from broker.auth.caller import Caller, Role
from broker.config import Settings
from broker.delivery import bringing, intake
from broker.directory.cache import directory_cache
from broker.gateway import Gateway
from broker.outbox.relay import Relay
from broker.start import open_gateway
from broker.transfers import service
from broker.transfers.preconditions import admit
from broker.transport.base import Consumed, Record
from schemas.identifiers import Instance
from schemas.xml import validate, warm_up

RELAY, INTAKE, SEAL, DELIVER = "relay: claim, publish, note", "intake", "seal", "hand over: take, decide again, note"


class Nowhere:
    """Outlets, and each of them, at once: keeps what was published until it is asked for."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    async def outlet(self, _: int) -> Nowhere:
        """Open nothing."""
        return self

    async def publish(self, records: Sequence[Record]) -> None:
        """Keep the records."""
        self.records += records

    async def close(self) -> None:
        """Close nothing."""

    def taken(self) -> list[Consumed]:
        """Give what was published since the last time."""
        records, self.records = self.records, []
        return [Consumed(record, place) for place, record in enumerate(records)]


@dataclass(frozen=True, slots=True)
class Way:
    """One line: microseconds of processor a transfer, of the role's process and of PostgreSQL."""

    name: str
    own: float
    postgres: float


class Clock:
    """Processor seconds under each name: of this process, and of PostgreSQL's processes."""

    def __init__(self, postgres: Sequence[int]) -> None:
        self._postgres = postgres
        self.spent: dict[str, tuple[float, float]] = {}

    @contextmanager
    def under(self, name: str) -> Iterator[None]:
        """Add the time of the body to `name`."""
        own, theirs = process_time(), sum(map(cpu_seconds, self._postgres))
        yield
        before = self.spent.get(name, (0.0, 0.0))
        after = process_time() - own, sum(map(cpu_seconds, self._postgres)) - theirs
        self.spent[name] = before[0] + after[0], before[1] + after[1]


class Office:
    """An office that takes everything and keeps nothing."""

    def deliver(self, delivery: Delivery) -> None:
        """Take it."""


async def ways(settings: Settings, postgres: Sequence[int], turn: int, count: int) -> list[Way]:
    """Take `count` transfers through, `turn` at a time; the first four turns warm up and do not count."""
    async with open_gateway(settings) as gateway:
        warm_up()
        carried = Carried(gateway)
        await carried.through(Clock(postgres), 4 * turn, turn)
        clock = Clock(postgres)
        await carried.through(clock, count, turn)
    return [Way(name, own / count * 1e6, theirs / count * 1e6) for name, (own, theirs) in clock.spent.items()]


class Carried:
    """Transfers of the measurement on their way."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway, self._transport, self._made = gateway, Nowhere(), messages()
        self._relay = Relay(gateway, self._transport, "bench")
        self._office = bringing.Office(Instance.parse(RECIPIENT).agency, cast("AgencyAdapter", Office()))
        self._lease: Lease | None = None

    async def through(self, clock: Clock, count: int, turn: int) -> None:
        """Take transfers from their acceptance to their hand-over."""
        await self._relay.renew()
        self._lease = await take_lease(self._gateway, "bench")
        assert self._lease is not None  # noqa: S101 - nobody else seals here
        for _ in range(0, count, turn):
            await self._submit(turn)
            with clock.under(RELAY):
                sent = await self._relay.turn()
            with clock.under(INTAKE):
                await intake.take_in(self._gateway, self._transport.taken())
            with clock.under(SEAL):
                await seal_batch(self._gateway, self._lease)
            with clock.under(DELIVER):
                brought = await self._brought()
            if (sent, brought) != (turn, turn):
                raise RuntimeError(f"of {turn} transfers {sent} were published and {brought} handed over")

    async def _brought(self) -> int:
        brought = 0
        while some := await bringing.push(self._gateway, self._office):
            brought += some
        return brought

    async def _submit(self, count: int) -> None:
        caller, directory = Caller("bench", Role.INSTANCE, SENDER), await directory_cache(self._gateway).current()
        contents = list(islice(self._made, count))
        admitted = [admit(self._gateway, directory, caller, validate(c), only_check=False) for c in contents]
        await service.submit_batch(self._gateway, admitted)
