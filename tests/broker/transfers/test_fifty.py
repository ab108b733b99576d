"""More than fifty persons on a route and purpose within thirty days need a registered procedure, in every mode."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from broker.cleanup.role import clean_up
from broker.privileges import DbRole
from broker.transfers import service
from broker.transfers.seek import seek
from tests.broker.transfers.test_procedures import DATA, REFUSED, decided, registered
from tests.flow.many import at_once, somebody, together
from tests.flow.world import JOBCENTER, SOZIALAMT, Kreis, ersuchen_body, open_kreis
from tests.world import rows

ACCEPTED = httpx.codes.ACCEPTED
COUNTED = "SELECT count(*) FROM route_persons"


async def sent(kreis: Kreis, *numbers: int, **parts: Any) -> httpx.Response:
    """Send a message about some persons as a single transfer."""
    return await (await kreis.office(JOBCENTER)).submit(SOZIALAMT, **(together(numbers) | parts))


async def filled(kreis: Kreis, most: int = 50) -> None:
    """Send about so many persons, ten in a message."""
    for start in range(0, most, 10):
        answer = await sent(kreis, *range(start, min(most, start + 10)))
        assert answer.status_code == ACCEPTED, answer.text


async def waiting(kreis: Kreis) -> set[str]:
    """Let the recipient fetch; return the transfers that came."""
    await kreis.pump()
    items = await (await kreis.office(SOZIALAMT)).inbox(limit=50)
    return {item["transfer_id"] for item in items}


async def test_the_fiftieth_person_passes_and_the_next_does_not(kreis: Kreis) -> None:
    """Without an entry: fifty pass, one more is refused, whoever was counted goes on, and so do other routes."""
    await filled(kreis, 49)
    fiftieth, next_one, again = await sent(kreis, 49), await sent(kreis, 50), await sent(kreis, 0, 49)
    mixed = await sent(kreis, 49, 51)
    other = await (await kreis.office(SOZIALAMT)).submit(JOBCENTER, persons=[somebody(50)])

    assert [answer.status_code for answer in (fiftieth, again, other)] == [ACCEPTED] * 3
    assert [decided(answer) for answer in (next_one, mixed)] == [REFUSED] * 2
    assert await kreis.scalar(COUNTED) == 51


async def test_an_answer_to_a_request_is_counted_too(kreis: Kreis) -> None:
    """Whatever brings a transfer about, its persons are the same persons of the route."""
    await filled(kreis)
    body = ersuchen_body(JOBCENTER, somebody(50), kategorien=list(DATA))
    asked = await (await kreis.office(SOZIALAMT)).post("/v1/ersuchen", body)
    answer = await sent(kreis, 50, mode="ERSUCHEN", ersuchen=asked.json()["id"])

    assert decided(answer) == REFUSED


async def test_a_batch_counts_message_after_message(kreis: Kreis) -> None:
    """Of messages that are decided on together those pass that stay within fifty, in their order."""
    jobcenter = await kreis.office(JOBCENTER)
    await filled(kreis, 40)
    batch = [(40, 41, 42, 43), (44, 45, 46, 47), (48, 49, 50), (0, 1), (48, 49), (50,)]
    results = await at_once(kreis, jobcenter, *batch)

    assert [getattr(result, "status", None) for result in results] == [202, 202, 403, 202, 202, 403]
    assert await kreis.scalar(COUNTED) == 50


async def test_after_thirty_days_there_is_room(kreis: Kreis) -> None:
    """On the thirtieth day the fifty still count, on the next there is room, and the clean-up forgets them."""
    await filled(kreis)
    kreis.clock.move(days=29)
    still = await sent(kreis, 50)
    kreis.clock.move(days=1)
    free = await sent(kreis, 50)
    kreis.clock.move(days=1)
    await clean_up(kreis.gateway.acting(DbRole.ERASER))

    assert (decided(still), free.status_code) == (REFUSED, ACCEPTED)
    assert await kreis.scalar(COUNTED) == 1


async def test_an_entry_lets_pass_until_it_ends(kreis: Kreis) -> None:
    """With an entry the next ones pass; after its end none do, and it shows how many it carried."""
    await filled(kreis)
    procedure = await registered(kreis, hoechstzahl=None)
    with_entry = [await sent(kreis, number) for number in (50, 51)]
    seen = (await (await kreis.office(SOZIALAMT)).get(f"/v1/procedures/{procedure}")).json()
    await (await kreis.office(SOZIALAMT)).post(f"/v1/procedures/{procedure}/end", {"grund": "NICHT_MEHR_ERFORDERLICH"})
    ended = [await sent(kreis, number) for number in (52, 51)]

    assert [answer.status_code for answer in with_entry] == [ACCEPTED] * 2
    assert (seen["personen"], seen["hoechstzahl"], seen["stand"]) == (52, None, "AKTIV")
    assert [decided(answer) for answer in ended] == [REFUSED] * 2


async def test_the_volume_of_an_entry_bounds_single_transfers_too(kreis: Kreis) -> None:
    """Beyond fifty as many pass as the entry names, and not one more."""
    await registered(kreis, hoechstzahl=52)
    await filled(kreis)
    answers = [await sent(kreis, number) for number in (50, 51, 52, 51)]

    assert [answer.status_code for answer in answers] == [202, 202, 403, 202]


@pytest.mark.parametrize("most", [None, 100], ids=["without a volume", "with one"])
async def test_what_an_entry_does_not_list_falls_beyond_fifty_alone(kreis: Kreis, most: int | None) -> None:
    """Up to fifty persons all passes; beyond, a category outside the entry is taken out: so it has to be counted."""
    await registered(kreis, kategorien=["STAMMDATEN", "LEISTUNGSBEZUG", "LEISTUNGSHOEHE"], hoechstzahl=most)
    await filled(kreis)
    answer = await sent(kreis, 50, ueberhang="entfernen")

    assert answer.status_code == ACCEPTED, answer.text
    assert [(one["category"], one["code"]) for one in answer.json()["removed"]] == [("ANSCHRIFT", REFUSED[1])]


async def test_what_waits_beyond_fifty_passes_while_its_entry_stands(kreis: Kreis) -> None:
    """Deciding again at the hand-over counts nobody twice, and lets all of it through."""
    await registered(kreis, hoechstzahl=None)
    for start in range(0, 60, 10):
        await sent(kreis, *range(start, start + 10))

    assert len(await waiting(kreis)) == 6


async def test_what_waits_falls_with_its_entry_where_there_are_too_many(kreis: Kreis) -> None:
    """The end of an entry stops what passed by it alone: beyond fifty, counted at the hand-over where nobody had."""
    jobcenter = await kreis.office(JOBCENTER)
    await filled(kreis)
    before = await waiting(kreis)
    procedure = await registered(kreis, hoechstzahl=None)
    by_it = (await sent(kreis, 50)).json()["transfer_id"]
    await jobcenter.post(f"/v1/procedures/{procedure}/end", {"grund": "BEANSTANDET"})

    assert (len(before), await waiting(kreis)) == (5, set())
    assert await jobcenter.state(by_it) == "returned"


async def test_what_waits_stays_where_its_entry_was_not_needed(kreis: Kreis) -> None:
    """Up to fifty persons the end of an entry stops no single transfer: it would have passed without."""
    procedure = await registered(kreis, hoechstzahl=None)
    await filled(kreis)
    await (await kreis.office(JOBCENTER)).post(f"/v1/procedures/{procedure}/end", {"grund": "BEANSTANDET"})

    assert len(await waiting(kreis)) == 5


async def test_what_was_recorded_before_all_were_counted_goes_on(kreis: Kreis, monkeypatch: pytest.MonkeyPatch) -> None:
    """A single transfer whose decision says nothing of a procedure or a number is handed over as it was permitted."""
    with monkeypatch.context() as before:
        before.setattr(service, "seek", lambda *given: replace(seek(*given), procedure=None))
        old = (await sent(kreis, 60)).json()["transfer_id"]
    await filled(kreis, 49)

    assert old in await waiting(kreis)
    assert (await said(kreis))[0]["anzahl_personen"] is None


async def said(kreis: Kreis) -> list[dict[str, Any]]:
    """Return what the facts of all decisions declare, in order."""
    found = await rows(kreis.gateway, "SELECT facts FROM decisions ORDER BY at, id")
    facts = [orjson.loads(row.facts) if isinstance(row.facts, str) else row.facts for row in found]
    return [one["facts"]["declarations"] for one in facts]


async def test_at_two_gateways_at_once_there_is_no_fifty_first(kreis: Kreis, data_dir: Path) -> None:
    """Of many that come at once at two gateways as many pass as there is room for."""
    await filled(kreis, 47)
    async with open_kreis(data_dir) as other:
        offices = [await kreis.office(JOBCENTER), await other.office(JOBCENTER)]
        answers = await asyncio.gather(
            *(
                office.submit(SOZIALAMT, persons=[somebody(60 + 2 * number + place)])
                for number in range(5)
                for place, office in enumerate(offices)
            )
        )

    assert sorted(answer.status_code for answer in answers) == [202] * 3 + [403] * 7
    assert await kreis.scalar(COUNTED) == 50


async def test_facts_say_the_number_and_the_entry(kreis: Kreis) -> None:
    """A decision names how many persons it counted; where an entry carries all of it, the entry and no number."""
    await sent(kreis, 0, 1)
    procedure = await registered(kreis, hoechstzahl=None)
    await sent(kreis, 2)

    assert [(one["anzahl_personen"], (one["verfahren"] or {}).get("verfahren_id")) for one in await said(kreis)] == [
        (2, None),
        (None, procedure),
    ]
