"""Checks that requests about persons share. Each error names the field and the rule, never the value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Annotated

from fastapi import Path, Query
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.directory.repository import instances
from broker.errors import ProblemError, invalid
from broker.gateway import Gateway
from schemas.identifiers import DataCategory

ID_PATTERN = r"^[0-9a-f-]{1,36}$"
RecordId = Annotated[str, Path(pattern=ID_PATTERN, description="Kennung, die der Broker vergeben hat")]
Cursor = Annotated[str | None, Query(pattern=ID_PATTERN, description="next_cursor der vorigen Seite")]
PageSize = Annotated[int, Query(ge=1, le=200)]
LONGEST_TO_ANSWER = timedelta(days=366)
"""A person who is asked has to answer within this time; a later day was mistyped, or is one that nobody waits for."""
NO_WILDCARD = "rules.6.2 (Art. 4 Nr. 11, Art. 6 Abs. 1 Buchst. a DSGVO; § 67b Abs. 2 SGB X)"


def refuse_wildcards(fields: Mapping[str, Sequence[str]]) -> None:
    """Refuse ``*`` in any of the fields: a declaration without limits is none. Raises ``invalid-request``."""
    text = "Pauschale Angaben (*) sind unwirksam: jeden Zweck, Empfänger und jede Kategorie einzeln nennen."
    errors = [
        {"field": field, "rule": NO_WILDCARD, "text": text}
        for field, values in fields.items()
        if any("*" in value for value in values)
    ]
    if errors:
        raise ProblemError("invalid-request", text, errors=errors)


def check_purpose(gateway: Gateway, field: str, purpose: str, on: date) -> None:
    """Refuse a purpose that the law of the day does not know. Raises ``unknown-purpose``."""
    known = sorted(gateway.law.on(on).as_of(on).purposes)
    if purpose not in known:
        text = f"{field}: Diesen Zweck kennt der Katalog an diesem Tag nicht."
        raise ProblemError("unknown-purpose", text, errors=[{"field": field, "text": text, "allowed": known}])


def check_categories(field: str, categories: Sequence[str]) -> None:
    """Refuse an unknown data category. Raises ``invalid-request``."""
    allowed = [category.value for category in DataCategory]
    if not set(categories) <= set(allowed):
        raise invalid(field, f"{field}: Mindestens eine Datenkategorie ist unbekannt.", allowed)


async def check_instances(connection: AsyncConnection, field: str, wanted: Sequence[str]) -> None:
    """Refuse an instance that is not active in the directory. Raises ``unknown-agency``."""
    allowed = [row.id for row in await instances(connection) if row.active]
    if not set(wanted) <= set(allowed):
        text = f"{field}: Mindestens eine Instanz <behoerde>:<EINHEIT> steht nicht (mehr) im Verzeichnis."
        raise ProblemError("unknown-agency", text, errors=[{"field": field, "text": text, "allowed": allowed}])


def check_time_to_answer(field: str, asked: date, deadline: date | None) -> None:
    """Refuse the end of a person's time to answer before the day of the question, or much later. As `not_after`."""
    not_after(field, asked, deadline, "Die Frist liegt vor dem Tag der Frage.")
    not_after(field, deadline, asked + LONGEST_TO_ANSWER, "Die Frist ist länger als ein Jahr.")


def not_after(field: str, day: date | None, latest: date | None, text: str) -> None:
    """Refuse a day after `latest`. Raises ``invalid-request``."""
    if day is not None and latest is not None and day > latest:
        raise invalid(field, f"{field}: {text}")
