"""``amtsbruecke cleanup``: delete whose time is over, on a schedule, once, or only counting."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from broker.access import Over
from broker.cleanup import role
from broker.cli.operated import operated
from broker.cli.roles import OpsPort, settings_with
from broker.gateway import Gateway
from broker.privileges import DbRole
from broker.process import database_checks, run_process
from broker.start import open_gateway
from broker.telemetry import configure_logging
from broker.transport.base import Transport


@operated("cleanup", Over.OVERDUE)
def cleanup(
    once: Annotated[bool, typer.Option("--once", help="Einmal aufräumen und enden.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Nur zählen, was fällig ist; nichts löschen.")] = False,
    ops_port: OpsPort = None,
) -> None:
    """Löschen, dessen Frist um ist: Inhalte, Schlüssel, Vorgänge, Kennungen."""
    if once or dry_run:
        configure_logging()
        for name, count in asyncio.run(_once(dry_run=dry_run)).items():
            typer.echo(f"{name:<12}{count}")
        return
    run_process("cleanup", settings_with(ops_port=ops_port), _role, checks=database_checks)


async def _role(gateway: Gateway, _: Transport) -> None:
    await role.run(gateway)


async def _once(*, dry_run: bool) -> dict[str, int]:
    async with open_gateway(role=DbRole.ERASER) as gateway:
        return await (role.what_is_due(gateway) if dry_run else role.clean_up(gateway))
