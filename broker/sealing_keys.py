"""Sealing keys by period: make the next one, show which there are, delete those that nothing hangs on any more.

What PostgreSQL keeps of deleted rows (old pages, write-ahead log, backups) is a wrapped key, and opens with the sealing
key of its period alone. When that file is gone, so is all that was ever wrapped under it. No key lies in the database.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.audit.events import AuditEvent
from broker.audit.log import append
from broker.clock import timestamp
from broker.config import Settings
from broker.crypto import SealBroken, unwrap, wrap
from broker.db import one_at_a_time
from broker.gateway import Gateway
from broker.key_checks import KeyCheck, on_record, put_on_record
from broker.key_watch import LOOK_SECONDS
from broker.keys import SEALING, KeyFileError, Secret, key_file, make_key, number, owner_key, read_secrets, shred_key
from broker.lifecycle.models import TransferKey
from broker.requests.models import Ersuchen, ErsuchenContent

log = logging.getLogger(__name__)

AT_ONCE = timedelta(seconds=3 * LOOK_SECONDS)
"""So far ahead a key is made that is to be used at once: all processes that see the folder have looked by then."""

AT_MOST = 500
"""Keys of Ersuchen that are wrapped anew in one run; the others follow in the next."""


class Verdict(StrEnum):
    """Why a sealing key stays, or that it goes."""

    NEXT = "next"
    """It is used from a later moment on."""
    IN_USE = "in-use"
    YOUNG = "young"
    """What was sealed under it may still be on its way."""
    NAMED = "named"
    """A row of the database names it."""
    OVER = "over"
    """Nothing names it, and nothing can any more: it goes."""
    DELETED = "deleted"
    """It went; a file of it, left elsewhere, goes too."""


@dataclass(frozen=True, slots=True)
class SealingKey:
    """A sealing key that there is or was; no secret."""

    kid: str
    used_from: datetime
    used_until: datetime | None
    """From when on a later one is used."""
    here: bool
    """Whether its file lies on this machine."""
    deleted_at: datetime | None
    transfers: int
    """Contents of transfers whose key is wrapped under it."""
    ersuchen: int
    verdict: Verdict


class NotHere(KeyFileError):
    """The newest key on record does not lie here: the next one is made where it does."""


def keeps_keys(gateway: Gateway) -> bool:
    """Whether the clean-up of this process makes and deletes sealing keys."""
    return gateway.db.is_sqlite or gateway.settings.keeps_keys


async def rotate(gateway: Gateway, actor: str, ahead: timedelta, *, lost: bool = False) -> tuple[str, datetime]:
    """Make the next sealing key, used from `ahead` on; return its id and that moment.

    `lost`: the file of the last one is nowhere any more, and need not lie here.

    Where one is on record already that is used within that time, it is that one: of two who rotate at once the later
    one makes none. A file that was made and did not come on record is taken up. Raises `NotHere`, `KeyFileError`,
    `OSError`.
    """
    async with gateway.db.writing() as connection:
        await one_at_a_time(connection)
        now = gateway.clock()
        rows = await on_record(connection, SEALING)
        if rows and now < rows[0].used_from <= now + ahead:
            return rows[0].kid, rows[0].used_from
        secret = await asyncio.to_thread(_next, gateway, rows, lost=lost)
        await put_on_record(connection, SEALING, [secret], now + ahead)
        data = {"purpose": SEALING, "kid": secret.kid, "used_from": timestamp(now + ahead)}
        await append(connection, [AuditEvent("key.made", actor, data=data)], now)
    return secret.kid, now + ahead


def _next(gateway: Gateway, rows: Sequence[Any], *, lost: bool) -> Secret:
    """Make the file of the next number, or take the one that lies there. Raises `NotHere`."""
    folder = gateway.settings.keys_dir
    last = rows[0] if rows else None
    here = last is None or last.deleted_at is not None or key_file(folder, SEALING, last.kid).exists()
    if last is not None and not (here or lost):
        raise NotHere(
            f"{SEALING}-{last.kid}.json liegt nicht in {folder}: Der nächste Schlüssel entsteht auf dem Rechner, auf "
            "dem der letzte liegt. Dort ausführen, oder die Dateien von dort holen; ist sie nirgends mehr: --lost "
            "(docs/keys.md)."
        )
    kid = str(max((number(row.kid) for row in rows), default=0) + 1)
    make_key(folder, SEALING, kid)
    return next(secret for secret in read_secrets(folder, SEALING) if secret.kid == kid)


async def rotate_if_due(gateway: Gateway, actor: str) -> bool:
    """Make the next key where the period of the last one is nearly over; return whether one was made.

    Raises what `rotate` does.
    """
    period = timedelta(hours=gateway.settings.sealing_key_hours)
    ahead = timedelta(seconds=gateway.settings.sealing_key_ahead_seconds)
    async with gateway.db.reading() as connection:
        rows = await on_record(connection, SEALING)
    now = await gateway.surely()
    if not period or not rows or now < rows[0].used_from + period - ahead:
        return False
    await rotate(gateway, actor, max(ahead, rows[0].used_from + period - now))
    return True


async def shown(gateway: Gateway) -> list[SealingKey]:
    """Return all sealing keys on record, the newest first, with what names each."""
    here = {secret.kid for secret in await asyncio.to_thread(read_secrets, gateway.settings.keys_dir, SEALING)}
    now = await gateway.surely()
    async with gateway.db.reading() as connection:
        rows = await on_record(connection, SEALING)
        transfers, ersuchen = [await _named(connection, table) for table in (TransferKey, ErsuchenContent)]
    found: list[SealingKey] = []
    later: datetime | None = None
    for row in rows:
        named = transfers.get(row.kid, 0) + ersuchen.get(row.kid, 0)
        verdict = _verdict(gateway.settings, row, later, named, now)
        found.append(
            SealingKey(
                row.kid, row.used_from, later, row.kid in here, row.deleted_at,
                transfers.get(row.kid, 0), ersuchen.get(row.kid, 0), verdict,
            )
        )  # fmt: skip
        later = row.used_from if later is None else min(later, row.used_from)
    return found


async def _named(connection: AsyncConnection, table: type[TransferKey | ErsuchenContent]) -> dict[str, int]:
    query = select(table.sealing_kid, func.count()).group_by(table.sealing_kid)
    return {row.sealing_kid: row[1] for row in await connection.execute(query)}


def _verdict(settings: Settings, row: Any, later: datetime | None, named: int, now: datetime) -> Verdict:  # noqa: ANN401 - a row of `KeyCheck`
    """Judge a key that a later one is used in place of from `later` on."""
    if row.deleted_at is not None:
        return Verdict.DELETED
    if row.used_from > now:
        return Verdict.NEXT
    if later is None or later > now:
        return Verdict.IN_USE
    if later + timedelta(days=settings.payload_days) > now:
        return Verdict.YOUNG
    return Verdict.NAMED if named else Verdict.OVER


async def prune(gateway: Gateway, actor: str) -> list[str]:
    """Delete the files of sealing keys that nothing hangs on; return the ids of those that went here.

    First it is on record that a key is over, then its file goes: whoever dies in between is followed by the next run,
    and so is a machine to which the files are only copied. The keys of Ersuchen that stay open for longer are wrapped
    under the present one. Raises `KeyFileError`, `OSError`.
    """
    await _wrap_anew(gateway)
    gone = []
    for key in await shown(gateway):
        if key.verdict is Verdict.OVER and key.here:
            await _record_end(gateway, key.kid, actor)
        if key.here and key.verdict in (Verdict.OVER, Verdict.DELETED):
            await asyncio.to_thread(shred_key, key_file(gateway.settings.keys_dir, SEALING, key.kid))
            gone.append(key.kid)
    if gone:
        owner_key.cache_clear()
    return gone


async def _record_end(gateway: Gateway, kid: str, actor: str) -> None:
    async with gateway.db.writing() as connection:
        now = gateway.clock()
        ended = update(KeyCheck).where(KeyCheck.purpose == SEALING, KeyCheck.kid == kid, KeyCheck.deleted_at.is_(None))
        if (await connection.execute(ended.values(deleted_at=now))).rowcount:
            data = {"purpose": SEALING, "kid": kid}
            await append(connection, [AuditEvent("key.deleted", actor, data=data)], now)


async def _wrap_anew(gateway: Gateway) -> None:
    """Wrap the keys of contents of Ersuchen, which have no longest time, under the present sealing key."""
    over = [key.kid for key in await shown(gateway) if key.verdict is Verdict.NAMED and key.ersuchen and key.here]
    if not over:
        return
    secrets = {s.kid: s for s in await asyncio.to_thread(read_secrets, gateway.settings.keys_dir, SEALING)}
    columns = (ErsuchenContent.ersuchen_id, ErsuchenContent.sealing_kid, ErsuchenContent.wrapped, Ersuchen.addressee)
    query = select(*columns).join(Ersuchen, Ersuchen.id == ErsuchenContent.ersuchen_id)
    async with gateway.db.writing() as connection:
        for row in (await connection.execute(query.where(ErsuchenContent.sealing_kid.in_(over)).limit(AT_MOST))).all():
            kid, wrapping_key = gateway.keys.sealing_key(row.addressee)
            with suppress(SealBroken):  # it stays as it is, and its sealing key with it
                key = unwrap(row.wrapped, owner_key(secrets[row.sealing_kid].value, SEALING, row.addressee))
                same = (ErsuchenContent.ersuchen_id == row.ersuchen_id, ErsuchenContent.sealing_kid == row.sealing_kid)
                values = {"sealing_kid": kid, "wrapped": wrap(key, wrapping_key)}
                await connection.execute(update(ErsuchenContent).where(*same).values(**values))
