"""Every query that an API or a role asks again and again finds its rows by an index, on tables that have grown."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncConnection

from broker import erasure, ops
from broker.attempts import repository as attempts
from broker.audit import export, tree
from broker.bulk import fetch
from broker.cleanup.tasks import TASKS, Task
from broker.consents import repository as consents
from broker.db import Database
from broker.decisions import stored
from broker.delivery import dead, in_flight, notices, quittung
from broker.delivery import repository as handing_over
from broker.delivery.repository import Queue
from broker.duties import repository as duties
from broker.duties.repository import DutyState, Wanted
from broker.erasure import EraseReason, Erasure
from broker.gateway import Gateway
from broker.outbox import repository as outbox
from broker.oversight import proofs, queries
from broker.oversight.queries import Search
from broker.procedures import counter
from broker.procedures import repository as procedures
from broker.requests import repository as requests
from broker.subjects import repository as subjects
from broker.transfers import again, feed
from broker.transfers.gather import ANYTHING
from broker.transfers.service import FIRST_ANSWERS
from tests.broker.filled import GROWING, IN_FLIGHT, fill
from tests.servers.databases import fresh_database
from tests.world import MovableClock, fresh_gateway, on_postgresql

NOW = datetime(2026, 3, 16, 10, tzinfo=UTC)
FIRST = datetime(2023, 4, 1, tzinfo=UTC)
"""When the oldest rows were made."""
DAYS = timedelta(days=3)
ON = date(2026, 3, 16)
UNIT = "agency-7:UNIT"
ROUTE = (UNIT, "agency-49:UNIT", "RECHTSKREISWECHSEL")
SOME_ID = f"{4260:036}"
KEYS = [f"1:case{n}" for n in range(3)]
Ask = Callable[[AsyncConnection], Awaitable[Any]]


ASKED: dict[str, Ask] = {
    "feed": lambda c: feed.changes(c, UNIT, 5000, 50),
    "one transfer": lambda c: feed.seen_by(c, SOME_ID, "agency-60:UNIT"),
    "first answers": lambda c: fetch(c, FIRST_ANSWERS, [UNIT] * 3, ["message-7", "message-8", "message-9"]),
    "anything on record": lambda c: fetch(c, ANYTHING, KEYS, KEYS, KEYS),
    "again": lambda c: again.remember(c, [SOME_ID]),
    "next of an inbox": lambda c: handing_over.next_ids(c, NOW, Queue(recipient=UNIT), [], 8),
    "next of an agency": lambda c: handing_over.next_ids(c, NOW, Queue(agency="agency-7"), [SOME_ID], 8),
    "something waits": lambda c: handing_over.something_waits(c, NOW, UNIT),
    "claim": lambda c: handing_over.claim(c, NOW, [SOME_ID], Queue(recipient=UNIT)),
    "hold": lambda c: handing_over.hold(c, SOME_ID),
    "notices": lambda c: notices.open_notices(c, UNIT, 100, 50),
    "quittungen": lambda c: quittung.quittungen_of(c, SOME_ID),
    "was handed over": lambda c: in_flight._was_handed_over(c, SOME_ID),
    "consents": lambda c: consents.own_consents(c, UNIT, 100, 50),
    "consents by id": lambda c: consents.consents_by_ids(c, [SOME_ID]),
    "consent by own id": lambda c: consents.consent_by_kennung(c, UNIT, "own-7"),
    "near keys of a consent": lambda c: consents.near_of(c, SOME_ID),
    "releases": lambda c: consents.own_consents(c, UNIT, 100, 50, releases=True),
    "releases of persons": lambda c: consents.releases_for(c, KEYS, ON),
    "standing stops": lambda c: consents.standing_stops(c, KEYS, KEYS, KEYS, ON),
    "stops": lambda c: subjects.own_stops(c, UNIT, 100, 50),
    "stop": lambda c: subjects.own_stop(c, UNIT, SOME_ID),
    "stop by own id": lambda c: subjects.stop_by_kennung(c, UNIT, "own-7"),
    "stops of persons": lambda c: subjects.stops_for(c, KEYS, KEYS, KEYS, ON),
    "ersuchen in": lambda c: requests.ersuchen_of(c, UNIT, 100, 50, incoming=True),
    "ersuchen out": lambda c: requests.ersuchen_of(c, UNIT, 100, 50, incoming=False),
    "ersuchen by id": lambda c: requests.ersuchen_by_ids(c, [SOME_ID]),
    "ersuchen by own id": lambda c: requests.ersuchen_by_kennung(c, UNIT, "own-7"),
    "content of an ersuchen": lambda c: requests.content_of(c, SOME_ID),
    "attempts": lambda c: attempts.own_attempts(c, UNIT, 100, 50),
    "attempt": lambda c: attempts.attempt_by_id(c, SOME_ID),
    "attempt by own id": lambda c: attempts.attempt_by_kennung(c, UNIT, "own-7"),
    "attempts of persons": lambda c: attempts.attempts_for(c, KEYS, KEYS),
    "procedures of a route": lambda c: procedures.procedures_for(c, [ROUTE]),
    "procedures": lambda c: procedures.procedures_of(c, UNIT, 100, 50),
    "procedure": lambda c: procedures.procedure_by_id(c, SOME_ID),
    "procedure by own id": lambda c: procedures.procedure_by_kennung(c, UNIT, "own-7"),
    "persons of a route": lambda c: counter.counted_on(c, [ROUTE], ON),
    "count": lambda c: counter.count(c, [ROUTE], [(ROUTE, key) for key in KEYS], ON),
    "audit events": lambda c: queries.entries(c, Search("agency-7"), 100, 50),
    "audit events of a kind": lambda c: queries.entries(c, Search("agency-7", event="consent.recorded"), 0, 50),
    "audit events about": lambda c: queries.entries(c, Search("agency-7", reference=SOME_ID), 0, 50),
    "audit events with": lambda c: queries.entries(c, Search("agency-7", instance=UNIT), 0, 50),
    "audit events since": lambda c: queries.entries(
        c, Search("agency-7", since=NOW - timedelta(days=9), until=NOW), 0, 50
    ),
    "audit sides": lambda c: queries.sides(c, [SOME_ID]),
    "proof by id": lambda c: proofs.placed(c, SOME_ID, None),
    "proof by leaf": lambda c: proofs.placed(c, None, bytes(16)),
    "export": lambda c: export._read(c, 1000, 1100),
    "notes": lambda c: export._notes(c, 1000, 1100),
    "unsealed": lambda c: tree.unsealed(c, 100),
    "oldest unsealed": tree.oldest_unsealed,
    "head": tree.head,
    "tiles": lambda c: tree.read_tiles(c, [(0, 1), (0, 2)]),
    "dead letters": lambda c: dead.dead_letters(c, dead.Wanted(), 100, 50),
    "dead letters of an agency": lambda c: dead.dead_letters(c, dead.Wanted(agency="agency-7"), 0, 50),
    "dead letters of a sender": lambda c: dead.dead_letters(c, dead.Wanted(sender=UNIT, since=NOW), 0, 50),
    "a dead letter": lambda c: dead.dead_letter(c, f"{4261:036}"),
    "open duties": lambda c: duties.duties(c, Wanted("agency-7", UNIT), ON, None, 51),
    "overdue duties": lambda c: duties.duties(c, Wanted("agency-7", None, DutyState.OVERDUE), ON, None, 51),
    "next duties": lambda c: duties.duties(
        c, Wanted("agency-7", UNIT, due_before=ON), ON, (date(2025, 1, 1), SOME_ID), 51
    ),
    "done duties": lambda c: duties.duties(c, Wanted("agency-7", UNIT, DutyState.DONE), ON, None, 51),
    "all open duties": lambda c: duties.duties(c, Wanted(), ON, None, 51),
    "a decision": lambda c: stored.decision_by_id(c, SOME_ID),
    "a duty": lambda c: duties.duty(c, SOME_ID),
    "duties of a transfer": lambda c: duties.duties_of(c, SOME_ID),
    "how many are overdue": lambda c: ops.overdue(c, date(2023, 6, 1)),
    "relay looks": lambda c: outbox.anything_waits(c, [1, 2]),
    "relay takes": lambda c: outbox.claim(c, [1, 2], ["topic-9"], NOW),
}


class Listener:
    """Notes statements that a connection sends, with their parameters."""

    def __init__(self, database: Database) -> None:
        self.sent: list[tuple[str, Any]] = []
        event.listen(database.engine.sync_engine, "before_cursor_execute", self.note)

    def note(self, _c: Any, _cursor: Any, statement: str, parameters: Any, _x: Any, _many: bool) -> None:
        """Note one, unless it is a question about a plan, or a write."""
        if statement.lstrip().upper().startswith(("SELECT", "UPDATE", "DELETE")):
            self.sent.append((statement, parameters))


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give a data directory whose database has grown; made once."""
    with fresh_database() as url:
        folder = tmp_path_factory.mktemp("filled")
        (folder / "settings.json").write_text(json.dumps({"database_url": url}))
        yield folder


