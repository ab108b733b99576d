"""Retrieval, regular delivery and bulk, decided by what the register says on the day, and the counter of 30 days."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from broker.cleanup.role import clean_up
from broker.privileges import DbRole
from schemas.compose import PersonSpec
from schemas.identifiers import DataCategory
from tests.flow.many import somebody, together
from tests.flow.world import (
    ANSCHRIFT,
    BEZUG,
    CORE,
    HOEHE,
    JOBCENTER,
    SOZIALAMT,
    STAMMDATEN,
    Kreis,
    ersuchen_body,
    open_kreis,
    person,
    procedure_body,
)

APPROVED = {"genehmigt_am": "2026-03-02", "aufsicht": "FACHAUFSICHT"}
TOLD = {"unterrichtet_am": "2026-03-03", "stelle": "LDI_NRW"}
DATA = (STAMMDATEN, ANSCHRIFT, BEZUG, HOEHE)
REFUSED = (403, "VERFAHREN_NICHT_REGISTRIERT")


async def registered(kreis: Kreis, kind: str = "REGELMAESSIG", **more: Any) -> str:
    """Register a procedure and record all its steps; return its id."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    made = await jobcenter.post("/v1/procedures", procedure_body(JOBCENTER, SOZIALAMT, kind, **more))
    assert made.status_code == httpx.codes.CREATED, made.text
    procedure = str(made.json()["id"])
    for office in (jobcenter, sozialamt):
        await office.post(f"/v1/procedures/{procedure}/approval", APPROVED)
    await jobcenter.post(f"/v1/procedures/{procedure}/notice", TOLD)
    return procedure


async def delivered(kreis: Kreis, who: PersonSpec | None = None, **parts: Any) -> httpx.Response:
    """Submit a regular delivery about a person."""
    given = {"mode": "REGELMAESSIG", "persons": [who or person()]} | parts
    return await (await kreis.office(JOBCENTER)).submit(SOZIALAMT, **given)


def decided(answer: httpx.Response) -> tuple[int, str | None]:
    """Return status and code."""
    return answer.status_code, answer.json().get("code")


async def test_regular_delivery_needs_an_entry(kreis: Kreis) -> None:
    """Without an entry it is refused, with it permitted, from the day of its end on refused again."""
    without = await delivered(kreis)
    procedure = await registered(kreis)
    within = await delivered(kreis)
    kreis.clock.move(days=1)
    await (await kreis.office(SOZIALAMT)).post(f"/v1/procedures/{procedure}/end", {"grund": "NICHT_MEHR_ERFORDERLICH"})

    assert decided(without) == REFUSED
    assert within.status_code == httpx.codes.ACCEPTED, within.text
    assert decided(await delivered(kreis)) == REFUSED


async def test_retrieval_needs_approvals_of_both_and_notice(kreis: Kreis) -> None:
    """An ABRUF passes when both sides' authorities have approved and the data-protection authority was told."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    asked = (await sozialamt.post("/v1/ersuchen", ersuchen_body(JOBCENTER, person(), kategorien=list(DATA)))).json()
    made = await sozialamt.post("/v1/procedures", procedure_body(JOBCENTER, SOZIALAMT, "ABRUF"))
    path = f"/v1/procedures/{made.json()['id']}"
    answers = []
    for office, step, body in (
        (sozialamt, "", None),
        (sozialamt, "/approval", APPROVED),
        (sozialamt, "/notice", TOLD),
        (jobcenter, "/approval", APPROVED),
    ):
        if body is not None:
            await office.post(path + step, body)
        answers.append(await delivered(kreis, mode="ABRUF", ersuchen=asked["id"]))

    assert [decided(answer) for answer in answers[:-1]] == [REFUSED] * 3
    assert answers[-1].status_code == httpx.codes.ACCEPTED, answers[-1].text


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("ABRUF", {}),
        ("REGELMAESSIG", {"zweck": "ERSTATTUNG"}),
        ("REGELMAESSIG", {"gueltig_ab": "2026-03-17"}),
        ("REGELMAESSIG", {"gueltig_bis": "2026-03-15"}),
        ("REGELMAESSIG", {"kategorien": ["STAMMDATEN"]}),
    ],
    ids=["another kind", "another purpose", "not yet", "no longer", "nothing useful within"],
)
async def test_what_the_entry_does_not_carry_is_refused(kreis: Kreis, kind: str, more: dict[str, Any]) -> None:
    """An entry counts for its kind, purpose, days and categories, and for no others."""
    await registered(kreis, kind, **more)

    assert decided(await delivered(kreis)) == REFUSED


async def test_the_other_direction_is_another_route(kreis: Kreis) -> None:
    """What the Jobcenter may deliver to the Sozialamt lets nothing pass the other way."""
    await registered(kreis)
    answer = await (await kreis.office(SOZIALAMT)).submit(JOBCENTER, mode="REGELMAESSIG")

    assert decided(answer) == REFUSED


async def test_a_category_outside_the_entry_falls_alone(kreis: Kreis) -> None:
    """What is not listed is taken out, and the rest passes."""
    await registered(kreis, kategorien=["STAMMDATEN", "LEISTUNGSBEZUG", "LEISTUNGSHOEHE"])
    answer = await delivered(kreis, ueberhang="entfernen")

    assert answer.status_code == httpx.codes.ACCEPTED, answer.text
    assert [(r["category"], r["code"]) for r in answer.json()["removed"]] == [("ANSCHRIFT", REFUSED[1])]


async def test_end_and_expiry_stop_what_waits(kreis: Kreis) -> None:
    """What waits to be handed over goes back where its procedure has ended or run out meanwhile."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    procedure = await registered(kreis)
    ended = (await delivered(kreis)).json()["transfer_id"]
    await kreis.pump()
    await jobcenter.post(f"/v1/procedures/{procedure}/end", {"grund": "BEANSTANDET"})
    first = await sozialamt.inbox()
    await registered(kreis, gueltig_bis="2026-03-18")
    expired = (await delivered(kreis)).json()["transfer_id"]
    await kreis.pump()
    kreis.clock.move(days=3)

    assert (first, await sozialamt.inbox()) == ([], [])
    assert [await jobcenter.state(transfer) for transfer in (ended, expired)] == ["returned", "returned"]
    assert await kreis.scalar("SELECT count(*) FROM transfer_keys") == 0


