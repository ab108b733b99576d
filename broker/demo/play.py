"""``amtsbruecke run --demo``: a fresh Kreis, a day in it through the API, a table, and a service that stays up."""

from __future__ import annotations

import asyncio
import fcntl
import shutil
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import httpx
import typer
from rich.console import Console

from broker.auth.caller import Role
from broker.auth.clients import add_client
from broker.clock import day_of
from broker.config import Settings
from broker.demo import scenes, session, table
from broker.demo.actors import Client, PlayStopped
from broker.demo.serving import local_url, serving, until_stopped, with_address
from broker.demo.story import LOOK_AT, OFFICER_AGENCY, OFFICES, STORY
from broker.directory.file import read_directory
from broker.directory.service import load, prepare_channels
from broker.gateway import Gateway
from broker.listening import CannotStart, listen
from broker.start import open_gateway
from broker.telemetry import configure_logging

FOLDER = "demo"
MARK = ".vorfuehrung"
"""Only a folder with this file in it is ever deleted."""
MARL_FOLDER = Path("folders", "sozialamt-marl", "sgb-xii")
DIRECTORY = Path(__file__).parent.parent / "directory" / "kreis-recklinghausen.yaml"
LOG_LEVEL = 40
INTERRUPTED = 130
REQUEST_SECONDS = 90.0


def run_demo(*, stay: bool) -> None:
    """Play the day. Raises `typer.Exit`: 0 where every answer was the expected one, 1 otherwise."""
    configure_logging(LOG_LEVEL)
    out = table.console()
    try:
        as_expected = asyncio.run(_run(out, stay=stay))
    except KeyboardInterrupt:
        typer.echo("Abgebrochen, bevor der Tag zu Ende war.", err=True)
        raise typer.Exit(INTERRUPTED) from None
    except (CannotStart, PlayStopped) as exc:
        typer.echo(f"Die Vorführung ist nicht gelungen. {exc}", err=True)
        raise typer.Exit(1) from None
    if stay:
        out.print("\nBeendet.")
    raise typer.Exit(0 if as_expected else 1)


async def _run(out: Console, *, stay: bool) -> bool:
    given = Settings()
    folder = (given.data_dir / FOLDER).resolve()
    with listen(given.host, given.port) as listening, alone(folder):
        reset(folder)
        # An embedded database in a folder of its own, whatever the environment says: no other data is ever touched.
        settings = with_address(given, listening).model_copy(
            update={"data_dir": folder, "database_url": "", "embedded_roles": True}
        )
        async with open_gateway(settings) as gateway:
            return await _play(out, gateway, listening, stay=stay)


async def _play(out: Console, gateway: Gateway, listening: socket.socket, *, stay: bool) -> bool:
    folder = gateway.settings.data_dir
    document = read_directory(DIRECTORY, folder)
    await load(gateway, document)
    await prepare_channels(document, folder)
    out.print(
        f"Amtsbrücke: ein Tag im Kreis Recklinghausen. Alle Personen sind erfunden.\nDaten: {folder}\n",
        markup=False,
        soft_wrap=True,
    )
    async with serving(gateway, listening) as service, offices(gateway, local_url(listening)) as clients:
        today = day_of(gateway.clock())
        with out.status("Die Ämter arbeiten …"):
            played = await scenes.play(scenes.Stage(clients, folder / MARL_FOLDER, today), STORY)
            await scenes.check_nothing_else_went_out(clients, played)
            seen = await scenes.look(clients["officer"], played[LOOK_AT - 1].transfer_id)
        as_expected = tell(out, played, seen)
        if stay:
            session.write_examples(folder / "beispiele", today)
            session.write_private(folder / "token", await fresh_token(clients) + "\n")
            minutes = gateway.settings.token_seconds // 60
            text = session.where_to_look(gateway.settings.public_url, folder, minutes)
            out.print(text, markup=False, soft_wrap=True)
            await until_stopped(service)
    return as_expected


async def fresh_token(clients: dict[str, Client]) -> str:
    """Return a token of the Jobcenter that has its whole life before it."""
    client = clients[next(iter(OFFICES))]
    return await client.token(renew=True)


def tell(out: Console, played: Sequence[scenes.Played], seen: scenes.Looked) -> bool:
    """Print what was answered, and say whether all of it was expected."""
    out.print(table.table_of(played))
    out.print()
    out.print(table.legend())
    out.print(table.looked_text(LOOK_AT, seen), soft_wrap=False)
    wrong = [f"Nr. {number}: {text}" for number, p in enumerate(played, start=1) for text in p.differences()]
    wrong += [f"Protokoll: {event} fehlt" for event in seen.missing]
    wrong += [] if seen.look_recorded else ["Protokoll: die Einsicht selbst fehlt"]
    out.print()
    if wrong:
        out.print(f"{table.summary(played)} {len(wrong)} Antworten waren nicht die erwarteten:", style="bold red")
        for line in wrong:
            out.print(f"  {line}", markup=False)
    else:
        out.print(f"{table.summary(played)} jede Antwort war die erwartete.", style="bold")
    out.print()
    return not wrong


@asynccontextmanager
async def offices(gateway: Gateway, url: str) -> AsyncIterator[dict[str, Client]]:
    """Give every office, and the officer, an access of its own; its key is kept in ``zugaenge/``."""
    keys = gateway.settings.data_dir / "zugaenge"
    wanted: list[tuple[str, str, Role, str | None, str | None]]
    wanted = [(name, file, Role.INSTANCE, instance, None) for instance, (name, file) in OFFICES.items()]
    wanted.append(("Datenschutzbeauftragte", "datenschutz", Role.OFFICER, None, OFFICER_AGENCY))
    clients: dict[str, Client] = {}
    async with AsyncExitStack() as stack:
        http = httpx.AsyncClient(base_url=url, timeout=REQUEST_SECONDS, trust_env=False)
        await stack.enter_async_context(http)
        for name, file, role, instance, agency in wanted:
            new = await add_client(gateway, role, instance, agency)
            client = Client(name, new.client_id, new.private_jwk or {}, http, gateway.settings.public_url)
            session.keep_key(keys, file, client)
            clients[instance or "officer"] = client
        yield clients


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the folder against a second demonstration. Raises `CannotStart`."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with folder.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
    except BlockingIOError as exc:
        text = f"In {folder} läuft schon eine Vorführung. Sie beenden, oder AMTSBRUECKE_DATA_DIR anders setzen."
        raise CannotStart(text) from exc


def reset(folder: Path) -> None:
    """Make the folder anew; one that is not of the demonstration is left as it is. Raises `CannotStart`."""
    if folder.exists() and any(folder.iterdir()):
        if not (folder / MARK).is_file():
            text = f"{folder} ist nicht von einer Vorführung; bitte selbst wegräumen oder AMTSBRUECKE_DATA_DIR setzen."
            raise CannotStart(text)
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / MARK).write_text("Daten einer Vorführung; beim nächsten Start gelöscht.\n", encoding="utf-8")
