"""docs/access.md: who may do what, written from what routes and commands declare (`make access-docs`)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import typer
from fastapi import FastAPI

from broker import problems
from broker.access import Access
from broker.app import accesses
from broker.cli.main import app as command_line
from broker.cli.operated import OWNER, Operated, operated_of
from broker.logins import login_of

HEAD = """# Wer darf was · Who may do what

Geschrieben aus den Angaben an den Wegen und Befehlen selbst (`make access-docs`); ein Test vergleicht. Was an einem
Weg steht, lässt auch ein: ohne Zugriffstoken 401, mit einer anderen Rolle 403, bevor Inhalt oder Kennung angesehen
werden. Ein Weg ohne Angabe lässt den Dienst nicht starten. Fremdes wird beantwortet wie etwas, das es nicht gibt.

Written from what is declared at the routes and commands themselves; a test compares. What stands at a route is also
what lets callers in: 401 without a token, 403 with another role, before a body or an id is looked at. What belongs to
others is answered like what does not exist. `tests/broker/auth/test_access.py` walks all routes with every role.

Eine Instanz sieht keine Nummer, die Vorgänge anderer zählt: Fortsetzungen sind verschlüsselt und gelten nur ihr,
Kennungen haben mindestens 74 zufällige Bits. Datenschutzbeauftragte und Prüfung sehen die Größe des Protokolls, weil
der Prüfpunkt sie nennt ([Entscheidung 5](decisions/0005-who-sees-the-log.md)).

An instance sees no number that counts what others do: cursors are encrypted and count for it alone, ids have at least
74 bits by chance. Officers and auditors see the size of the log, which a checkpoint names.
"""

OVER_HTTP = """
## Über HTTP · Over HTTP

| Weg · way | Wer, über wessen Daten | Who, over whose data |
| --- | --- | --- |
"""

BY_COMMAND = """
Beschreibung der Schnittstelle (`/docs`, `/openapi.json`): alle. Zahlen für die Überwachung (`/metrics`) liegen nicht an
diesem Port, sondern an `--ops-port` auf 127.0.0.1.

## Auf der Kommandozeile · On the command line

Befehle handeln mit den Schlüsseldateien und unter dem Zugang der Datenbank, den ihre Einstellungen nennen
([Betrieb](operations.md)). `serve` mit allen Rollen im selben Prozess braucht den Eigentümer. In SQLite gibt es keine
Zugänge: dort darf alles, wer die Datei lesen darf.

Commands act with the key files, and under the login that their settings name. SQLite has no logins: whoever may read
the file may do all.

| Befehl · command | Zugang · login | Über wessen Daten | Over whose data |
| --- | --- | --- | --- |
"""


def commands(app: typer.Typer = command_line, before: str = "") -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield the words of each command, with its function, in the order of the tree."""
    for one in app.registered_commands:
        assert one.callback is not None  # noqa: S101 - a command has one
        yield f"{before}{one.name or one.callback.__name__.replace('_', '-')}", one.callback
    for group in app.registered_groups:
        assert group.typer_instance is not None  # noqa: S101 - a group has one
        yield from commands(group.typer_instance, f"{before}{group.name} ")


def page(routes: Iterable[tuple[tuple[str, str], Access]], found: Iterable[tuple[str, Operated]]) -> str:
    """Write the page."""
    over_http = [f"| `{method} {path}` | {one.told()} | {one.told(1)} |" for (method, path), one in sorted_ways(routes)]
    by_command = [
        f"| `{words}` | {_login(one)} | {one.over.german} | {one.over.english} |" for words, one in sorted(found)
    ]
    return HEAD + OVER_HTTP + "\n".join(over_http) + "\n" + BY_COMMAND + "\n".join(by_command) + "\n"


def sorted_ways(routes: Iterable[tuple[tuple[str, str], Access]]) -> list[tuple[tuple[str, str], Access]]:
    """Order ways by path, then method."""
    return sorted(routes, key=lambda one: (one[0][1], one[0][0]))


def _login(one: Operated) -> str:
    if one.login is None:
        return "keiner · none"
    return "Eigentümer · owner" if one.login == OWNER else f"`{login_of(one.login)}`"


def text() -> str:
    """Return the page as it should be."""
    bare = FastAPI(openapi_url=None)
    problems.install(bare)
    return page(accesses(bare).items(), ((words, operated_of(command)) for words, command in commands()))


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(text(), encoding="utf-8")
