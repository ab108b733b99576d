"""``amtsbruecke law show | diff | fingerprint``: the catalogue, to read."""

from __future__ import annotations

import asyncio
import json
import shutil
import textwrap
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from broker.access import Over
from broker.cli.days import FORM, as_day
from broker.cli.operated import operated
from broker.clock import day_of, system_clock
from broker.config import Settings
from broker.gateway import Gateway
from broker.law.named import Named, NoSuchCatalogue, find, on_day, read_here
from broker.law.shapes import entry_json
from broker.privileges import DbRole
from broker.start import open_gateway
from consent.book.compare import Change, Difference, difference
from consent.book.entries import Entry, chosen, entries_of
from consent.book.markdown import warning
from consent.book.words import GRADES, cited_all, german_day, german_span
from consent.catalogue import Catalogue, load_catalogue
from consent.rowreader import CatalogueError

WIDEST = 118
AsJson = Annotated[bool, typer.Option("--json", help="als JSON ausgeben")]
Shipped = Annotated[bool, typer.Option("--shipped", help="den mitgelieferten Katalog, ohne Datenbank")]
Day = Annotated[
    date | None, typer.Option(parser=as_day, metavar=FORM, help="Tag, z. B. 2026-12-01", show_default=False)
]


@contextmanager
def told() -> Iterator[None]:
    """Say on the error output what catalogue is not to be had or not to be read, and end with 1."""
    try:
        yield
    except (CatalogueError, NoSuchCatalogue) as exc:
        typer.echo(str(exc), err=True)
        raise typer.Exit(1) from exc


@asynccontextmanager
async def gateway_if_any() -> AsyncIterator[Gateway | None]:
    """Open the gateway's database; None where the embedded one was never made: who only reads makes none."""
    settings = Settings()
    if not settings.database_url and not (settings.data_dir / "amtsbruecke.db").exists():
        yield None
        return
    async with open_gateway(settings, role=DbRole.ADMIN) as gateway:
        yield gateway


@operated("admin", Over.SETTINGS)
def show(
    purpose: Annotated[str | None, typer.Option(help="nur Zeilen zu diesem Zweck (Kürzel)", show_default=False)] = None,
    norm: Annotated[
        str | None, typer.Option(help="nur Zeilen mit diesem Paragrafen, z. B. „§ 69 SGB X“", show_default=False)
    ] = None,
    on: Day = None,
    shipped: Shipped = False,
    as_json: AsJson = False,
) -> None:
    """Den Regelkatalog lesen, der an einem Tag gilt (ohne Angabe: heute)."""
    day = on or day_of(system_clock())
    with told():
        catalogue, since = asyncio.run(_in_force(day, shipped=shipped))
    entries = list(chosen(entries_of(catalogue), purpose=purpose, norm=norm, on=day))
    if purpose is not None and purpose not in catalogue.as_of(day).purposes:
        known = ", ".join(sorted(catalogue.as_of(day).purposes))
        typer.echo(f"Den Zweck „{purpose}“ kennt der Katalog an diesem Tag nicht. Er kennt: {known}.", err=True)
        raise typer.Exit(1)
    if as_json:
        body = {"fingerprint": catalogue.fingerprint, "on": day.isoformat(), "items": [*map(entry_json, entries)]}
        typer.echo(json.dumps(body, ensure_ascii=False, indent=2))
        return
    typer.echo(f"Regelkatalog {catalogue.fingerprint}, {since}; Stand vom {german_day(day)}.")
    for line in warning(entries):
        typer.echo(line.removeprefix("> ").replace("**", ""))
    for line in _listing(entries):
        typer.echo(line)
    if not entries:
        typer.echo("Keine Zeile des Katalogs passt dazu.")


async def _in_force(day: date, *, shipped: bool) -> tuple[Catalogue, str]:
    if shipped:
        return load_catalogue(), "mitgeliefert"
    async with gateway_if_any() as gateway:
        if gateway is None:
            return load_catalogue(), "mitgeliefert (hier ist noch keine Datenbank)"
        starts = [start for start, _ in gateway.law.starts if start <= day]
        return await on_day(gateway, day), f"in Kraft seit {german_day(starts[-1])}" if starts else "mitgeliefert"


