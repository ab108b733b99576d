"""One role as a process: it starts or says why not, works until it is told to stop, and is gone ten seconds later.

The first SIGTERM or SIGINT: nothing new is taken, what is held is finished or let go; a second one ends it at once.
Nothing is lost either way: what was not committed was not promised, and claims and leases run out.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from time import monotonic

import uvloop
from prometheus_client import CollectorRegistry

from broker import metrics
from broker.app import halt_where_ended, let_end
from broker.config import Settings
from broker.db import STATEMENT_SECONDS
from broker.gateway import Gateway
from broker.health import OWNER, REASONS, Check, checks_of, sealing_check, transport_check
from broker.listening import CannotStart
from broker.ops import observed_by_operations
from broker.privileges import PROCESSES
from broker.start import open_gateway, require_login, transport_of
from broker.telemetry import configure_logging
from broker.transport.base import Transport

log = logging.getLogger(__name__)

Role = Callable[[Gateway, Transport], Awaitable[None]]
Checks = Callable[[Gateway, Transport], list[Check]]

DIED = 70
"""Exit status where a role ended by itself (``EX_SOFTWARE``): start it again."""
CUT = 75
"""Exit status where something hung at the end and was cut off (``EX_TEMPFAIL``)."""
COLLECT_AFTER = 20_000
"""New objects until the collector looks at the young ones (Python's own: 700)."""
LOOP_ENDS_SECONDS = 5.0
CLEANS_SECONDS = 300.0
"""Longest wait for one statement of the clean-up, which looks through whole tables; nobody waits for it."""
SERVER_ENDS_SECONDS = 8.5
LAST_SECONDS = 9.5
SIGNALS = (signal.SIGINT, signal.SIGTERM)


def role_checks(gateway: Gateway, transport: Transport) -> list[Check]:
    """Return the checks of a role that cannot work without the transport."""
    return [*checks_of(gateway), *transport_check(transport)]


def database_checks(gateway: Gateway, _: Transport) -> list[Check]:
    """Return the checks of a role that needs the database alone."""
    return checks_of(gateway)


def gateway_checks(gateway: Gateway, _: Transport) -> list[Check]:
    """Return the checks of the HTTP role: the transport may be away, the outbox is there for that."""
    return [*checks_of(gateway), sealing_check(gateway, warns=True)]


def sealer_checks(gateway: Gateway, _: Transport) -> list[Check]:
    """Return the checks of the sealer."""
    return [*checks_of(gateway), sealing_check(gateway, warns=False)]


def run_process(
    name: str,
    settings: Settings,
    role: Role,
    *,
    checks: Checks = role_checks,
    ends_within: float = LOOP_ENDS_SECONDS,
    figures: CollectorRegistry = metrics.REGISTRY,
    kept: bool = False,
) -> None:
    """Run a role until it is told to stop; `name`: one of `PROCESSES`. `kept`: its keeper says what concerns all.

    Raises `SystemExit` where its status is not 0, and `CannotStart`.
    """
    configure_logging(role=name)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        status = runner.run(_run(settings, name, role, checks, ends_within, figures, kept=kept))
    if status:
        raise SystemExit(status)


async def _run(
    settings: Settings,
    name: str,
    role: Role,
    checks: Checks,
    ends_within: float,
    figures: CollectorRegistry,
    *,
    kept: bool,
) -> int:
    waits = CLEANS_SECONDS if name == "cleanup" else STATEMENT_SECONDS
    role_of = PROCESSES[name][0]
    async with open_gateway(settings, role=role_of, statement_seconds=waits, makes_keys=False) as gateway:
        if await require_login(gateway, name) and not kept:
            warn_of_owner()
        transport = transport_of(gateway)
        with_signals(gateway)
        async with observed_by_operations(gateway, checks(gateway, transport), figures):
            settle_memory()
            log.info("started")
            await until_halted(gateway, role(gateway, transport), ends_within)
        await transport.close()
    return DIED if gateway.halt.fault else 0


def warn_of_owner() -> None:
    """Say loudly that no limit binds this process: to the person who starts it, and in its log."""
    sys.stderr.write(f"amtsbruecke: Warnung: {REASONS[OWNER][0]}\n")
    log.warning("logged in as the owner of the database: no privilege binds this process", extra={"reason": OWNER})


def settle_memory() -> None:
    """Spare the collector what the start has loaded: law, schemas and modules live as long as the process.

    Without it each full collection walks through some hundred thousand objects that never go, a tenth of a transfer's
    processor time; and it looks less often for cycles, which requests hardly make.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 20, 50)


async def until_halted(gateway: Gateway, work: Awaitable[None], ends_within: float) -> None:
    """Work until the process is to halt, then let it end. Where it ends by itself, the process halts with a fault.

    Raises `CannotStart` where the work did.
    """
    task = asyncio.ensure_future(work)
    task.add_done_callback(partial(halt_where_ended, gateway))
    await gateway.halt.wait()
    began = monotonic()
    await let_end([task], ends_within)
    if not task.cancelled() and isinstance(fault := task.exception(), CannotStart):
        raise fault
    log.info("stopped", extra={"ms": round((monotonic() - began) * 1000)})


def with_signals(gateway: Gateway) -> None:
    """Take SIGTERM and SIGINT: the first asks for the end, a second is the end, and so is the last second."""
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, _signalled, gateway, number)


def _signalled(gateway: Gateway, number: int) -> None:
    if gateway.halt.requested:
        log.warning("ends at once: told a second time")
        os._exit(128 + number)
    log.info("stopping: takes nothing new, finishes what it holds")
    gateway.stop()
    last = threading.Timer(LAST_SECONDS, _cut)
    last.daemon = True
    last.start()


def _cut() -> None:
    """End what hangs, for instance a thread on a share that does not answer."""
    log.error("cut off: something did not end in time")
    os._exit(CUT)
