"""``amtsbruecke topics``: the topics on the brokers, and who may read them."""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
from collections.abc import Awaitable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from broker.access import Over
from broker.cli.operated import operated
from broker.config import Settings
from broker.directory.cache import directory_cache
from broker.privileges import DbRole
from broker.start import open_gateway
from broker.transport import access, topics
from broker.transport.asyncapi import document_text
from broker.transport.base import Fault, TransportUnavailable
from broker.transport.topics import Drift

app = typer.Typer(help="Topics auf Apache Kafka: anlegen, prüfen, Zugriff regeln, beschreiben.", no_args_is_help=True)

T = TypeVar("T")
PROBE_SECONDS = 3.0
PORT = "9092"
"""That of an address which names none."""


@app.command()
@operated("admin", Over.SETTINGS)
def apply(check: Annotated[bool, typer.Option("--check", help="Nur prüfen.")] = False) -> None:
    """Fehlende Topics anlegen, abweichende Einstellungen richten; nichts verkleinern oder löschen.

    Mit --check, oder wo etwas von Hand zu ändern ist, enden Abweichungen mit 1.
    """
    settings = _with_kafka()
    wanted = topics.wanted_topics(settings, _agencies(settings))
    drifts = _run(topics.compare(settings, wanted) if check else topics.apply(settings, wanted))
    for drift in drifts:
        typer.echo(_line(drift, check=check))
    typer.echo(f"{len(wanted)} Topics, {len(drifts)} Abweichungen")
    if drifts and (check or any(drift.by_hand for drift in drifts)):
        raise typer.Exit(1)


def _line(drift: Drift, *, check: bool) -> str:
    if drift.found is None:
        return f"{drift.topic}: {'fehlt' if check else 'angelegt'}"
    done = "von Hand zu ändern" if drift.by_hand else ("weicht ab" if check else "gerichtet")
    return f"{drift.topic}: {drift.setting} = {drift.found}, soll {drift.wanted}: {done}"


@app.command()
@operated("admin", Over.SETTINGS)
def show() -> None:
    """Die Topics zeigen, die es nach dem Verzeichnis geben soll, und ob es sie so gibt."""
    settings = _with_kafka()
    wanted = topics.wanted_topics(settings, _agencies(settings))
    otherwise = {drift.topic for drift in _run(topics.compare(settings, wanted))}
    for topic in wanted:
        typer.echo(f"{'≠' if topic.name in otherwise else '='} {topic.name}  {topic.partitions} × {topic.replication}")


@app.command()
@operated("admin", Over.SETTINGS)
def acl(
    agency: Annotated[list[str] | None, typer.Option(help="Nur diese Behörden.", show_default=False)] = None,
    apply_: Annotated[bool, typer.Option("--apply", help="Auf den Brokern setzen, statt Befehle auszugeben.")] = False,
    secrets_dir: Annotated[
        Path | None,
        typer.Option(help="Ordner der Passwörter; vorhandene bleiben.", show_default=False),
    ] = None,
) -> None:
    """Namen und Zugriffslisten: die Behörde liest nur ihre eigenen Topics, der Dienst alle."""
    settings = _with_kafka()
    agencies = agency or _agencies(settings)
    acls = [a for name in agencies for a in access.agency_acls(settings, name)]
    acls += access.service_acls(settings) if settings.kafka_user else []
    if not apply_:
        for one in acls:
            typer.echo(one.command(settings.kafka_bootstrap))
        return
    if secrets_dir is not None:
        names = [access.agency_user(settings, name) for name in agencies]
        _run(access.set_passwords(settings, [(name, _password(secrets_dir / name)) for name in names]))
    _run(access.grant(settings, acls))
    typer.echo(f"{len(acls)} Rechte gesetzt")


def _password(path: Path) -> str:
    """Return the password that lies in a file; where none lies there, make one that its owner alone can read."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(32), encoding="ascii")
    return path.read_text(encoding="ascii").strip()


@app.command()
@operated(None, Over.NOBODY)
def asyncapi() -> None:
    """Die Topics als AsyncAPI 3 ausgeben (docs/asyncapi.yaml)."""
    typer.echo(document_text(), nl=False)


def _with_kafka() -> Settings:
    settings = Settings()
    if not settings.kafka_bootstrap:
        typer.echo("Kein Kafka eingestellt: AMTSBRUECKE_KAFKA_BOOTSTRAP=host:port,… setzen (docs/kafka.md).", err=True)
        raise typer.Exit(2)
    return settings


def _agencies(settings: Settings) -> list[str]:
    async def read() -> list[str]:
        async with open_gateway(settings, role=DbRole.ADMIN) as gateway:
            return sorted((await directory_cache(gateway).current()).kinds)

    return asyncio.run(read())


def _run(work: Awaitable[T]) -> T:
    """Run what speaks to the brokers; say what to do where they do not answer."""

    async def run() -> T:
        return await work

    logging.getLogger("aiokafka").addHandler(logging.NullHandler())  # its lines beside ours would be a second cause
    try:
        return asyncio.run(run())
    except TransportUnavailable as exc:
        typer.echo(_away(Settings()) if exc.fault is Fault.AWAY else str(exc), err=True)
        raise typer.Exit(1) from exc


def _away(settings: Settings) -> str:
    """Say why no broker answered, address by address, and what to do."""
    addresses = [address.strip() for address in settings.kafka_bootstrap.split(",")]
    causes = "".join(f"\n  {address}: {_cause(address, settings)}" for address in addresses)
    return (
        f"Kafka antwortet nicht:{causes}\nAMTSBRUECKE_KAFKA_BOOTSTRAP und die Broker prüfen, dann den Befehl noch "
        "einmal ausführen; er setzt fort, was fehlt. Angenommene Übermittlungen warten so lange in der Datenbank."
    )


def _cause(address: str, settings: Settings) -> str:
    host, port = address.rsplit(":", 1) if ":" in address else (address, PORT)
    try:
        socket.create_connection((host.strip("[]"), int(port)), PROBE_SECONDS).close()
    except socket.gaierror:
        return "diesen Rechnernamen gibt es im Netz nicht (DNS)"
    except ConnectionRefusedError:
        return "dort lauscht niemand; läuft der Broker, stimmt der Port?"
    except OSError as exc:
        return f"nicht zu erreichen ({exc.strerror or 'keine Antwort'}); Netz und Firewall prüfen"
    return (
        "nimmt Verbindungen an, antwortet aber nicht als Broker, der bereit ist; passt "
        f"AMTSBRUECKE_KAFKA_SECURITY={settings.kafka_security}, sind genügend Broker da (docs/kafka.md)?"
    )
