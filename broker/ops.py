"""The operations port of a role: /livez, /readyz and /metrics, apart from the API, since counts can reveal.

Listens on 127.0.0.1 unless told otherwise, asks nobody who calls, and has nothing that a person could be known by.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from time import monotonic

import uvicorn
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from broker import metrics
from broker.audit.freshness import sealing
from broker.clock import day_of, timestamp
from broker.gateway import Gateway
from broker.health import Check, Readiness, clock_offset, report
from broker.lifecycle.models import Duty, Transfer
from broker.lifecycle.states import State
from broker.listening import listen

FIGURES_KEPT_SECONDS = 5.0
IN_OUTBOX = (State.ACCEPTED, State.PUBLISHING)
MOST_OVERDUE = 10_000
"""So many overdue duties are counted; beyond, it does not matter how many there are."""
LOOKED_AT = (*IN_OUTBOX, State.PUBLISHED, State.DEAD)


@dataclass(slots=True)
class Seen:
    """What a look found: reason codes of the checks, and figures of the database (None: it did not answer)."""

    checks: Mapping[str, str | None] = field(default_factory=dict)
    ages: Mapping[str, float] = field(default_factory=dict)
    offset: float | None = None
    unsealed: float | None = None
    """Age of the oldest entry that no checkpoint covers."""
    counts: Mapping[tuple[str, str], int] | None = None
    """(state, agency) → transfers that are in it."""
    oldest: datetime | None = None
    """When the oldest transfer in the outbox was accepted."""
    overdue: Mapping[str, int] = field(default_factory=dict)
    """Agency → duties that should have been done by yesterday."""


class Figures(Collector):
    """Collects what is looked up when it is asked for: readiness, clock offset, and what waits in the database."""

    def __init__(self, gateway: Gateway, readiness: Readiness) -> None:
        """Look nothing up yet."""
        self._gateway = gateway
        self._readiness = readiness
        self._lock = asyncio.Lock()
        self._read_at = float("-inf")
        self.seen = Seen()

    async def look(self) -> None:
        """Look again; at the database at most every five seconds, however many scrape."""
        async with self._lock:
            self.seen.checks = await self._readiness.look()
            self.seen.ages = self._gateway.pulse.ages()
            if monotonic() - self._read_at > FIGURES_KEPT_SECONDS:
                self._read_at = monotonic()
                await self._read()

    async def _read(self) -> None:
        try:
            self.seen.offset = await clock_offset(self._gateway)
            self.seen.unsealed = (await sealing(self._gateway)).age(self._gateway.clock()).total_seconds()
            await self._count()
        except (SQLAlchemyError, OSError):
            self.seen.offset = self.seen.unsealed = self.seen.counts = None

    async def _count(self) -> None:
        """Count the open transfers in one query over the index of states; it grows with what waits, not with all."""
        query = (
            select(Transfer.state, Transfer.agency, func.count(), func.min(Transfer.accepted_at))
            .where(Transfer.state.in_([state.value for state in LOOKED_AT]))
            .group_by(Transfer.state, Transfer.agency)
        )
        async with self._gateway.db.reading() as connection:
            rows = (await connection.execute(query)).all()
            self.seen.overdue = await overdue(connection, day_of(self._gateway.clock()))
        self.seen.counts = {(state, agency): count for state, agency, count, _ in rows}
        waiting = {state.value for state in IN_OUTBOX}
        self.seen.oldest = min((at for state, _, _, at in rows if state in waiting), default=None)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Give what the last look found."""
        yield _gauge(
            "amtsbruecke_ready",
            "1 where a readiness check of this process holds, 0 where not.",
            "check",
            {name: float(code is None) for name, code in self.seen.checks.items()},
        )
        yield _gauge(
            "amtsbruecke_loop_age_seconds",
            "Seconds since a loop of this process last came round.",
            "loop",
            {loop: age for loop, age in self.seen.ages.items() if loop in metrics.LOOPS},
        )
        yield _single(
            "amtsbruecke_clock_offset_seconds",
            "By how much this machine's clock is ahead of the database's.",
            self.seen.offset,
        )
        yield _single(
            "amtsbruecke_sealing_age_seconds",
            "Age of the oldest entry of the evidence that stands in no checkpoint yet.",
            self.seen.unsealed,
        )
        yield from self._waiting()

    def _waiting(self) -> Iterator[GaugeMetricFamily]:
        there = self.seen.counts is not None
        counts = self.seen.counts or {}
        in_outbox = sum(n for (state, _), n in counts.items() if state in IN_OUTBOX)
        yield _single(
            "amtsbruecke_outbox_waiting",
            "Transfers that no relay has published yet.",
            float(in_outbox) if there else None,
        )
        yield _single(
            "amtsbruecke_outbox_oldest_seconds",
            "Age of the oldest transfer that no relay has published yet.",
            self._age(self.seen.oldest) if there else None,
        )
        for state, name, text in (
            (State.PUBLISHED, "amtsbruecke_deliveries_waiting", "Transfers that wait to be handed over, by agency."),
            (State.DEAD, "amtsbruecke_dead_letters", "Transfers that lie dead until somebody decides, by agency."),
        ):
            of_agency = {agency: float(n) for (found, agency), n in counts.items() if found == state}
            yield _gauge(name, text, "agency", of_agency)

        late = {agency: float(n) for agency, n in self.seen.overdue.items()} if there else {}
        text = "Duties of an agency that should be done by now and are not; at most 10,000 in all."
        yield _gauge("amtsbruecke_duties_overdue", text, "agency", late)

    def _age(self, at: datetime | None) -> float:
        return 0.0 if at is None else max(0.0, (self._gateway.clock() - at).total_seconds())


