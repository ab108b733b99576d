"""Sealers as processes of their own: one seals, another takes over in time, and one that slept does no harm."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import ExitStack
from pathlib import Path
from time import monotonic

from broker.audit.events import AuditEvent
from broker.audit.export import export
from broker.audit.freshness import sealing
from broker.audit.log import append
from broker.clock import system_clock
from broker.config import Settings
from broker.gateway import Gateway
from broker.start import open_gateway
from tests.broker.audit.exported import verified
from tests.deployment import settings_of
from tests.flow.test_roles import free_port, role
from tests.world import eventually, scalar

TAKE_OVER_SECONDS = 10
EVENT = AuditEvent("client.added", "operator:*", side={"client_id": "c-1"})


async def happen(gateway: Gateway) -> float:
    """Append some entries; return the seconds until all that waited is sealed."""
    async with gateway.db.writing() as connection:
        await append(connection, [EVENT] * 3, gateway.clock())
    began = monotonic()

    async def sealed() -> bool:
        return (await sealing(gateway)).oldest_unsealed is None

    await eventually(sealed, 40)
    return monotonic() - began


async def test_another_takes_over_and_the_one_that_slept_stands_by(data_dir: Path) -> None:
    """The holder is stopped as it is: the other seals within ten seconds. Woken, the old one is refused, and waits."""
    async with open_gateway(Settings(data_dir=data_dir, **settings_of(data_dir)), system_clock) as gateway:
        with ExitStack() as stack:
            first = stack.enter_context(role("seal", folder=data_dir, port=free_port()))
            await happen(gateway)
            before = await scalar(gateway, "SELECT fence FROM audit_sealer")
            stack.enter_context(role("seal", folder=data_dir, port=free_port()))
            await asyncio.sleep(3)  # the second is there, and stands by
            os.kill(first.pid, signal.SIGSTOP)
            stack.callback(os.kill, first.pid, signal.SIGCONT)
            taken = await happen(gateway)
            os.kill(first.pid, signal.SIGCONT)
            await happen(gateway)
            await happen(gateway)
            after = await scalar(gateway, "SELECT fence FROM audit_sealer")
            report = verified([line async for line in export(gateway)])

    assert taken < TAKE_OVER_SECONDS
    assert after == before + 1
    assert (report.faults, report.entries) == ([], 12)
