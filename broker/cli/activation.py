"""``amtsbruecke law activate``: let a catalogue count from a day on, after seeing what that does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Annotated

import typer

from broker.access import Over
from broker.cli.days import FORM, as_day
from broker.cli.lawbook import told
from broker.cli.operated import operated
from broker.gateway import Gateway
from broker.law.activation import CannotActivate, Effect, Route, activate, check, effects
from broker.law.named import find
from broker.privileges import DbRole
from broker.start import open_gateway
from consent.book.names import names_of
from consent.book.words import german_day
from consent.catalogue import Catalogue

NOT_DONE = 1


@operated("admin", Over.CATALOGUE)
def activate_command(
    name: Annotated[
        str, typer.Argument(metavar="ORDNER", help="Ordner mit TOML-Dateien; auch Fingerabdruck oder „mitgeliefert“")
    ],
    start: Annotated[
        date, typer.Option("--from", parser=as_day, metavar=FORM, help="Tag, von dem an er gilt", show_default=False)
    ],
    yes: Annotated[bool, typer.Option("--yes", help="wirklich in Kraft setzen")] = False,
) -> None:
    """Einen Regelkatalog von einem Tag an in Kraft setzen; zuerst zeigen, was das mit Wartendem macht.

    Ohne --yes geschieht nichts. Laufende Gateways übernehmen ihn binnen Sekunden, ohne Neustart; er entscheidet von
    dem Tag an über neue Übermittlungen und noch einmal bei jeder Aushändigung. Gelöscht wird nichts.
    """
    with told():
        try:
            done = asyncio.run(_activate(name, start, yes=yes))
        except CannotActivate as exc:
            typer.echo(str(exc), err=True)
            done = False
    if not done:
        raise typer.Exit(NOT_DONE)


async def _activate(name: str, day: date, *, yes: bool) -> bool:
    async with open_gateway(role=DbRole.ADMIN) as gateway:
        catalogue = (await find(gateway, name)).catalogue
        check(gateway, catalogue, day)
        for line in _effects(catalogue, day, await effects(gateway, catalogue, day)):
            typer.echo(line)
        if not yes:
            typer.echo("Nichts geändert. Mit --yes wird der Katalog in Kraft gesetzt.", err=True)
            return False
        new = await activate(gateway, catalogue, day)
        for line in _timeline(gateway, new=new):
            typer.echo(line)
    return True


def _effects(catalogue: Catalogue, day: date, found: Mapping[Route, Effect]) -> Iterator[str]:
    yield f"Katalog {catalogue.fingerprint}"
    queued, falls = sum(one.queued for one in found.values()), sum(one.falls.total() for one in found.values())
    yield (
        f"Angenommen und noch nicht ausgehändigt: {queued} Übermittlungen, die den {german_day(day)} erleben können. "
        f"Davon fielen {falls} erst durch diesen Katalog: Würden sie erst dann ausgehändigt, gingen sie zurück."
    )
    names = names_of(catalogue.tables)
    for (purpose, sender, recipient), one in found.items():
        codes = ", ".join(f"{count} {code}" for code, count in sorted(one.falls.items()))
        fallen = f"{one.falls.total()} fallen" + (f" ({codes})" if codes else "")
        rest = f"{one.anyway} fallen ohnehin, {one.passes} gehen erst durch ihn durch"
        route = f"{names.purpose(purpose)}: {names.unit(sender)} → {names.unit(recipient)}"
        yield f"  {route}: {one.queued} warten, {fallen}, {rest}"


def _timeline(gateway: Gateway, *, new: bool) -> Iterator[str]:
    yield "In Kraft gesetzt." if new else "Das galt schon; nichts geändert."
    current = dict(gateway.law.starts)
    for start, fingerprint in current.items():
        yield f"  ab {german_day(start)}: {fingerprint}"
