"""``amtsbruecke db``: the shape of the database, and who logs in to it."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from secrets import token_urlsafe
from typing import Annotated

import typer

from broker.config import Settings
from broker.db import Database
from broker.logins import exists, login_of, settle
from broker.migrations import upgrade as upgrade_database
from broker.privileges import PROCESSES

PASSWORD_BYTES = 32

app = typer.Typer(help="Die Datenbank auf den neuesten Stand bringen.", no_args_is_help=True)


@app.callback()
def database() -> None:
    """Group the commands."""


@app.command()
def upgrade() -> None:
    """Alle ausstehenden Migrationen ausführen."""
    settings = Settings()
    if not settings.database_url:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    upgrade_database(settings.database)
    typer.echo("Die Datenbank ist auf dem neuesten Stand.")


@app.command()
def logins(
    out: Annotated[Path, typer.Option(help="Ordner für die Passwörter: eine Datei je Zugang, nur für den Eigentümer.")],
    *,
    rotate: Annotated[bool, typer.Option("--rotate", help="Allen ein neues Passwort geben.")] = False,
) -> None:
    """Je Prozess einen Zugang zu PostgreSQL anlegen, mit den Rechten, die seine Arbeit braucht (docs/operations.md).

    Als Eigentümer der Datenbank, nach `db upgrade`. Noch einmal ausgeführt, ändert es nichts, was schon stimmt.
    """
    settings = Settings()
    if settings.database.startswith("sqlite"):
        typer.echo("SQLite kennt keine Zugänge: AMTSBRUECKE_DATABASE_URL auf PostgreSQL setzen.", err=True)
        raise typer.Exit(2)
    out.mkdir(parents=True, exist_ok=True, mode=0o700)
    asyncio.run(_logins(Database(settings.database), out.resolve(), rotate=rotate))


async def _logins(db: Database, out: Path, *, rotate: bool) -> None:
    try:
        for process in PROCESSES:
            typer.echo(f"{login_of(process):<28} {await _one(db, process, out / login_of(process), rotate=rotate)}")
    finally:
        await db.close()


async def _one(db: Database, process: str, path: Path, *, rotate: bool) -> str:
    """Settle one login. Its new password is on disk before it counts, and in its place once it does."""
    written = path.with_name(f".{path.name}.new")
    async with db.writing() as connection:
        there = await exists(connection, process)
        password = token_urlsafe(PASSWORD_BYTES) if rotate or not there else None
        if password is not None:
            written.unlink(missing_ok=True)
            descriptor = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as stream:
                stream.write(password + "\n")
        await settle(connection, process, password)
    if password is None:
        return "unverändert"
    written.replace(path)
    return f"neues Passwort in {path}"
