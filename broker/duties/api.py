"""Duties over HTTP: an instance sees and ends its own, an officer sees those of the own agency."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from broker.access import Guarded, Over, access
from broker.auth.caller import Caller, Role
from broker.auth.dependencies import caller, reading_as
from broker.clock import day_of
from broker.db import Database
from broker.duties import repository
from broker.duties.repository import DutyState, Wanted
from broker.duties.service import DoneIn, end_duty, visible_duty
from broker.errors import ProblemError
from broker.gateway import Gateway, gateway
from broker.pages import place_of, place_text
from broker.privileges import CONTROLLERS, DbRole
from broker.spoken import Spoken
from broker.subjects.checks import PageSize, RecordId
from consent.explanation.sentences import Language, sentences
from consent.rows import DutyRow

router = APIRouter(prefix="/v1/duties", tags=["Pflichten"], route_class=Guarded)

Shared = Annotated[Gateway, Depends(gateway)]
Who = Annotated[Caller, Depends(caller)]


class DutyOut(BaseModel):
    """A duty. `due` is the last day in time (Europe/Berlin)."""

    id: str
    duty: str = Field(description="code of the catalogue")
    title: str = Field(description="what is to be done, in the language of Content-Language")
    norms: list[str]
    bound: str = Field(description="the instance that owes it")
    transfer_id: str
    decision_id: str
    arose: date = Field(description="the day on which the content was handed over")
    due: date
    test: bool = Field(description="it arose from a test message")
    state: DutyState
    done_on: date | None
    how: str | None = Field(description="ERFUELLT or ENTFALLEN")
    done_at: datetime | None
    links: dict[str, str]


class DutyPage(BaseModel):
    """A page of duties; `next_cursor` is None on the last."""

    items: list[DutyOut]
    next_cursor: str | None


class Filters(BaseModel):
    """Which duties; all that is given must hold."""

    state: DutyState = Field(default=DutyState.OPEN, description="open includes what is overdue")
    due_before: date | None = None
    cursor: str | None = None
    limit: PageSize = 100
    lang: Language | None = Field(default=None, description="read by `Spoken`; a filter of nothing")

    model_config = {"extra": "forbid"}


@router.get("", summary="Pflichten der eigenen Stelle, die am frühesten fälligen zuerst")
@access(instance=Over.BOUND, officer=Over.AGENCY)
async def get_duties(shared: Shared, who: Who, filters: Annotated[Filters, Query()], language: Spoken) -> DutyPage:
    """List what the calling instance owes, or the instances of the officer's agency."""
    after = place_of(filters.cursor)
    today = day_of(shared.clock())
    async with _seeing(shared, who).reading() as connection:
        wanted = _whose(who, filters)
        rows = await repository.duties(connection, wanted, today, after, filters.limit + 1)
    page, titles = rows[: filters.limit], titles_of(shared, language)
    following = place_text(page[-1].due, page[-1].id) if len(rows) > filters.limit else None
    return DutyPage(items=[shown(row, today, titles) for row in page], next_cursor=following)


@router.get("/{duty_id}", summary="Eine Pflicht ansehen")
@access(instance=Over.BOUND, officer=Over.AGENCY)
async def get_duty(duty_id: RecordId, shared: Shared, who: Who, language: Spoken) -> DutyOut:
    """Show a duty of the calling instance, or of the officer's agency."""
    async with _seeing(shared, who).reading() as connection:
        row = await visible_duty(connection, who, duty_id)
    return shown(row, day_of(shared.clock()), titles_of(shared, language))


@router.post("/{duty_id}/done", summary="Eine eigene Pflicht als erledigt melden")
@access(instance=Over.BOUND)
async def post_done(
    duty_id: RecordId, shared: Shared, who: Who, language: Spoken, done: DoneIn | None = None
) -> DutyOut:
    """Say that a duty is done, or has fallen away; only whom it binds can. Again changes nothing."""
    async with shared.db.writing() as connection:
        await end_duty(connection, shared, who, duty_id, done or DoneIn())
        row = await visible_duty(connection, who, duty_id)
    return shown(row, day_of(shared.clock()), titles_of(shared, language))


def _seeing(shared: Gateway, who: Caller) -> Database:
    """Return the database as the caller may read it (row-level security on PostgreSQL)."""
    if who.role is not Role.OFFICER:
        return reading_as(shared, who)
    return shared.db.acting(DbRole.CONSOLE, {CONTROLLERS: _agency(who)})


def _whose(who: Caller, filters: Filters) -> Wanted:
    if who.role is Role.OFFICER:
        return Wanted(_agency(who), None, filters.state, filters.due_before)
    instance = who.as_instance()
    return Wanted(instance.partition(":")[0], instance, filters.state, filters.due_before)


def _agency(who: Caller) -> str:
    if who.agency is None:
        raise ProblemError("wrong-role", "Dieser Zugang ist keiner Behörde zugeordnet.")
    return who.agency


def rules_of(shared: Gateway) -> Mapping[str, DutyRow]:
    """Return the duties of today's catalogue by their codes; of the shipped one, where today's cannot be read here."""
    today, law = day_of(shared.clock()), shared.law
    catalogue = law.known(law.fingerprint_on(today)) or law.shipped
    return {rule.code: rule for rule in catalogue.as_of(today).duties}


@dataclass(frozen=True, slots=True)
class Title:
    """What a duty is, in one language, and by which norms."""

    text: str
    norms: tuple[str, ...]


def titles_of(shared: Gateway, language: Language = Language.DE) -> Mapping[str, Title]:
    """Return what is to be done, by the duties' codes; German where a catalogue has a duty without an English name."""
    english = sentences().names["duty"] if language is Language.EN else {}
    return {code: Title(english.get(code, rule.name), rule.norms) for code, rule in rules_of(shared).items()}


def shown(row: Any, today: date, titles: Mapping[str, Title]) -> DutyOut:  # noqa: ANN401 - a Row
    """Write a duty as it stands on a day."""
    title = titles.get(row.duty)
    return DutyOut(
        id=row.id,
        duty=row.duty,
        title=title.text if title else row.duty,
        norms=list(title.norms) if title else [],
        bound=row.bound,
        transfer_id=row.transfer_id,
        decision_id=row.decision_id,
        arose=row.arose,
        due=row.due,
        test=row.test,
        state=state_of(row, today),
        done_on=row.done_on,
        how=row.done_how,
        done_at=row.done_at,
        links={"decision": f"/v1/decisions/{row.decision_id}", "done": f"/v1/duties/{row.id}/done"},
    )


def state_of(row: Any, today: date) -> DutyState:  # noqa: ANN401 - a Row
    """Return how a duty stands on a day."""
    if row.done_on is not None:
        return DutyState.DONE
    return DutyState.OVERDUE if row.due < today else DutyState.OPEN
