"""``amtsbruecke audit``: export the evidence, and verify an export without any database."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO
from uuid import UUID

import typer

from broker.access import Over
from broker.audit import tree
from broker.audit.checkpoint import verifier_key
from broker.audit.events import AuditEvent
from broker.audit.export import export
from broker.audit.log import append
from broker.audit.notes import BadNote, read_key
from broker.audit.promises import find_tokens
from broker.audit.verify import MOST_FAULTS, Fault, NoExport, Report, Trust, Verifier
from broker.cli.operated import operated
from broker.erasure import BadErasure, EraseReason, Erasure, count, erase
from broker.gateway import Gateway
from broker.privileges import DbRole
from broker.start import open_gateway

app = typer.Typer(help="Protokoll ausführen, prüfen und Nebendaten löschen.", no_args_is_help=True)

DIFFERS, UNUSABLE, NOT_ALL = 1, 2, 3
"""Exit codes; 0: everything was checked and holds."""
PROGRESS = 50_000
OPERATOR = "operator:*"
CHANGED = (
    "Was tun: Datei und Datenbank sichern, nichts ändern, die Datenschutzbeauftragten verständigen und mit einem "
    "früheren Export vergleichen (docs/audit.md)."
)
VOUCHES_FOR_ITSELF = (
    "Alles stimmt. Die Schlüssel kommen aus dem Geprüften selbst: Gegen den Betreiber prüft erst, wer --key oder "
    "--checkpoint von anderswo mitbringt."
)

Keys = Annotated[
    list[str] | None,
    typer.Option("--key", help="Prüfschlüssel des Protokolls (name+kennung+schlüssel), von anderswo bekannt."),
]
Notes = Annotated[
    list[Path] | None, typer.Option("--checkpoint", help="Datei mit einem früher oder anderswo gesehenen Prüfpunkt.")
]
Promises = Annotated[
    list[Path] | None, typer.Option("--promise", help="Datei mit Zusagen (je Zeile eine) oder einer Antwort (JSON).")
]


@app.command("export")
@operated("admin", Over.EXPORT)
def export_command(
    to: Annotated[Path, typer.Option(help="Datei; „-“ schreibt auf die Standardausgabe.")],
    side: Annotated[
        bool, typer.Option("--side/--no-side", help="Nebendaten (Pseudonyme, Gründe) mit ausführen.")
    ] = True,
) -> None:
    """Alles Gesiegelte in eine Datei schreiben, die sich ohne Datenbank prüfen lässt. Wird selbst protokolliert."""
    try:
        with _target(to) as stream:
            count = asyncio.run(_export(stream, side=side))
    except OSError as exc:
        typer.echo(f"Nicht geschrieben: {exc.strerror}. Einen anderen Ort mit --to nennen.", err=True)
        raise typer.Exit(UNUSABLE) from exc
    typer.echo(f"{count} Zeilen geschrieben; prüfen mit: amtsbruecke audit verify {to}", err=True)


@app.command("key")
@operated("admin", Over.SETTINGS)
def key_command() -> None:
    """Die Prüfschlüssel dieses Protokolls zeigen, wie `verify --key` und Zeugen sie nehmen."""
    asyncio.run(_show_keys())


@app.command("verify")
@operated("admin", Over.VERIFIED)
def verify_command(
    file: Annotated[
        Path | None, typer.Argument(help="Export; „-“ liest die Standardeingabe; ohne Angabe: die Datenbank.")
    ] = None,
    key: Keys = None,
    checkpoint: Notes = None,
    promise: Promises = None,
) -> None:
    """Alles nachrechnen und den ersten Eintrag nennen, der abweicht.

    Ausgang 0: stimmt; 1: weicht ab oder Zusage gebrochen; 2: Datei oder Angaben unbrauchbar; 3: nicht alles prüfbar.
    """
    verifier = Verifier(_trust(key, checkpoint, promise))
    try:
        if file is None:
            asyncio.run(_feed_database(verifier))
        else:
            with _opened(file) as stream:
                _feed(verifier, stream)
        report = verifier.finish()
    except (NoExport, OSError) as exc:
        typer.echo(f"Nicht geprüft: {exc.strerror if isinstance(exc, OSError) else exc}", err=True)
        raise typer.Exit(UNUSABLE) from exc
    typer.echo("\n".join(said(report)))
    raise typer.Exit(exit_code(report))


@app.command("erase")
@operated("cleanup", Over.OVERDUE)
def erase_command(
    reason: Annotated[EraseReason, typer.Option(help="Warum gelöscht wird; steht im Protokoll.")],
    *,
    due: Annotated[bool, typer.Option("--due", help="Alles, dessen Frist abgelaufen ist.")] = False,
    transfer: Annotated[UUID | None, typer.Option(help="Alles zu einer Übermittlung.")] = None,
    key: Annotated[str | None, typer.Option(help="Alles mit diesem Pseudonym oder Fallschlüssel.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Nur zählen.")] = False,
) -> None:
    """Nebendaten löschen (Pseudonyme, Gründe, Prüfsummen). Das Protokoll bleibt vollständig und prüfbar."""
    what = Erasure(reason, due, str(transfer) if transfer else None, key)
    try:
        number = asyncio.run(_erase(what, dry_run=dry_run))
    except BadErasure as exc:
        typer.echo(f"Nichts gelöscht. {exc}", err=True)
        raise typer.Exit(UNUSABLE) from exc
    done = "würden gelöscht" if dry_run else "gelöscht und der Lauf protokolliert" if number else "gelöscht"
    typer.echo(f"Nebendaten von {number} Einträgen {done}.")


async def _erase(what: Erasure, *, dry_run: bool) -> int:
    async with open_gateway(role=DbRole.ERASER) as gateway:
        return await (count if dry_run else erase)(gateway, what)


def exit_code(report: Report) -> int:
    """Return the exit code of a verification."""
    if not report.sound:
        return DIFFERS
    return NOT_ALL if report.unseen else 0


def said(report: Report) -> list[str]:
    """Write a report for people, the first difference first."""
    lines = [f"ABWEICHUNG: {_place(fault.index, fault.entry)}{fault.text}" for fault in report.faults]
    lines += [f"ZUSAGE GEBROCHEN: Eintrag {promise.entry}: {why}" for promise, why in report.broken]
    lines.append(
        f"{report.entries} Einträge, {report.checkpoints} Prüfpunkte nachgerechnet; {report.opened} Nebendaten stimmen "
        f"mit dem Protokoll überein, bei {report.erased} Einträgen sind sie gelöscht (zulässig)."
    )
    if report.last is not None:
        lines.append(
            f"Letzter Prüfpunkt: {report.last.origin}, {report.last.size} Einträge, Stand {report.exported_at}."
        )
    if report.kept or report.not_due:
        lines.append(f"Zusagen: {len(report.kept)} gehalten, {len(report.not_due)} noch nicht fällig.")
    lines += [
        f"Nicht prüfbar: Der mitgebrachte Prüfpunkt gilt für {known.size} Einträge, mehr als die Datei hat. "
        "Jetzt neu ausführen (amtsbruecke audit export) und noch einmal prüfen."
        for known in report.unseen
    ]
    return lines + _advice(report)


def _place(index: int | None, entry: str | None) -> str:
    if index is None:
        return ""
    return f"[Index {index}, Kennung {entry}] " if entry else f"[ab Index {index}] "


def _advice(report: Report) -> list[str]:
    if not report.sound:
        return [CHANGED]
    return [VOUCHES_FOR_ITSELF if report.own_keys else "Alles stimmt."]


def _trust(keys: list[str] | None, notes: list[Path] | None, promises: list[Path] | None) -> Trust:
    try:
        return Trust(
            keys=[read_key(text) for text in keys or []],
            notes=[path.read_text(encoding="utf-8") for path in notes or []],
            tokens=[token for path in promises or [] for token in find_tokens(path.read_text(encoding="utf-8"))],
        )
    except BadNote as exc:
        typer.echo(f"Nicht geprüft: {exc} `amtsbruecke audit key` zeigt, wie er aussieht.", err=True)
        raise typer.Exit(UNUSABLE) from exc
    except (OSError, ValueError, KeyError) as exc:
        typer.echo(f"Nicht geprüft: Eine der Dateien ist nicht lesbar ({type(exc).__name__}).", err=True)
        raise typer.Exit(UNUSABLE) from exc


@contextmanager
def _opened(file: Path) -> Iterator[BinaryIO]:
    if str(file) == "-":
        yield sys.stdin.buffer
        return
    with file.open("rb") as stream:
        yield stream


def _feed(verifier: Verifier, stream: BinaryIO) -> None:
    for number, line in enumerate(stream, start=1):
        verifier.feed(line)
        _progress(number)


async def _feed_database(verifier: Verifier) -> None:
    number = 0
    async with open_gateway(role=DbRole.ADMIN) as gateway:
        async for line in export(gateway):
            number += 1
            verifier.feed(line)
            _progress(number)
        async with gateway.db.reading() as connection:
            found = await tree.astray(connection, MOST_FAULTS)
    text = "Dieser Eintrag ist nicht gesiegelt und wartet auch nicht darauf: Er wurde aus der Warteschlange genommen."
    verifier.report.faults += [Fault("astray", f"Kennung {entry}: {text}", entry=entry) for entry in found]


def _progress(number: int) -> None:
    if number % PROGRESS == 0:
        typer.echo(f"… {number} Zeilen", err=True)


async def _export(stream: BinaryIO, *, side: bool) -> int:
    count = 0
    async with open_gateway(role=DbRole.ADMIN) as gateway:
        await _record(gateway, side=side)
        async for line in export(gateway, side=side):
            stream.write(line)
            count += 1
            _progress(count)
    return count


@contextmanager
def _target(to: Path) -> Iterator[BinaryIO]:
    """Open what to write to; a file is for its owner alone."""
    if str(to) == "-":
        yield sys.stdout.buffer
        return
    with open(to, "wb", opener=_for_the_owner) as stream:
        yield stream


def _for_the_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


async def _record(gateway: Gateway, *, side: bool) -> None:
    """Put the look on record before anything is shown."""
    async with gateway.db.writing() as connection:
        await append(connection, [AuditEvent("audit.exported", OPERATOR, data={"side": side})], gateway.clock())


async def _show_keys() -> None:
    async with open_gateway(role=DbRole.ADMIN) as gateway:
        for key in gateway.keys.checkpoint:
            typer.echo(verifier_key(gateway.settings.log_origin, key))
