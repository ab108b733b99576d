"""``amtsbruecke run``: everything on one machine, with a day in the Kreis to begin with, or empty."""

from __future__ import annotations

from typing import Annotated

import typer

from broker.access import Over
from broker.cli.operated import OWNER, operated
from broker.demo.play import run_demo
from broker.demo.stay import run_empty


@operated(OWNER, Over.MADE_UP)
def run(
    demo: Annotated[
        bool, typer.Option("--demo/--no-demo", help="Zuerst einen Tag im Kreis Recklinghausen durchspielen.")
    ] = True,
    stay: Annotated[bool, typer.Option("--stay/--exit", help="Danach weiterlaufen.")] = True,
) -> None:
    """Alles auf einem Rechner starten (eingebettete Datenbank, eingebetteter Transport)."""
    if demo:
        run_demo(stay=stay)
    else:
        run_empty()
