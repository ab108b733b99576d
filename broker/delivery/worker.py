"""Push: serve the offices whose software does not fetch, each by a task of its own, and pick up what they answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from sqlalchemy.exc import SQLAlchemyError

from adapters.base import AgencyAdapter
from adapters.registry import adapter_for
from adapters.settings import AdapterSettingsError
from broker.delivery.bringing import Office, push
from broker.delivery.in_flight import expire_due
from broker.delivery.pick_up import pick_up
from broker.delivery.strand import Strand
from broker.directory.repository import channels
from broker.errors import CannotDecide
from broker.gateway import Gateway

log = logging.getLogger(__name__)

ABREAST = 8
"""So many offices are served side by side, beside those that take long."""
PATIENCE_SECONDS = 1.0
"""After so long an office that is still being served is not waited for: the others have their turn."""
TURNS = 16
"""After so many an office is looked at anew, as the directory has it then."""
PAUSE_AFTER_FAULT = 1.0
FAREWELL_SECONDS = 2.0


async def adapters_of(gateway: Gateway) -> dict[str, AgencyAdapter]:
    """Return the adapter of each active agency, as the directory configures it; one with bad settings is left out."""
    async with gateway.db.reading() as connection:
        rows = await channels(connection)
    adapters: dict[str, AgencyAdapter] = {}
    for row in rows:
        try:
            adapters[row.agency_id] = adapter_for(row.kind, row.units, row.settings)
        except AdapterSettingsError as exc:
            log.warning("office cannot be served", extra={"agency": row.agency_id, "error": type(exc).__name__})
    return adapters


class Offices:
    """Who is being served: a task for each office, so that one whose share hangs keeps no other waiting."""

    def __init__(self, gateway: Gateway) -> None:
        """Serve nobody yet."""
        self._gateway = gateway
        self._tasks: dict[str, asyncio.Task[int]] = {}
        self._strands: dict[str, Strand] = {}

    async def serve(self, adapters: Mapping[str, AgencyAdapter]) -> int:
        """Serve every pushing office that is not being served yet; return how many messages and quittungen that were.

        An office that takes long goes on by itself, and counts in the round in which it ends. Raises faults of the
        database, and `CannotDecide`.
        """
        fresh: set[asyncio.Task[int]] = set()
        for agency, adapter in adapters.items():
            strand = self._strands.setdefault(agency, Strand())
            if self._gateway.halt.requested:
                break
            if adapter.pushes and agency not in self._tasks and not strand.hangs:
                fresh.add(self._begin(Office(agency, adapter, strand)))
            if len(fresh) >= ABREAST:
                fresh = await _all_but_done(fresh)
        if fresh:
            await asyncio.wait(fresh, timeout=PATIENCE_SECONDS)
        return self._ended()

    def _begin(self, office: Office) -> asyncio.Task[int]:
        task = asyncio.create_task(_serve(self._gateway, office))
        self._tasks[office.agency] = task
        return task

    def _ended(self) -> int:
        """Forget who was served; return how much it was, or raise what one of them raised."""
        over = [self._tasks.pop(agency) for agency, task in list(self._tasks.items()) if task.done()]
        faults = [fault for task in over if (fault := task.exception()) is not None]
        if faults:
            raise faults[0]
        return sum(task.result() for task in over)

    async def rest(self, seconds: float | None = None) -> int:
        """Wait for those who are still being served, at most so long; return how much it was. Raises as `serve`."""
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=seconds)
        return self._ended()

    async def leave(self) -> None:
        """Stop serving. What was begun keeps its lease until that runs out; what was not is let go."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)


async def _all_but_done(tasks: set[asyncio.Task[int]]) -> set[asyncio.Task[int]]:
    """Wait until one is done; return the others to be waited for, none where all take long."""
    done, others = await asyncio.wait(tasks, timeout=PATIENCE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    return others if done else set()


async def deliver_once(gateway: Gateway, adapters: Mapping[str, AgencyAdapter]) -> int:
    """Bring what waits to every pushing agency that is open, pick up quittungen, end what is over; return how many."""
    offices = Offices(gateway)
    try:
        done = await offices.serve(adapters) + await offices.rest()
    finally:
        await offices.leave()
    return done + await expire_due(gateway)


async def _serve(gateway: Gateway, office: Office) -> int:
    """Serve one office for some turns, or until nothing waits; a fault that it alone meets stops no other office."""
    done = 0
    try:
        for _ in range(TURNS):
            some = await _serve_some(gateway, office)
            done += some
            if not some:
                break
    except (SQLAlchemyError, CannotDecide):
        raise
    except Exception as exc:  # noqa: BLE001 - whatever it is, the others must be served
        log.warning("office cannot be served", extra={"agency": office.agency, "error": type(exc).__name__})
    return done


async def _serve_some(gateway: Gateway, office: Office) -> int:
    """Bring some and pick some up, in turn: however much there is of the one, the other does not wait for its end."""
    done, now = 0, gateway.clock()
    if not gateway.halt.requested and not office.strand.hangs and office.adapter.opens_at(now) <= now:
        done += await push(gateway, office)
    if not gateway.halt.requested and not office.strand.hangs:
        done += await pick_up(gateway, office)
    return done


async def run(gateway: Gateway) -> None:
    """Deliver until told to halt, or cancelled. Faults of the database are waited out."""
    offices = Offices(gateway)
    try:
        while not gateway.halt.requested:
            gateway.pulse.beat("delivery")
            try:
                if await offices.serve(await adapters_of(gateway)) + await expire_due(gateway) == 0:
                    await gateway.inbox_filled.wait(gateway.settings.deliver_seconds)
            except (SQLAlchemyError, CannotDecide) as exc:
                log.warning("delivery waits", extra={"error": type(exc).__name__})
                await gateway.halt.pause(PAUSE_AFTER_FAULT)
        await offices.rest(FAREWELL_SECONDS)
    finally:
        await offices.leave()
