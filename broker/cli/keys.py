"""``amtsbruecke keys``: which sealing keys there are, the next one, and the end of those that nothing hangs on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, TypeVar

import typer

from broker.access import Over
from broker.cli.operated import operated
from broker.clock import timestamp
from broker.gateway import Gateway
from broker.privileges import DbRole
from broker.sealing_keys import AT_ONCE, SealingKey, Verdict, prune, rotate, shown
from broker.start import open_gateway

app = typer.Typer(help="Versiegelungsschlüssel: ansehen, wechseln, vergessen (docs/keys.md).", no_args_is_help=True)

OPERATOR = "operator:*"
#: What is said of a key.
SAID = {
    Verdict.NEXT: "gilt noch nicht",
    Verdict.IN_USE: "in Gebrauch",
    Verdict.YOUNG: "bleibt: Inhalte darunter können noch unterwegs sein",
    Verdict.NAMED: "bleibt: es hängen noch Inhalte daran",
    Verdict.OVER: "kann weg: nichts hängt daran",
    Verdict.DELETED: "gelöscht",
}
T = TypeVar("T")


class Rotated(StrEnum):
    """Whose keys are rotated and deleted by command; of the others a file is added by hand (docs/keys.md)."""

    SEALING = "sealing"


Purpose = Annotated[Rotated, typer.Argument(metavar="sealing", help="Zweck der Schlüssel", show_default=False)]


@app.command("show")
@operated("cleanup", Over.SETTINGS)
def show_command(as_json: Annotated[bool, typer.Option("--json", help="als JSON ausgeben")] = False) -> None:
    """Die Versiegelungsschlüssel zeigen: seit wann, wie viele Inhalte an jedem hängen; nie ein Geheimnis."""
    keys = _run(shown)
    if as_json:
        typer.echo(json.dumps([_members(key) for key in keys], indent=2))
        return
    for key in keys:
        typer.echo(_line(key))


def _members(key: SealingKey) -> dict[str, object]:
    moments = ("used_from", "used_until", "deleted_at")
    return asdict(key) | {name: timestamp(at) if (at := getattr(key, name)) else None for name in moments}


def _line(key: SealingKey) -> str:
    hang = f"{key.transfers} Übermittlungen, {key.ersuchen} Ersuchen"
    left = "; die Datei liegt noch hier" if key.verdict is Verdict.DELETED and key.here else ""
    lacks = "; die Datei fehlt hier" if key.verdict is not Verdict.DELETED and not key.here else ""
    return f"sealing-{key.kid:<8} ab {timestamp(key.used_from)}  {hang:<36}  {SAID[key.verdict]}{left}{lacks}"


@app.command("rotate")
@operated("cleanup", Over.SETTINGS)
def rotate_command(
    purpose: Purpose,
    at_once: Annotated[
        bool, typer.Option("--at-once", help="Schon in 45 Sekunden verwenden, etwa weil der alte bekannt wurde.")
    ] = False,
    lost: Annotated[
        bool, typer.Option("--lost", help="Auch wenn die Datei des letzten fehlt, weil sie nirgends mehr ist.")
    ] = False,
) -> None:
    """Den nächsten Schlüssel machen; die Prozesse nehmen ihn von selbst, sobald er gilt.

    Zweimal ausgeführt, macht es einen: Gilt schon bald ein neuer, bleibt es bei ihm.
    """

    async def work(gateway: Gateway) -> tuple[str, str]:
        ahead = AT_ONCE if at_once else timedelta(seconds=gateway.settings.sealing_key_ahead_seconds)
        kid, used_from = await rotate(gateway, OPERATOR, ahead, lost=lost)
        return str(gateway.settings.keys_dir / f"{purpose.value}-{kid}.json"), timestamp(used_from)

    path, moment = _run(work)
    typer.echo(f"{path} gilt ab {moment}. Bis dahin auf die anderen Rechner bringen, falls sie eigene Ordner haben.")


@app.command("prune")
@operated("cleanup", Over.SETTINGS)
def prune_command(
    purpose: Purpose,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Nur sagen, was geschähe.")] = False,
) -> None:
    """Schlüssel löschen, an denen nichts mehr hängt: Was je unter ihnen lag, öffnet dann niemand mehr.

    Ein Schlüssel bleibt, solange ein Inhalt ihn nennt, und AMTSBRUECKE_PAYLOAD_DAYS über seinen Zeitraum hinaus.
    """
    gone = [] if dry_run else _run(lambda gateway: prune(gateway, OPERATOR))
    for key in _run(shown):
        if key.kid in gone:
            typer.echo(f"{purpose.value}-{key.kid:<8} gelöscht")
        elif key.here and key.verdict in (Verdict.OVER, Verdict.DELETED):
            typer.echo(f"{purpose.value}-{key.kid:<8} würde gelöscht")
        elif key.here:
            typer.echo(_line(key))


def _run(work: Callable[[Gateway], Awaitable[T]]) -> T:
    async def run() -> T:
        async with open_gateway(role=DbRole.ERASER) as gateway:
            return await work(gateway)

    return asyncio.run(run())
