"""The roles of the service, each a process of its own: serve, relay, deliver, seal (and `broker.cli.cleanup`)."""

from __future__ import annotations

import asyncio
import socket
from functools import partial
from typing import Annotated, Any

import typer

from broker.access import Over
from broker.app import deliver
from broker.audit import sequencer
from broker.cli.operated import operated
from broker.config import Settings
from broker.gateway import Gateway
from broker.listening import PATIENCE_SECONDS, CannotStart, listen
from broker.outbox import relay
from broker.process import SERVER_ENDS_SECONDS, Role, gateway_checks, run_process, sealer_checks, settle_memory
from broker.start import QuietServer, server
from broker.transport.base import Transport
from broker.workers import Keeper, figures_folder, tied_to_keeper, worker_command
from schemas.xml import warm_up

OpsPort = Annotated[
    int | None, typer.Option(help="Port für /livez, /readyz und /metrics, auf 127.0.0.1; 0: keiner (Vorgabe).")
]


def settings_with(**given: Any) -> Settings:  # noqa: ANN401 - values of any setting
    """Return the settings of the environment, with those that the command line gives."""
    return Settings(**{name: value for name, value in given.items() if value is not None})


@operated("serve", Over.CALLERS)
def serve(
    host: Annotated[str | None, typer.Option(help="Adresse, auf der gelauscht wird.")] = None,
    port: Annotated[int | None, typer.Option(help="Port, auf dem gelauscht wird.")] = None,
    roles: Annotated[
        bool | None,
        typer.Option("--roles/--no-roles", help="Relay, Zustellung, Siegel und Aufräumen im selben Prozess."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=64, help="So viele Prozesse teilen sich den Port (nur mit PostgreSQL).")
    ] = None,
    ops_port: OpsPort = None,
    socket_number: Annotated[
        int | None, typer.Option("--socket", hidden=True, help="Vom Halter der Arbeitsprozesse.")
    ] = None,
) -> None:
    """Die HTTP-Schnittstelle führen (Stationen 1 bis 5).

    SIGTERM beendet geordnet in höchstens zehn Sekunden, ein zweites sofort.

    Ausgang 69: die Datenbank antwortet nicht, neu starten; 70: eine Rolle endete von selbst, neu starten; 78: so
    nicht zu starten, der Text sagt, warum.
    """
    settings = settings_with(host=host, port=port, embedded_roles=roles, ops_port=ops_port, workers=workers)
    role: Role
    if socket_number is not None:
        role = partial(_serve_for_keeper, socket_number)
        settings = settings.model_copy(update={"ops_port": 0})
        run_process("serve", settings, role, checks=gateway_checks, ends_within=SERVER_ENDS_SECONDS, kept=True)
    elif settings.workers == 1:
        with listen(settings.host, settings.port) as listening:
            role = partial(_serve, listening)
            run_process("serve", settings, role, checks=gateway_checks, ends_within=SERVER_ENDS_SECONDS)
    else:
        _serve_by_workers(settings)


def _address(settings: Settings) -> socket.socket:
    """Take the address of the API, after a moment where workers of another keeper are just letting it go.

    Raises `CannotStart`.
    """
    return listen(settings.host, settings.port, patience=PATIENCE_SECONDS)


def _prepare() -> None:
    """Load what requests need, before the first one comes."""
    warm_up()
    settle_memory()


async def _serve(listening: socket.socket, gateway: Gateway, _: Transport) -> None:
    await asyncio.to_thread(_prepare)
    await server(gateway, QuietServer).serve(sockets=[listening])


async def _serve_for_keeper(number: int, gateway: Gateway, _: Transport) -> None:
    with socket.socket(fileno=number) as listening:
        await tied_to_keeper(gateway, server(gateway, QuietServer), listening, _prepare)


def _serve_by_workers(settings: Settings) -> None:
    """Keep several workers. Raises `CannotStart` where they could not share the work."""
    if settings.database.startswith("sqlite"):
        raise CannotStart(
            "--workers braucht PostgreSQL: SQLite hat einen Schreiber zur Zeit, mehrere Prozesse brächten nichts. "
            "AMTSBRUECKE_DATABASE_URL setzen oder --workers weglassen."
        )
    if settings.embedded_roles:
        raise CannotStart(
            "--workers führt Relay, Zustellung, Siegel und Aufräumen nicht mit. --no-roles nennen "
            "(AMTSBRUECKE_EMBEDDED_ROLES=false) und `amtsbruecke relay`, `deliver`, `seal`, `cleanup` für sich starten."
        )
    options = ["--host", settings.host, "--port", str(settings.port)]
    with figures_folder() as (folder, registry), _address(settings) as listening:
        keeper = Keeper(worker_command(*options), settings.workers, listening, folder)
        ends = SERVER_ENDS_SECONDS
        run_process("serve", settings, keeper.run, checks=keeper.checks, ends_within=ends, figures=registry)


@operated("relay", Over.CIPHERTEXT)
def run_relay(ops_port: OpsPort = None) -> None:
    """Die Ausgangsablage auf die Topics bringen (Station 6). Mehrere zugleich teilen sich die Arbeit."""
    run_process("relay", settings_with(ops_port=ops_port), relay.run)


@operated("deliver", Over.HAND_OVER)
def run_deliver(ops_port: OpsPort = None) -> None:
    """Die Topics lesen und zustellen: Eingang und Ordner (Station 7)."""
    run_process("deliver", settings_with(ops_port=ops_port), deliver)


@operated("seal", Over.LOG_ENTRIES)
def run_seal(ops_port: OpsPort = None) -> None:
    """Das Protokoll siegeln: Hashbaum und signierte Prüfpunkte. Einer siegelt, weitere stehen bereit."""
    run_process("seal", settings_with(ops_port=ops_port), seal, checks=sealer_checks)


async def seal(gateway: Gateway, _: Transport) -> None:
    """Run the sealer; it needs no transport."""
    await sequencer.run(gateway)
