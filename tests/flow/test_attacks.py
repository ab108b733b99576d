"""What a hostile client, a bad record or a bad setting must not achieve."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import httpx
import pytest
from joserfc import jws
from joserfc.jwk import KeySet
from sqlalchemy import text, update

from adapters.base import Package
from adapters.registry import ConfiguredAdapter
from broker.app import running
from broker.auth.models import Client
from broker.body_limit import LARGEST_OTHER
from broker.delivery import intake
from broker.delivery.handover import LAID_ASIDE
from broker.delivery.repository import FAULT
from broker.delivery.worker import adapters_of, deliver_once
from broker.directory.service import load
from schemas.compose import BlockSpec, PersonSpec
from schemas.identifiers import DataCategory, OriginMark
from tests.flow.world import (
    BEZUG,
    FOLDER_AGENCY,
    HOEHE,
    JOBCENTER,
    SOZIALAMT,
    STAMMDATEN,
    Kreis,
    Office,
    consent_body,
    ersuchen_body,
    person,
)
from tests.world import eventually, kreis_directory

FOLDER_OFFICE = f"{FOLDER_AGENCY}:SOZIALAMT_SGBXII"
MANAGED = (STAMMDATEN, DataCategory.KONTAKT, DataCategory.SCHULDEN)
BLOCK = 65_536


async def write(kreis: Kreis, sql: str, **values: Any) -> None:
    """Change the database behind the service's back."""
    async with kreis.gateway.db.writing() as connection:
        await connection.execute(text(sql), values)


def stop_body(who: PersonSpec, kind: str) -> dict[str, str | dict[str, str]]:
    """Return the body of an objection of the person."""
    return {
        "art": kind,
        "person": {"familienname": who.family, "vornamen": who.given, "geburtsdatum": who.birth.isoformat()},
        "datum": "2026-03-16",
        "erklaert_von": "betroffene Person",
    }


@pytest.mark.parametrize("path", ["/v1/consents", "/v1/objections", "/v1/transfers/x/recall"])
async def test_large_body_of_a_stranger_is_not_read(kreis: Kreis, path: str) -> None:
    """Of a body without end no more is read than its kind may be long, although nobody has said who sends it."""
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while read < 100 * BLOCK:
            read += BLOCK
            yield b" " * BLOCK

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": await anext(body), "more_body": True}

    async def send(message: dict[str, Any]) -> None:
        answers.append(message)

    body = endless()
    answers: list[dict[str, Any]] = []
    headers = [(b"host", b"gateway.example"), (b"content-type", b"application/json")]
    scope: dict[str, Any] = {"type": "http", "http_version": "1.1", "method": "POST", "scheme": "http"}
    scope |= {"path": path, "query_string": b"", "headers": headers}
    await kreis.app(scope, receive, send)  # type: ignore[arg-type]  # plain dicts, as a server gives them

    assert answers[0]["status"] in {httpx.codes.REQUEST_ENTITY_TOO_LARGE, httpx.codes.UNAUTHORIZED}
    assert read <= LARGEST_OTHER + BLOCK


async def test_too_large_body_says_its_limit(kreis: Kreis) -> None:
    """A JSON body over the limit is a problem that names the limit, not one that calls it unreadable."""
    jobcenter = await kreis.office(JOBCENTER)
    answer = await jobcenter.post("/v1/consents", {"x": "a" * LARGEST_OTHER})

    assert (answer.status_code, answer.json()["type"]) == (413, "/problems/payload-too-large")
    assert answer.json()["limit"] == LARGEST_OTHER


@pytest.mark.parametrize("order", [("anna", "xaver"), ("xaver", "anna")])
async def test_withdrawal_counts_for_whoever_withdrew(kreis: Kreis, order: tuple[str, str]) -> None:
    """A withdrawal under an Aktenzeichen stops its own person's older consents, not another's of the same message."""
    jobcenter = await kreis.office(JOBCENTER)
    people = {"anna": person("Anders", "Anna", ref="anna"), "xaver": person("Zett", "Xaver", ref="xaver")}
    named = [category.value for category in MANAGED]

    async def consent(name: str) -> str:
        body = consent_body(SOZIALAMT, "CASE_MANAGEMENT", named, people[name], aktenzeichen="BG-77")
        return str((await jobcenter.post("/v1/consents", body)).json()["id"])

    withdrawn, older, annas = await consent("xaver"), await consent("xaver"), await consent("anna")
    await jobcenter.post(f"/v1/consents/{withdrawn}/withdrawal")
    blocks = [BlockSpec(category, person=who, id=f"{who}-{category}") for who in order for category in MANAGED]
    answer = await jobcenter.submit(
        SOZIALAMT, blocks, purpose="CASE_MANAGEMENT", persons=[people[who] for who in order],
        consents=[older, annas], case_sender="BG-77", ueberhang="entfernen",
    )  # fmt: skip

    assert answer.status_code == httpx.codes.ACCEPTED, answer.text
    assert {block.partition("-")[0] for block in answer.json()["decision"]["kept"]} == {"anna"}