async def test_what_waits_is_not_stopped_by_who_came_after_it(kreis: Kreis) -> None:
    """Counted once, when it was decided on: handing over counts nobody again."""
    sozialamt = await kreis.office(SOZIALAMT)
    await registered(kreis, hoechstzahl=2)
    for number in range(3):
        await delivered(kreis, somebody(number))
    await kreis.pump()

    assert len(await sozialamt.inbox()) == 2


async def test_the_registered_volume_is_a_bound(kreis: Kreis) -> None:
    """The person that reaches the registered number passes, the next one is refused; those counted go on."""
    procedure = await registered(kreis, hoechstzahl=3)
    answers = [await delivered(kreis, somebody(number)) for number in (0, 1, 0, 2, 3, 1)]
    seen = (await (await kreis.office(SOZIALAMT)).get(f"/v1/procedures/{procedure}")).json()

    assert [answer.status_code for answer in answers] == [202, 202, 202, 202, 403, 202]
    assert decided(answers[4]) == REFUSED
    assert (seen["personen"], seen["stand"]) == (3, "AKTIV")


async def test_a_message_about_several_counts_each(kreis: Kreis) -> None:
    """Two persons of one message are two; the message that would bring the one too many is refused whole."""
    await registered(kreis, hoechstzahl=3)
    answers = [await delivered(kreis, **together(numbers)) for numbers in ((0, 1), (1, 2), (2, 3))]

    assert [answer.status_code for answer in answers] == [202, 202, 403]


async def test_the_count_forgets_after_thirty_days(kreis: Kreis) -> None:
    """On the 30th day a person still counts, on the 31st no more, and the clean-up takes it out."""
    await registered(kreis, hoechstzahl=1)
    await delivered(kreis, somebody(0))
    kreis.clock.move(days=29)
    still = await delivered(kreis, somebody(1))
    kreis.clock.move(days=1)
    free = await delivered(kreis, somebody(1))
    kreis.clock.move(days=1)
    await clean_up(kreis.gateway.acting(DbRole.ERASER))

    assert (decided(still), free.status_code) == (REFUSED, 202)
    assert await kreis.scalar("SELECT count(*) FROM route_persons") == 1


async def test_refused_and_only_checked_counts_nothing(kreis: Kreis) -> None:
    """Only what is permitted and sent is counted."""
    jobcenter = await kreis.office(JOBCENTER)
    await registered(kreis, hoechstzahl=1)
    too_much = (*CORE, DataCategory.SCHULDEN)
    refused = await delivered(kreis, somebody(0), blocks=too_much)
    message = jobcenter.message(SOZIALAMT, mode="REGELMAESSIG", persons=[somebody(1)])
    checked = await jobcenter.post_xml("/v1/transfers/check", message)

    assert (refused.status_code, checked.status_code) == (403, 200)
    assert await kreis.scalar("SELECT count(*) FROM route_persons") == 0
    assert (await delivered(kreis, somebody(2))).status_code == httpx.codes.ACCEPTED


async def test_at_once_there_is_no_one_too_many(kreis: Kreis, data_dir: Path) -> None:
    """Two gateways that decide in the same moment let the registered number pass, and not one more."""
    await registered(kreis, hoechstzahl=3)
    async with open_kreis(data_dir) as other:
        offices = [await kreis.office(JOBCENTER), await other.office(JOBCENTER)]
        answers = await asyncio.gather(
            *(
                office.submit(SOZIALAMT, mode="REGELMAESSIG", persons=[somebody(2 * number + place)])
                for number in range(5)
                for place, office in enumerate(offices)
            )
        )

    assert sorted(answer.status_code for answer in answers) == [202] * 3 + [403] * 7
    assert await kreis.scalar("SELECT count(*) FROM route_persons") == 3


async def test_the_sender_cannot_declare_an_entry(kreis: Kreis) -> None:
    """The decision rests on the register alone, and its facts name the entry."""
    procedure = await registered(kreis)
    await delivered(kreis)
    async with kreis.gateway.db.reading() as connection:
        facts = (await connection.execute(text("SELECT facts FROM decisions"))).scalar_one()

    assert procedure in str(facts)
