"""What an event about a person does to transfers on their way, one of which may be beyond deciding."""

from __future__ import annotations

import httpx
import pytest
from sqlalchemy import text

from broker.delivery.repository import FAULT
from tests.flow.test_stops import consented, objection
from tests.flow.world import JOBCENTER, SOZIALAMT, Kreis, person

NONSENSE = """UPDATE transfer_subjects SET persons = '["Zzyzx"]' WHERE transfer_id = :id"""
GONE = "DELETE FROM transfer_subjects WHERE transfer_id = :id"


async def spoil(kreis: Kreis, transfer: str, how: str) -> None:
    """Let what was kept of a transfer's persons be unreadable."""
    async with kreis.gateway.db.writing() as connection:
        await connection.execute(text(how), {"id": transfer})


@pytest.mark.parametrize("how", [NONSENSE, GONE])
async def test_event_is_recorded_though_one_transfer_cannot_be_decided_again(
    kreis: Kreis, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A transfer that nobody can decide about ends with the reason; the withdrawal counts, for the others too."""
    jobcenter, who = await kreis.office(JOBCENTER), person()
    spoiled = await jobcenter.accepted(SOZIALAMT, persons=[who])
    consent, relying = await consented(jobcenter, who)
    stays = await jobcenter.accepted(SOZIALAMT, persons=[who])
    await spoil(kreis, spoiled, how)
    answer = await jobcenter.post(f"/v1/consents/{consent}/withdrawal")
    seen = (await jobcenter.get(f"/v1/transfers/{spoiled}")).json()

    assert answer.status_code == httpx.codes.OK, answer.text
    assert [await jobcenter.state(one) for one in (spoiled, relying, stays)] == ["withdrawn", "withdrawn", "accepted"]
    assert seen["history"][-1]["reason"] == FAULT
    assert "Zzyzx" not in caplog.text


async def test_recipient_is_told_where_nobody_can_decide_again(kreis: Kreis) -> None:
    """What is handed over and beyond deciding is told of to its recipient, as if the law stopped it."""
    jobcenter, sozialamt, who = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT), person()
    transfer = await jobcenter.accepted(SOZIALAMT, persons=[who])
    await kreis.pump()
    await sozialamt.inbox()
    await spoil(kreis, transfer, NONSENSE)
    answer = await jobcenter.post("/v1/objections", objection(who))
    notices = (await sozialamt.get("/v1/notices")).json()["items"]

    assert answer.status_code == httpx.codes.CREATED, answer.text
    assert [(notice["transfer_id"], notice["kind"]) for notice in notices] == [(transfer, "WIDERRUF")]
