"""``amtsbruecke client``: give, list and take access."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from broker.access import Over
from broker.auth import jose
from broker.auth.assertion import ASSERTION_TYPE
from broker.auth.caller import Role
from broker.auth.clients import ClientError, NewClient, add_client, list_clients, revoke_client
from broker.auth.encryption import add_encryption_key, read_jwk
from broker.auth.grant import TOKEN_PATH
from broker.auth.tokens import issuer
from broker.cli.operated import operated
from broker.cli.token import token
from broker.clock import timestamp
from broker.privileges import DbRole
from broker.start import open_gateway

app = typer.Typer(help="Zugänge anlegen, auflisten und sperren.", no_args_is_help=True)
app.command("token")(token)

EXAMPLE = """\
import json, time, uuid
import httpx
from joserfc import jwt
from joserfc.jwk import OKPKey

jwk = json.load(open({key_file!r}))
now = int(time.time())
claims = {{"iss": {client_id!r}, "sub": {client_id!r}, "aud": {token_url!r},
          "jti": str(uuid.uuid4()), "iat": now, "exp": now + 300}}
header = {{"alg": "Ed25519", "kid": jwk["kid"]}}
assertion = jwt.encode(header, claims, OKPKey.import_key(jwk), algorithms=["Ed25519"])
form = {{"grant_type": "client_credentials", "client_assertion_type": {assertion_type!r},
        "client_assertion": assertion}}
