"""Instance A against the objects of B: not seen, not counted, not timed, not guessed.

Timing is compared by what takes time: the statements that the database gets, in their order, are the same for an object
of others and for an id that nothing has. That is exact, where a stopwatch would be flaky.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import event, text

from broker.access import Over, Role
from broker.app import accesses
from schemas.compose import compose_quittung
from tests.flow.world import (
    ASYL,
    JOBCENTER,
    KITA,
    SOZIALAMT,
    Kreis,
    Office,
    attempt_body,
    consent_body,
    ersuchen_body,
    person,
    procedure_body,
)
from tests.world import rows

#: Not of anybody: the directory, the law, the language, and the tiles of the log, which are a role's to see whole.
NO_OBJECTS = {"agency_id", "row", "slug", "path", "level"}
#: What is sent to each route of an object that wants a body.
BODIES: Mapping[str, Mapping[str, Any]] = {
    "/v1/consents/{consent_id}/withdrawal": {},
    "/v1/releases/{release_id}/withdrawal": {},
    "/v1/objections/{stop_id}/end": {"grund": "IRRTUM"},
    "/v1/ersuchen/{ersuchen_id}/close": {"grund": "IRRTUM"},
    "/v1/procedures/{procedure_id}/approval": {"genehmigt_am": "2026-02-01", "aufsicht": "RECHTSAUFSICHT"},
    "/v1/procedures/{procedure_id}/notice": {"unterrichtet_am": "2026-02-01", "stelle": "LDI_NRW"},
    "/v1/procedures/{procedure_id}/end": {"grund": "ERSETZT"},
    "/v1/first-collections/{attempt_id}/outcome": {"ergebnis": "IRRTUM"},
    "/v1/duties/{duty_id}/done": {},
    "/v1/notices/{notice_id}/acknowledgement": {"massnahme": "GELOESCHT"},
    "/v1/transfers/{transfer_id}/key": {},
    "/v1/transfers/{transfer_id}/recall": {},
}
QUITTUNG = "/v1/inbox/{transfer_id}/quittung"
REASON = {"reason": "Beschwerde einer Person"}
#: What is of one of two sides alone.
ONE_SIDES = {Over.SENDER, Over.RECIPIENT, Over.RECORDED, Over.BOUND}
#: Numbers in answers that count what is the reader's own.
OWN_NUMBERS = {"attempt", "attempts", "hoechstzahl", "personen"}
#: Of each answer alone.
OF_ONE_ANSWER = {"traceparent", "traceresponse", "date", "server-timing", "x-request-id"}


@dataclass
class World:
    """B's two sides with an object of each kind, and A, an instance and an officer who are sides of none."""

    kreis: Kreis
    owners: tuple[Office, Office]
    strangers: tuple[Office, Office]
    """An instance of another agency, and another instance of the agency of one side."""
    officer: Office
    objects: dict[str, list[str]]
    unseen: dict[str, bytes]
    """Path of a list → what A was answered before any of B's objects was there (the same for each of both)."""
    sent: list[str]

    @contextmanager
    def statements(self) -> Iterator[list[str]]:
        """Note the statements of a block."""
        self.sent.clear()
        yield self.sent

    async def asked(self, who: Office, method: str, path: str, identity: str, **params: Any) -> Any:
        """Return what an answer says and what it cost: status, headers, body, statements."""
        headers = await who.headers()
        full, more = re.sub(r"{\w+}", identity, path), dict[str, Any]()
        if path == QUITTUNG:
            more["content"] = quittung(who, identity, self.kreis)
            headers = headers | {"content-type": "application/xml"}
        elif method == "POST":
            more["json"] = BODIES[path]
        with self.statements() as sent:
            answer = await who.http.request(method, full, headers=headers, params=params, **more)
        named = {name: value for name, value in answer.headers.items() if name not in OF_ONE_ANSWER}
        return answer.status_code, named, answer.content, tuple(sent)


