"""The first collection, decided by what the recipient has on record, and not by what its Ersuchen says alone."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from broker.cleanup.role import clean_up
from broker.privileges import DbRole
from tests.flow.world import BEZUG, HOEHE, JOBCENTER, SOZIALAMT, STAMMDATEN, Kreis, attempt_body, ersuchen_body, person

BARE = {"status": "VERSUCHT_FRUCHTLOS"}
BLOCKS = (STAMMDATEN, BEZUG, HOEHE)


async def asked(kreis: Kreis, **more: Any) -> str:
    """Record an Ersuchen that says no day of its own; return its id."""
    body = ersuchen_body(JOBCENTER, person(), **({"ersterhebung": BARE, "kategorien": list(BLOCKS)} | more))
    made = await (await kreis.office(SOZIALAMT)).post("/v1/ersuchen", body)
    assert made.status_code == httpx.codes.CREATED, made.text
    return str(made.json()["id"])


async def attempted(kreis: Kreis, by: str = SOZIALAMT, **more: Any) -> str:
    """Record an attempt; return its id."""
    made = await (await kreis.office(by)).post("/v1/first-collections", attempt_body(person(), **more))
    assert made.status_code == httpx.codes.CREATED, made.text
    return str(made.json()["id"])


async def sent(kreis: Kreis, ersuchen: str) -> tuple[int, str | None]:
    """Answer an Ersuchen; return status and code."""
    answer = await (await kreis.office(JOBCENTER)).submit(SOZIALAMT, BLOCKS, mode="ERSUCHEN", ersuchen=ersuchen)
    return answer.status_code, answer.json().get("code")


async def test_an_attempt_on_record_lets_the_answer_pass(kreis: Kreis) -> None:
    """Refused without; permitted with a fruitless one; refused again when the person has answered."""
    ersuchen = await asked(kreis)
    without = await sent(kreis, ersuchen)
    attempt = await attempted(kreis)
    fruitless = await sent(kreis, ersuchen)
    path = f"/v1/first-collections/{attempt}/outcome"
    await (await kreis.office(SOZIALAMT)).post(path, {"ergebnis": "BEANTWORTET"})

    assert without == (403, "UNVOLLSTAENDIG")
    assert fruitless == (202, None)
    assert await sent(kreis, ersuchen) == (403, "ERSTERHEBUNG_FEHLT")


async def test_who_has_answered_was_not_asked_in_vain_whatever_else_is_asked_for(kreis: Kreis) -> None:
    """One answered category counts against a longer list, also where that says days of its own; asked anew it may."""
    first = {"status": "VERSUCHT_FRUCHTLOS", "gefragt_am": "2026-02-02", "frist": "2026-02-20"}
    ersuchen = await asked(kreis, ersterhebung=first)
    declared = await sent(kreis, ersuchen)
    attempt = await attempted(kreis, kategorien=["LEISTUNGSBEZUG"])
    path = f"/v1/first-collections/{attempt}/outcome"
    await (await kreis.office(SOZIALAMT)).post(path, {"ergebnis": "BEANTWORTET"})
    answered = await sent(kreis, ersuchen)
    await attempted(kreis, gefragt_am="2026-02-17")

    assert declared == (202, None)
    assert answered == (403, "ERSTERHEBUNG_FEHLT")
    assert await sent(kreis, ersuchen) == (202, None)


@pytest.mark.parametrize("frist", ["2027-03-18", "9999-12-31"])
async def test_a_time_to_answer_without_end_is_refused(kreis: Kreis, frist: str) -> None:
    """By an attempt and by an Ersuchen: what follows from such a day could not be explained."""
    sozialamt = await kreis.office(SOZIALAMT)
    attempt = await sozialamt.post("/v1/first-collections", attempt_body(person(), frist=frist))
    first = {"status": "VERSUCHT_FRUCHTLOS", "gefragt_am": "2026-02-02", "frist": frist}
    ersuchen = await sozialamt.post("/v1/ersuchen", ersuchen_body(JOBCENTER, person(), ersterhebung=first))

    assert [one.status_code for one in (attempt, ersuchen)] == [422, 422]
    assert [one.json()["errors"][0]["field"] for one in (attempt, ersuchen)] == ["frist", "ersterhebung.frist"]


async def test_its_time_must_be_over(kreis: Kreis) -> None:
    """On the last day the person may still answer; the day after nobody waits any more."""
    ersuchen = await asked(kreis)
    await attempted(kreis, frist="2026-03-16")
    last = await sent(kreis, ersuchen)
    kreis.clock.move(days=1)

    assert last == (403, "ERSTERHEBUNG_FRIST")
    assert await sent(kreis, ersuchen) == (202, None)


@pytest.mark.parametrize(
    "more",
    [
        {"by": JOBCENTER},
        {"zweck": "ERSTATTUNG"},
        {"kategorien": ["LEISTUNGSBEZUG"]},
        {"person": {"familienname": "Anders", "vornamen": "Erika", "geburtsdatum": "1961-03-09"}},
    ],
    ids=["the sender's", "purpose", "category", "somebody else"],
)
async def test_another_attempt_proves_nothing(kreis: Kreis, more: dict[str, Any]) -> None:
    """It counts for who asks, for the purpose, for all that was asked for, and for the person."""
    ersuchen = await asked(kreis)
    await attempted(kreis, **more)

    assert await sent(kreis, ersuchen) == (403, "UNVOLLSTAENDIG")


async def test_the_record_counts_more_than_the_declaration(kreis: Kreis) -> None:
    """An Ersuchen that declares a vain attempt does not pass where the person has answered meanwhile."""
    ersuchen = await asked(kreis, ersterhebung=BARE | {"gefragt_am": "2026-02-02", "frist": "2026-02-20"})
    declared = await sent(kreis, ersuchen)
    attempt = await attempted(kreis)
    path = f"/v1/first-collections/{attempt}/outcome"
    await (await kreis.office(SOZIALAMT)).post(path, {"ergebnis": "BEANTWORTET"})

    assert (declared, await sent(kreis, ersuchen)) == ((202, None), (403, "ERSTERHEBUNG_FEHLT"))


async def test_one_recorded_in_error_is_none(kreis: Kreis) -> None:
    """An attempt that never was proves nothing, and the one before it counts again."""
    ersuchen = await asked(kreis)
    wrong = await attempted(kreis)
    await (await kreis.office(SOZIALAMT)).post(f"/v1/first-collections/{wrong}/outcome", {"ergebnis": "IRRTUM"})
    none = await sent(kreis, ersuchen)
    await attempted(kreis, gefragt_am="2026-02-09")

    assert (none, await sent(kreis, ersuchen)) == ((403, "UNVOLLSTAENDIG"), (202, None))


async def test_an_answer_ends_what_is_in_flight(kreis: Kreis) -> None:
    """Where the person answers, what others have sent and nobody has fetched ends."""
    ersuchen, attempt = await asked(kreis), await attempted(kreis)
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    transfer = await jobcenter.accepted(SOZIALAMT, BLOCKS, mode="ERSUCHEN", ersuchen=ersuchen)
    await kreis.pump()
    await sozialamt.post(f"/v1/first-collections/{attempt}/outcome", {"ergebnis": "BEANTWORTET"})

    assert await jobcenter.state(transfer) == "withdrawn"
    assert await sozialamt.inbox() == []


async def test_old_attempts_are_cleaned_up(kreis: Kreis) -> None:
    """Two years after its recording an attempt goes, with its outcome; a younger one stays."""
    sozialamt = await kreis.office(SOZIALAMT)
    old = await attempted(kreis)
    await sozialamt.post(f"/v1/first-collections/{old}/outcome", {"ergebnis": "VERWEIGERT"})
    kreis.clock.move(days=700)
    young = await attempted(kreis)
    kreis.clock.move(days=31)
    await clean_up(kreis.gateway.acting(DbRole.ERASER))

    assert await kreis.scalar("SELECT id FROM attempts") == young
    assert await kreis.scalar("SELECT count(*) FROM attempt_outcomes") == 0