async def overdue(connection: AsyncConnection, today: date) -> dict[str, int]:
    """Count what should have been done before a day, by agency; at most `MOST_OVERDUE` in all. Tests do not count."""
    late = select(Duty.agency).where(Duty.done_on.is_(None), ~Duty.test, Duty.due < today).order_by(Duty.due)
    some = late.limit(MOST_OVERDUE).subquery()
    rows = await connection.execute(select(some.c.agency, func.count()).group_by(some.c.agency))
    return {row[0]: row[1] for row in rows}


def _single(name: str, text: str, value: float | None) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text)
    if value is not None:
        family.add_metric([], value)
    return family


def _gauge(name: str, text: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=[label])
    for value, number in values.items():
        family.add_metric([value], number)
    return family


def operations(gateway: Gateway, readiness: Readiness, registry: CollectorRegistry = metrics.REGISTRY) -> ASGIApp:
    """Return the application of an operations port; `registry`: the figures of this process, or of all its workers."""
    figures = Figures(gateway, readiness)
    own = CollectorRegistry()
    own.register(figures)

    async def livez() -> Response:
        return JSONResponse({"status": "alive"})

    async def readyz() -> Response:
        return await report(readiness, timestamp(gateway.clock()))

    async def show_metrics() -> Response:
        await figures.look()
        return Response(generate_latest(registry) + generate_latest(own), media_type=CONTENT_TYPE_LATEST)

    pages = {"/livez": livez, "/readyz": readyz, "/metrics": show_metrics}
    return _routed(pages)


def _routed(pages: Mapping[str, Callable[[], Awaitable[Response]]]) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        page = pages.get(Request(scope).url.path)
        answer = Response(status_code=404) if page is None else await page()
        await answer(scope, receive, send)

    return app


class Quiet(uvicorn.Server):
    """A server that leaves signals to the process that it is part of."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take no signal."""
        yield


@asynccontextmanager
async def observed_by_operations(
    gateway: Gateway, checks: Sequence[Check], registry: CollectorRegistry = metrics.REGISTRY
) -> AsyncIterator[None]:
    """Serve the operations port that the settings ask for while the body runs; port 0: none.

    Raises `CannotStart` where the port cannot be had.
    """
    settings = gateway.settings
    if settings.ops_port == 0:
        yield
        return
    app = operations(gateway, Readiness(checks), registry)
    config = uvicorn.Config(app, lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=1)
    with listen(settings.ops_host, settings.ops_port, "AMTSBRUECKE_OPS_") as listening:
        server = Quiet(config)
        task = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield
        finally:
            server.should_exit = True
            await task
