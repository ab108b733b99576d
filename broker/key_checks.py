"""Which secrets belong to a database, by check values: none of them lies in it, and none can be had from it.

What is on record here decides which files count: a machine that has others under the same ids is refused, a new key
seals from a moment that all processes read here, and what was deleted once is not used again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import String, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import Mapped, mapped_column

from broker.db import Base, insert_ignore
from broker.keys import SECRET_PURPOSES, Keys, Secret, number


class KeyCheck(Base):
    """One secret (`broker.keys`) that this database works with, or has worked with."""

    __tablename__ = "key_checks"

    purpose: Mapped[str] = mapped_column(String(16), primary_key=True)
    kid: Mapped[str] = mapped_column(String(16), primary_key=True)
    value: Mapped[str] = mapped_column(String(64))
    """`Secret.check_value`."""
    used_from: Mapped[datetime]
    deleted_at: Mapped[datetime | None]
    """When it was decided that its file goes; its number is not used again."""


async def on_record(connection: AsyncConnection, *purposes: str) -> list[Any]:
    """Return what is on record of some purposes (of all where none is named), the newest number first."""
    query = select(*KeyCheck.__table__.columns).where(KeyCheck.purpose.in_(purposes or SECRET_PURPOSES))
    return sorted(await connection.execute(query), key=lambda row: number(row.kid), reverse=True)


async def put_on_record(connection: AsyncConnection, purpose: str, secrets: Iterable[Secret], now: datetime) -> None:
    """Record secrets that are used from a moment on; what is on record already stays as it is."""
    rows = [
        {"purpose": purpose, "kid": secret.kid, "value": secret.check_value(purpose), "used_from": now}
        for secret in secrets
    ]
    await insert_ignore(connection, KeyCheck, rows)


def unknown(keys: Keys, rows: Sequence[Any]) -> dict[str, list[Secret]]:
    """Return the secrets of each purpose that nothing is on record of."""
    known = {(row.purpose, row.kid) for row in rows}
    return {
        purpose: [secret for secret in getattr(keys, purpose) if (purpose, secret.kid) not in known]
        for purpose in SECRET_PURPOSES
    }


def strangers(keys: Keys, rows: Sequence[Any]) -> list[str]:
    """Return the names of the secrets that are others than those on record under their ids."""
    values = {(row.purpose, row.kid): row.value for row in rows}
    return [
        f"{purpose}-{secret.kid}"
        for purpose in SECRET_PURPOSES
        for secret in getattr(keys, purpose)
        if values.get((purpose, secret.kid)) not in (None, secret.check_value(purpose))
    ]


def absent(keys: Keys, rows: Sequence[Any], purpose: str) -> list[str]:
    """Return the names of the secrets of a purpose that are on record, not deleted, and not here."""
    here = {secret.kid for secret in getattr(keys, purpose)}
    return [
        f"{purpose}-{row.kid}"
        for row in rows
        if row.purpose == purpose and row.deleted_at is None and row.kid not in here
    ]
