"""``amtsbruecke law replay``: decide again what was decided, as then or by another catalogue."""

from __future__ import annotations

import asyncio
import json
from datetime import date, timedelta
from time import monotonic
from typing import Annotated, Any

import typer

from broker.access import Over
from broker.cli.days import FORM, as_day
from broker.cli.operated import operated
from broker.clock import day_begins, system_clock
from broker.db import Database
from broker.law import repository
from broker.law.named import SHIPPED, NoSuchCatalogue, read_here
from broker.law.replay import Catalogues, Difference, Replayed, Sort, Tally, replay
from broker.law.stored import Wanted
from broker.privileges import DbRole
from broker.start import open_database
from consent.catalogue import Catalogue, load_catalogue
from consent.rowreader import CatalogueError

DIFFERS, UNUSABLE, NOT_ALL = 1, 2, 3
"""Exit codes; 0: everything was decided again, and came out the same."""
PROGRESS_SECONDS = 5.0
SHORTEST_PREFIX = 8
SAID = {
    Sort.SAME: "gleich",
    Sort.DIFFERS: "anders",
    Sort.ERASED: "gelöscht (Frist abgelaufen)",
    Sort.OTHER_ENGINE: "andere Version der Prüfung",
    Sort.UNREADABLE: "nicht lesbar (Fakten oder Katalog)",
}


@operated("replay", Over.DECISIONS)
def replay_command(
    since: Annotated[date, typer.Option(parser=as_day, metavar=FORM, help="ab diesem Tag (Berlin)")],
    until: Annotated[
        date | None, typer.Option(parser=as_day, metavar=FORM, help="bis zu diesem Tag, ihn eingeschlossen")
    ] = None,
    purpose: Annotated[str | None, typer.Option(help="nur dieser Zweck", show_default=False)] = None,
    agency: Annotated[
        str | None, typer.Option(help="nur diese Behörde, als Absender oder Empfänger", show_default=False)
    ] = None,
    catalogue: Annotated[
        str | None,
        typer.Option(help="Ordner oder Fingerabdruck: zeigt, was er ändern würde", show_default=False),
    ] = None,
    *,
    ids: Annotated[
        bool, typer.Option("--ids", help="mit --catalogue: jede Entscheidung nennen, die anders wäre")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="eine Zeile JSON je Fund, die Summe zuletzt")] = False,
) -> None:
    """Gespeicherte Entscheidungen noch einmal treffen: mit Katalog, Schaltern und Tag von damals.

    Zeigt Kennungen, Codes und Zahlen, nichts über Personen. Ausgang 0: alles gleich; 1: etwas ist anders; 2: Angaben
    unbrauchbar; 3: nicht alles lesbar. Gelöschtes und andere Versionen der Prüfung ändern den Ausgang nicht.
    """
    wanted = _wanted(since, until, purpose, agency)
    shows = Shows(as_json=as_json, names=ids or catalogue is None)
    try:
        here = read_here(catalogue) if catalogue else None
        tally = asyncio.run(_run(wanted, here.catalogue if here else catalogue, shows))
    except (CatalogueError, NoSuchCatalogue) as exc:
        typer.echo(f"Nichts entschieden. {exc}", err=True)
        raise typer.Exit(UNUSABLE) from exc
    shows.summary(tally)
    raise typer.Exit(DIFFERS if tally.sorts[Sort.DIFFERS] else NOT_ALL if tally.sorts[Sort.UNREADABLE] else 0)


def _wanted(since: date, until: date | None, purpose: str | None, agency: str | None) -> Wanted:
    now = system_clock()
    end = day_begins(until + timedelta(days=1)) if until else now
    return Wanted(day_begins(since), min(end, now), purpose, agency)


