"""``amtsbruecke law``: the rule catalogue and the case files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from broker.access import Over
from broker.cli import activation, lawbook, replay
from broker.cli.operated import operated
from consent.cases import run_check

app = typer.Typer(help="Regelkatalog und Fallsammlungen.", no_args_is_help=True)
app.command("show")(lawbook.show)
app.command("diff")(lawbook.diff)
app.command("fingerprint")(lawbook.fingerprint)
app.command("activate")(activation.activate_command)
app.command("replay")(replay.replay_command)


@app.callback()
def law() -> None:
    """Group the commands."""


@app.command()
@operated(None, Over.NOBODY)
def check(
    files: Annotated[list[Path], typer.Argument(help="Fallsammlungen (YAML).")],
    strict_norms: Annotated[bool, typer.Option("--strict-norms", help="Abweichende Normen zählen als Fehler.")] = False,
    explain: Annotated[str | None, typer.Option(help="Gang und Erklärung eines Falles zeigen (Kennung).")] = None,
) -> None:
    """Fälle mit der Funktion entscheiden, die auch das Gateway ruft; Ausgang 0 nur, wenn alle stimmen."""
    raise typer.Exit(run_check(files, strict_norms=strict_norms, explain=explain))