def quittung(who: Office, transfer_id: str, kreis: Kreis) -> bytes:
    """Return a quittung of an office for any transfer."""
    given = {"message_id": str(uuid4()), "created_at": kreis.clock(), "status": "ANGENOMMEN"}
    return compose_quittung(transfer_id=transfer_id, reply_to=str(UUID(int=7)), sender=who.instance or KITA, **given)


def lists(kreis: Kreis, role: Role) -> list[str]:
    """Return the paths of all lists of somebody's data that a role may read."""
    return [
        path
        for (method, path), declared in accesses(kreis.app).items()
        if method == "GET" and "{" not in path and declared.over.get(role) not in {None, Over.NOBODY, Over.HASHES}
    ]


def object_ways(kreis: Kreis, role: Role) -> list[tuple[str, str, str]]:
    """Return (method, path, name of its id) of all routes to one object that a role may call."""
    found = []
    for (method, path), declared in accesses(kreis.app).items():
        names = [name for name in re.findall(r"{(\w+)", path) if name not in NO_OBJECTS]
        if role in declared.over and names:
            assert len(names) == 1, path
            found.append((method, path, names[0]))
    return found


async def recorded(office: Office, path: str, body: Mapping[str, Any]) -> str:
    """Record something; return its id."""
    answer = await office.post(path, body)
    assert answer.status_code == httpx.codes.CREATED, (path, answer.text)
    return str(answer.json()["id"])


async def transfers(kreis: Kreis, jobcenter: Office, sozialamt: Office) -> list[str]:
    """Leave transfers that are answered, handed over, recalled after that, dead, and still on their way."""
    ids = [await jobcenter.accepted(SOZIALAMT, case_sender=f"BG-{n}") for n in range(4)]
    await kreis.pump()
    items = {item["transfer_id"]: item for item in await sozialamt.inbox()}
    await sozialamt.answer(items[ids[0]])
    for one in ids[1:3]:
        await jobcenter.post(f"/v1/transfers/{one}/recall")
    async with kreis.gateway.db.writing() as connection:
        await connection.execute(text("UPDATE transfers SET state = 'dead' WHERE id = :id"), {"id": ids[3]})
    return [*ids, await jobcenter.accepted(SOZIALAMT, case_sender="BG-9")]


async def objects(kreis: Kreis, jobcenter: Office, sozialamt: Office) -> dict[str, list[str]]:
    """Leave two objects of each kind or more; return name of the id in paths → ids."""
    her = person("Anders", "Berta", date(1970, 1, 2))
    consent = consent_body(SOZIALAMT, "RECHTSKREISWECHSEL", ["LEISTUNGSBEZUG"], her)
    stop = {
        "person": consent["person"],
        "art": "WIDERSPRUCH_ART21",
        "datum": "2026-03-02",
        "erklaert_von": "betroffene Person",
    }
    kinds: dict[str, tuple[Office, str, dict[str, Any]]] = {
        "consent_id": (jobcenter, "/v1/consents", consent),
        "release_id": (
            jobcenter,
            "/v1/releases",
            consent | {"entbunden": {"name": "Dr. X", "natuerliche_person": True}},
        ),
        "stop_id": (jobcenter, "/v1/objections", stop | {"art": "WIDERSPRUCH_ART21"}),
        "ersuchen_id": (sozialamt, "/v1/ersuchen", ersuchen_body(JOBCENTER, her)),
        "procedure_id": (jobcenter, "/v1/procedures", procedure_body(JOBCENTER, SOZIALAMT)),
        "attempt_id": (sozialamt, "/v1/first-collections", attempt_body(her)),
    }
    found = {"transfer_id": await transfers(kreis, jobcenter, sozialamt)}
    for name, (office, path, body) in kinds.items():
        found[name] = [await recorded(office, path, body) for _ in range(2)]
    seen = [(await jobcenter.get(f"/v1/transfers/{one}")).json() for one in found["transfer_id"]]
    found["decision_id"] = [decision["id"] for one in seen for decision in one["decisions"]]
    for name, path in (("duty_id", "/v1/duties"), ("notice_id", "/v1/notices")):
        found[name] = [item["id"] for item in (await sozialamt.get(path)).json()["items"]]
    return found