OPINION = (STAMMDATEN, BEZUG, HOEHE, BlockSpec(DataCategory.ERWERBSFAEHIGKEIT, marks=(OriginMark.GUTACHTEN,), id="g"))
NOTICED = {"hinweis_par76": date(2026, 3, 1)}


async def test_block_that_falls_by_anothers_record_does_not_say_why(kreis: Kreis) -> None:
    """An opinion that falls because the recipient has an objection on record falls under the neutral code."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    on_its_way = await jobcenter.accepted(SOZIALAMT, OPINION, declarations=NOTICED)
    await sozialamt.post("/v1/objections", stop_body(person(), "WIDERSPRUCH_PAR76"))
    answers = [
        await jobcenter.submit(SOZIALAMT, OPINION, declarations=NOTICED, ueberhang=wanted)
        for wanted in ("ablehnen", "entfernen")
    ]
    removed = [answer.json()["removed"] for answer in answers]
    history = (await jobcenter.get(f"/v1/transfers/{on_its_way}")).json()["history"]

    assert [answer.status_code for answer in answers] == [403, 202]
    assert [(block["block"], block["code"], block["norms"]) for [block] in removed] == [
        ("g", "NICHT_ZULAESSIG", [])
    ] * 2
    assert (history[-1]["state"], history[-1]["reason"]) == ("withdrawn", "NICHT_ZULAESSIG")
    assert "76" not in "".join(str(block) for [block] in removed)


async def test_statement_verifies_and_says_no_more_than_both_may_know(kreis: Kreis) -> None:
    """The signed statement holds under the published keys; what fell by one side's record falls neutrally for both."""
    jobcenter = await kreis.office(JOBCENTER)
    await jobcenter.post("/v1/objections", stop_body(person(), "WIDERSPRUCH_PAR76"))
    answer = await jobcenter.submit(SOZIALAMT, OPINION, declarations=NOTICED, ueberhang="entfernen")
    async with kreis.http() as http:
        keys = KeySet.import_key_set((await http.get("/v1/keys")).json())
    statement = json.loads(jws.deserialize_compact(answer.json()["statement"], keys, algorithms=["Ed25519"]).payload)

    assert [block["code"] for block in answer.json()["removed"]] == ["PAR76"]
    assert [block["code"] for block in statement["removed"]] == ["NICHT_ZULAESSIG"]
    assert statement["carried_sha256"] == await kreis.scalar("SELECT digest FROM transfers")


async def test_instance_that_left_the_directory_sends_nothing(kreis: Kreis) -> None:
    """Once its agency is out of the directory an instance neither submits nor checks, whatever access it still has."""
    office = await kreis.office(FOLDER_OFFICE)
    assert (await office.submit(JOBCENTER)).status_code == httpx.codes.ACCEPTED
    document = kreis_directory(kreis.gateway.settings.data_dir)
    rest = tuple(agency for agency in document.agencies if agency.id != FOLDER_AGENCY)
    await load(kreis.gateway, replace(document, agencies=rest))
    answers = [await office.post_xml(path, office.message(JOBCENTER)) for path in PATHS]

    assert [answer.json()["type"] for answer in answers] == ["/problems/unknown-agency"] * 2
    assert {answer.json()["field"] for answer in answers} == {"kopf/absender"}


PATHS = ("/v1/transfers", "/v1/transfers/check")


