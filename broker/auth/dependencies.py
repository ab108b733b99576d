"""Who calls (RFC 6750), and what of the database that opens. Which roles a route lets in: `broker.access`."""

from __future__ import annotations

from fastapi import Request
from fastapi.security.utils import get_authorization_scheme_param

from broker.access import CALLER
from broker.auth.caller import Caller
from broker.auth.jose import BadToken
from broker.auth.tokens import verify_token
from broker.db import Database
from broker.errors import ProblemError
from broker.gateway import Gateway
from broker.privileges import INSTANCES, DbRole

REALM = 'Bearer realm="amtsbruecke"'


async def caller(request: Request) -> Caller:
    """Return who calls: whom the guarded route has let in."""
    who: Caller = request.scope[CALLER]
    return who


async def authenticate(request: Request) -> Caller:
    """Return who presents the token of a request. Raises the problem ``not-authenticated`` (401, WWW-Authenticate).

    A gateway whose clock is wrong can tell neither that nor what is lawful today: it raises `ClockOff` (503).
    """
    shared: Gateway = request.app.state.gateway
    await shared.require_right_clock()
    scheme, token = get_authorization_scheme_param(request.headers.get("authorization"))
    if not token or scheme.lower() != "bearer":
        raise ProblemError(
            "not-authenticated", "Die Anfrage trägt kein Zugriffstoken.", headers={"WWW-Authenticate": REALM}
        )
    try:
        return await verify_token(shared, token)
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