_FILLED: set[Path] = set()


@pytest.fixture
async def grown(filled: Path) -> AsyncIterator[Gateway]:
    """Give a gateway on it."""
    async with fresh_gateway(filled, MovableClock(NOW)) as gateway:
        if filled not in _FILLED:
            async with gateway.db.writing() as connection:
                await fill(connection)
            async with gateway.db.writing() as connection:
                await connection.execute(text("ANALYZE"))
            _FILLED.add(filled)
        yield gateway


def scans(plan: Any) -> Iterator[str]:
    """Walk a plan for tables that are read from one end to the other."""
    if isinstance(plan, dict):
        if plan.get("Node Type") in {"Seq Scan", "Parallel Seq Scan"}:
            yield str(plan["Relation Name"])
        for part in plan.values():
            yield from scans(part)
    elif isinstance(plan, list):
        for part in plan:
            yield from scans(part)


async def whole_scans(gateway: Gateway, ask: Ask) -> dict[str, str]:
    """Ask, and return growing tables that a plan reads as a whole → the statement."""
    listener = Listener(gateway.db)
    found: dict[str, str] = {}
    async with gateway.db.reading() as connection:
        await ask(connection)
        for statement, parameters in list(listener.sent):
            sent = await connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters)
            plan = sent.scalar_one()
            found |= {
                table: statement
                for table in scans(json.loads(plan) if isinstance(plan, str) else plan)
                if table.removesuffix("_rest") in GROWING  # all rows lie in the rest; the months are empty
            }
        await connection.rollback()
    assert listener.sent
    return found


