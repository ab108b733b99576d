"""What a route asks for: the authenticated caller (RFC 6750), or one of some roles."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from broker.auth.caller import Caller, Role
from broker.auth.jose import BadToken
from broker.auth.tokens import verify_token
from broker.db import Database
from broker.errors import ProblemError
from broker.gateway import Gateway, gateway
from broker.privileges import INSTANCES, DbRole

REALM = 'Bearer realm="amtsbruecke"'

bearer = HTTPBearer(auto_error=False, bearerFormat="JWT", description="Zugriffstoken aus POST /v1/token")


async def caller(
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
    gateway: Annotated[Gateway, Depends(gateway)],
) -> Caller:
    """Return who calls. Raises the problem ``not-authenticated`` (401 with WWW-Authenticate)."""
    return await bearer_of(gateway, credentials.credentials if credentials else None)


async def bearer_of(gateway: Gateway, token: str | None) -> Caller:
    """Return who presents a token. Raises the problem ``not-authenticated`` (401 with WWW-Authenticate).

    A gateway whose clock is wrong can tell neither that nor what is lawful today: it raises `ClockOff` (503).
    """
    await gateway.require_right_clock()
    if token is None:
        raise ProblemError(
            "not-authenticated", "Die Anfrage trägt kein Zugriffstoken.", headers={"WWW-Authenticate": REALM}
        )
    try:
        return await verify_token(gateway, token)
    except BadToken as exc:
        raise ProblemError(
            "not-authenticated",
            "Das Zugriffstoken gilt nicht oder nicht mehr.",
            headers={"WWW-Authenticate": f'{REALM}, error="invalid_token"'},
        ) from exc


def reading_as(shared: Gateway, who: Caller) -> Database:
    """Return the database as the calling instance may read it: what it is a side of. Raises the problem ``wrong-role``.

    On PostgreSQL by row-level security, so that a query which forgets whose rows it wants finds no others.
    """
    return shared.db.acting(DbRole.READER, {INSTANCES: who.as_instance()})


def require(*roles: Role) -> Callable[[Caller], Awaitable[Caller]]:
    """Make a dependency that lets these roles through. It raises the problem ``wrong-role``."""

    async def allowed(caller: Annotated[Caller, Depends(caller)]) -> Caller:
        if caller.role not in roles:
            raise ProblemError(
                "wrong-role", "Dieser Weg ist anderen Rollen vorbehalten.", allowed=[role.value for role in roles]
            )
        return caller

    return allowed
