"""Where sealing is away new transfers wait, and nothing else does; it ends by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import event

from broker.audit.freshness import sealing
from broker.audit.sequencer import Sealer
from broker.transfers.preconditions import URGENT_PURPOSES
from consent.catalogue import load_catalogue
from schemas.identifiers import DataCategory
from tests.flow.world import ASD, JOBCENTER, SOZIALAMT, Kreis, Office, consent_body, open_kreis, person

BOUND, URGENT = 60, 600
CHILD = (DataCategory.STAMMDATEN, DataCategory.ANSCHRIFT, DataCategory.KINDESWOHL)


@pytest.fixture
async def kreis(data_dir: Path) -> AsyncIterator[Kreis]:
    """Give a running service that asks for sealing."""
    async with open_kreis(data_dir, unsealed_seconds=BOUND, unsealed_urgent_seconds=URGENT) as running:
        yield running


async def seal(kreis: Kreis) -> None:
    """Let a sealer seal all that waits."""
    sealer = Sealer(kreis.gateway, "one")
    while await sealer.seal():
        pass
    await sealer.stop()


async def outcome(answer: httpx.Response) -> tuple[int, str]:
    """Return status and type of an answer."""
    return answer.status_code, answer.json().get("type", "").removeprefix("/problems/")


async def urgent(office: Office) -> httpx.Response:
    """Submit for the protection of a child what the law permits."""
    declared = {"gewichtige_anhaltspunkte": True}
    return await office.submit(ASD, CHILD, purpose="KINDERSCHUTZ", declarations=declared)


async def test_new_transfers_wait_until_sealing_has_caught_up(kreis: Kreis) -> None:
    """Past the bound a transfer and a check get 503 with Retry-After; sealed, the same message is taken."""
    jobcenter = await kreis.office(JOBCENTER)
    await jobcenter.accepted(SOZIALAMT)
    kreis.clock.move(seconds=BOUND)
    message = jobcenter.message(SOZIALAMT)
    await jobcenter.accepted(SOZIALAMT)
    kreis.clock.move(seconds=1.5)
    stopped = await jobcenter.post_xml("/v1/transfers", message)
    checked = await jobcenter.post_xml("/v1/transfers/check", message)
    transfers = await kreis.scalar("SELECT count(*) FROM transfers")
    await seal(kreis)
    kreis.clock.move(seconds=int(stopped.headers["retry-after"]))
    again = await jobcenter.post_xml("/v1/transfers", message)

    assert await outcome(stopped) == await outcome(checked) == (503, "temporarily-unavailable")
    assert transfers == 2
    assert again.status_code == httpx.codes.ACCEPTED
    assert "idempotent-replayed" not in again.headers


async def test_what_protects_a_person_never_waits(kreis: Kreis) -> None:
    """Withdrawal, objection, quittung and the end of a key pass, however long nothing was sealed."""
    jobcenter, sozialamt, who = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT), person()
    body = consent_body(SOZIALAMT, "CASE_MANAGEMENT", ["KONTAKT"], who)
    consent = (await jobcenter.post("/v1/consents", body)).json()["id"]
    await jobcenter.accepted(SOZIALAMT)
    recalled = await jobcenter.accepted(SOZIALAMT)
    await kreis.pump()
    kreis.clock.move(hours=12)
    assert (await jobcenter.submit(SOZIALAMT)).status_code == httpx.codes.SERVICE_UNAVAILABLE
    stop = {
        "art": "OPT_OUT",
        "person": {"familienname": "Muster", "vornamen": "Max", "geburtsdatum": "1980-01-01"},
        "datum": "2026-03-16",
        "erklaert_von": "betroffene Person",
    }
    answers = [
        await jobcenter.post(f"/v1/transfers/{recalled}/recall"),
        await jobcenter.post(f"/v1/consents/{consent}/withdrawal"),
        await jobcenter.post("/v1/objections", stop),
    ]
    [item] = await sozialamt.inbox()
    answers.append(await sozialamt.answer(item, "VERARBEITET"))

    assert [answer.is_success for answer in answers] == [True] * 4
    assert await kreis.scalar("SELECT count(*) FROM transfer_keys") == 0


async def test_kinderschutz_has_the_longer_bound(kreis: Kreis) -> None:
    """Where others wait already, kinderschutz passes; past its own bound it waits too."""
    jobcenter = await kreis.office(JOBCENTER)
    kreis.clock.move(seconds=BOUND + 2)
    assert await outcome(await jobcenter.submit(SOZIALAMT)) == (503, "temporarily-unavailable")
    assert await outcome(await urgent(jobcenter)) == (202, "")
    kreis.clock.move(seconds=URGENT)
    assert await outcome(await urgent(jobcenter)) == (503, "temporarily-unavailable")


def test_the_urgent_purpose_is_one_of_the_catalogue() -> None:
    """A purpose that the catalogue does not know would never be urgent."""
    assert b'code = "KINDERSCHUTZ"' in load_catalogue().source_bytes
    assert {"KINDERSCHUTZ"} == URGENT_PURPOSES


async def test_the_hot_path_does_not_ask_the_database_each_time(kreis: Kreis) -> None:
    """Within a second one look serves all."""
    jobcenter = await kreis.office(JOBCENTER)
    await jobcenter.headers()
    kreis.clock.move(seconds=2)
    looks: list[str] = []

    def note(*given: object) -> None:
        looks.extend(str(part) for part in given if isinstance(part, str) and "FROM audit_pending" in part)

    event.listen(kreis.gateway.db.engine.sync_engine, "before_cursor_execute", note)
    for _ in range(5):
        await jobcenter.accepted(SOZIALAMT)
    assert len(looks) == 1
    kreis.clock.move(seconds=1)
    await jobcenter.accepted(SOZIALAMT)
    assert len(looks) == 2


async def test_operations_see_age_and_size(kreis: Kreis) -> None:
    """The age is that of the oldest unsealed entry, and nothing once all are sealed."""
    await (await kreis.office(JOBCENTER)).accepted(SOZIALAMT)
    kreis.clock.move(seconds=30)
    before = await sealing(kreis.gateway)
    await seal(kreis)
    after = await sealing(kreis.gateway)

    assert (before.size, before.age(kreis.clock()).total_seconds()) == (0, 30)
    assert (after.size > 1, after.age(kreis.clock()).total_seconds()) == (True, 0)
