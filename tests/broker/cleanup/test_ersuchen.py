"""Ersuchen end, by somebody or by themselves, and go some time after that."""

from __future__ import annotations

from datetime import date, timedelta

import httpx

from broker.cleanup.ersuchen import ACTOR
from broker.cleanup.role import clean_up
from broker.privileges import DbRole
from tests.flow.world import CORE, JOBCENTER, SOZIALAMT, Kreis, ersuchen_body, person
from tests.world import evidence

TABLES = ("ersuchen", "ersuchen_closings", "ersuchen_contents")


async def asked(kreis: Kreis, **more: str) -> str:
    """Record an Ersuchen; return its id."""
    office, body = await kreis.office(SOZIALAMT), ersuchen_body(JOBCENTER, person("Lange", "Lea"), **more)
    answer = await office.post("/v1/ersuchen", body | {"aktenzeichen": "SA-1"})
    return str(answer.json()["id"])


async def cleaned(kreis: Kreis) -> dict[str, int]:
    """Clean up as the eraser."""
    return await clean_up(kreis.gateway.acting(DbRole.ERASER))


async def counts(kreis: Kreis) -> list[int]:
    """Return how many rows each table has."""
    return [int(await kreis.scalar(f"SELECT count(*) FROM {table}")) for table in TABLES]  # noqa: S608 - fixed names


async def test_what_nobody_ended_ends_by_itself_with_the_person_in_it(kreis: Kreis) -> None:
    """Half a year after its deadline: both sides see why, nobody reads the person any more, no end comes after it."""
    made = await asked(kreis)
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    deadline = date.fromisoformat(ersuchen_body(JOBCENTER, person())["frist"])
    last = deadline + timedelta(days=kreis.gateway.settings.ersuchen_days)
    kreis.clock.move(days=(last - kreis.clock().date()).days)
    early = (await cleaned(kreis))["overdue"], (await jobcenter.get(f"/v1/ersuchen/{made}")).json()
    kreis.clock.move(days=1)
    late = (await cleaned(kreis))["overdue"], (await jobcenter.get(f"/v1/ersuchen/{made}")).json()
    again = (await sozialamt.post(f"/v1/ersuchen/{made}/close", {"grund": "ERLEDIGT"})).json()
    [(closed, side)] = await evidence(kreis.gateway, "ersuchen.closed")

    assert (early[0], early[1]["person"]["familienname"], early[1]["beendet_am"]) == (0, "Lange", None)
    assert (late[0], late[1]["person"], late[1]["aktenzeichen"], late[1]["beendet_grund"]) == (1, None, None, "FRIST")
    assert again.get("beendet_grund", "FRIST") == "FRIST"
    assert (closed.actor, closed.reference, closed.data, side) == (ACTOR, made, {"reason": "FRIST"}, {})
    assert await counts(kreis) == [1, 1, 0]
    assert (await cleaned(kreis))["overdue"] == 0


async def test_its_end_by_itself_lets_nothing_through_and_takes_no_duty(kreis: Kreis) -> None:
    """The day before an answer passes; the day after none may name it and what waited is not given; duties stay."""
    jobcenter, sozialamt, who = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT), person()
    made = (await sozialamt.post("/v1/ersuchen", ersuchen_body(JOBCENTER, who))).json()["id"]
    answer = {"mode": "ERSUCHEN", "ersuchen": made, "persons": [who]}
    deadline = date.fromisoformat(ersuchen_body(JOBCENTER, who)["frist"])
    last = deadline + timedelta(days=kreis.gateway.settings.ersuchen_days)
    kreis.clock.move(days=(last - kreis.clock().date()).days)
    given = await jobcenter.accepted(SOZIALAMT, CORE, **answer)
    await kreis.pump()
    assert [one["transfer_id"] for one in await sozialamt.inbox()] == [given]
    waiting = await jobcenter.accepted(SOZIALAMT, CORE, **answer)
    await cleaned(kreis)
    checked = await jobcenter.submit(SOZIALAMT, CORE, **answer)
    duties = (await sozialamt.get("/v1/duties")).json()["items"]
    before = len(await evidence(kreis.gateway))
    kreis.clock.move(days=1)
    await cleaned(kreis)
    await kreis.pump()
    late = await jobcenter.submit(SOZIALAMT, CORE, **answer)

    assert checked.status_code == httpx.codes.ACCEPTED
    assert (late.status_code, late.json()["type"]) == (422, "/problems/unknown-ersuchen")
    assert waiting not in [one["transfer_id"] for one in await sozialamt.inbox()]
    state = (await jobcenter.get(f"/v1/transfers/{waiting}")).json()["state"]
    assert state == "returned"
    assert duties
    assert (await sozialamt.get("/v1/duties")).json()["items"] == duties
    assert len(await evidence(kreis.gateway)) > before


async def test_an_ersuchen_goes_two_years_after_its_end(kreis: Kreis) -> None:
    """With it go pseudonym and keyed Aktenzeichen, beside the evidence too; an open one is not touched."""
    made = await asked(kreis)
    assert (await (await kreis.office(SOZIALAMT)).post(f"/v1/ersuchen/{made}/close", {"grund": "ERLEDIGT"})).is_success
    kreis.clock.move(days=kreis.gateway.settings.side_days)
    await asked(kreis, frist=(kreis.clock().date() + timedelta(days=30)).isoformat())
    early, before = (await cleaned(kreis))["ersuchen"], await counts(kreis)
    kreis.clock.move(days=1)
    late, after = (await cleaned(kreis))["ersuchen"], await counts(kreis)
    sides = [side for entry, side in await evidence(kreis.gateway) if entry.reference == made]

    assert (early, before) == (0, [2, 1, 1])
    assert (late, after) == (1, [1, 0, 1])
    assert sides
    assert not any(sides)
    assert [e.data["kind"] for e, _ in await evidence(kreis.gateway, "cleanup.done")].count("ersuchen") == 1
