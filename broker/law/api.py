"""The catalogue over HTTP: open to every authenticated client, agency or officer. No person is in it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Query, Response
from pydantic import BaseModel, Field

from broker.access import Guarded, Over, access
from broker.auth.caller import Caller
from broker.auth.dependencies import caller
from broker.clock import day_of
from broker.errors import ProblemError, invalid
from broker.gateway import Gateway, gateway
from broker.law.named import NoSuchCatalogue, on_day
from broker.law.shapes import ROW_ID, LawPage, LawRow, law_row
from consent.book.entries import Entry, chosen, entries_of
from consent.book.markdown import warning
from consent.catalogue import Catalogue

router = APIRouter(prefix="/v1/law", tags=["Recht"], route_class=Guarded)

Shared = Annotated[Gateway, Depends(gateway)]
Known = Annotated[Caller, Depends(caller)]
IfNoneMatch = Annotated[
    str | None, Header(description="ETag der letzten Antwort; unverändert: 304 ohne Inhalt", max_length=500)
]
ID_PATTERN = r"^[A-Za-z0-9_.+-]*$"
FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(9998, 12, 31)
NOT_MODIFIED = 304
REMEMBERED = 4
"""Catalogues whose rows are kept ready: today's, yesterday's, the next, and one that somebody looks back at."""


class Filters(BaseModel):
    """Filters of the list; all that are given must hold."""

    purpose: str | None = Field(
        default=None, max_length=64, description="nur Zeilen zu diesem Zweck", examples=["KITA_BEITRAG"]
    )
    norm: str | None = Field(
        default=None, max_length=100, description="nur Zeilen mit diesem Paragrafen", examples=["§ 69 SGB X"]
    )
    on: date | None = Field(
        default=None,
        ge=FIRST_DAY,
        le=LAST_DAY,
        description="nur, was an diesem Tag gilt, nach dem Katalog dieses Tages; ohne Angabe alle Zeilen des heutigen",
        examples=["2026-12-01"],
    )
    cursor: str = Field(default="", max_length=300, pattern=ID_PATTERN, description="`next_cursor` der vorigen Seite")
    limit: int = Field(default=100, ge=1, le=500)

    model_config = {"extra": "forbid"}


@router.get(
    "",
    summary="Den Regelkatalog lesen",
    response_model=LawPage,
    responses={304: {"description": "unverändert (If-None-Match)"}},
)
@access(everyone=Over.NOBODY)
async def list_law(
    shared: Shared,
    _: Known,
    filters: Annotated[Filters, Query()],
    response: Response,
    if_none_match: IfNoneMatch = None,
) -> LawPage | Response:
    """List the rows of the catalogue in their order. The ETag is its fingerprint: rows change only with that."""
    catalogue = await _catalogue(shared, filters.on)
    if _is_known(catalogue, if_none_match):
        return _unchanged(catalogue)
    entries = list(chosen(await _entries(catalogue), purpose=filters.purpose, norm=filters.norm, on=filters.on))
    start = _after(entries, filters.cursor)
    page = entries[start : start + filters.limit]
    response.headers["ETag"] = _etag(catalogue)
    return LawPage(
        fingerprint=catalogue.fingerprint,
        notice=" ".join(line.removeprefix("> ").replace("**", "") for line in warning(entries)),
        items=[law_row(entry) for entry in page],
        next_cursor=page[-1].id if start + len(page) < len(entries) else None,
    )


@router.get(
    "/{row}",
    summary="Eine Zeile des Regelkatalogs lesen",
    response_model=LawRow,
    responses={304: {"description": "unverändert (If-None-Match)"}},
)
@access(everyone=Over.NOBODY)
async def show_row(
    row: Annotated[str, Path(max_length=300, pattern=ID_PATTERN, description="Kennung der Zeile", examples=[ROW_ID])],
    shared: Shared,
    _: Known,
    response: Response,
    on: Annotated[
        date | None, Query(ge=FIRST_DAY, le=LAST_DAY, description="im Katalog dieses Tages; ohne Angabe des heutigen")
    ] = None,
    if_none_match: IfNoneMatch = None,
) -> LawRow | Response:
    """Show one row by its id, as the list and the German pages name it."""
    catalogue = await _catalogue(shared, on)
    entries = await _entries(catalogue)
    found = next((entry for entry in entries if entry.id == row), None)
    if found is None:
        raise ProblemError("not-found", "Eine Zeile mit dieser Kennung hat der Regelkatalog nicht (GET /v1/law).")
    if _is_known(catalogue, if_none_match):
        return _unchanged(catalogue)
    response.headers["ETag"] = _etag(catalogue)
    return law_row(found)


async def _catalogue(shared: Gateway, on: date | None) -> Catalogue:
    """Return the catalogue of a day. Raises the problem ``temporarily-unavailable`` where it cannot be read here."""
    day = on or day_of(shared.clock())
    try:
        return await on_day(shared, day)
    except NoSuchCatalogue as exc:
        text = f"Den Regelkatalog, der am {day.isoformat()} gilt, kann dieses Programm nicht lesen."
        raise ProblemError("temporarily-unavailable", text, headers={"Retry-After": "60"}) from exc


async def _entries(catalogue: Catalogue) -> tuple[Entry, ...]:
    """Return the rows of a catalogue, made once, beside the loop: it takes a tenth of a second."""
    if (ready := _READY.get(catalogue.fingerprint)) is not None:
        return ready
    made = await asyncio.to_thread(entries_of, catalogue)
    while len(_READY) >= REMEMBERED:
        del _READY[next(iter(_READY))]
    return _READY.setdefault(catalogue.fingerprint, made)


_READY: dict[str, tuple[Entry, ...]] = {}


def _etag(catalogue: Catalogue) -> str:
    return f'"{catalogue.fingerprint}"'


def _is_known(catalogue: Catalogue, if_none_match: str | None) -> bool:
    """Whether the caller has these rows already (RFC 9110, 13.1.2); weak and strong tags compare alike."""
    known = [tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")]
    return _etag(catalogue) in known or "*" in known


def _unchanged(catalogue: Catalogue) -> Response:
    return Response(status_code=NOT_MODIFIED, headers={"ETag": _etag(catalogue)})


def _after(entries: Sequence[Entry], cursor: str) -> int:
    """Return where a page begins. Raises the problem ``invalid-request`` for a row that is not in the list."""
    if not cursor:
        return 0
    for place, entry in enumerate(entries):
        if entry.id == cursor:
            return place + 1
    raise invalid("query.cursor", "Diese Fortsetzung gehört zu keiner Zeile der Liste; von vorn beginnen.")