async def test_clock_that_goes_back_keeps_no_revoked_client(kreis: Kreis) -> None:
    """What was read of revocations counts for seconds, also where the clock jumps back meanwhile."""
    jobcenter = await kreis.office(JOBCENTER)
    headers = await jobcenter.headers()
    await jobcenter.http.get("/v1/transfers", headers=headers)
    revoked = {"status": "revoked", "revoked_at": kreis.clock() - timedelta(minutes=10)}
    async with kreis.gateway.db.writing() as connection:
        await connection.execute(update(Client).where(Client.client_id == jobcenter.client.client_id).values(**revoked))
    kreis.clock.move(minutes=-10)

    assert (await jobcenter.http.get("/v1/transfers", headers=headers)).status_code == httpx.codes.UNAUTHORIZED


async def test_one_office_with_bad_settings_stops_no_other(kreis: Kreis) -> None:
    """Settings that an adapter refuses leave that office waiting; the others are served."""
    jobcenter = await kreis.office(JOBCENTER)
    transfer = await jobcenter.accepted(FOLDER_OFFICE)
    settings = json.dumps({"channel": "brieftaube"})
    await write(kreis, "UPDATE agency_channels SET settings = :s WHERE id = 'sozialamt-datteln'", s=settings)
    await kreis.pump()

    assert await jobcenter.state(transfer) == "delivered"


def fault(*_: object) -> Package:
    """Fail as no adapter should."""
    raise KeyError("Zzmarker")


async def test_fault_of_one_dialect_is_waited_out_and_stops_no_other(
    kreis: Kreis, caplog: pytest.LogCaptureFixture
) -> None:
    """What a dialect raises against its contract counts as a failed attempt of its office; the others are served."""
    other = "sozialamt-datteln"
    jobcenter = await kreis.office(JOBCENTER)
    served, failing = [await jobcenter.accepted(f"{name}:SOZIALAMT_SGBXII") for name in (FOLDER_AGENCY, other)]
    await kreis.publish()
    await kreis.take_in()
    adapters = await adapters_of(kreis.gateway)
    working = adapters[FOLDER_AGENCY]
    assert isinstance(working, ConfiguredAdapter)
    broken = replace(working, dialect=replace(working.dialect, plan=fault))
    await deliver_once(kreis.gateway, {other: broken, FOLDER_AGENCY: working})
    row = await kreis.scalar("SELECT last_error FROM deliveries WHERE transfer_id = :id", id=failing)

    assert [await jobcenter.state(transfer) for transfer in (served, failing)] == ["delivered", "handing_over"]
    assert row == FAULT
    assert "Zzmarker" not in caplog.text


async def test_office_that_cannot_be_looked_at_stops_no_other(kreis: Kreis) -> None:
    """A fault that one office meets before anything is brought leaves the others their turn."""
    jobcenter = await kreis.office(JOBCENTER)
    transfer = await jobcenter.accepted(FOLDER_OFFICE)
    await kreis.publish()
    await kreis.take_in()
    working = (await adapters_of(kreis.gateway))[FOLDER_AGENCY]
    assert isinstance(working, ConfiguredAdapter)
    broken = replace(working, settings=None)  # type: ignore[arg-type]  # this is the fault
    await deliver_once(kreis.gateway, {"sozialamt-datteln": broken, FOLDER_AGENCY: working})

    assert await jobcenter.state(transfer) == "delivered"


@pytest.mark.parametrize("damaged", [b"", b"\0", b"\0" * 40])
async def test_content_that_does_not_open_blocks_no_other(kreis: Kreis, damaged: bytes) -> None:
    """A ciphertext that is damaged in the database ends as dead; what lies behind it is handed over."""
    broken, whole, sozialamt = await two_waiting(kreis)
    await write(kreis, "UPDATE deliveries SET sealed = :sealed WHERE transfer_id = :id", sealed=damaged, id=broken)
    fetched = [item["transfer_id"] for item in await sozialamt.inbox()]

    assert fetched == [whole]
    assert await (await kreis.office(JOBCENTER)).state(broken) == "dead"


async def two_waiting(kreis: Kreis) -> tuple[str, str, Office]:
    """Let two transfers of two cases wait in an inbox; return their ids and the office."""
    jobcenter = await kreis.office(JOBCENTER)
    first, second = [await jobcenter.accepted(SOZIALAMT, case_sender=case) for case in ("BG-1", "BG-2")]
    await kreis.pump()
    return first, second, await kreis.office(SOZIALAMT)


