"""``amtsbruecke run --no-demo``: the service on this machine with the data that is there, and nothing loaded."""

from __future__ import annotations

import asyncio

import typer

from broker.config import Settings
from broker.demo.serving import serving, until_stopped, with_address
from broker.demo.session import command
from broker.listening import CannotStart, listen
from broker.start import open_gateway
from broker.telemetry import configure_logging

INTERRUPTED = 130
DIED = 70
"""Exit status where a role ended by itself (``EX_SOFTWARE``)."""


def run_empty() -> None:
    """Serve until stopped. Raises `typer.Exit` where it cannot start."""
    configure_logging()
    try:
        asyncio.run(_run())
        typer.echo("\nBeendet.")
    except KeyboardInterrupt:
        typer.echo("\nAbgebrochen.", err=True)
        raise typer.Exit(INTERRUPTED) from None
    except CannotStart as exc:
        typer.echo(str(exc), err=True)
        raise typer.Exit(1) from None


async def _run() -> None:
    given = Settings()
    with listen(given.host, given.port) as listening:
        settings = with_address(given, listening).model_copy(update={"embedded_roles": True})
        async with open_gateway(settings) as gateway, serving(gateway, listening) as service:
            typer.echo(next_steps(settings))
            await until_stopped(service)
        if gateway.halt.fault:
            raise typer.Exit(DIED)


def next_steps(settings: Settings) -> str:
    """Return the three things to do next; another process has to be told of an address that was taken from the port."""
    told = settings.public_url == Settings().public_url
    program = command() if told else f"AMTSBRUECKE_PUBLIC_URL={settings.public_url} {command()}"
    return "\n".join(
        (
            f"Amtsbrücke läuft: {settings.public_url}      Datenverzeichnis: {settings.data_dir}      Ende: Strg-C",
            "Es ist nichts geladen. In einem zweiten Fenster, mit denselben Umgebungsvariablen:",
            f"  1. {program} directory load broker/directory/kreis-recklinghausen.yaml",
            f"  2. {program} client add --instance jugendamt-marl:JUGENDAMT_ASD --out zugaenge",
            f"  3. {settings.public_url}/docs zeigt alle Wege",
        )
    )