async def _run(wanted: Wanted, given: Catalogue | str | None, shows: Shows) -> Tally:
    async with open_database(role=DbRole.REPLAY) as db:
        other = await _kept(db, given) if isinstance(given, str) else given
        tally, said = Tally(), monotonic()
        async for one in replay(db, wanted, other):
            tally.add(one)
            shows.one(one)
            if monotonic() - said > PROGRESS_SECONDS:
                said = monotonic()
                shows.progress(tally)
    return tally


async def _kept(db: Database, name: str) -> Catalogue:
    """Return a catalogue by its fingerprint, or the beginning of it. Raises `NoSuchCatalogue`."""
    async with db.reading() as connection:
        kept = {row.fingerprint for row in await repository.kept(connection)} | {load_catalogue().fingerprint}
    found = [fingerprint for fingerprint in kept if len(name) >= SHORTEST_PREFIX and fingerprint.startswith(name)]
    catalogue = await Catalogues(db).get(found[0]) if len(found) == 1 else None
    if catalogue is None:
        raise NoSuchCatalogue(
            f"„{name}“ ist weder ein Ordner noch „{SHIPPED}“ noch der Fingerabdruck eines aufbewahrten Katalogs, den "
            f"dieses Programm lesen kann (auch sein Anfang genügt, ab {SHORTEST_PREFIX} Zeichen)."
        )
    return catalogue


class Shows:
    """Writes what was found: each line as it comes, the sum at the end."""

    def __init__(self, *, as_json: bool, names: bool) -> None:
        """`names`: each decision that came out otherwise; else only how many."""
        self._as_json, self._names = as_json, names

    def one(self, one: Replayed) -> None:
        """Name a decision that came out otherwise, or cannot be read."""
        if not self._names or not (one.sort in (Sort.DIFFERS, Sort.UNREADABLE) or one.differences):
            return
        if self._as_json:
            typer.echo(json.dumps(_shape(one), ensure_ascii=False))
            return
        typer.echo(f"{one.decision}  {one.purpose}  {one.route}  {SAID[one.sort]}  {one.change}".rstrip())
        for difference in one.differences:
            typer.echo(f"    {_line(difference)}")

    def progress(self, tally: Tally) -> None:
        """Tell on standard error how far it has come."""
        done = sum(tally.sorts.values())
        typer.echo(f"{done} Entscheidungen, davon anders: {tally.sorts[Sort.DIFFERS]}", err=True)

    def summary(self, tally: Tally) -> None:
        """Write the sums."""
        if self._as_json:
            typer.echo(json.dumps({"summary": _sums(tally)}, ensure_ascii=False))
            return
        for (purpose, route, change), number in sorted(tally.changes.items()):
            typer.echo(f"{purpose}  {route}  {change}  {number}")
        for sort in Sort:
            typer.echo(f"{SAID[sort]}: {tally.sorts[sort]}")
        for (engine, differs), number in sorted(tally.engines.items()):
            typer.echo(f"    Version {engine}, heute {'anders' if differs else 'gleich'}: {number}")


def _line(difference: Difference) -> str:
    then, now = (", ".join(part) or "–" for part in (difference.then, difference.now))
    return f"{difference.part}: {then} → {now}"


def _shape(one: Replayed) -> dict[str, Any]:
    return {
        "decision": one.decision,
        "transfer": one.transfer,
        "purpose": one.purpose,
        "route": one.route,
        "result": one.sort.value,
        "engine_version": one.engine,
        "change": one.change,
        "differences": [{"part": d.part, "then": list(d.then), "now": list(d.now)} for d in one.differences],
    }


def _sums(tally: Tally) -> dict[str, Any]:
    return {
        **{sort.value: tally.sorts[sort] for sort in Sort},
        "engines": [
            {"engine_version": engine, "differs": differs, "decisions": number}
            for (engine, differs), number in sorted(tally.engines.items())
        ],
        "changes": [
            {"purpose": purpose, "route": route, "change": change, "decisions": number}
            for (purpose, route, change), number in sorted(tally.changes.items())
        ],
    }
