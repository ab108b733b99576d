"""A process that lives on another day than the database: it decides and hands over nothing, and takes no lease."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import httpx
import pytest

from broker import clock
from broker.app import create_app
from broker.audit.sequencer import Sealer
from broker.clock import REMEMBERED_SECONDS, Timekeeper
from broker.gateway import ClockOff
from broker.outbox.relay import Relay
from tests.flow.test_stops import BLOCKS, NAMED
from tests.flow.world import FOLDER_AGENCY, JOBCENTER, SOZIALAMT, Kreis, consent_body, person
from tests.world import MovableClock, eventually

OFFICE = f"{FOLDER_AGENCY}:SOZIALAMT_SGBXII"
DAYS = 4


@pytest.fixture
def truth() -> MovableClock:
    """Return the database's clock."""
    return MovableClock()


@pytest.fixture
def compared(kreis: Kreis, truth: MovableClock, monkeypatch: pytest.MonkeyPatch) -> Kreis:
    """Give the service whose clock, that of the Kreis, is compared with the database's each time."""
    monkeypatch.setattr(clock, "COMPARED_EVERY_SECONDS", 0)

    async def database_says() -> datetime | None:
        return truth()

    kreis.gateway = replace(kreis.gateway, second_clock=database_says)
    kreis.app = create_app(kreis.gateway, kreis.transport)
    return kreis


async def waiting(kreis: Kreis, recipient: str) -> str:
    """Let a transfer wait whose consent will be over in two days."""
    jobcenter = await kreis.office(JOBCENTER)
    body = consent_body(recipient, "CASE_MANAGEMENT", NAMED, person(), gueltig_bis="2026-03-18")
    consent = (await jobcenter.post("/v1/consents", body)).json()["id"]
    parts: dict[str, Any] = {"purpose": "CASE_MANAGEMENT", "persons": [person()], "consents": [consent]}
    transfer = await jobcenter.accepted(recipient, BLOCKS, **parts)
    await kreis.publish()
    await kreis.take_in()
    return transfer


async def every_way(kreis: Kreis, transfer: str) -> list[httpx.Response]:
    """Try every way on which something is decided by the day."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    return [
        await jobcenter.submit(SOZIALAMT),
        await jobcenter.post_xml("/v1/transfers/check", jobcenter.message(SOZIALAMT)),
        await sozialamt.get("/v1/inbox"),
        await sozialamt.post(f"/v1/transfers/{transfer}/key"),
    ]


@pytest.mark.parametrize("way", ["pull", "push"])
@pytest.mark.parametrize("looks", [True, False])
async def test_nothing_is_handed_over_on_a_day_that_is_past(
    compared: Kreis, truth: MovableClock, monkeypatch: pytest.MonkeyPatch, way: str, looks: bool
) -> None:
    """The consent is over; a process that lives days before that waits. One that did not look would hand over."""
    transfer = await waiting(compared, OFFICE if way == "push" else SOZIALAMT)
    sozialamt = await compared.office(SOZIALAMT)
    await sozialamt.headers()
    truth.move(days=DAYS)
    if not looks:

        async def believes(*_: Any) -> bool:
            return True

        monkeypatch.setattr(Timekeeper, "is_right", believes)
    if way == "push" and looks:
        with pytest.raises(ClockOff):
            await compared.deliver()
    elif way == "push":
        await compared.deliver()
    else:
        await sozialamt.get("/v1/inbox")

    handed_over = await compared.scalar("SELECT count(*) FROM transfer_events WHERE state = 'handing_over'")
    state = await compared.scalar("SELECT state FROM transfers WHERE id = :id", id=transfer)
    assert (handed_over, state) == ((0, "published") if looks else (1, state))


@pytest.mark.parametrize("days", [DAYS, -DAYS])
async def test_a_gateway_on_another_day_says_so_and_comes_back_by_itself(compared: Kreis, days: int) -> None:
    """503 with Retry-After on every way, with a token that is good; as soon as the clock is right, all goes on."""
    transfer = await waiting(compared, SOZIALAMT)
    before = await every_way(compared, transfer)
    for office in compared.offices.values():
        await office.headers()
    kept = {name: office._token for name, office in compared.offices.items()}
    compared.clock.move(days=days)
    for name, office in compared.offices.items():
        token = kept[name]
        assert token is not None
        office._token = (token[0], compared.clock().max.replace(tzinfo=compared.clock().tzinfo))
    wrong = await every_way(compared, transfer)
    compared.clock.move(days=-days)

    async def right() -> bool:
        return {answer.status_code for answer in await every_way(compared, transfer)} <= {200, 202, 409}

    await eventually(right, 5 * REMEMBERED_SECONDS)

    assert [answer.status_code for answer in before] == [202, 200, 200, 409]
    assert {(a.status_code, a.json()["type"]) for a in wrong} == {(503, "/problems/temporarily-unavailable")}
    assert all(int(answer.headers["retry-after"]) > 0 for answer in wrong)


async def test_relay_and_sealer_on_another_day_take_no_lease(compared: Kreis) -> None:
    """A lease that ends in another time would keep the others out until then."""
    await (await compared.office(JOBCENTER)).accepted(SOZIALAMT)
    compared.clock.move(hours=1)
    with pytest.raises(ClockOff):
        await Relay(compared.gateway, compared.transport, "one").renew()
    with pytest.raises(ClockOff):
        await Sealer(compared.gateway, "one").seal()

    assert await compared.scalar("SELECT count(*) FROM outbox_leases WHERE holder IS NOT NULL") == 0
    assert await compared.scalar("SELECT count(*) FROM audit_sealer WHERE holder IS NOT NULL") == 0
