"""What officers read of the evidence, and that reading it leaves a trace."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from sqlalchemy import text

from broker.audit.events import EVENTS
from tests.flow.world import JOBCENTER, SOZIALAMT, Kreis, Office
from tests.triggers import refuse
from tests.world import evidence

PATH = "/v1/audit/events"
REASON = "Prüfung nach Art. 39 DSGVO"
HOME, OTHER, STRANGER = "jobcenter-kreis-re", "sozialamt-herten", "jugendamt-marl"


async def search(officer: Office, **filters: Any) -> list[dict[str, Any]]:
    """Return what an officer finds."""
    answer = await officer.get(PATH, **{"reason": REASON, **filters})
    assert answer.status_code == httpx.codes.OK, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def looks(kreis: Kreis) -> int:
    """Return how many looks are on record."""
    return len(await evidence(kreis.gateway, "audit.read"))


async def test_officers_alone_may_read(kreis: Kreis) -> None:
    """An instance and an operator are told which role it takes; without a token nobody is told anything."""
    for client in (await kreis.office(JOBCENTER), await kreis.operator()):
        answer = await client.get(PATH, reason=REASON)
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/wrong-role")
        assert answer.json()["allowed"] == ["officer"]
    async with kreis.http() as http:
        assert (await http.get(PATH, params={"reason": REASON})).status_code == httpx.codes.UNAUTHORIZED
    assert await looks(kreis) == 0


@pytest.mark.parametrize("given", [{}, {"reason": ""}, {"reason": "zu knapp."}, {"reason": "x" * 501}])
async def test_without_a_reason_nothing_is_shown(kreis: Kreis, given: dict[str, str]) -> None:
    """A reason of ten characters at least is asked for, at its field."""
    answer = await (await kreis.officer(HOME)).get(PATH, **given)

    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-request")
    assert [error["field"] for error in answer.json()["errors"]] == ["query.reason"]
    assert await looks(kreis) == 0


async def test_the_look_itself_is_on_record(kreis: Kreis) -> None:
    """Each look is an entry with its filters; its reason lies beside it, where it can be erased."""
    officer = await kreis.officer(HOME)
    found = await search(officer, event="audit.read", limit=7)
    [(entry, side)] = await evidence(kreis.gateway, "audit.read")

    assert [item["id"] for item in found] == [entry.id]
    assert entry.data == {"filters": {"event": "audit.read", "limit": 7}}
    assert (entry.actor, side) == (f"officer:{HOME}", {"client": officer.client.client_id, "reason": REASON})
    assert found[0]["side"] == side


async def test_a_look_that_cannot_be_recorded_shows_nothing(kreis: Kreis) -> None:
    """Where the entry about the look is refused, so is the look."""
    officer = await kreis.officer(HOME)
    await (await kreis.office(JOBCENTER)).accepted(SOZIALAMT)
    await refuse(kreis.gateway, "INSERT", "audit_entries", "NEW.event = 'audit.read'")
    answer = await officer.get(PATH, reason=REASON)

    assert answer.status_code == httpx.codes.INTERNAL_SERVER_ERROR
    assert "transfer.permitted" not in answer.text


async def test_an_officer_sees_the_own_agency_alone(kreis: Kreis) -> None:
    """Both sides' officers see a transfer; a third agency's sees nothing of it."""
    transfer = await (await kreis.office(JOBCENTER)).accepted(SOZIALAMT)
    seen = {
        agency: {item["event"] for item in await search(await kreis.officer(agency), reference=transfer)}
        for agency in (HOME, OTHER, STRANGER)
    }

    assert seen == {HOME: {"transfer.permitted"}, OTHER: {"transfer.permitted"}, STRANGER: set()}
    own = await search(await kreis.officer(STRANGER))
    assert {item["sender"] for item in own} == {f"{STRANGER}:"}


async def test_what_lies_beside_is_shown_to_the_own_side(kreis: Kreis) -> None:
    """Case, persons and client are the sender's; the recipient's officer sees of the side what both know anyway."""
    transfer = await (await kreis.office(JOBCENTER)).accepted(SOZIALAMT)
    [own] = await search(await kreis.officer(HOME), reference=transfer)
    [foreign] = await search(await kreis.officer(OTHER), reference=transfer)

    assert set(own["side"]) == {"client", "message_id", "payload_digest", "case", "persons"}
    assert set(foreign["side"]) == {"message_id", "payload_digest"}
    assert own["side"]["persons"] not in str(foreign)
    assert (own["leaf"], own["commitments"]) == (foreign["leaf"], foreign["commitments"])


async def travelled(kreis: Kreis) -> tuple[str, str]:
    """Send one transfer to two offices, a day apart; return their ids."""
    jobcenter = await kreis.office(JOBCENTER)
    first = await jobcenter.accepted(SOZIALAMT)
    kreis.clock.move(days=1)
    second = await jobcenter.accepted("sozialamt-marl:SOZIALAMT_SGBXII")
    return first, second


async def test_filters_narrow_the_search(kreis: Kreis) -> None:
    """Event, reference, instance and both ends of time each leave what they name; together all must hold."""
    first, second = await travelled(kreis)
    officer = await kreis.officer(HOME)
    day = kreis.clock().isoformat()
    event = "transfer.permitted"

    async def found(**filters: Any) -> list[str]:
        return [item["reference"] for item in await search(officer, event=event, **filters)]

    assert await found() == [first, second]
    assert await found(reference=second) == [second]
    assert await found(instance=SOZIALAMT) == [first]
    assert await found(instance=JOBCENTER) == [first, second]
    assert await found(since=day) == [second]
    assert await found(until=day) == [first]
    assert await found(until=day, reference=second) == []
    assert await search(officer, event="consent.recorded") == []


@pytest.mark.parametrize("field", ["since", "until"])
async def test_a_time_needs_its_zone(kreis: Kreis, field: str) -> None:
    """A naive time could mean two moments, and is refused with an example."""
    answer = await (await kreis.officer(HOME)).get(PATH, reason=REASON, **{field: "2026-03-16T10:00:00"})

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)
    assert "+01:00" in answer.json()["detail"]


async def test_an_unknown_event_is_answered_with_the_known_ones(kreis: Kreis) -> None:
    """Whoever mistypes an event gets the list."""
    answer = await (await kreis.officer(HOME)).get(PATH, reason=REASON, event="transfer.invented")

    assert (answer.status_code, answer.json()["errors"][0]["allowed"]) == (422, sorted(EVENTS))
    assert "invented" not in answer.text


@pytest.mark.parametrize(
    ("field", "value"),
    [("reference", "Zzmarker Erika"), ("instance", "Zzmarker Erika"), ("instance", "zzmarker:ERIKA"), ("name", "x")],
)
async def test_a_filter_cannot_carry_a_name_into_the_log(kreis: Kreis, field: str, value: str) -> None:
    """Filters stay in the evidence for good: what is no id and no instance is refused, unquoted and unrecorded."""
    answer = await (await kreis.officer(HOME)).get(PATH, reason=REASON, **{field: value})

    assert answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY
    assert answer.json()["errors"][0]["field"].endswith(field)
    assert "marker" not in answer.text
    assert await looks(kreis) == 0


async def test_the_reason_stays_at_the_side(kreis: Kreis) -> None:
    """A name in the reason is found beside the entry alone, and is gone when that is erased."""
    officer = await kreis.officer(HOME)
    await search(officer, reason="Beschwerde von Frau Zzmarker")
    [(entry, side)] = await evidence(kreis.gateway, "audit.read")
    assert "Zzmarker" in side["reason"]
    assert "Zzmarker" not in str(entry)
    async with kreis.gateway.db.writing() as connection:
        await connection.execute(text("DELETE FROM audit_side"))
    await kreis.gateway.db.shred()

    assert b"Zzmarker" not in kreis.database_bytes()


async def test_pages_have_no_gaps_and_no_doubles(kreis: Kreis) -> None:
    """Page by page an officer reads what one large page holds, though each look adds an entry."""
    await travelled(kreis)
    await kreis.pump()
    officer = await kreis.officer(HOME)
    whole = await search(officer, limit=500)
    paged: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        more = {} if cursor is None else {"cursor": cursor}
        page = (await officer.get(PATH, reason=REASON, limit=3, **more)).json()
        paged += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
        assert len(page["items"]) == 3

    assert paged[: len(whole)] == whole
    assert [item["event"] for item in paged[len(whole) :]] == ["audit.read"]
    assert [item["seq"] for item in paged] == sorted({item["seq"] for item in paged})


async def test_reading_on_comes_to_an_end(kreis: Kreis) -> None:
    """One by one an officer reads all there was at the first look, and no later look, though each adds an entry."""
    officer = await kreis.officer(HOME)
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await officer.get(PATH, reason=REASON, limit=1, event="audit.read", cursor=cursor)).json()
        found += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
    recorded = [entry.id for entry, _ in await evidence(kreis.gateway, "audit.read")]

    assert found == recorded[:1]
    assert len(recorded) == 2


@pytest.mark.parametrize("cursor", ["Zzmarker", "-1", "1", "1.", ".5", "1.5.2", "1.-5", "٣.4", "3.٤", "9" * 30 + ".1"])
async def test_a_cursor_of_ones_own_making_is_refused(kreis: Kreis, cursor: str) -> None:
    """Only what this API gave out is a cursor."""
    answer = await (await kreis.officer(HOME)).get(PATH, reason=REASON, cursor=cursor)

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "cursor")
    assert cursor not in answer.text
    assert await looks(kreis) == 0
