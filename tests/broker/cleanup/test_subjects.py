"""Numbers of persons' states go when nothing is about the person any more, and whoever decides is not disturbed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.cleanup import subjects
from broker.cleanup.role import clean_up
from broker.cleanup.subjects import forget_subjects
from broker.privileges import DbRole
from broker.subjects.models import SubjectState
from broker.subjects.state import lock_shared, raise_numbers
from tests.flow.test_stops import objection
from tests.flow.world import JOBCENTER, SOZIALAMT, Kreis, consent_body, person
from tests.world import on_postgresql

NOBODY = ("jobcenter-x:JOBCENTER", "1:" + "ab" * 32)
OTHER = ("jobcenter-x:JOBCENTER", "1:" + "cd" * 32)


async def forget(kreis: Kreis) -> int:
    """Forget as the eraser."""
    return await forget_subjects(kreis.gateway.acting(DbRole.ERASER))


async def states(kreis: Kreis) -> int:
    """Return how many rows there are."""
    return int(await kreis.scalar("SELECT count(*) FROM subject_state"))


async def test_what_a_transfer_a_consent_or_a_stop_names_stays(kreis: Kreis, monkeypatch: pytest.MonkeyPatch) -> None:
    """In however many steps the walk is done; what only a refused submission had looked for goes."""
    jobcenter = await kreis.office(JOBCENTER)
    await jobcenter.accepted(SOZIALAMT)
    consent = consent_body(SOZIALAMT, "CASE_MANAGEMENT", ["KONTAKT"], person("Anders", "Ada"), aktenzeichen="BG-7")
    assert (await jobcenter.post("/v1/consents", consent)).status_code == 201
    await jobcenter.post("/v1/objections", objection(person("Berg", "Bea"), "OPT_OUT"))
    named = await states(kreis)
    async with kreis.gateway.db.writing() as connection:
        await lock_shared(connection, [NOBODY, OTHER])
    monkeypatch.setattr(subjects, "STEP", 2)
    gone = await forget(kreis)

    assert named > 4
    assert gone == 2
    assert await states(kreis) == named


async def test_nothing_of_a_person_stays_after_the_last_record_went(kreis: Kreis) -> None:
    """Transfer, consent and stop have gone by their time: the clean-up leaves no pseudonym in this table either."""
    jobcenter, who = await kreis.office(JOBCENTER), person()
    await jobcenter.accepted(SOZIALAMT)
    consent = consent_body(SOZIALAMT, "CASE_MANAGEMENT", ["KONTAKT"], who)
    made = (await jobcenter.post("/v1/consents", consent)).json()["id"]
    await jobcenter.post(f"/v1/consents/{made}/withdrawal")
    kreis.clock.move(days=15)
    await clean_up(kreis.gateway)
    kreis.clock.move(days=4 * 366)
    before = await states(kreis)
    await clean_up(kreis.gateway.acting(DbRole.ERASER))

    assert before > 0
    assert await states(kreis) == 0


async def test_whoever_decides_meanwhile_is_not_disturbed(kreis: Kreis) -> None:
    """Submissions and events about the same persons, while all is forgotten that may be, again and again."""
    jobcenter = await kreis.office(JOBCENTER)
    await jobcenter.headers()
    done = asyncio.Event()

    async def forgets() -> int:
        count = 0
        while not done.is_set():
            count += await forget(kreis)
            await asyncio.sleep(0)
        return count

    async def works(number: int) -> int:
        who = [person(f"Familie{'abc'[number % 3]}", "Eva")]
        checked = await jobcenter.post_xml("/v1/transfers/check", jobcenter.message(SOZIALAMT, persons=who))
        sent = await jobcenter.submit(SOZIALAMT, persons=who, case_sender=f"BG-{number}")
        assert checked.status_code == 200
        return sent.status_code

    forgetting = asyncio.create_task(forgets())
    answers = [await asyncio.gather(*(works(round_ * 8 + n) for n in range(8))) for round_ in range(4)]
    done.set()
    await forgetting

    assert {status for answer in answers for status in answer} <= {202}
    assert await forget(kreis) == 0


@on_postgresql
async def test_a_row_that_is_held_is_left_alone(kreis: Kreis) -> None:
    """Whoever holds it is about to name it; it is not waited for."""
    async with kreis.gateway.db.writing() as connection:
        await lock_shared(connection, [NOBODY, OTHER])
    async with kreis.gateway.db.writing() as connection:
        await lock_shared(connection, [NOBODY])
        during = await asyncio.wait_for(forget(kreis), 3)
    after = await forget(kreis)

    assert (during, after) == (1, 1)


class Meddling:
    """A connection before whose second statement somebody else deletes all rows."""

    def __init__(self, kreis: Kreis, connection: AsyncConnection) -> None:
        self._kreis = kreis
        self._connection = connection
        self._statements = 0

    @property
    def dialect(self) -> Any:
        """Return that of the true connection."""
        return self._connection.dialect

    async def exec_driver_sql(self, *given: Any) -> Any:
        """Hand on; first, the second time, delete."""
        self._statements += 1
        if self._statements == 2:
            async with self._kreis.gateway.db.writing() as other:
                await other.execute(delete(SubjectState))
        return await self._connection.exec_driver_sql(*given)

    async def execute(self, *given: Any) -> Any:
        """Hand on."""
        return await self._connection.execute(*given)


@on_postgresql
async def test_a_row_forgotten_between_two_statements_is_made_anew(kreis: Kreis) -> None:
    """An event raises a number even then, and nobody decides without having locked the person."""
    async with kreis.gateway.db.writing() as connection:
        await lock_shared(connection, [NOBODY, OTHER])
    async with kreis.gateway.db.writing() as connection:
        raised = await raise_numbers(Meddling(kreis, connection), [NOBODY, OTHER])  # type: ignore[arg-type]

    assert raised == {NOBODY: 1, OTHER: 1}
    assert await kreis.scalar("SELECT sum(number) FROM subject_state") == 2
