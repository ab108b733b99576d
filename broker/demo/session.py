"""Leave behind what is needed to go on by hand: keys, a token, example messages, and the commands to copy."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from uuid import uuid4

from broker.demo.actors import Client, now
from broker.demo.story import COORDINATION, CORE, EXCESS, JOBCENTER, KOORDINATION, SOZIALAMT_RE, WECHSEL, Invented
from schemas.compose import AnyBlock, compose_uebermittlung

EXAMPLES: Mapping[str, tuple[str, str, tuple[AnyBlock, ...]]] = {
    "wechsel.xml": (SOZIALAMT_RE, WECHSEL, CORE),
    "zu-viel.xml": ("jugendamt-marl:JUGENDAMT_ASD", KOORDINATION, EXCESS),
    "hilfe.xml": ("jugendamt-marl:JUGENDAMT_ASD", KOORDINATION, COORDINATION),
}
"""File → recipient, purpose, blocks; the sender is the Jobcenter."""

WALTER = Invented("Versuch", "Walter", 22)


def write_private(path: Path, text: str) -> None:
    """Write a file for its owner's eyes alone."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)


def keep_key(folder: Path, name: str, client: Client) -> None:
    """Keep an access of the play for `amtsbruecke client token`: the private JWK with the client's id."""
    write_private(
        folder / f"{name}.jwk.json", json.dumps({"client_id": client.client_id, **client.jwk}, indent=2) + "\n"
    )


def write_examples(folder: Path, today: date) -> None:
    """Write messages that were not sent yet, each with an id of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, (name, (recipient, purpose, blocks)) in enumerate(EXAMPLES.items(), start=1):
        message = compose_uebermittlung(
            message_id=str(uuid4()),
            sender=JOBCENTER,
            recipient=recipient,
            purpose=purpose,
            blocks=blocks,
            persons=[WALTER.spec(today)],
            created_at=now(),
            case_sender=f"SELBST-{number}",
        )
        (folder / name).write_bytes(message)


def command() -> str:
    """Return how this program was called, for commands to copy."""
    called = Path(sys.argv[0])
    if called.name != "amtsbruecke":
        return f"{shlex.quote(_short(Path(sys.executable)))} -m broker"
    return shlex.quote(_short(called)) if len(called.parts) > 1 else "amtsbruecke"


def _short(path: Path) -> str:
    """Return a path as seen from the current folder, where it lies below."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def where_to_look(url: str, folder: Path, minutes: int) -> str:
    """Return what one can do while the service stays up."""
    base = shlex.quote(_short(folder))
    lines = (
        f"Der Dienst läuft weiter: {url}      API-Beschreibung: {url}/docs",
        f"Datenverzeichnis der Vorführung: {_short(folder)} (wird bei jedem Start neu angelegt)",
        f"Ordner des Sozialamts Marl:      {_short(folder)}/folders/sozialamt-marl/sgb-xii",
        "",
        f"Selbst weiterspielen, als Jobcenter (ein Token gilt {minutes} min; der erste Befehl holt ein neues):",
        "",
        f"  TOKEN=$({command()} client token {base}/zugaenge/jobcenter.jwk.json --url {url})",
        f"  # ohne Python: TOKEN=$(cat {base}/token)",
        f'  curl -s -H "Authorization: Bearer $TOKEN" {url}/v1/agencies',
        *(
            f'  curl -s -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/xml" \\\n'
            f"       --data-binary @{base}/beispiele/{file} {url}{path}"
            for file, path in (
                ("zu-viel.xml", "/v1/transfers/check"),
                ("wechsel.xml", "/v1/transfers"),
            )
        ),
        f'  curl -s -H "Authorization: Bearer $TOKEN" {url}/v1/transfers',
        "",
        f"Die anderen Stellen: {_short(folder)}/zugaenge/*.jwk.json      Ende: Strg-C",
    )
    return "\n".join(lines)
