"""A catalogue counts from its day on: seen before, on record, and asked at hand-over without a restart."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from broker.clock import Timekeeper
from broker.law import keeper, repository
from broker.law.activation import CannotActivate, activate, effects
from broker.law.named import NoSuchCatalogue, find
from consent.catalogue import Catalogue, load_catalogue, read_catalogue
from tests.broker.law.variants import files_with
from tests.flow.world import BEZUG, JOBCENTER, SOZIALAMT, STAMMDATEN, Kreis
from tests.world import START, rows

TODAY = START.date()
TOMORROW = TODAY + timedelta(days=1)
ROUTE = ("RECHTSKREISWECHSEL", "JOBCENTER", "SOZIALAMT_SGBXII")
NEEDED = """"STAMMDATEN", "ORDNUNGSMERKMAL", "ANSCHRIFT", "FAMILIENSTAND", "HAUSHALT", "LEISTUNGSBEZUG",
    "LEISTUNGSHOEHE", """


@pytest.fixture(scope="module")
def narrower() -> Catalogue:
    """Give a catalogue in which no route of this purpose needs the amount of benefits any more."""
    return read_catalogue(files_with({("necessity.toml", NEEDED): NEEDED.replace('"LEISTUNGSHOEHE", ', "")}))


async def events(kreis: Kreis) -> list[Any]:
    """Return what the evidence says of activations."""
    return await rows(kreis.gateway, "SELECT actor, data FROM audit_entries WHERE event = 'law.activated' ORDER BY seq")


async def test_what_is_queued_is_told_before(kreis: Kreis, narrower: Catalogue) -> None:
    """Of two transfers one needs what falls: it is counted with its code, by purpose and route; nothing is changed."""
    jobcenter = await kreis.office(JOBCENTER)
    await jobcenter.accepted(SOZIALAMT)
    await jobcenter.accepted(SOZIALAMT, [STAMMDATEN, BEZUG])
    before = await rows(kreis.gateway, "SELECT id, state, state_at FROM transfers ORDER BY seq")
    decisions = await kreis.scalar("SELECT count(*) FROM decisions")
    found = await effects(kreis.gateway, narrower, TOMORROW)

    [(route, effect)] = found.items()
    assert route == ROUTE
    assert (effect.queued, dict(effect.falls), effect.anyway, effect.passes) == (2, {"NICHT_ERFORDERLICH": 1}, 0, 0)
    assert await rows(kreis.gateway, "SELECT id, state, state_at FROM transfers ORDER BY seq") == before
    assert await kreis.scalar("SELECT count(*) FROM decisions") == decisions
    assert await repository_days(kreis) == []


async def test_what_is_handed_over_or_gone_by_then_is_not_told(kreis: Kreis, narrower: Catalogue) -> None:
    """A transfer that its recipient has, and one that expires before the day, are none of the queued."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    await jobcenter.accepted(SOZIALAMT)
    late = await effects(kreis.gateway, narrower, TODAY + timedelta(days=60))
    await kreis.pump()
    await sozialamt.inbox()

    assert late == {}
    assert await effects(kreis.gateway, narrower, TOMORROW) == {}