@pytest.fixture
async def world(kreis: Kreis) -> AsyncIterator[World]:
    """Give B's objects and A."""
    jobcenter, sozialamt, kita, asyl = [await kreis.office(one) for one in (JOBCENTER, SOZIALAMT, KITA, ASYL)]
    officer = await kreis.officer("jugendamt-herten")
    unseen = {path: (await kita.get(path)).content for path in lists(kreis, Role.INSTANCE)}
    sent: list[str] = []
    event.listen(kreis.gateway.db.engine.sync_engine, "before_cursor_execute", lambda *given: sent.append(given[2]))
    found = await objects(kreis, jobcenter, sozialamt)
    yield World(kreis, (jobcenter, sozialamt), (kita, asyl), officer, found, unseen, sent)
    await officer.http.aclose()


async def test_objects_of_others_are_answered_like_absent_ones(world: World) -> None:
    """Same status, headers, bytes and statements, for an instance and an officer, on every route to an object."""
    strangers = [(one, Role.INSTANCE) for one in world.strangers]
    for who, role in (*strangers, (world.officer, Role.OFFICER)):
        for method, path, name in object_ways(world.kreis, role):
            params = REASON if role is Role.OFFICER and "decisions" in path else {}
            await world.asked(who, method, path, str(uuid4()), **params)  # what is read once is read now
            for identity in world.objects[name]:
                foreign = await world.asked(who, method, path, identity, **params)
                absent = await world.asked(who, method, path, str(uuid4()), **params)
                assert foreign[0] == httpx.codes.NOT_FOUND, (role, method, path, foreign)
                assert foreign == absent, (role, method, path)


async def test_the_objects_are_there_for_their_own_sides(world: World) -> None:
    """Each route to an object finds each sample for one of its sides; so a 404 to others says something."""
    for method, path, name in sorted(object_ways(world.kreis, Role.INSTANCE)):  # looks before changes
        assert world.objects[name], name
        answers = [await world.asked(who, method, path, world.objects[name][0]) for who in world.owners]
        allowed = {404, 422} if path != QUITTUNG else {404}
        assert any(answer[0] not in allowed for answer in answers), (method, path, answers)


async def test_data_is_the_sides_that_the_table_names(world: World) -> None:
    """What is one side's alone is to the other like what does not exist; what is both sides', both are shown."""
    table = accesses(world.kreis.app)
    walked = set()
    for method, path, name in sorted(object_ways(world.kreis, Role.INSTANCE)):
        over, identity = table[method, path].over[Role.INSTANCE], world.objects[name][0]
        if over is Over.DECIDED:
            continue
        await world.asked(world.owners[0], method, path, str(uuid4()))
        answers = [await world.asked(who, method, path, identity) for who in world.owners]
        absent = [await world.asked(who, method, path, str(uuid4())) for who in world.owners]
        hidden = [answer == none for answer, none in zip(answers, absent, strict=True)]
        assert sum(hidden) == (over in ONE_SIDES), (method, path, answers)
        walked.add(over)

    assert walked == {Over.SIDES, Over.NAMED} | ONE_SIDES


async def test_an_officer_is_not_told_that_others_entries_are_there(world: World) -> None:
    """A proof of an entry that concerns other agencies alone is refused like that of an entry that is not there."""
    entries = "SELECT id, leaf FROM audit_entries WHERE sender LIKE 'jobcenter-kreis-re:%' LIMIT 3"
    path = "/v1/audit/proofs/inclusion"
    await world.asked(world.officer, "GET", path, "", entry=str(uuid4()))
    for row in await rows(world.kreis.gateway, entries):
        for name, known in (("entry", row.id), ("leaf", bytes(row.leaf).hex())):
            foreign = await world.asked(world.officer, "GET", path, "", **{name: known})
            none = str(uuid4()) if name == "entry" else uuid4().hex * 2
            assert foreign == await world.asked(world.officer, "GET", path, "", **{name: none})
            assert foreign[0] == httpx.codes.NOT_FOUND


