"""``amtsbruecke directory``: load and show the directory of agencies."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from adapters.base import DeliveryError
from broker.access import Over
from broker.cli.operated import operated
from broker.directory.cache import directory_cache
from broker.directory.file import read_directory
from broker.directory.nodes import DirectoryFileError
from broker.directory.service import Action, load, prepare_channels
from broker.privileges import DbRole
from broker.start import open_gateway

app = typer.Typer(help="Verzeichnis der Behörden laden und ansehen.", no_args_is_help=True)

SIGNS = {Action.ADDED: "+", Action.CHANGED: "~", Action.REMOVED: "-"}


@app.command("load")
@operated("admin", Over.SETTINGS)
def load_command(
    file: Annotated[Path, typer.Argument(help="Verzeichnisdatei (YAML)", show_default=False)],
) -> None:
    """Eine Verzeichnisdatei prüfen und laden. Was darin fehlt, wird stillgelegt, nichts wird gelöscht."""
    try:
        asyncio.run(_load(file))
    except DirectoryFileError as exc:
        typer.echo(f"Nichts geladen. {exc}", err=True)
        raise typer.Exit(1) from exc
    except (DeliveryError, OSError) as exc:
        typer.echo(
            "Das Verzeichnis ist geladen, aber ein Ordner ist nicht bereit: "
            f"{exc.reason_code if isinstance(exc, DeliveryError) else exc.strerror}. "
            "Ordner außerhalb des Datenverzeichnisses anlegen oder einhängen und den Befehl wiederholen.",
            err=True,
        )
        raise typer.Exit(1) from exc


@app.command("show")
@operated("admin", Over.SETTINGS)
def show_command() -> None:
    """Alle aktiven Instanzen mit Art und Zustellweg zeigen."""
    asyncio.run(_show())


async def _load(file: Path) -> None:
    async with open_gateway(role=DbRole.ADMIN) as gateway:
        document = read_directory(file, gateway.settings.data_dir)
        changes = await load(gateway, document)
        for change in changes:
            typer.echo(f"{SIGNS[change.action]} {change.id}")
        typer.echo(
            f"{len(document.agencies)} Behörden, {sum(len(agency.units) for agency in document.agencies)} Instanzen; "
            + (f"{len(changes)} Änderungen." if changes else "keine Änderung.")
        )
        await prepare_channels(document, gateway.settings.data_dir)


async def _show() -> None:
    async with open_gateway(role=DbRole.ADMIN) as gateway:
        directory = await directory_cache(gateway).current()
    if not directory.instances:
        typer.echo("Das Verzeichnis ist leer; `amtsbruecke directory load DATEI` lädt eines.")
    for entry in directory.instances.values():
        typer.echo(f"{entry.id:<56} {entry.kind:<16} {entry.channel}")
