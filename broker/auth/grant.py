"""Give an access token for an assertion: once each, and with the failed attempts of known clients on record."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from broker.audit import log
from broker.audit.events import AuditEvent
from broker.auth import assertion as assertions
from broker.auth import repository, tokens
from broker.auth.assertion import Claimed, Proved
from broker.auth.caller import Caller
from broker.auth.clients import caller_of
from broker.auth.jose import BadToken
from broker.gateway import Gateway

TOKEN_PATH = "/v1/token"  # noqa: S105 - a path


class InvalidClient(Exception):
    """The client is not authenticated; why is for the evidence alone."""


class InvalidScope(Exception):
    """The client asked for more than its role."""


@dataclass(frozen=True, slots=True)
class Grant:
    """An access token, how long it lives in seconds, and what it is for (the client's role)."""

    token: str = field(repr=False)
    seconds: int
    scope: str


def audiences(gateway: Gateway) -> frozenset[str]:
    """Return the names under which an assertion may address this gateway."""
    base = tokens.issuer(gateway)
    return frozenset({base, base + TOKEN_PATH})


async def grant(gateway: Gateway, assertion: str, client_id: str | None = None, scope: str = "") -> Grant:
    """Check the assertion, use it up, return a token. `client_id` and `scope` are the form's, if it has them.

    The signature is checked before any transaction is opened for writing. Raises `InvalidClient`, `InvalidScope`.
    """
    await gateway.require_right_clock()
    now = gateway.clock()
    try:
        claimed = assertions.read(assertion)
    except BadToken as exc:
        raise InvalidClient from exc
    caller = await _find(gateway, claimed.client_id)
    if caller is None:
        raise InvalidClient
    try:
        proved = await _prove(gateway, assertion, claimed, client_id)
        await _use_up(gateway, proved, now)
    except BadToken as exc:
        await _record_refusal(gateway, caller, exc.reason, now)
        raise InvalidClient from exc
    if scope.split() not in ([], [caller.role.value]):
        raise InvalidScope
    return Grant(tokens.issue(gateway, caller), gateway.settings.token_seconds, caller.role.value)


async def _find(gateway: Gateway, client_id: str) -> Caller | None:
    async with gateway.db.reading() as connection:
        row = await repository.find_client(connection, client_id)
    return caller_of(row) if row is not None else None


async def _prove(gateway: Gateway, assertion: str, claimed: Claimed, client_id: str | None) -> Proved:
    if client_id not in {None, claimed.client_id}:
        raise BadToken("client-id")
    async with gateway.db.reading() as connection:
        jwk = await repository.live_key(connection, claimed.client_id, claimed.kid)
    if jwk is None:
        raise BadToken("key")
    return assertions.check(assertion, claimed, jwk, audiences(gateway), gateway.clock())


async def _use_up(gateway: Gateway, proved: Proved, now: datetime) -> None:
    """Use the assertion up; the client is looked at again, so that a revocation in between holds."""
    async with gateway.db.writing() as connection:
        row = await repository.find_client(connection, proved.client_id)
        if row is None or row.status != repository.ACTIVE:
            raise BadToken("revoked")
        await repository.forget_expired(connection, now)
        if not await repository.use_up(connection, proved.client_id, proved.jti, proved.expires_at):
            raise BadToken("replayed")


async def _record_refusal(gateway: Gateway, caller: Caller, reason: str, now: datetime) -> None:
    side = {"client_id": caller.client_id}
    event = AuditEvent("token.refused", caller.actor, sender=caller.instance, data={"reason": reason}, side=side)
    async with gateway.db.writing() as connection:
        await log.append(connection, [event], now)