async def test_lists_and_counts_know_nothing_of_others(world: World) -> None:
    """Every list that A may read is, byte for byte, what it was before B had anything."""
    assert len(world.unseen) > 8
    for who in world.strangers:
        for path, before in world.unseen.items():
            assert cleared((await who.get(path)).json()) == cleared(json.loads(before)), path
    duties = (await world.officer.get("/v1/duties")).json()
    assert duties == {"items": [], "next_cursor": None}
    for reference in [one for ids in world.objects.values() for one in ids]:
        assert (await world.officer.get("/v1/audit/events", reference=reference, **REASON)).json()["items"] == []


def cleared(page: Any) -> Any:
    """Return a page without a cursor that is the reader's own."""
    return page | {"next_cursor": bool(page.get("next_cursor"))}


def made_up(cursor: str) -> str:
    """Return a cursor of the same form that nobody gave."""
    if re.fullmatch(r"[0-9-]{10}\.[0-9a-f-]{36}", cursor):
        return f"{cursor[:10]}.{uuid4()}"
    return str(uuid4()) if re.fullmatch(r"[0-9a-f-]{36}", cursor) else f"{cursor[16:]}{cursor[:16]}"


async def test_cursors_count_nobody_and_serve_one_alone(world: World) -> None:
    """No cursor is a number; B's are for A like made-up ones, and show nothing."""
    for path in lists(world.kreis, Role.INSTANCE):
        pages = [(await who.get(path, limit=1)).json() for who in world.owners]
        cursors = [page["next_cursor"] for page in pages if page.get("next_cursor")]
        assert cursors or path == "/v1/inbox", path
        for cursor in cursors:
            assert not re.fullmatch(r"[0-9.]*", cursor), path
            stranger = world.strangers[0]
            await world.asked(stranger, "GET", path, "", cursor=made_up(cursor))
            foreign = await world.asked(stranger, "GET", path, "", cursor=cursor)
            assert foreign == await world.asked(stranger, "GET", path, "", cursor=made_up(cursor)), path
            assert b'"id"' not in foreign[2]
            assert b"transfer_id" not in foreign[2]


def members(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield name and value of each member of a JSON value."""
    for name, one in value.items() if isinstance(value, dict) else ():
        yield name, one
        yield from members(one)
    for one in value if isinstance(value, list) else ():
        yield from members(one)


async def test_no_answer_to_an_instance_numbers_what_others_do(world: World) -> None:
    """All ids that offices are shown are UUIDs of version 4 or 7; numbers in answers count what is their own."""
    given = [one for ids in world.objects.values() for one in ids]
    assert {UUID(one).version for one in given} <= {4, 7}
    for who in world.owners:
        for path in lists(world.kreis, Role.INSTANCE):
            for name, value in members((await who.get(path)).json()):
                assert not isinstance(value, int) or isinstance(value, bool) or name in OWN_NUMBERS, (path, name)


@pytest.mark.parametrize(("named", "part"), [("consent_id", "consents"), ("ersuchen_id", "ersuchen")])
async def test_a_message_cannot_ask_for_what_others_have_recorded(world: World, named: str, part: str) -> None:
    """A message that names B's consent or Ersuchen is answered like one that names none."""
    answers = []
    for identity in (str(uuid4()), world.objects[named][0], str(uuid4())):
        reference = {part: [identity] if part == "consents" else identity}
        content = world.strangers[0].message(SOZIALAMT, **reference)
        with world.statements() as sent:
            answer = await world.strangers[0].post_xml("/v1/transfers/check", content)
        answers.append((answer.status_code, answer.content, tuple(sent)))

    assert answers[1][0] == httpx.codes.UNPROCESSABLE_ENTITY
    assert answers[1] == answers[2]
