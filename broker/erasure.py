"""Erase what lies beside the evidence: what is past its time, or what is about one person or one transfer.

The log itself stays as provable as before: it holds salted commitments, and the salts go with the values. Each step is
a transaction with an entry of its own that says how many and why, and not whose.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, Select, Text, and_, cast, delete, exists, func, not_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.audit.events import AuditEvent
from broker.audit.log import append
from broker.audit.models import AuditEntry, AuditSide
from broker.clock import day_of
from broker.config import Settings
from broker.consents.models import ConsentRecord, ConsentWithdrawal
from broker.db import one_at_a_time
from broker.gateway import Gateway
from broker.lifecycle.models import Transfer
from broker.lifecycle.states import ENDS
from broker.requests.models import Ersuchen, ErsuchenClosing
from broker.subjects.models import Stop, StopEnd
from schemas.identifiers import Mode

ACTOR = "eraser"
STEP = 1000
KEY = re.compile(r"[A-Za-z0-9-]{1,16}:[0-9a-f]{64}")
"""A whole key (id of the secret, HMAC): a part of one, or the name of a field, would take what is others' too."""


class EraseReason(StrEnum):
    """Why side data go."""

    FRIST = "FRIST"
    """Its time is over (§ 84 Abs. 2 SGB X, Art. 17 Abs. 1 Buchst. a DSGVO)."""
    ANTRAG = "ANTRAG"
    """The person asked for it (Art. 17 DSGVO, § 84 SGB X)."""
    ANORDNUNG = "ANORDNUNG"
    """A supervisory authority or a court ordered it."""


class BadErasure(ValueError):
    """What is to be erased is not said, or said twice. German text."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """What to erase: what is `due`, or what is about one `transfer`, or what holds a `key` (pseudonym or case key)."""

    reason: EraseReason
    due: bool = False
    transfer: str | None = None
    key: str | None = None

    def checked(self) -> Erasure:
        """Return it, if it says just one thing. Raises `BadErasure`."""
        if sum((self.due, self.transfer is not None, self.key is not None)) != 1:
            raise BadErasure("Genau eines angeben: --due, --transfer oder --key.")
        if self.key is not None and not KEY.fullmatch(self.key):
            raise BadErasure("Das ist kein Pseudonym und kein Fallschlüssel; beide stehen in den Nebendaten.")
        if self.due is not (self.reason is EraseReason.FRIST):
            raise BadErasure("--reason FRIST gehört zu --due, und nur dazu.")
        return self

    @property
    def scope(self) -> str:
        """What the entry about it says was looked for."""
        return "due" if self.due else ("transfer" if self.transfer is not None else "person")


async def count(gateway: Gateway, what: Erasure) -> int:
    """Return how many entries would lose their side data. Raises `BadErasure`."""
    query = _chosen(gateway, what.checked(), await gateway.surely()).with_only_columns(func.count())
    async with gateway.db.reading() as connection:
        return int(await connection.scalar(query) or 0)


async def erase(gateway: Gateway, what: Erasure) -> int:
    """Erase, step by step; return how many entries lost their side data. Raises `BadErasure`."""
    query = _chosen(gateway, what.checked(), await gateway.surely()).limit(STEP)
    erased = 0
    while True:
        async with gateway.db.writing() as connection:
            await one_at_a_time(connection)
            ids = (await connection.scalars(query)).all()
            if ids:
                await _erase(connection, gateway, what, ids)
        erased += len(ids)
        if len(ids) < STEP:
            await gateway.db.shred()
            return erased


async def _erase(connection: AsyncConnection, gateway: Gateway, what: Erasure, ids: Sequence[str]) -> None:
    await connection.execute(delete(AuditSide).where(AuditSide.entry_id.in_(ids)))
    data = {"reason": what.reason.value, "scope": what.scope, "count": len(ids)}
    await append(connection, [AuditEvent("audit.erased", ACTOR, reference=what.transfer, data=data)], gateway.clock())


def _chosen(gateway: Gateway, what: Erasure, now: datetime) -> Select[str]:
    """Return the query of the entries whose side data are to go."""
    query = select(AuditSide.entry_id).join(AuditEntry, AuditEntry.id == AuditSide.entry_id)
    if what.transfer is not None:
        return query.where(AuditEntry.reference == what.transfer)
    if what.key is not None:
        pattern = what.key.replace("_", "\\_")
        return query.where(cast(AuditSide.fields, Text).like(f"%{pattern}%", escape="\\"))
    return query.where(_due(gateway.settings, now))


def _due(settings: Settings, now: datetime) -> ColumnElement[bool]:
    """Whether the time of an entry's side data is over (architecture, section 6: how long what is kept)."""
    usual, long = (now - timedelta(days=days) for days in (settings.side_days, settings.side_stop_days))
    abruf = now - timedelta(days=settings.side_abruf_days)
    event = AuditEntry.event
    after_usual = and_(
        AuditEntry.at < usual,
        not_(or_(event.startswith("consent."), event.startswith("stop."))),
        not_(_transfer_lives(usual)),
        not_(_ersuchen_open(usual)),
    )
    after_long = and_(
        AuditEntry.at < long,
        or_(event.startswith("consent."), event.startswith("stop.")),
        not_(_consent_counts(long)),
        not_(_stop_counts(long)),
    )
    retrieved = and_(AuditEntry.at < abruf, AuditEntry.data["mode"].as_string() == Mode.ABRUF.value)
    newest = max(usual, long, abruf)  # the other rows need not be looked at
    return and_(AuditEntry.at < newest, or_(after_usual, after_long, retrieved))


def _transfer_lives(cutoff: datetime) -> ColumnElement[bool]:
    ended = and_(Transfer.state.in_([state.value for state in ENDS]), Transfer.state_at < cutoff)
    return exists().where(Transfer.id == AuditEntry.reference, not_(ended))


def _ersuchen_open(cutoff: datetime) -> ColumnElement[bool]:
    closed = exists().where(ErsuchenClosing.ersuchen_id == Ersuchen.id, ErsuchenClosing.recorded_at < cutoff)
    return exists().where(Ersuchen.id == AuditEntry.reference, not_(closed))


def _consent_counts(cutoff: datetime) -> ColumnElement[bool]:
    """Whether a consent has no end before the cutoff; a refusal has none."""
    day = day_of(cutoff)
    withdrawn = exists().where(ConsentWithdrawal.consent_id == ConsentRecord.id, ConsentWithdrawal.revoked_on < day)
    over = and_(ConsentRecord.valid_until.is_not(None), ConsentRecord.valid_until < day)
    return exists().where(ConsentRecord.id == AuditEntry.reference, not_(or_(withdrawn, over)))


def _stop_counts(cutoff: datetime) -> ColumnElement[bool]:
    ended = exists().where(StopEnd.stop_id == Stop.id, StopEnd.ended_on < day_of(cutoff))
    return exists().where(Stop.id == AuditEntry.reference, not_(ended))