print(httpx.post({token_url!r}, data=form).json()["access_token"])
"""
"""How a client gets a token; shown after it was added."""


@app.command("add")
@operated("admin", Over.SETTINGS)
def add_command(
    instance: Annotated[
        str | None, typer.Option(help="Instanz, z. B. jugendamt-marl:JUGENDAMT_ASD", show_default=False)
    ] = None,
    role: Annotated[Role, typer.Option(help="Rolle des Zugangs")] = Role.INSTANCE,
    agency: Annotated[
        str | None, typer.Option(help="Behörde der Datenschutzbeauftragten (Rolle officer)", show_default=False)
    ] = None,
    public_key: Annotated[
        Path | None,
        typer.Option(help="öffentlicher Schlüssel (JWK oder PEM); ohne ihn wird ein Paar erzeugt", show_default=False),
    ] = None,
    out: Annotated[Path, typer.Option(help="Ordner für den erzeugten privaten Schlüssel")] = Path(),
) -> None:
    """Einen Zugang anlegen und zeigen, was beim Client einzutragen ist."""
    with _explained():
        given = public_key.read_text(encoding="utf-8", errors="replace") if public_key else None
        jwk = jose.read_public_key(given) if given is not None else None
        asyncio.run(_add(role, instance, agency, jwk, out))


@app.command("list")
@operated("admin", Over.SETTINGS)
def list_command() -> None:
    """Alle Zugänge zeigen, auch gesperrte."""
    asyncio.run(_list())


@app.command("revoke")
@operated("admin", Over.SETTINGS)
def revoke_command(
    client_id: Annotated[str, typer.Argument(help="Kennung des Zugangs", show_default=False)],
) -> None:
    """Einen Zugang sperren. Laufende Zugriffstoken enden binnen Sekunden."""
    with _explained():
        asyncio.run(_revoke(client_id))


@app.command("encryption-key")
@operated("admin", Over.SETTINGS)
def encryption_key_command(
    client_id: Annotated[str, typer.Argument(help="Kennung des Zugangs", show_default=False)],
    public_key: Annotated[
        Path | None,
        typer.Option(help="öffentlicher Schlüssel (JWK, X25519 oder P-256); ohne ihn wird ein Paar erzeugt"),
    ] = None,
    out: Annotated[Path, typer.Option(help="Ordner für den erzeugten privaten Schlüssel")] = Path(),
) -> None:
    """Den Schlüssel hinterlegen, mit dem ein selbst betriebener Adapter Inhaltsschlüssel empfängt."""
    with _explained():
        jwk = read_jwk(public_key.read_text(encoding="utf-8", errors="replace")) if public_key else None
        asyncio.run(_add_encryption_key(client_id, jwk, out))


async def _add_encryption_key(client_id: str, jwk: dict[str, Any] | None, out: Path) -> None:
    async with open_gateway(role=DbRole.ADMIN) as gateway:
        kid, private = await add_encryption_key(gateway, client_id, jwk)
    typer.echo(f"Schlüssel hinterlegt; frühere gelten nicht mehr.\n\n  kid   {kid}")
    if private is not None:
        path = _write(private, out, f"encryption-{kid}.jwk.json")
        typer.echo(f"  privater Schlüssel   {path} (nur hier; der Broker behält ihn nicht)")


@contextmanager
def _explained() -> Iterator[None]:
    """Turn what the operator can mend into a line of text."""
    try:
        yield
    except (ClientError, jose.BadKey) as exc:
        typer.echo(str(exc), err=True)
        raise typer.Exit(1) from exc
    except OSError as exc:
        typer.echo(f"{exc.filename}: {exc.strerror}", err=True)
        raise typer.Exit(1) from exc


async def _add(role: Role, instance: str | None, agency: str | None, jwk: dict[str, Any] | None, out: Path) -> None:
    async with open_gateway(role=DbRole.ADMIN) as gateway:
        new = await add_client(gateway, role, instance, agency, jwk)
        try:
            key_file = _write_key(new, out)
        except OSError:
            await revoke_client(gateway, new.client_id)
            raise
        token_url = issuer(gateway) + TOKEN_PATH
    typer.echo(f"Zugang angelegt für {new.caller.actor}\n")
    typer.echo(f"  Token-Adresse        {token_url}")
    typer.echo(f"  client_id            {new.client_id}")
    typer.echo(f"  kid                  {new.kid}")
    if key_file is None:
        typer.echo("  privater Schlüssel   liegt beim Client")
        return
    typer.echo(f"  privater Schlüssel   {key_file} (nur hier; der Broker behält ihn nicht)\n")
    typer.echo("So holt der Client ein Zugriffstoken (Python mit joserfc und httpx):\n")
    typer.echo(
        EXAMPLE.format(
            key_file=str(key_file), client_id=new.client_id, token_url=token_url, assertion_type=ASSERTION_TYPE
        )
    )
    typer.echo(f'Danach: curl -H "Authorization: Bearer $TOKEN" {issuer(gateway)}/v1/agencies')


def _write_key(new: NewClient, out: Path) -> Path | None:
    """Write the private key for its owner's eyes alone; never over a file that is there."""
    if new.private_jwk is None:
        return None
    return _write(new.private_jwk, out, f"client-{new.client_id}.jwk.json")


def _write(jwk: dict[str, Any], out: Path, name: str) -> Path:
    out.mkdir(parents=True, exist_ok=True)
    path = out.resolve() / name
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        json.dump(jwk, stream, indent=2)
        stream.write("\n")
    return path


async def _list() -> None:
    async with open_gateway(role=DbRole.ADMIN) as gateway:
        rows = await list_clients(gateway)
    if not rows:
        typer.echo("Noch kein Zugang; `amtsbruecke client add --instance BEHOERDE:EINHEIT` legt einen an.")
    for row in rows:
        state = f"gesperrt {timestamp(row.revoked_at)}" if row.revoked_at else "aktiv"
        typer.echo(f"{row.client_id}  {row.role:<8}  {row.instance_id or row.agency_id or '*':<48}  {state}")


async def _revoke(client_id: str) -> None:
    async with open_gateway(role=DbRole.ADMIN) as gateway:
        changed = await revoke_client(gateway, client_id)
    typer.echo("Zugang gesperrt." if changed else "Der Zugang war schon gesperrt.")