async def test_what_was_not_given_is_shown_as_not_given(kreis: Kreis, narrower: Catalogue) -> None:
    """A decision that sends a transfer back at its hand-over gives the recipient nothing to read, and owes nothing."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    transfer = await jobcenter.accepted(SOZIALAMT)
    await kreis.pump()
    await activate(kreis.gateway, narrower, TOMORROW)
    kreis.clock.move(days=1)
    got = await sozialamt.inbox()
    seen = [(await one.get(f"/v1/transfers/{transfer}")).json()["decisions"] for one in (jobcenter, sozialamt)]
    last = seen[0][-1]["link"]
    officer = await kreis.officer("sozialamt-herten")
    read = (await officer.get(last, reason="Beschwerde der betroffenen Person")).json()

    assert got == []
    assert [len(one) for one in seen] == [2, 0]
    assert (await sozialamt.get(last)).status_code == 404
    assert {duty["standing"] for duty in read["duties"]} == {"fulfilled", "lapsed"}
    assert [duty["due"] for duty in read["duties"]] == [None] * len(read["duties"])


async def test_by_a_wrong_clock_nothing_is_put_in_force(kreis: Kreis, narrower: Catalogue) -> None:
    """A machine whose clock stands still would take a day that is over for one to come."""

    async def a_day_later() -> datetime:
        return kreis.clock() + timedelta(days=2)

    late = replace(kreis.gateway, second_clock=a_day_later, timekeeper=Timekeeper())
    with pytest.raises(CannotActivate, match="Die Uhr dieses Rechners"):
        await activate(late, narrower, TOMORROW)

    assert await repository_days(kreis) == []


async def test_another_catalogue_in_the_place_of_one_is_not_taken_for_it(kreis: Kreis, narrower: Catalogue) -> None:
    """Bytes under a fingerprint that is not theirs are not shown, not explained by and not put in force."""
    await activate(kreis.gateway, narrower, TOMORROW)
    wrong = "f" * 64
    async with kreis.gateway.db.writing() as connection:
        await repository.keep(connection, wrong, narrower.source_bytes, kreis.clock())

    with pytest.raises(NoSuchCatalogue, match="ein anderer Katalog"):
        await find(kreis.gateway, wrong)


async def test_both_sides_of_the_effect(kreis: Kreis, narrower: Catalogue) -> None:
    """Seen from the narrower catalogue, the wider one lets through what would fall; and a fallen one falls anyway."""
    await (await kreis.office(JOBCENTER)).accepted(SOZIALAMT)
    await activate(kreis.gateway, narrower, TODAY)
    wider = await effects(kreis.gateway, load_catalogue(), TOMORROW)
    same = await effects(kreis.gateway, narrower, TOMORROW)

    assert (wider[ROUTE].passes, wider[ROUTE].falls.total(), wider[ROUTE].anyway) == (1, 0, 0)
    assert (same[ROUTE].passes, same[ROUTE].falls.total(), same[ROUTE].anyway) == (0, 0, 1)


async def test_what_waits_is_decided_by_the_new_law_at_hand_over(kreis: Kreis, narrower: Catalogue) -> None:
    """Accepted under the old law, fetched under the new one: the recipient gets nothing, the sender gets it back."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    fallen = await jobcenter.accepted(SOZIALAMT)
    stays = await jobcenter.accepted(SOZIALAMT, [STAMMDATEN, BEZUG])
    await kreis.pump()
    await activate(kreis.gateway, narrower, TOMORROW)
    kreis.clock.move(days=1)
    got = [item["transfer_id"] for item in await sozialamt.inbox()]
    new = await jobcenter.submit(SOZIALAMT)
    named = await rows(kreis.gateway, "SELECT occasion, catalogue FROM decisions ORDER BY at, id")

    assert got == [stays]
    assert await jobcenter.state(fallen) == "returned"
    assert (new.status_code, new.json()["kind"]) == (403, "not_permitted")
    assert {row.catalogue for row in named if row.occasion == "hand_over"} == {narrower.fingerprint}
    assert named[0].catalogue == load_catalogue().fingerprint


async def test_until_its_day_the_old_law_decides(kreis: Kreis, narrower: Catalogue) -> None:
    """What counts from tomorrow changes nothing today."""
    await activate(kreis.gateway, narrower, TOMORROW)
    answer = await (await kreis.office(JOBCENTER)).submit(SOZIALAMT)

    assert answer.status_code == 202


