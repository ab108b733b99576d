"""Queries of clients, their keys and the assertions that were used up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.auth.models import AssertionJti, Client, ClientKey

ACTIVE = "active"
REVOKED = "revoked"
ClientRow = Row[str, str, str | None, str | None, str, datetime, datetime | None]
"""client_id, role, instance_id, agency_id, status, created_at, revoked_at."""
CLIENT_COLUMNS = (
    Client.client_id, Client.role, Client.instance_id, Client.agency_id, Client.status,
    Client.created_at, Client.revoked_at,
)  # fmt: skip


async def find_client(connection: AsyncConnection, client_id: str) -> ClientRow | None:
    """Return a client, or None."""
    return (await connection.execute(select(*CLIENT_COLUMNS).where(Client.client_id == client_id))).first()


async def clients(connection: AsyncConnection) -> Sequence[ClientRow]:
    """Return all clients, oldest first."""
    return (await connection.execute(select(*CLIENT_COLUMNS).order_by(Client.created_at, Client.client_id))).all()


async def live_key(connection: AsyncConnection, client_id: str, kid: str) -> dict[str, Any] | None:
    """Return the public JWK of that id if the client's key is not revoked, or None."""
    statement = select(ClientKey.jwk).where(
        ClientKey.client_id == client_id, ClientKey.kid == kid, ClientKey.revoked_at.is_(None)
    )
    found: dict[str, Any] | None = (await connection.execute(statement)).scalar()
    return found


async def add(connection: AsyncConnection, client: dict[str, Any], key: dict[str, Any]) -> None:
    """Write a client and its first key."""
    await connection.execute(insert(Client), [client])
    await connection.execute(insert(ClientKey), [key])


async def revoke(connection: AsyncConnection, client_id: str, at: datetime) -> None:
    """Mark a client and its keys as revoked."""
    await connection.execute(
        update(Client).where(Client.client_id == client_id).values(status=REVOKED, revoked_at=at)
    )  # fmt: skip
    await connection.execute(
        update(ClientKey).where(ClientKey.client_id == client_id, ClientKey.revoked_at.is_(None)).values(revoked_at=at)
    )


async def revoked_since(connection: AsyncConnection, moment: datetime) -> frozenset[str]:
    """Return the clients that were revoked at or after `moment`."""
    rows = await connection.execute(select(Client.client_id).where(Client.revoked_at >= moment))
    return frozenset(rows.scalars())


async def use_up(connection: AsyncConnection, client_id: str, jti: str, expires_at: datetime) -> bool:
    """Note an assertion as used; False if it was already. The transaction goes on either way."""
    try:
        async with connection.begin_nested():
            row = {"client_id": client_id, "jti": jti, "expires_at": expires_at}
            await connection.execute(insert(AssertionJti), [row])
    except IntegrityError:
        return False
    return True


async def forget_expired(connection: AsyncConnection, now: datetime) -> None:
    """Delete the notes of assertions that are past their time."""
    await connection.execute(delete(AssertionJti).where(AssertionJti.expires_at < now))