async def test_transfer_whose_sealing_key_is_missing_is_laid_aside(kreis: Kreis) -> None:
    """A fault of one transfer leaves the others their way; after a while it is tried again, and comes once mended."""
    broken, whole, sozialamt = await two_waiting(kreis)
    change = "UPDATE transfer_keys SET sealing_kid = :kid WHERE transfer_id = :id"
    await write(kreis, change, kid="away", id=broken)
    [first] = await sozialamt.inbox()
    await sozialamt.answer(first)
    await write(kreis, change, kid="1", id=broken)
    during = await sozialamt.inbox()
    kreis.clock.now += LAID_ASIDE

    assert (first["transfer_id"], during) == (whole, [])
    assert [item["transfer_id"] for item in await sozialamt.inbox()] == [broken]


async def test_directory_that_cannot_be_read_does_not_end_the_intake(kreis: Kreis) -> None:
    """While the directory is away the intake waits, and goes on once it is back."""
    transfer = await (await kreis.office(JOBCENTER)).accepted(SOZIALAMT)
    await kreis.publish()
    kreis.clock.move(minutes=1)
    await write(kreis, "ALTER TABLE agencies RENAME TO agencies_away")
    async with running([intake.run(kreis.gateway, kreis.transport)]):
        await asyncio.sleep(0.2)
        await write(kreis, "ALTER TABLE agencies_away RENAME TO agencies")

        async def arrived() -> bool:
            return bool(await kreis.scalar("SELECT transfer_id FROM deliveries") == transfer)

        await eventually(arrived)


async def test_empty_inbox_does_not_wait_for_those_who_write(kreis: Kreis) -> None:
    """Looking into an empty inbox takes no turn of the one writer: many who wait do not hold up a submission."""
    sozialamt = await kreis.office(SOZIALAMT)
    await sozialamt.headers()
    async with kreis.gateway.db.writing():
        assert await asyncio.wait_for(sozialamt.inbox(), 10) == []


@pytest.mark.parametrize("cursor", ["9" * 5000, "-1", "1e9", "٣", "1;DROP TABLE transfers"])
@pytest.mark.parametrize("path", ["/v1/transfers", "/v1/notices"])
async def test_cursor_that_is_none_is_refused(kreis: Kreis, path: str, cursor: str) -> None:
    """A made-up cursor is a bad request, never a fault of ours."""
    jobcenter = await kreis.office(JOBCENTER)
    answer = await jobcenter.get(path, cursor=cursor)

    assert answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY
    assert answer.json()["type"] == "/problems/invalid-request"


@pytest.mark.parametrize("given", [{"since": "0001-01-01T00:00:00+14:00"}, {"until": "9999-12-31T23:59:59-14:00"}])
async def test_moment_without_a_form_in_utc_is_refused(kreis: Kreis, given: dict[str, str]) -> None:
    """At the ends of the calendar a moment may have no form in UTC: a bad request, never a fault of ours."""
    officer = await kreis.officer("jobcenter-kreis-re")
    answer = await officer.get("/v1/audit/events", reason="Stichprobe im Quartal", **given)

    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-request")


@pytest.mark.parametrize("norm", ["§ 1 Zzmarker hat Schulden SGB X", "§ 41 SGB XII Zzmarker", "§ 41 SGB XII zzmarker"])
async def test_norm_carries_no_name_into_the_evidence(kreis: Kreis, norm: str) -> None:
    """The norm of an Ersuchen stays in the evidence for good, so it is a citation and nothing beside it."""
    sozialamt = await kreis.office(SOZIALAMT)
    answer = await sozialamt.post("/v1/ersuchen", ersuchen_body(JOBCENTER, person(), norm=norm))

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "norm")
    assert b"zzmarker" not in kreis.database_bytes().lower()


async def test_recipient_does_not_read_why_the_sender_withdrew(kreis: Kreis) -> None:
    """The reason of an end before handing over may rest on the sender's record: the recipient sees the state alone."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    transfer = await jobcenter.accepted(SOZIALAMT)
    await jobcenter.post("/v1/objections", stop_body(person(), "WIDERSPRUCH_ART21"))
    offices = (jobcenter, sozialamt)
    told = [(await office.get(f"/v1/transfers/{transfer}")).json()["history"][-1] for office in offices]
    fed = [(await office.get("/v1/transfers")).json()["items"][-1] for office in offices]

    assert [event["state"] for event in told + fed] == ["withdrawn"] * 4
    assert [event["reason"] for event in told + fed] == ["WIDERSPRUCH", None] * 2
