"""Queries of Ersuchen."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Select, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.db import insert_ignore
from broker.requests.models import Ersuchen, ErsuchenClosing, ErsuchenContent
from broker.subjects.repository import chunks
from consent.facts import FirstCollection


@dataclass(frozen=True, slots=True)
class ErsuchenRow:
    """One Ersuchen; `closed_on` None: open."""

    seq: int
    id: str
    requester: str
    """The later recipient, whose record it is."""
    addressee: str
    """The later sender."""
    purpose: str
    norm: str
    categories: frozenset[str]
    pseudonym: str | None
    """One of `SubjectKeys.exact` of the person at `requester`; None: only an Aktenzeichen was given."""
    case_key: str | None
    first_collection: FirstCollection
    deadline: date
    recorded_at: datetime
    closed_on: date | None
    closing_reason: str | None
    body_hash: str

    def open_for(self, sender: str, recipient: str, purpose: str, on: date) -> bool:
        """Whether a transfer on this day may name it: right sides, right purpose, not closed."""
        sides = (self.addressee, self.requester, self.purpose) == (sender, recipient, purpose)
        return sides and (self.closed_on is None or self.closed_on > on)


async def ersuchen_by_ids(connection: AsyncConnection, ids: Collection[str]) -> list[ErsuchenRow]:
    """Return the Ersuchen of these ids, in the order of recording; unknown ids are missing."""
    found: list[ErsuchenRow] = []
    for chunk in chunks(ids):
        found += [_row(r) for r in await connection.execute(_rows().where(Ersuchen.id.in_(chunk)))]
    return sorted(found, key=lambda row: row.seq)


async def ersuchen_by_kennung(connection: AsyncConnection, requester: str, kennung: str) -> ErsuchenRow | None:
    """Return what the requester recorded under its own request id, or None."""
    query = _rows().where(Ersuchen.requester == requester, Ersuchen.kennung == kennung)
    row = (await connection.execute(query)).one_or_none()
    return _row(row) if row else None


async def ersuchen_of(
    connection: AsyncConnection, instance: str, after: int, limit: int, *, incoming: bool
) -> list[ErsuchenRow]:
    """Return what the instance was asked (`incoming`) or asks, recorded after `after` (a `seq`), at most `limit`."""
    side = Ersuchen.addressee if incoming else Ersuchen.requester
    query = _rows().where(side == instance, Ersuchen.seq > after).order_by(Ersuchen.seq).limit(limit)
    return [_row(row) for row in await connection.execute(query)]


async def insert_ersuchen(connection: AsyncConnection, values: dict[str, Any], content: dict[str, Any]) -> bool:
    """Record an Ersuchen and its sealed content; False where its `kennung` has been used in the meantime."""
    await insert_ignore(connection, Ersuchen, [values])
    if (await connection.execute(select(Ersuchen.id).where(Ersuchen.id == values["id"]))).one_or_none() is None:
        return False
    await connection.execute(insert(ErsuchenContent), [content])
    return True


async def content_of(connection: AsyncConnection, ersuchen_id: str) -> Any | None:  # noqa: ANN401 - a Row
    """Return the sealed content of an open Ersuchen, or None."""
    query = select(ErsuchenContent.sealing_kid, ErsuchenContent.wrapped, ErsuchenContent.sealed)
    return (await connection.execute(query.where(ErsuchenContent.ersuchen_id == ersuchen_id))).one_or_none()


async def insert_closing(connection: AsyncConnection, values: dict[str, Any]) -> bool:
    """Record the end of an Ersuchen and delete its content; False where it has ended in the meantime."""
    ended = delete(ErsuchenContent).where(ErsuchenContent.ersuchen_id == values["ersuchen_id"])
    if (await connection.execute(ended)).rowcount == 0:
        return False
    await connection.execute(insert(ErsuchenClosing), [values])
    return True


def _rows() -> Select[Any]:
    columns = (ErsuchenClosing.closed_on, ErsuchenClosing.reason_code.label("closing_reason"))
    query = select(*Ersuchen.__table__.columns, *columns)
    return query.outerjoin(ErsuchenClosing, ErsuchenClosing.ersuchen_id == Ersuchen.id)


def _row(row: Any) -> ErsuchenRow:  # noqa: ANN401 - a Row
    collected = FirstCollection(row.fc_status, row.fc_asked, row.fc_deadline, row.fc_norm, row.fc_reason_code)
    plain = {name: getattr(row, name) for name in ErsuchenRow.__slots__ if name != "first_collection"}
    return ErsuchenRow(**(plain | {"categories": frozenset(row.categories), "first_collection": collected}))