pytestmark = on_postgresql


@pytest.mark.parametrize("name", ASKED)
async def test_an_index_serves(grown: Gateway, deployment: str, name: str) -> None:
    """No query of an API reads a table that grows from one end to the other."""
    assert deployment
    assert await whole_scans(grown, ASKED[name]) == {}


@pytest.fixture
def young(tmp_path: Path) -> Iterator[Path]:
    """Give a data directory whose database holds nothing yet."""
    with fresh_database() as url:
        (tmp_path / "settings.json").write_text(json.dumps({"database_url": url}))
        yield tmp_path


async def test_first_answers_are_not_read_whole_while_they_are_few(deployment: str, young: Path) -> None:
    """The plan made on a new database looks into the index: a connection keeps it while the table grows."""
    assert deployment
    async with fresh_gateway(young, MovableClock(NOW)) as gateway, gateway.db.reading() as connection:
        asked = [UNIT] * 16, [f"message-{n}" for n in range(16)]
        plan = await connection.exec_driver_sql(f"EXPLAIN {FIRST_ANSWERS.postgresql}", asked)
        lines = [str(row[0]) for row in plan]
    assert any("Index Scan" in line for line in lines)
    assert not any("Seq Scan on submissions" in line for line in lines)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
async def test_an_index_serves_the_clean_up(grown: Gateway, deployment: str, task: Task) -> None:
    """Nor does the clean-up, where little is over; it may read all that is in flight."""
    assert deployment
    found = await whole_scans(grown, lambda c: c.execute(task.find(FIRST + DAYS).limit(200)))
    assert set(found) <= IN_FLIGHT


ERASED = {
    "transfer": Erasure(EraseReason.ANTRAG, transfer=SOME_ID),
    "due": Erasure(EraseReason.FRIST, due=True),
}


@pytest.mark.parametrize("what", ERASED)
async def test_an_index_serves_erasure(grown: Gateway, deployment: str, what: str) -> None:
    """Nor does erasing what lies beside the evidence of a transfer, or is due (here: of the first days)."""
    assert deployment
    early = replace(grown, clock=lambda: FIRST + DAYS + timedelta(days=grown.settings.side_abruf_days))
    query = erasure._chosen(early, ERASED[what], early.clock()).limit(200)
    assert await whole_scans(grown, lambda c: c.execute(query)) == {}


async def test_a_query_without_an_index_is_found(grown: Gateway, deployment: str) -> None:
    """The test can fail: a search by what has no index reads the table as a whole."""
    assert deployment
    query = text("SELECT id FROM transfers WHERE digest = 'x'")
    assert set(await whole_scans(grown, lambda c: c.execute(query))) == {"transfers"}
