"""``amtsbruecke client token``: an access token for trying the API by hand; software fetches its own."""

from __future__ import annotations

import json
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import httpx
import typer

from broker.access import Over
from broker.auth.client_assertion import client_assertion, token_form
from broker.auth.grant import TOKEN_PATH
from broker.cli.operated import operated
from broker.clock import system_clock
from broker.config import Settings

PREFIX, SUFFIX = "client-", ".jwk.json"
"""Around the client's id in the names of the files that `client add` writes."""
SECONDS = 20.0


class TokenError(Exception):
    """There is no token. The text is German and says what to do."""


@operated(None, Over.OWN_FILE)
def token(
    key_file: Annotated[Path, typer.Argument(help="privater Schlüssel des Zugangs (JWK)", show_default=False)],
    client_id: Annotated[
        str | None, typer.Option(help="Kennung des Zugangs; ohne Angabe aus der Datei", show_default=False)
    ] = None,
    url: Annotated[str | None, typer.Option(help="Adresse des Gateways; ohne Angabe AMTSBRUECKE_PUBLIC_URL")] = None,
) -> None:
    """Ein Zugriffstoken holen und ausgeben, zum Ausprobieren mit curl."""
    try:
        jwk = read_key(key_file)
        base = (url or Settings().public_url).rstrip("/")
        typer.echo(fetch(base, client_id or id_of(key_file, jwk), jwk))
    except TokenError as exc:
        typer.echo(str(exc), err=True)
        raise typer.Exit(1) from exc


def read_key(path: Path) -> dict[str, Any]:
    """Read a private JWK. Raises `TokenError`, which never repeats what is in the file."""
    try:
        jwk = json.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise TokenError(f"{path}: {exc.strerror}") from exc
    except ValueError as exc:
        raise TokenError(f"{path} ist kein JWK; `amtsbruecke client add` schreibt einen.") from exc
    if not isinstance(jwk, dict) or not {"kty", "kid", "d"} <= jwk.keys():
        raise TokenError(f"{path} ist kein privater JWK mit kty, kid und d; `amtsbruecke client add` schreibt einen.")
    return jwk


def id_of(path: Path, jwk: dict[str, Any]) -> str:
    """Return the client's id: a member of the file, or part of its name. Raises `TokenError`."""
    if isinstance(jwk.get("client_id"), str):
        return str(jwk["client_id"])
    if path.name.startswith(PREFIX) and path.name.endswith(SUFFIX):
        return path.name.removeprefix(PREFIX).removesuffix(SUFFIX)
    raise TokenError("Die Kennung des Zugangs mit --client-id angeben; `amtsbruecke client list` zeigt alle.")


def fetch(base: str, client_id: str, jwk: dict[str, Any]) -> str:
    """Fetch a token (RFC 7523). Raises `TokenError`."""
    try:
        assertion = client_assertion(client_id, jwk, base, system_clock())
    except (ValueError, KeyError, TypeError) as exc:
        raise TokenError("Der Schlüssel ist nicht lesbar; es gelten JWK für Ed25519 und P-256.") from exc
    try:
        # A proxy stands between machines, not between this machine and itself.
        answer = httpx.post(
            base + TOKEN_PATH, data=token_form(assertion), timeout=SECONDS, trust_env=not _is_this_machine(base)
        )
    except httpx.HTTPError as exc:
        raise TokenError(f"{base} antwortet nicht ({type(exc).__name__}). Läuft der Dienst dort?") from exc
    body = _body(answer)
    if "access_token" not in body:
        detail = body.get("detail", "Die Antwort ist nicht die eines Gateways.")
        raise TokenError(f"Kein Token (HTTP {answer.status_code}): {detail}")
    return str(body["access_token"])


def _body(answer: httpx.Response) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _is_this_machine(base: str) -> bool:
    host = urlsplit(base).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
