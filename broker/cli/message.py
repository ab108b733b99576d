"""``amtsbruecke message``: for makers of software, without a running service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from uuid import uuid4

import typer

from broker.access import Over
from broker.cli.operated import operated
from broker.clock import system_clock, timestamp
from schemas.describe import show as show_payload
from schemas.errors import PayloadTooLarge, SchemaViolation, UnknownMessageType
from schemas.examples import EXAMPLE_TYPES, example
from schemas.xml import validate, validate_quittung

app = typer.Typer(help="Nachrichten prüfen, ansehen und als Beispiel ausgeben.", no_args_is_help=True)


def _understand(content: bytes) -> None:
    try:
        validate(content)
    except UnknownMessageType:
        validate_quittung(content)


def problems_of(content: bytes) -> list[str]:
    """Return what is wrong with a message, a line each; empty where nothing is."""
    try:
        _understand(content)
    except SchemaViolation as exc:
        return [f"{f'Zeile {v.line}, ' if v.line else ''}{v.path}: {v.text} [{v.rule}]" for v in exc.violations]
    except UnknownMessageType as exc:
        known = ", ".join(sorted({*exc.allowed, *EXAMPLE_TYPES}))
        return [f"unbekannter Nachrichtentyp; bekannt: {known}"]
    except PayloadTooLarge as exc:
        return [f"größer als die Grenze von {exc.limit} Bytes"]
    return []


@app.command("validate")
@operated(None, Over.OWN_FILE)
def validate_files(files: Annotated[list[Path], typer.Argument(help="XML-Dateien.", exists=True)]) -> None:
    """Nachrichten prüfen wie das Gateway; Ausgang 0 nur, wenn alle gültig sind."""
    bad = 0
    for path in files:
        found = problems_of(path.read_bytes())
        bad += bool(found)
        typer.echo(f"{path}: {'ungültig' if found else 'gültig'}")
        for line in found:
            typer.echo(f"  {line}")
    raise typer.Exit(1 if bad else 0)


@app.command()
@operated(None, Over.OWN_FILE)
def show(file: Annotated[Path, typer.Argument(help="Eine XML-Datei.", exists=True)]) -> None:
    """Eine Übermittlung als Gliederung zeigen: Kopf, Personen, Blöcke mit Kategorie."""
    content = file.read_bytes()
    found = problems_of(content)
    if found:
        typer.echo(f"{file}: ungültig\n  " + "\n  ".join(found), err=True)
        raise typer.Exit(1)
    try:
        typer.echo(show_payload(validate(content)))
    except UnknownMessageType as exc:
        typer.echo(f"{file}: gültig, aber keine uebermittlung; eine Gliederung gibt es nur von dieser.", err=True)
        raise typer.Exit(1) from exc


@app.command("example")
@operated(None, Over.NOBODY)
def print_example(
    message_type: Annotated[
        str, typer.Argument(metavar="TYP", help=f"Nachrichtentyp: {' oder '.join(sorted(EXAMPLE_TYPES))}")
    ],
) -> None:
    """Ein gültiges Beispiel mit erfundenen Personen ausgeben: jetzige Zeit, neue Kennung."""
    if message_type not in EXAMPLE_TYPES:
        typer.echo(f"Kein Beispiel für „{message_type}“; es gibt: {', '.join(sorted(EXAMPLE_TYPES))}", err=True)
        raise typer.Exit(2)
    typer.echo(example(message_type, timestamp(system_clock()), str(uuid4())))
