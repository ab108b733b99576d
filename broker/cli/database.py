"""``amtsbruecke db``: the shape of the database."""

from __future__ import annotations

import typer

from broker.config import Settings
from broker.migrations import upgrade as upgrade_database

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
