"""Start: open what a command works on, and put the server together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import FrameType

import uvicorn
from sqlalchemy import URL
from sqlalchemy.exc import SQLAlchemyError

from broker.app import create_app
from broker.audit import tree
from broker.audit.checkpoint import names_one_of
from broker.clock import Clock, system_clock
from broker.config import Settings
from broker.db import Database, one_at_a_time, sqlstate
from broker.gateway import Gateway
from broker.in_force import LawInForce
from broker.key_checks import absent, on_record, put_on_record, strangers, unknown
from broker.key_watch import watched_keys
from broker.keys import PSEUDONYM, PURPOSES, Keys, load_keys
from broker.law import keeper
from broker.listening import CannotStart, NotYet
from broker.logins import login_of, look, roles_of
from broker.migrations import newest, upgrade
from broker.privileges import DbRole
from broker.transport.base import Transport
from broker.transport.embedded import EmbeddedTransport
from broker.transport.kafka import KafkaTransport
from consent.catalogue import load_catalogue

HALT_SECONDS = 5
RECORDS_KEYS = (None, DbRole.ADMIN, DbRole.ERASER)
"""Who may put keys on record in PostgreSQL: the owner, an administrator, the clean-up."""
#: They decide, and need to know by which catalogue; the others may not even look.
DECIDES = (None, DbRole.GATEWAY, DbRole.DELIVERY, DbRole.ADMIN)


@asynccontextmanager
async def open_gateway(
    settings: Settings | None = None,
    clock: Clock = system_clock,
    role: DbRole | None = None,
    statement_seconds: float | None = None,
    *,
    makes_keys: bool = True,
) -> AsyncIterator[Gateway]:
    """Open database, keys and law. An embedded database is made, and brought to the newest shape, first.

    `role`: as whom it works on PostgreSQL where it does not say otherwise; None: as its login. `statement_seconds`: the
    longest wait for one statement; None: without end, as an operator may want.
    `makes_keys`: it makes the first keys where there are none. A role never does so beside a PostgreSQL server: on a
    further machine it would have other keys under the same ids, find no objection that another gateway recorded, and
    open no content. Raises `KeyFileError` then, and `CannotStart` where another database is not of the version that
    this code wants (it is never changed here), or where the embedded one has no folder.
    """
    settings = settings or Settings()
    async with open_database(settings, role, statement_seconds) as database:
        keys = await _keys(database, settings.keys_dir, clock, makes=makes_keys or database.is_sqlite)
        second = database.now if clock is system_clock else None
        gateway = Gateway(settings, clock, database, keys, LawInForce(load_catalogue()), second_clock=second)
        if role in DECIDES:
            await keeper.look(gateway)
        async with watched_keys(gateway):
            yield gateway


@asynccontextmanager
async def open_database(
    settings: Settings | None = None, role: DbRole | None = None, statement_seconds: float | None = None
) -> AsyncIterator[Database]:
    """Open the database alone, as `open_gateway` does: for what needs no key. Raises `CannotStart`."""
    settings = settings or Settings()
    database = _opened(settings, role, statement_seconds)
    try:
        if database.is_sqlite:
            await _bring_up(database, settings.database)
        else:
            await require_version(database)
        yield database
    finally:
        await database.close()


async def _bring_up(database: Database, url: str) -> None:
    if await database.version() != await asyncio.to_thread(newest):
        await asyncio.to_thread(upgrade, url)


def _opened(settings: Settings, role: DbRole | None, statement_seconds: float | None) -> Database:
    try:
        return Database(settings.database, role, statement_seconds)
    except OSError as exc:
        raise no_folder(exc) from exc


def no_folder(exc: OSError) -> CannotStart:
    """Say that the folder of the embedded database is not to be had."""
    text = f"Den Ordner {exc.filename} gibt es nicht, und er ist nicht anzulegen ({exc.strerror})."
    return CannotStart(f"{text} AMTSBRUECKE_DATA_DIR prüfen.")


async def require_version(database: Database) -> None:
    """Look whether the database is of the version that this code wants. Raises `CannotStart`."""
    wanted = await asyncio.to_thread(newest)
    try:
        there = await database.version()
    except (SQLAlchemyError, OSError) as exc:
        raise unreached(exc, database.engine.url, database.role) from exc
    if there != wanted:
        state = f"den Stand {there}" if there else "noch keine Tabellen"
        text = f"Die Datenbank hat {state}, dieses Programm braucht {wanted}. Zuerst ausführen: amtsbruecke db upgrade"
        raise CannotStart(text)


async def _keys(database: Database, folder: Path, clock: Clock, *, makes: bool) -> Keys:
    """Read the keys, and make the first of those that the database knows none of, where this process `makes` keys.

    Raises `KeyFileError`, and `CannotStart` where they are not those of the database.
    """
    async with database.reading() as connection:
        rows = await on_record(connection)
    known = {row.purpose for row in rows}
    made = [purpose for purpose in PURPOSES if purpose not in known] if makes else []
    keys = await asyncio.to_thread(load_keys, folder, makes=made)
    new = unknown(keys, rows)
    records = makes and any(new.values()) and (database.is_sqlite or database.role in RECORDS_KEYS)
    await require_keys(database, keys, folder, asks_log=records or not makes)
    if records:
        async with database.writing() as connection:
            await one_at_a_time(connection)
            for purpose, secrets in new.items():
                await put_on_record(connection, purpose, secrets, clock())
        await require_keys(database, keys, folder, asks_log=False)  # of two who record at once the first one counts
    return keys


async def require_keys(database: Database, keys: Keys, folder: Path, *, asks_log: bool) -> None:
    """Look whether the keys are those that the database's other processes have. Raises `CannotStart`.

    By the check values on record; and files are made, and copied, together: where the log was signed with another key,
    the secrets are others too, which a role wants to know, and whoever puts secrets on record. On SQLite the log is not
    asked, there is no other machine.
    """
    async with database.reading() as connection:
        rows = await on_record(connection)
        note = (await tree.head(connection)).note if asks_log and not database.is_sqlite else None
    others, lost = strangers(keys, rows), absent(keys, rows, PSEUDONYM)
    if note and not names_one_of(keys.checkpoint, note):
        others.append("checkpoint")
    if others or lost:
        differs = f"andere als die, mit denen sie geführt wird: {', '.join(others)}. " if others else ""
        misses = f"Es fehlt: {', '.join(lost)}. " if lost else ""
        raise CannotStart(
            f"Die Schlüssel in {folder} gehören nicht zu dieser Datenbank. {differs.capitalize()}{misses}"
            "Alle Prozesse brauchen dieselben Dateien (docs/keys.md): von einem Rechner kopieren, auf dem sie liegen, "
            "oder aus der Sicherung holen."
        )


#: SQLSTATE → why a login does not come in, and what to do.
UNREACHED = {
    "28": (
        "Der Datenbankserver weist den Zugang „{login}“ ab: Name oder Passwort stimmen nicht. "
        "AMTSBRUECKE_DATABASE_URL und AMTSBRUECKE_DATABASE_PASSWORD_FILE prüfen; neue Passwörter macht, als "
        "Eigentümer der Datenbank: amtsbruecke db logins --out ORDNER --rotate"
    ),
    "3D": (
        "Eine Datenbank „{database}“ gibt es auf diesem Server nicht. AMTSBRUECKE_DATABASE_URL prüfen oder sie anlegen "
        "(createdb) und ausführen: amtsbruecke db upgrade"
    ),
    "42501": (
        "Der Zugang „{login}“ darf nicht, was dieser Prozess braucht: sich mit der Datenbank „{database}“ verbinden "
        "und die Rolle „{role}“ annehmen. Jeder Prozess hat seinen Zugang (docs/operations.md); Mitgliedschaften "
        "stellt, als Eigentümer der Datenbank, wieder her: amtsbruecke db logins --out ORDNER"
    ),
    "22023": (
        "Die Rolle „{role}“ gibt es auf diesem Server nicht. Als Eigentümer der Datenbank ausführen: amtsbruecke db "
        "upgrade. Kam die Datenbank aus einer Sicherung auf einen neuen Server, zuerst dessen Rollen einspielen "
        "(pg_dumpall --roles-only)."
    ),
    "": "Die Datenbank antwortet nicht ({error}). AMTSBRUECKE_DATABASE_URL und den Server prüfen.",
}


def unreached(exc: Exception, url: URL, role: DbRole | None = None) -> CannotStart:
    """Say why a database was not reached under a login, and what to do; names no password.

    `NotYet` where nothing says that the settings are wrong: a server that starts more slowly than we do, or restarts.
    """
    code = sqlstate(exc)
    known = next(known for known in UNREACHED if code.startswith(known))
    error = f"{type(exc).__name__} {code}".strip()
    text = UNREACHED[known].format(login=url.username, database=url.database, role=role or "–", error=error)
    return CannotStart(text) if known else NotYet(text)


async def require_login(gateway: Gateway, process: str) -> bool:
    """Look whether the login of a process may take on the roles of its work; return whether it may do more than that.

    Raises `CannotStart`. SQLite has no logins.
    """
    if gateway.db.is_sqlite:
        return False
    inside = process == "serve" and gateway.settings.embedded_roles
    async with gateway.db.reading() as connection:
        login = await look(connection, roles_of(process, with_all=inside))
    if login.lacks:
        raise CannotStart(
            f"Der Zugang „{login.name}“ ist kein Mitglied von {', '.join(login.lacks)}; `{process}` braucht "
            f"{'den Eigentümer der Datenbank oder --no-roles' if inside else 'den Zugang ' + login_of(process)}. "
            "Mitgliedschaften stellt, als Eigentümer der Datenbank, wieder her: amtsbruecke db logins --out ORDNER"
        )
    return login.owns


def transport_of(gateway: Gateway) -> Transport:
    """Return the transport that the settings ask for: Apache Kafka where they name it."""
    if gateway.settings.kafka_bootstrap:
        return KafkaTransport(gateway.settings)
    return EmbeddedTransport(gateway.db, gateway.topic_filled)


class GatewayServer(uvicorn.Server):
    """Serves until the gateway is to halt; its own signals (where it takes them) make the gateway halt."""

    def __init__(self, gateway: Gateway, config: uvicorn.Config) -> None:
        """Serve one gateway."""
        super().__init__(config)
        self._gateway = gateway

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Let the loops end too: a long poll would hold its connection, a role its work."""
        super().handle_exit(sig, frame)
        self._gateway.stop()

    async def on_tick(self, counter: int) -> bool:
        """Say ten times a second whether to end."""
        return await super().on_tick(counter) or self._gateway.halt.requested


class QuietServer(GatewayServer):
    """The same inside a process that takes the signals itself."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take no signal."""
        yield


def server(gateway: Gateway, kind: type[GatewayServer] = GatewayServer) -> GatewayServer:
    """Return the HTTP server of a gateway, ready to serve."""
    settings = gateway.settings
    app = create_app(gateway, transport_of(gateway), roles=settings.embedded_roles)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=HALT_SECONDS,
    )
    return kind(gateway, config)
