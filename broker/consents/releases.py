"""Releases from secrecy over HTTP (§ 203 StGB, § 65 SGB VIII): consents that name the professional who is released.

Withdrawn, looked up and weighed like any consent. A message need not name its sender's own: the broker finds them.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.access import Guarded, Over, access
from broker.auth.caller import Caller
from broker.auth.dependencies import caller, reading_as
from broker.consents import repository, service
from broker.consents.repository import ConsentRow
from broker.consents.shapes import (
    STRICT,
    ConsentIn,
    ConsentOut,
    ConsentPage,
    Custody,
    Evidence,
    Notice,
    Release,
    WithdrawalIn,
)
from broker.errors import ProblemError
from broker.gateway import Gateway, gateway
from broker.subjects.checks import Cursor, PageSize, RecordId
from broker.subjects.events import SubjectChanged, subject_changed
from broker.subjects.person import PersonIn
from consent.consents import ConsentForm, GivenBy

router = APIRouter(prefix="/v1", tags=["Entbindungen"], route_class=Guarded)

TheGateway = Annotated[Gateway, Depends(gateway)]
TheCaller = Annotated[Caller, Depends(caller)]
TheHook = Annotated[SubjectChanged, Depends(subject_changed)]


class Professional(BaseModel):
    """Who is released. The name is kept as a keyed hash only; a release that names no person opens no lock."""

    model_config = STRICT

    name: str = Field(min_length=1, max_length=200, repr=False)
    natuerliche_person: bool


class ReleaseIn(BaseModel):
    """A release from secrecy to be recorded: in writing, for one purpose, to whom, about which categories."""

    model_config = STRICT

    kennung: UUID | None = Field(default=None, description="eigene Kennung der Anfrage, für die genaue Wiederholung")
    person: PersonIn = Field(repr=False)
    aktenzeichen: str | None = Field(default=None, min_length=1, max_length=64, repr=False)
    erklaert_von: GivenBy = Field(description="bei § 65 SGB VIII: wer die Daten anvertraut hat")
    erteilt_am: date
    gueltig_ab: date | None = Field(default=None, description="ohne Angabe: erteilt_am")
    gueltig_bis: date | None = Field(default=None, description="einschließlich; ohne Angabe: 12 Monate nach erteilt_am")
    entbunden: Professional
    zweck: str = Field(min_length=1, max_length=64)
    empfaenger: list[str] = Field(min_length=1, max_length=100, description="Instanzen <behoerde>:<EINHEIT>")
    kategorien: list[str] = Field(min_length=1, max_length=100)
    form: Literal["schriftlich", "elektronisch"]
    hinweise: list[Notice] = Field(max_length=10)
    freiwillig: bool
    einsichtsfaehig: bool | None = Field(default=None, description="bei Minderjährigen; ohne Angabe: ab 15 ja")
    sorge: Custody | None = Field(default=None, description="bei Minderjährigen, wie nachgewiesen")
    betreuer_aufgabenkreis: bool | None = Field(default=None, description="der Aufgabenkreis des Betreuers deckt es")
    nachweis: Evidence

    def consent(self) -> ConsentIn:
        """Return the consent that it is."""
        same = {name: getattr(self, name) for name in type(self).model_fields if name not in {"entbunden", "form"}}
        released = Release(name=self.entbunden.name, natuerliche_person=self.entbunden.natuerliche_person)
        return ConsentIn(**same, form=ConsentForm(self.form), entbindung=released)


@router.post("/releases", status_code=201, summary="Entbindung von der Schweigepflicht aufzeichnen")
@access(instance=Over.RECORDED)
async def post_release(body: ReleaseIn, shared: TheGateway, who: TheCaller) -> ConsentOut:
    """Record a release; the same body under the same `kennung` gets the first answer again."""
    async with shared.db.writing() as connection:
        row, _ = await service.record(connection, shared, who, body.consent())
    return ConsentOut.of(row)


@router.post("/releases/{release_id}/withdrawal", summary="Entbindung widerrufen")
@access(instance=Over.NAMED)
async def post_withdrawal(
    release_id: RecordId, shared: TheGateway, who: TheCaller, changed: TheHook, body: WithdrawalIn | None = None
) -> ConsentOut:
    """Withdraw; it works from that day on, also on transfers that are not handed over yet."""
    async with shared.db.writing() as connection:
        await _visible(connection, who, release_id)
        row, event = await service.withdraw(connection, shared, who, release_id, body.widerrufen_am if body else None)
        if event is not None:
            await changed(connection, event)
    return ConsentOut.of(row)


@router.get("/releases/{release_id}", summary="Entbindung ansehen")
@access(instance=Over.NAMED)
async def get_release(release_id: RecordId, shared: TheGateway, who: TheCaller) -> ConsentOut:
    """Show a release that the caller recorded or is named in."""
    async with reading_as(shared, who).reading() as connection:
        return ConsentOut.of(await _visible(connection, who, release_id))


@router.get("/releases", summary="Eigene Entbindungen, älteste zuerst")
@access(instance=Over.RECORDED)
async def get_releases(shared: TheGateway, who: TheCaller, cursor: Cursor = None, limit: PageSize = 100) -> ConsentPage:
    """List the releases that the calling instance recorded."""
    async with reading_as(shared, who).reading() as connection:
        after = (await _visible(connection, who, cursor)).seq if cursor else 0
        rows = await repository.own_consents(connection, who.as_instance(), after, limit + 1, releases=True)
    page = [ConsentOut.of(row) for row in rows[:limit]]
    return ConsentPage(items=page, next_cursor=page[-1].id if len(rows) > limit else None)


async def _visible(connection: AsyncConnection, who: Caller, release_id: str) -> ConsentRow:
    row = await service.visible(connection, who, release_id)
    if row.release_natural_person is None:
        raise ProblemError("not-found", "Unter dieser Kennung ist hier nichts aufgezeichnet.")
    return row
