"""The roles of the service: serve, relay, deliver; and `run`, all of them on one machine."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import typer

from broker.app import deliver
from broker.config import Settings
from broker.gateway import Gateway
from broker.outbox import relay
from broker.start import open_gateway, server, transport_of
from broker.telemetry import configure_logging
from broker.transport.base import Transport
from schemas.xml import warm_up

Role = Callable[[Gateway, Transport], Awaitable[None]]


def serve(
    host: Annotated[str | None, typer.Option(help="Adresse, auf der gelauscht wird.")] = None,
    port: Annotated[int | None, typer.Option(help="Port, auf dem gelauscht wird.")] = None,
    roles: Annotated[
        bool | None, typer.Option("--roles/--no-roles", help="Relay und Zustellung im selben Prozess mitführen.")
    ] = None,
) -> None:
    """Die HTTP-Schnittstelle führen."""
    given: dict[str, Any] = {"host": host, "port": port, "embedded_roles": roles}
    settings = Settings(**{name: value for name, value in given.items() if value is not None})
    configure_logging()
    asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    async with open_gateway(settings) as gateway:
        await asyncio.to_thread(warm_up)
        await server(gateway).serve()


def run_relay() -> None:
    """Die Ausgangsablage auf die Topics bringen (Station 6)."""
    _run_role(relay.run)


def run_deliver() -> None:
    """Die Topics lesen und zustellen: Eingang und Ordner (Station 7)."""
    _run_role(deliver)


def _run_role(role: Role) -> None:
    configure_logging()
    asyncio.run(_until_stopped(role))


async def _until_stopped(role: Role) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stopped.set)
    async with open_gateway() as gateway:
        work = asyncio.ensure_future(role(gateway, transport_of(gateway)))
        stop = asyncio.ensure_future(stopped.wait())
        await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
        for task in (work, stop):
            task.cancel()
        results = await asyncio.gather(work, stop, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result
