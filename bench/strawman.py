"""A straw man, made honestly: the same answers and the same rows, written as most would write them first.

One ORM object a row in a session of its own, one commit a request, every look-up asked each time, the token's signature
checked at every request, and the message validated by xmlschema. The law, the keys and the sealing are the product's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from lxml import etree
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from broker import start
from broker.auth import tokens
from broker.consents.repository import consents_by_ids, releases_for, standing_stops
from broker.db import Base, Database
from broker.procedures.repository import procedures_for
from broker.requests.repository import ersuchen_by_ids
from broker.subjects.models import SubjectState
from broker.subjects.repository import stops_for
from broker.transfers import api, gather, record, service
from broker.transfers.counting import counter_of
from broker.transfers.models import Submission
from broker.transfers.seek import Sought
from broker.transfers.submission import Answer, Submitted
from schemas import gate, read, rules
from schemas.errors import SchemaViolation
from schemas.limits import DEFAULT_LIMITS
from schemas.message import ValidatedPayload
from schemas.xml import digest
from schemas.xsd_model import block_map, model


def install() -> None:
    """Replace the product's quick ways by the usual ones."""
    start.Database = AsOwner
    tokens.REMEMBERED = 0
    api.validate = validate
    service._first_answers = first_answers  # noqa: SLF001 - the station that is replaced
    service.load_records = load_records
    record.insert_all = insert_all


class AsOwner(Database):
    """The database as its owner sees it: an ORM reads more columns than the gateway's role may."""

    def __init__(self, url: str, *_: object) -> None:
        """Begin as nobody in particular."""
        super().__init__(url)

    def acting(self, *_: object) -> Database:
        """Stay the owner."""
        return self


def validate(content: bytes, **_: object) -> ValidatedPayload:
    """Understand a message with xmlschema; the limits are asked before, since xmlschema needs them."""
    kind = gate.check(content, DEFAULT_LIMITS)
    model(kind).validate(content.decode())
    root = etree.fromstring(content)
    if found := rules.broken(root, kind.name):
        raise SchemaViolation(found)
    return ValidatedPayload(
        kind.name, kind.version, read.head(root), read.persons(root), read.blocks(root, block_map(kind)),
        read.declarations(root), read.consents(root), digest(content), content,
    )  # fmt: skip


async def first_answers(
    connection: AsyncConnection, batch: Sequence[Submitted]
) -> dict[tuple[str, str], tuple[str, Answer]]:
    """Look for each message id by itself."""
    async with AsyncSession(connection) as session:
        found = [await session.get(Submission, submitted.message_key) for submitted in batch]
    return {(row.sender, row.message_id): (row.digest, Answer(row.status, row.body)) for row in found if row}


async def load_records(connection: AsyncConnection, batch: Sequence[Sought], on: date) -> gather.Records:
    """Lock person by person, then ask every table."""
    async with AsyncSession(connection) as session:
        numbers = {key: await _locked(session, *key) for key in sorted({k for s in batch for k in s.state_keys()})}
        await session.flush()
    exact = [key for sought in batch for key in sought.all_exact()]
    near = [key for sought in batch for key in sought.all_near()]
    cases = [key for sought in batch for key in sought.case_keys.values()]
    named = [consent for sought in batch for consent in sought.named_consents]
    asked = [sought.ersuchen for sought in batch if sought.ersuchen]
    procedures = await procedures_for(connection, {sought.route for sought in batch})
    return gather.Records(
        consents={row.id: row for row in await consents_by_ids(connection, named)},
        releases=await releases_for(connection, exact, on),
        standing=await standing_stops(connection, exact, near, cases, on),
        stops=await stops_for(connection, exact, near, cases, on),
        ersuchen={row.id: row for row in await ersuchen_by_ids(connection, asked)},
        numbers=numbers,
        attempts=await gather._attempts(connection, batch),  # noqa: SLF001 - as the product does
        procedures=procedures,
        counter=await counter_of(connection, batch, procedures, on, lock=True),
        threads={},
    )


async def _locked(session: AsyncSession, controller: str, pseudonym: str) -> int:
    query = select(SubjectState).where(SubjectState.controller == controller, SubjectState.pseudonym == pseudonym)
    row = (await session.execute(query.with_for_update(read=True))).scalar_one_or_none()
    if row is None:
        session.add(SubjectState(controller=controller, pseudonym=pseudonym, number=0))
        return 0
    return row.number


async def insert_all(connection: AsyncConnection, *batch: tuple[type[Base], Iterable[Mapping[str, Any]]]) -> None:
    """Make an object of each row and let the session write them, table by table for the foreign keys."""
    async with AsyncSession(connection) as session:
        for table, rows in batch:
            session.add_all(table(**row) for row in rows)
            await session.flush()
