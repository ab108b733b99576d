"""``amtsbruecke dead``: what could not be handed over, and what an operator decides about it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import timedelta
from difflib import get_close_matches
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.access import Over
from broker.cli.operated import operated
from broker.clock import timestamp
from broker.delivery import dead
from broker.delivery.dead import DeadLetter, Wanted, Why
from broker.directory.cache import directory_cache
from broker.errors import ProblemError
from broker.gateway import Gateway
from broker.pages import cursor_value
from broker.privileges import DbRole
from broker.start import open_gateway

app = typer.Typer(help="Tote Übermittlungen: ansehen, erneut versuchen, freigeben, verwerfen.", no_args_is_help=True)

ACTOR = "operator:*"
Work = Callable[[AsyncConnection, Gateway], Awaitable[None]]

TransferId = Annotated[str, typer.Argument(metavar="KENNUNG", help="Kennung der Übermittlung", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="als JSON ausgeben")]
Reason = Annotated[Why, typer.Option("--reason", help="Grund; beide Behörden und das Protokoll sehen ihn")]


@app.command("list")
@operated("admin", Over.HEADS)
def list_command(
    agency: Annotated[str | None, typer.Option(help="nur an diese Behörde", show_default=False)] = None,
    sender: Annotated[str | None, typer.Option(help="nur von dieser Instanz", show_default=False)] = None,
    reason: Annotated[str | None, typer.Option(help="nur mit diesem Grund", show_default=False)] = None,
    hours: Annotated[int | None, typer.Option(min=1, help="nur in den letzten Stunden gestorbene")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="höchstens so viele")] = 50,
    cursor: Annotated[str | None, typer.Option(help="Fortsetzung, wie die vorige Seite sie nennt")] = None,
    as_json: AsJson = False,
) -> None:
    """Tote Übermittlungen auflisten, die älteste zuerst."""
    letters, following = asyncio.run(_page(Wanted(agency, sender, reason), hours, cursor, limit))
    if as_json:
        typer.echo(json.dumps({"items": [dead.as_json(one) for one in letters], "next_cursor": following}, indent=2))
        return
    for letter in letters:
        typer.echo(_line(letter))
    if not letters:
        typer.echo("Keine tote Übermittlung.")
    if following:
        typer.echo(f"Weiter mit --cursor {following}")


async def _page(
    wanted: Wanted, hours: int | None, cursor: str | None, limit: int
) -> tuple[list[DeadLetter], str | None]:
    async with open_gateway(role=DbRole.ADMIN) as gateway, gateway.db.reading() as connection:
        since = gateway.clock() - timedelta(hours=hours) if hours else None
        wanted = Wanted(wanted.agency, wanted.sender, wanted.reason, since)
        if wanted.agency is not None:
            _require_known(wanted.agency, (await directory_cache(gateway).current()).kinds)
        with explained():
            found = list(await dead.dead_letters(connection, wanted, cursor_value(cursor), limit))
    return found, str(found[-1].seq) if len(found) == limit else None


def _require_known(agency: str, known: Collection[str]) -> None:
    """Say so where the directory has no such agency: an empty list would look like good news."""
    if agency in known:
        return
    near = get_close_matches(agency, known, 3)
    meant = f"Gemeint vielleicht: {', '.join(near)}." if near else "Alle zeigt „amtsbruecke directory show“."
    typer.echo(f"Eine Behörde „{agency}“ steht nicht im Verzeichnis. {meant}", err=True)
    raise typer.Exit(2)


def _line(letter: DeadLetter) -> str:
    case = f"Vorgang freigegeben ({letter.released})" if letter.released else f"{letter.waiting_behind} warten dahinter"
    return (
        f"{letter.transfer_id}  {timestamp(letter.dead_since)}  {letter.reason or '-':<28}  "
        f"{letter.sender} > {letter.recipient}  {letter.attempts} Versuche, {case}"
    )


@app.command("show")
@operated("admin", Over.HEADS)
def show_command(transfer_id: TransferId, as_json: AsJson = False) -> None:
    """Eine tote Übermittlung mit ihrer Geschichte zeigen; Inhalte zeigt der Broker niemandem."""
    asyncio.run(_show(transfer_id, as_json=as_json))


async def _show(transfer_id: str, *, as_json: bool) -> None:
    async with open_gateway(role=DbRole.ADMIN) as gateway, gateway.db.reading() as connection:
        with explained():
            letter, history = await dead.dead_letter(connection, transfer_id)
    events = [{"state": row.state, "reason": row.reason, "at": timestamp(row.at)} for row in history]
    members = dead.as_json(letter)
    if as_json:
        typer.echo(json.dumps(members | {"history": events}, indent=2))
        return
    for name, value in members.items():
        typer.echo(f"{name:<16}{'-' if value is None else value}")
    for event in events:
        typer.echo(f"  {event['at']}  {event['state']:<14}{event['reason'] or ''}")


@app.command("retry")
@operated("admin", Over.HEADS)
def retry_command(transfer_id: TransferId) -> None:
    """Erneut zustellen, mit zurückgesetzten Versuchen; das Gesetz wird dabei neu gefragt."""
    _decide(lambda connection, gateway: dead.retry(connection, gateway, transfer_id, ACTOR))
    typer.echo("Die Übermittlung wartet wieder auf ihre Zustellung.")


@app.command("discard")
@operated("admin", Over.HEADS)
def discard_command(transfer_id: TransferId, reason: Reason) -> None:
    """Aufgeben: der Schlüssel wird gelöscht, der Absender erfährt es, der Vorgang geht weiter."""
    _decide(lambda connection, gateway: dead.discard(connection, gateway, transfer_id, reason, ACTOR))
    typer.echo("Die Übermittlung ist verworfen; ihren Inhalt kann niemand mehr lesen.")


@app.command("release")
@operated("admin", Over.HEADS)
def release_command(transfer_id: TransferId, reason: Reason) -> None:
    """Die späteren desselben Vorgangs vorbeilassen; diese Übermittlung bleibt tot."""
    _decide(lambda connection, gateway: dead.release(connection, gateway, transfer_id, reason, ACTOR))
    typer.echo("Die späteren Übermittlungen des Vorgangs warten nicht mehr auf diese.")


def _decide(work: Work) -> None:
    with explained():
        asyncio.run(_in_transaction(work))


async def _in_transaction(work: Work) -> None:
    async with open_gateway(role=DbRole.ADMIN) as gateway, gateway.db.writing() as connection:
        await work(connection, gateway)


@contextmanager
def explained() -> Iterator[None]:
    """Turn what the operator can mend into a line of text."""
    try:
        yield
    except ProblemError as exc:
        typer.echo(exc.detail, err=True)
        raise typer.Exit(1) from exc
