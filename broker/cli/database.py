"""``amtsbruecke db``: the shape of the database, and who logs in to it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from secrets import token_urlsafe
from typing import Annotated

import asyncpg
import typer
from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError

from broker.access import Over
from broker.cli.operated import OWNER, operated
from broker.config import Settings
from broker.db import Database, sqlstate
from broker.listening import CannotStart
from broker.logins import exists, login_of, narrow, settle
from broker.migrations import upgrade as upgrade_database
from broker.privileges import PROCESSES
from broker.start import no_folder, unreached

PASSWORD_BYTES = 32
#: Classes and codes of SQLSTATE: login or database refused; no privilege; no such role (42704) or table (42P01).
NOT_REACHED = ("28", "3D", "08")
NOT_ALLOWED = "42501"
NO_SUCH_ROLE = ("42704", "42P01")

app = typer.Typer(help="Datenbank: auf den neuesten Stand bringen, Zugänge anlegen.", no_args_is_help=True)


@app.callback()
def database() -> None:
    """Group the commands."""


@app.command()
@operated(OWNER, Over.SCHEMA)
def upgrade() -> None:
    """Alle ausstehenden Migrationen ausführen."""
    settings = Settings()
    if not settings.database_url:
        try:
            settings.data_dir.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise no_folder(exc) from exc
    with as_owner(settings.database):
        upgrade_database(settings.database)
    typer.echo("Die Datenbank ist auf dem neuesten Stand.")


@app.command()
@operated(OWNER, Over.SCHEMA)
def logins(
    out: Annotated[
        Path | None,
        typer.Option(help="Ordner für neue Passwörter: eine Datei je Zugang, nur für den Eigentümer."),
    ] = None,
    given: Annotated[
        Path | None,
        typer.Option(
            "--from", help="Ordner, in dem je Zugang eine Datei mit seinem Passwort liegt; so wird es gesetzt."
        ),
    ] = None,
    *,
    rotate: Annotated[bool, typer.Option("--rotate", help="Mit --out: allen ein neues Passwort geben.")] = False,
) -> None:
    """Je Prozess einen Zugang zu PostgreSQL anlegen, mit den Rechten, die seine Arbeit braucht (docs/operations.md).

    Als Eigentümer der Datenbank, nach `db upgrade`. Noch einmal ausgeführt, ändert es nichts, was schon stimmt.
    """
    settings = Settings()
    if settings.database.startswith("sqlite"):
        typer.echo("SQLite kennt keine Zugänge: AMTSBRUECKE_DATABASE_URL auf PostgreSQL setzen.", err=True)
        raise typer.Exit(2)
    if (out is None) == (given is None) or (given is not None and rotate):
        typer.echo("Entweder --out ORDNER (auch mit --rotate) oder --from ORDNER nennen.", err=True)
        raise typer.Exit(2)
    with as_owner(settings.database):
        if given is not None:
            asyncio.run(_each(Database(settings.database), _given(given)))
        elif out is not None:
            out.mkdir(parents=True, exist_ok=True, mode=0o700)
            asyncio.run(_each(Database(settings.database), partial(_made, out.resolve(), rotate=rotate)))


@contextmanager
def as_owner(url: str) -> Iterator[None]:
    """Do what only the owner of the database may. Raises `CannotStart` where it cannot be reached as such."""
    try:
        yield
    except (SQLAlchemyError, asyncpg.PostgresError, OSError) as exc:
        if not (code := sqlstate(exc)) and not isinstance(exc, OSError):
            raise
        login = make_url(url)
        if not code or code.startswith(NOT_REACHED):
            raise unreached(exc, login) from exc
        if code.startswith(NOT_ALLOWED):
            text = f"Der Zugang „{login.username}“ darf das nicht ({code}): als Eigentümer der Datenbank ausführen."
        elif code.startswith(NO_SUCH_ROLE):
            text = "Die Rollen gibt es noch nicht. Zuerst ausführen: amtsbruecke db upgrade"
        else:
            raise
        raise CannotStart(text) from exc


Work = Callable[[Database, str], Awaitable[str]]
"""Settles the login of a process, and says what became of it."""


async def _each(db: Database, work: Work) -> None:
    try:
        async with db.writing() as connection:
            await narrow(connection)
        for process in PROCESSES:
            typer.echo(f"{login_of(process):<28} {await work(db, process)}")
    finally:
        await db.close()


def _given(folder: Path) -> Work:
    """Give each login the password of its file. Raises `CannotStart` before any is changed."""
    passwords = {process: _password(folder / login_of(process)) for process in PROCESSES}

    async def work(db: Database, process: str) -> str:
        async with db.writing() as connection:
            await settle(connection, process, passwords[process])
        return f"Passwort aus {folder / login_of(process)}"

    return work


def _password(path: Path) -> str:
    try:
        password = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else "nicht nur ASCII"
        raise CannotStart(f"{path} ist nicht zu lesen ({why}); `make secrets` macht alle Passwörter.") from exc
    if not password:
        raise CannotStart(f"{path} ist leer; `make secrets` macht alle Passwörter.")
    return password


async def _made(out: Path, db: Database, process: str, *, rotate: bool) -> str:
    """Settle one login. Its new password is on disk before it counts, and in its place once it does."""
    path = out / login_of(process)
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
