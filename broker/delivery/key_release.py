"""Key release: for an office whose own adapter reads the topic, and holds the ciphertext already."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import NoReturn

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.auth.caller import Caller
from broker.auth.encryption import encrypted_content_key, live_encryption_key
from broker.delivery.handover import Released, release
from broker.delivery.repository import CAN_BE_HANDED_OVER, Held, Taker, Way, hold
from broker.errors import ProblemError
from broker.gateway import Gateway
from broker.lifecycle.models import Transfer
from broker.lifecycle.states import BEFORE_HANDOVER, State
from broker.transfers.again import remember

SOON = 1
"""Seconds after which to ask again for what is still on its way."""


@dataclass(frozen=True, slots=True)
class KeyReleased:
    """A transfer that was handed over by its key."""

    released: Released
    encrypted_key: str
    """The content key as a JWE to the calling client."""


async def release_key(gateway: Gateway, transfer_id: str, who: Caller) -> KeyReleased:
    """Decide again, lease the transfer to the caller and encrypt its content key to it; in one transaction.

    Within the lease the same client gets the same key again, if the law still lets it. Raises the problems
    ``not-found``, ``no-encryption-key``, and ``state-conflict`` with the state, and with a reason where asking again
    may help: ``not-arrived``, ``leased``, ``waits-behind``.
    """
    instance = who.as_instance()
    async with gateway.db.writing() as connection:
        await _check_recipient(connection, transfer_id, instance)
        key = await live_encryption_key(connection, who.client_id)
        if key is None:
            raise ProblemError("no-encryption-key", "Für diesen Zugang ist kein Schlüssel hinterlegt.")
        [remembered] = await remember(connection, [transfer_id])
        held = await hold(connection, transfer_id)
        _check(held, who.client_id, gateway.clock())
        taker = Taker(instance, who.client_id, Way.KEY, holder=who.client_id)
        again = held.leased_until if _is_leased(held, gateway.clock()) else None
        assert held.waiting is not None  # noqa: S101 - checked two lines above
        released = await release(connection, gateway, [(held.waiting, remembered)], taker, again=again)
        state = (await hold(connection, transfer_id)).state
    if not released:  # committed: the transfer has ended by this very decision
        _conflict(state)
    return KeyReleased(released[0], encrypted_content_key(released[0].key, transfer_id, key))


async def _check_recipient(connection: AsyncConnection, transfer_id: str, instance: str) -> None:
    if await connection.scalar(select(Transfer.recipient).where(Transfer.id == transfer_id)) != instance:
        raise ProblemError("not-found", "Diese Übermittlung gibt es für diese Instanz nicht.")


def _check(held: Held, client_id: str, now: datetime) -> None:
    """Raise where the key may not be released now."""
    if held.state in BEFORE_HANDOVER and (held.waiting is None or held.state is not State.PUBLISHED):
        _later(held.state, "not-arrived", SOON, "Die Übermittlung ist noch unterwegs.")
    if held.state.value not in CAN_BE_HANDED_OVER or held.waiting is None:
        _conflict(held.state)
    if held.waiting.expires_at <= now:
        _conflict(State.EXPIRED)
    if _is_leased(held, now):
        if (held.holder, held.way) != (client_id, Way.KEY):
            assert held.leased_until is not None  # noqa: S101 - a lease has an end
            seconds = ceil((held.leased_until - now).total_seconds())
            _later(held.state, "leased", seconds, "Die Übermittlung wird gerade auf anderem Weg ausgehändigt.")
    elif held.waits_behind:
        _later(held.state, "waits-behind", SOON, "Eine frühere Übermittlung desselben Vorgangs steht noch aus.")


def _is_leased(held: Held, now: datetime) -> bool:
    return held.leased_until is not None and held.leased_until > now


def _conflict(state: State) -> NoReturn:
    allowed = sorted(CAN_BE_HANDED_OVER)
    text = f"Im Zustand {state.value} gibt es keinen Schlüssel."
    raise ProblemError("state-conflict", text, state=state.value, allowed=allowed)


def _later(state: State, reason: str, seconds: int, text: str) -> NoReturn:
    headers = {"Retry-After": str(seconds)}
    raise ProblemError("state-conflict", text, headers=headers, state=state.value, reason=reason)