def _listing(entries: Sequence[Entry]) -> Iterator[str]:
    width = min(shutil.get_terminal_size().columns, WIDEST)
    kind = ""
    for entry in entries:
        if entry.kind != kind:
            kind = entry.kind
            yield from ("", kind.upper(), "=" * len(kind))
        yield from ("", entry.title)
        yield from _wrapped(entry.text, width)
        row = entry.row
        if row.note:
            yield from _wrapped(f"Anmerkung: {row.note}", width)
        yield from _wrapped(f"Norm: {cited_all(row.norms)}", width)
        checked = f"geprüft am {german_day(row.checked_on)}, Beleg {row.grade} ({GRADES[row.grade][0]})"
        yield from _wrapped(f"Quelle: {row.source}; {checked}; gilt {german_span(row.valid)}", width)
        yield from _wrapped(f"Kennung: {entry.id}", width)


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(
        text, width, initial_indent="  ", subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
    )


@operated(None, Over.NOBODY)
def fingerprint(
    folder: Annotated[
        Path | None, typer.Argument(help="Ordner mit TOML-Dateien; ohne Angabe der mitgelieferte", show_default=False)
    ] = None,
) -> None:
    """Den Fingerabdruck eines Katalogs ausgeben; er steht in jeder Entscheidung."""
    with told():
        typer.echo(load_catalogue(folder).fingerprint)


@operated("admin", Over.SETTINGS)
def diff(
    before: Annotated[str, typer.Argument(metavar="A", help="Tag, Fingerabdruck, Ordner oder „mitgeliefert“")],
    after: Annotated[str, typer.Argument(metavar="B", help="Tag, Fingerabdruck, Ordner oder „mitgeliefert“")],
    as_json: AsJson = False,
) -> None:
    """Zwei Kataloge vergleichen: neue, entfallene und geänderte Zeilen, Feld für Feld.

    Zwischen zwei Tagen wird verglichen, was an ihnen gilt; ist nur eine Seite ein Tag, auch die andere an diesem Tag.
    """
    with told():
        one, other = asyncio.run(_both(before, after))
    of_days = one.day is not None or other.day is not None
    found = difference(
        chosen(entries_of(one.catalogue), on=one.day or other.day),
        chosen(entries_of(other.catalogue), on=other.day or one.day),
        of_days=of_days,
    )
    if as_json:
        typer.echo(json.dumps(_difference_json(one, other, found), ensure_ascii=False, indent=2))
        return
    for line in _told_difference(one, other, found):
        typer.echo(line)


async def _both(before: str, after: str) -> tuple[Named, Named]:
    here = read_here(before), read_here(after)
    if here[0] and here[1]:
        return here[0], here[1]
    async with open_gateway(role=DbRole.ADMIN) as gateway:
        return await find(gateway, before), await find(gateway, after)


def _told_difference(one: Named, other: Named, found: Difference) -> Iterator[str]:
    yield f"A: {one.label} ({one.catalogue.fingerprint[:12]}); B: {other.label} ({other.catalogue.fingerprint[:12]})"
    if not found:
        yield "Die Zeilen sagen dasselbe."
        return
    yield f"{len(found.added)} neu, {len(found.removed)} entfallen, {len(found.changed)} geändert."
    for sign, word, entries in (("+", "Neu in B", found.added), ("-", "Entfallen", found.removed)):
        for entry in entries:
            yield from ("", f"{sign} {word}: {entry.kind}: {entry.title} [{entry.id}]", *_wrapped(entry.text, WIDEST))
    for entry, changes in found.changed:
        yield from ("", f"~ Geändert: {entry.kind}: {entry.title} [{entry.id}]", *_told_changes(changes))


def _told_changes(changes: Iterable[Change]) -> Iterator[str]:
    for change in changes:
        yield f"    {change.label}"
        yield from _wrapped(f"A: {change.before or '–'}", WIDEST)
        yield from _wrapped(f"B: {change.after or '–'}", WIDEST)


def _difference_json(one: Named, other: Named, found: Difference) -> dict[str, Any]:
    changed = [
        {
            "row": entry_json(entry),
            "fields": [{"label": change.label, "a": change.before, "b": change.after} for change in changes],
        }
        for entry, changes in found.changed
    ]
    sides = {"a": one.catalogue.fingerprint, "b": other.catalogue.fingerprint}
    return sides | {
        "added": [*map(entry_json, found.added)],
        "removed": [*map(entry_json, found.removed)],
        "changed": changed,
    }
