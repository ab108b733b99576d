"""``amtsbruecke duties``: what the sides of transfers still have to do."""

from __future__ import annotations

import asyncio
import json
from datetime import date
from typing import Annotated

import typer

from broker.access import Over
from broker.cli.days import FORM, as_day
from broker.cli.dead import explained
from broker.cli.operated import operated
from broker.clock import day_of
from broker.duties import repository
from broker.duties.api import DutyOut, shown, titles_of
from broker.duties.repository import DutyState, Wanted
from broker.pages import place_of, place_text
from broker.privileges import DbRole
from broker.start import open_gateway

app = typer.Typer(help="Pflichten aus Übermittlungen.", no_args_is_help=True)


@app.callback()
def duties() -> None:
    """Group the commands."""


@app.command("list")
@operated("admin", Over.HEADS)
def list_command(
    agency: Annotated[str | None, typer.Option(help="nur von dieser Behörde geschuldete", show_default=False)] = None,
    state: Annotated[DutyState, typer.Option(help="open schließt ein, was überfällig ist")] = DutyState.OPEN,
    due_before: Annotated[
        date | None, typer.Option(parser=as_day, metavar=FORM, help="nur vor diesem Tag fällige", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="höchstens so viele")] = 50,
    cursor: Annotated[str | None, typer.Option(help="Fortsetzung, wie die vorige Seite sie nennt")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="als JSON ausgeben")] = False,
) -> None:
    """Pflichten auflisten, die am frühesten fälligen zuerst."""
    wanted = Wanted(agency, None, state, due_before)
    items, following = asyncio.run(_page(wanted, cursor, limit))
    if as_json:
        shape = {"items": [item.model_dump(mode="json") for item in items], "next_cursor": following}
        typer.echo(json.dumps(shape, indent=2))
        return
    for item in items:
        typer.echo(
            f"{item.id}  {item.due}  {item.state.value:<8}{item.duty:<24}{item.bound}  {item.transfer_id}  {item.title}"
        )
    if not items:
        typer.echo("Keine solche Pflicht.")
    if following:
        typer.echo(f"Weiter mit --cursor {following}")


async def _page(wanted: Wanted, cursor: str | None, limit: int) -> tuple[list[DutyOut], str | None]:
    async with open_gateway(role=DbRole.ADMIN) as gateway, gateway.db.reading() as connection:
        today = day_of(gateway.clock())
        with explained():
            found = list(await repository.duties(connection, wanted, today, place_of(cursor), limit + 1))
        page = [shown(row, today, titles_of(gateway)) for row in found[:limit]]
    return page, place_text(page[-1].due, page[-1].id) if len(found) > limit else None