async def test_another_gateway_takes_it_on_by_looking(kreis: Kreis, narrower: Catalogue) -> None:
    """What one process recorded, another one decides by after its next look, without a restart."""
    gateway = kreis.gateway
    async with gateway.db.writing() as connection:
        await repository.keep(connection, narrower.fingerprint, narrower.source_bytes, START)
        await repository.set_day(connection, TODAY, narrower.fingerprint, START)
    jobcenter = await kreis.office(JOBCENTER)
    before = await jobcenter.submit(SOZIALAMT)
    await keeper.look(gateway)
    after = await jobcenter.submit(SOZIALAMT)

    assert (before.status_code, after.status_code) == (202, 403)


async def test_it_is_on_record(kreis: Kreis, narrower: Catalogue) -> None:
    """The evidence names day, catalogue and the one before; the bytes are kept; twice the same is recorded once."""
    done = [await activate(kreis.gateway, narrower, TOMORROW) for _ in range(2)]
    back = await activate(kreis.gateway, load_catalogue(), TOMORROW)
    first, second = await events(kreis)

    assert (done, back) == ([True, False], True)
    assert first.actor == "operator:*"
    shipped = load_catalogue().fingerprint
    for entry, catalogue, before in ((first, narrower.fingerprint, shipped), (second, shipped, narrower.fingerprint)):
        data = entry.data if isinstance(entry.data, dict) else json.loads(entry.data)
        assert data == {"day": TOMORROW.isoformat(), "catalogue": catalogue, "before": before}
    kept = await kreis.scalar("SELECT content FROM catalogues WHERE fingerprint = :f", f=narrower.fingerprint)
    assert kept == narrower.source_bytes
    assert kreis.gateway.law.on(TOMORROW).fingerprint == shipped


async def test_the_past_and_an_empty_law_are_refused(kreis: Kreis, narrower: Catalogue) -> None:
    """Decisions were taken on days that are over; a catalogue of which nothing counts would refuse everything."""
    with pytest.raises(CannotActivate, match="Vergangenheit"):
        await activate(kreis.gateway, narrower, TODAY - timedelta(days=1))
    empty = files_with({("purposes.toml", "nur_intern = true\n"): ""}) | {"necessity.toml": b""}
    with pytest.raises(CannotActivate, match="keine Zeile"):
        await activate(kreis.gateway, read_catalogue(empty), TOMORROW)

    assert await repository_days(kreis) == []
    assert await events(kreis) == []


async def test_catalogues_are_found_by_day_beginning_and_folder(kreis: Kreis, narrower: Catalogue) -> None:
    """A day names the catalogue that counts then; the beginning of a fingerprint is enough where it is one alone."""
    await activate(kreis.gateway, narrower, TOMORROW)
    by_day = [(await find(kreis.gateway, day.isoformat())).catalogue.fingerprint for day in (TODAY, TOMORROW)]
    by_beginning = (await find(kreis.gateway, narrower.fingerprint[:10])).catalogue.fingerprint

    assert by_day == [load_catalogue().fingerprint, narrower.fingerprint]
    assert by_beginning == narrower.fingerprint
    for wrong in ("0" * 64, "abc", "2026-13-01", "nirgends"):
        with pytest.raises(NoSuchCatalogue):
            await find(kreis.gateway, wrong)


async def test_a_catalogue_that_cannot_be_read_is_named(kreis: Kreis) -> None:
    """Whoever asks for it, on the command line or over HTTP, hears which it is, or that it is not to be had now."""
    async with kreis.gateway.db.writing() as connection:
        await repository.keep(connection, "f" * 64, b"no catalogue", START)
        await repository.set_day(connection, TOMORROW, "f" * 64, START)
    await keeper.look(kreis.gateway)
    answer = await (await kreis.office(JOBCENTER)).get("/v1/law", on=TOMORROW.isoformat())

    with pytest.raises(NoSuchCatalogue, match="f" * 64):
        await find(kreis.gateway, TOMORROW.isoformat())
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")


async def repository_days(kreis: Kreis) -> list[date]:
    """Return the days that are recorded."""
    async with kreis.gateway.db.reading() as connection:
        return [row.day for row in await repository.days(connection)]
