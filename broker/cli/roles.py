"""The roles of the service: serve, relay, deliver, seal; and `run`, all of them on one machine."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import typer

from broker.app import deliver
from broker.audit import sequencer
from broker.config import Settings
from broker.gateway import Gateway
from broker.health import checks_of, transport_check
from broker.ops import observed_by_operations
from broker.outbox import relay
from broker.start import open_gateway, server, transport_of
from broker.telemetry import configure_logging
from broker.transport.base import Transport
from schemas.xml import warm_up

OpsPort = Annotated[
    int | None, typer.Option(help="Port für /livez, /readyz und /metrics, auf 127.0.0.1; 0: keiner (Vorgabe).")
]
Role = Callable[[Gateway, Transport], Awaitable[None]]


def serve(
    host: Annotated[str | None, typer.Option(help="Adresse, auf der gelauscht wird.")] = None,
    port: Annotated[int | None, typer.Option(help="Port, auf dem gelauscht wird.")] = None,
    roles: Annotated[
        bool | None,
        typer.Option("--roles/--no-roles", help="Relay, Zustellung und Siegel im selben Prozess."),
    ] = None,
    ops_port: OpsPort = None,
) -> None:
    """Die HTTP-Schnittstelle führen."""
    configure_logging()
    asyncio.run(_serve(_settings(host=host, port=port, embedded_roles=roles, ops_port=ops_port)))


def _settings(**given: Any) -> Settings:  # noqa: ANN401 - values of any setting
    """Return the settings of the environment, with those that the command line gives."""
    return Settings(**{name: value for name, value in given.items() if value is not None})


async def _serve(settings: Settings) -> None:
    async with open_gateway(settings) as gateway, observed_by_operations(gateway, checks_of(gateway)):
        await asyncio.to_thread(warm_up)
        await server(gateway).serve()


def run_relay(ops_port: OpsPort = None) -> None:
    """Die Ausgangsablage auf die Topics bringen (Station 6)."""
    _run_role(relay.run, ops_port)


def run_deliver(ops_port: OpsPort = None) -> None:
    """Die Topics lesen und zustellen: Eingang und Ordner (Station 7)."""
    _run_role(deliver, ops_port)


def run_seal(ops_port: OpsPort = None) -> None:
    """Das Protokoll siegeln: Hashbaum und signierte Prüfpunkte."""
    _run_role(seal, ops_port)


async def seal(gateway: Gateway, _: Transport) -> None:
    """Run the sealer; it needs no transport."""
    await sequencer.run(gateway)


def _run_role(role: Role, ops_port: int | None) -> None:
    configure_logging()
    asyncio.run(_until_stopped(role, _settings(ops_port=ops_port)))


async def _until_stopped(role: Role, settings: Settings) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stopped.set)
    async with open_gateway(settings) as gateway:
        transport = transport_of(gateway)
        checks = [*checks_of(gateway), *transport_check(transport)]
        async with observed_by_operations(gateway, checks):
            await _first_of(role(gateway, transport), stopped)


async def _first_of(role: Awaitable[None], stopped: asyncio.Event) -> None:
    """Run a role until it is told to stop. Raises what it ends with by itself."""
    work = asyncio.ensure_future(role)
    stop = asyncio.ensure_future(stopped.wait())
    await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
    for task in (work, stop):
        task.cancel()
    results = await asyncio.gather(work, stop, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result
