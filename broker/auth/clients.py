"""Give and take access: each change is one transaction with its entry in the evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from joserfc.jwk import OKPKey
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.audit import log
from broker.audit.events import AuditEvent
from broker.auth import jose, repository
from broker.auth.caller import Caller, Role
from broker.auth.repository import ClientRow
from broker.auth.tokens import forget_revocations
from broker.directory import repository as directory
from broker.gateway import Gateway

OPERATOR = "operator:*"


class ClientError(ValueError):
    """An access cannot be given or taken. The text is German and says what to do."""


class UnknownInstance(ClientError):
    """The instance is not active in the directory."""


class UnknownAgency(ClientError):
    """The agency is not active in the directory."""


class UnknownClient(ClientError):
    """There is no such client."""


class RoleMismatch(ClientError):
    """Role, instance and agency do not go together."""


class BadPublicKey(ClientError):
    """The public key is none that this gateway takes, or is a private one."""


@dataclass(frozen=True, slots=True)
class NewClient:
    """A new access. `private_jwk` is there if the key pair was made here: shown once, kept nowhere."""

    caller: Caller
    kid: str
    private_jwk: dict[str, Any] | None = field(repr=False)

    @property
    def client_id(self) -> str:
        """The id that the client authenticates with."""
        return self.caller.client_id


async def add_client(
    gateway: Gateway,
    role: Role,
    instance: str | None = None,
    agency: str | None = None,
    public_jwk: dict[str, Any] | None = None,
) -> NewClient:
    """Add a client with one key; without `public_jwk` an Ed25519 pair is made. Raises a `ClientError`."""
    _check_role(role, instance, agency)
    private = OKPKey.generate_key("Ed25519", private=True) if public_jwk is None else None
    try:
        key = jose.public_key(private.as_dict(private=False) if private else public_jwk or {})
    except jose.BadKey as exc:
        raise BadPublicKey(str(exc)) from exc
    kid, now = key.thumbprint(), gateway.clock()
    caller = Caller(str(uuid4()), role, instance, agency)
    client = {
        "client_id": caller.client_id, "role": role.value, "instance_id": instance, "agency_id": agency,
        "status": repository.ACTIVE, "created_at": now, "revoked_at": None,
    }  # fmt: skip
    row = {
        "client_id": caller.client_id, "kid": kid, "jwk": dict(key.as_dict(private=False)),
        "added_at": now, "revoked_at": None,
    }  # fmt: skip
    async with gateway.db.writing() as connection:
        await _check_directory(connection, instance, agency)
        await repository.add(connection, client, row)
        await log.append(connection, [_event("client.added", caller)], now)
    secret = {**private.as_dict(private=True), "kid": kid} if private else None
    return NewClient(caller, kid, secret)


async def revoke_client(gateway: Gateway, client_id: str) -> bool:
    """Take an access away, for new tokens at once and for living ones within seconds.

    Returns False if it had been taken before; then nothing is recorded again. Raises `UnknownClient`.
    """
    now = gateway.clock()
    async with gateway.db.writing() as connection:
        row = await repository.find_client(connection, client_id)
        if row is None:
            raise UnknownClient("Diesen Zugang gibt es nicht; `amtsbruecke client list` zeigt alle.")
        if row.status != repository.ACTIVE:
            return False
        await repository.revoke(connection, client_id, now)
        await log.append(connection, [_event("client.revoked", caller_of(row))], now)
    forget_revocations(gateway)
    return True


async def list_clients(gateway: Gateway) -> Sequence[ClientRow]:
    """Return all clients, oldest first: client_id, role, instance_id, agency_id, status, created_at, revoked_at."""
    async with gateway.db.reading() as connection:
        return await repository.clients(connection)


def caller_of(row: ClientRow) -> Caller:
    """Return the caller that a client's row stands for."""
    return Caller(row.client_id, Role(row.role), row.instance_id, row.agency_id)


def _check_role(role: Role, instance: str | None, agency: str | None) -> None:
    match role:
        case Role.INSTANCE if instance is None or agency is not None:
            raise RoleMismatch(
                "Ein Zugang einer Instanz braucht die Instanz und sonst nichts, z. B. jugendamt-marl:JUGENDAMT_ASD."
            )
        case Role.OFFICER if agency is None or instance is not None:
            raise RoleMismatch("Ein Zugang der Datenschutzbeauftragten braucht ihre Behörde, z. B. jugendamt-marl.")
        case Role.OPERATOR if instance is not None or agency is not None:
            raise RoleMismatch("Ein Zugang des Betriebs gehört zu keiner Instanz und keiner Behörde.")
        case Role.AUDITOR if instance is not None or agency is not None:
            raise RoleMismatch("Ein Zugang zur Prüfung des Protokolls gehört zu keiner Instanz und keiner Behörde.")


async def _check_directory(connection: AsyncConnection, instance: str | None, agency: str | None) -> None:
    if instance is not None:
        found = await directory.find_instance(connection, instance)
        if found is None or not found.active:
            raise UnknownInstance("Diese Instanz steht nicht im Verzeichnis; `amtsbruecke directory show` zeigt alle.")
    if agency is not None:
        row = await directory.agency(connection, agency)
        if row is None or not row.active:
            raise UnknownAgency("Diese Behörde steht nicht im Verzeichnis; `amtsbruecke directory show` zeigt alle.")


def _event(name: str, subject: Caller) -> AuditEvent:
    data = {"role": subject.role.value, "instance": subject.instance, "agency": subject.agency}
    return AuditEvent(
        name, OPERATOR, sender=subject.instance,
        data={key: value for key, value in data.items() if value is not None}, side={"client_id": subject.client_id},
    )  # fmt: skip
