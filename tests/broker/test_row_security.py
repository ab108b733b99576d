"""Row-level security, tried around with the own connection of each reading role."""

# ruff: noqa: S608 - names of our own tables

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import httpx
import pytest
from sqlalchemy import make_url

from broker.logins import login_of
from broker.privileges import CONTROLLERS, INSTANCES, PROCESSES, SEEN_BY, DbRole
from tests.flow import world
from tests.flow.test_stops import objection
from tests.flow.world import ASD, JOBCENTER, SOZIALAMT, Kreis, person
from tests.world import on_postgresql

pytestmark = on_postgresql
THIRD = "sozialamt-marl:SOZIALAMT_SGBXII"
SIDES = (JOBCENTER, SOZIALAMT, THIRD, ASD)
OF_SIDES = "sender = $1 OR recipient = $1"
OF_TRANSFER = f"transfer_id IN (SELECT id FROM transfers WHERE {OF_SIDES})"
OF_CONSENT = "recorded_by = $1 OR $1 IN (SELECT json_array_elements_text(recipients))"
OF_ERSUCHEN = "requester = $1 OR addressee = $1"
#: Table → its key, and which rows an instance may see, as the law of the thing says it.
RIGHTS = {
    "transfers": ("id", OF_SIDES),
    "transfer_events": ("seq", OF_SIDES),
    "notices": ("id", OF_SIDES),
    "deliveries": ("transfer_id", OF_TRANSFER),
    "duties": ("id", "bound = $1"),
    "decisions": ("id", "sender = $1 OR (recipient = $1 AND occasion = 'hand_over' AND outcome <> 'DENY')"),
    "quittungen": ("message_id", OF_TRANSFER),
    "consents": ("id", OF_CONSENT),
    "consent_withdrawals": ("consent_id", f"consent_id IN (SELECT id FROM consents WHERE {OF_CONSENT})"),
    "attempts": ("id", "recorded_by = $1"),
    "attempt_outcomes": ("attempt_id", "attempt_id IN (SELECT id FROM attempts WHERE recorded_by = $1)"),
    "procedures": ("id", OF_SIDES),
    "procedure_steps": ("procedure_id", f"procedure_id IN (SELECT id FROM procedures WHERE {OF_SIDES})"),
    "stops": ("id", "controller = $1"),
    "stop_ends": ("stop_id", "stop_id IN (SELECT id FROM stops WHERE controller = $1)"),
    "ersuchen": ("id", OF_ERSUCHEN),
    "ersuchen_closings": ("ersuchen_id", f"ersuchen_id IN (SELECT id FROM ersuchen WHERE {OF_ERSUCHEN})"),
    "ersuchen_contents": ("ersuchen_id", "ersuchen_id IN (SELECT id FROM ersuchen WHERE addressee = $1)"),
}
OF_CONTROLLER = "split_part(sender, ':', 1) = $1 OR split_part(recipient, ':', 1) = $1"
RIGHTS_OF_OFFICERS = {
    "audit_entries": ("id", OF_CONTROLLER),
    "audit_side": ("entry_id", f"entry_id IN (SELECT id FROM audit_entries WHERE {OF_CONTROLLER})"),
    "decisions": ("id", OF_CONTROLLER),
    "duties": ("id", "agency = $1"),
}
KEYS = {table: key for table, (key, _) in (RIGHTS | RIGHTS_OF_OFFICERS).items()}


def rule_for(table: str, who: str) -> str:
    """Return which rows of a table an instance may see, or the officers of an agency."""
    rights = RIGHTS if ":" in who else RIGHTS_OF_OFFICERS
    return rights[table][1]


@dataclass
class Tried:
    """A database in which much lies, its owner's connection, and one as a login of a single role."""

    owner: asyncpg.Connection[Any]
    login: asyncpg.Connection[Any]
    notices: list[str] = field(default_factory=list)

    async def lawful(self, table: str, who: str) -> set[Any]:
        """Return the keys of the rows that an instance or controller may see."""
        query = f"SELECT {KEYS[table]} FROM {table} WHERE {rule_for(table, who)}"
        return {row[0] for row in await self.owner.fetch(query, who)}

    async def everything(self, table: str) -> set[Any]:
        """Return the keys of all rows."""
        return {row[0] for row in await self.owner.fetch(f"SELECT {KEYS[table]} FROM {table}")}

    async def name(self, setting: str, who: str) -> None:
        """Say by hand whom the session serves."""
        await self.login.execute("SELECT set_config($1, $2, false)", setting, who)


async def fill(kreis: Kreis) -> None:
    """Let each table have rows of several sides: transfers, what comes back, declarations and their ends."""
    who = person()
    jobcenter, sozialamt, third = [await kreis.office(name) for name in (JOBCENTER, SOZIALAMT, THIRD)]
    await jobcenter.accepted(SOZIALAMT)
    recalled = await jobcenter.accepted(SOZIALAMT)
    await jobcenter.accepted(THIRD)
    await kreis.pump()
    for item in await sozialamt.inbox():
        await sozialamt.answer(item)
    await jobcenter.post(f"/v1/transfers/{recalled}/recall")
    for office, recipient in ((jobcenter, SOZIALAMT), (third, JOBCENTER)):
        body = world.consent_body(recipient, "CASE_MANAGEMENT", ["KONTAKT"], who)
        consent = _made(await office.post("/v1/consents", body))
        await office.post(f"/v1/consents/{consent}/withdrawal")
        stop = _made(await office.post("/v1/objections", objection(person(family="Andere"))))
        await office.post(f"/v1/objections/{stop}/end", {"grund": "IRRTUM"})
    for office, asked in ((sozialamt, JOBCENTER), (third, JOBCENTER)):
        _made(await office.post("/v1/ersuchen", world.ersuchen_body(asked, who)))
    for office, recipient in ((jobcenter, SOZIALAMT), (third, JOBCENTER)):
        attempt = _made(await office.post("/v1/first-collections", world.attempt_body(who)))
        await office.post(f"/v1/first-collections/{attempt}/outcome", {"ergebnis": "VERWEIGERT"})
        procedure = _made(await office.post("/v1/procedures", world.procedure_body(office.instance, recipient)))
        await office.post(f"/v1/procedures/{procedure}/end", {"grund": "IRRTUM"})
    closed = _made(await sozialamt.post("/v1/ersuchen", world.ersuchen_body(JOBCENTER, person(family="Dritte"))))
    await sozialamt.post(f"/v1/ersuchen/{closed}/close", {"grund": "ERLEDIGT"})


def _made(answer: httpx.Response) -> str:
    assert answer.status_code == httpx.codes.CREATED, answer.text
    return str(answer.json()["id"])


@pytest.fixture
async def tried(kreis: Kreis, role: DbRole) -> AsyncIterator[Tried]:
    """Give the filled database, with a login that is a member of the role alone."""
    await fill(kreis)
    url = make_url(kreis.gateway.settings.database).set(drivername="postgresql")
    owner = await asyncpg.connect(url.render_as_string(hide_password=False))
    name = f"login_{url.database}_{role}"[-60:]
    await owner.execute(f"CREATE ROLE {name} LOGIN IN ROLE {role}")
    await owner.execute("ANALYZE")
    login = await asyncpg.connect(url.set(username=name).render_as_string(hide_password=False))
    made = Tried(owner, login)
    login.add_log_listener(lambda _, message: made.notices.append(str(message)))
    yield made
    await login.close()
    await owner.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")
    await owner.close()


def sides(setting: str) -> list[str]:
    """Return whom a setting may name in these tests."""
    return [who.partition(":")[0] if setting == CONTROLLERS else who for who in SIDES]


@pytest.mark.parametrize("role", SEEN_BY)
async def test_each_sees_just_its_own_rows(tried: Tried, role: DbRole) -> None:
    """Table by table a side sees what is its own, as the owner counts it; somebody else's rows are there and hidden."""
    setting, tables = SEEN_BY[role]
    rights = RIGHTS if role is DbRole.READER else RIGHTS_OF_OFFICERS
    assert set(tables) == set(rights)
    for table, (key, _) in rights.items():
        hidden = set()
        everything = await tried.everything(table)
        for who in sides(setting):
            await tried.name(setting, who)
            seen = {row[0] for row in await tried.login.fetch(f"SELECT {key} FROM {table}")}
            assert seen == await tried.lawful(table, who), (table, who)
            hidden |= everything - seen
        assert everything, table
        assert hidden, f"every side sees every row of {table}: nothing is shown"


@pytest.mark.parametrize("role", SEEN_BY)
async def test_no_name_opens_more(tried: Tried, role: DbRole) -> None:
    """A name that is nobody's, a pattern, or SQL in the setting shows no row."""
    setting, tables = SEEN_BY[role]
    for who in ("", "%", "*", "' OR true --", "JOBCENTER-KREIS-RE:JOBCENTER", f"{JOBCENTER}x"):
        await tried.name(setting, who)
        for table in tables:
            assert await tried.login.fetch(f"SELECT {KEYS[table]} FROM {table}") == [], table


@pytest.mark.parametrize("role", SEEN_BY)
async def test_no_way_around(tried: Tried, role: DbRole) -> None:
    """COPY, prepared statements, joins, conditions that fail or tell: none reaches a row of another side."""
    setting, tables = SEEN_BY[role]
    who = sides(setting)[2]
    await tried.name(setting, who)
    for table in tables:
        await no_way_around(tried, who, table)
        await nothing_leaks(tried, who, table)


async def no_way_around(tried: Tried, who: str, table: str) -> None:
    """Try one table."""
    key = KEYS[table]
    lawful = {str(one) for one in await tried.lawful(table, who)}
    foreign = {str(one) for one in await tried.everything(table)} - lawful
    assert foreign, table
    out = io.BytesIO()
    await tried.login.copy_from_query(f"SELECT {key} FROM {table}", output=out)
    ways = {
        "prepared": f"PREPARE p_{table} AS SELECT {key}::text FROM {table}; EXECUTE p_{table}",
        "joined": f"SELECT a.{key}::text FROM {table} a FULL JOIN {table} b USING ({key})",
        "unlimited": f"SELECT {key}::text FROM {table} WHERE true OR {key} IS NULL",
    }
    seen = set(out.getvalue().decode().split())
    for way in ways.values():
        *first, last = way.split("; ")
        for statement in first:
            await tried.login.execute(statement)
        seen |= {row[0] for row in await tried.login.fetch(last)}
    known = ", ".join(f"'{one}'" for one in foreign)
    fails = f"SELECT count(*) FROM {table} WHERE 1 / (CASE WHEN {key}::text IN ({known}) THEN 0 ELSE 1 END) = 1"

    assert seen == lawful
    assert await tried.login.fetchval(fails) == len(lawful)


async def nothing_leaks(tried: Tried, who: str, table: str) -> None:
    """See that a function that tells is given own rows alone, and that statistics and parts of the table are closed."""
    tried.notices.clear()
    key = KEYS[table]
    await tried.login.execute(
        "CREATE OR REPLACE FUNCTION pg_temp.tell(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS "
        "'BEGIN RAISE NOTICE ''%'', $1; RETURN true; END'"
    )
    await tried.login.execute(f"SELECT 1 FROM {table} WHERE pg_temp.tell({key}::text)")
    told = "\n".join(tried.notices)
    statistics = "SELECT count(*) FROM pg_stats WHERE tablename LIKE $1"
    lawful = {str(one) for one in await tried.lawful(table, who)}

    assert all(f": {one}" in told or one in told for one in lawful)
    if key != "seq":  # a number may be part of another one
        assert not [one for one in {str(one) for one in await tried.everything(table)} - lawful if one in told]
    assert await tried.login.fetchval(statistics, f"{table}%") == 0
    for (part,) in await tried.owner.fetch(
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = $1::text::regclass", table
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await tried.login.fetch(f"SELECT count(*) FROM {part}")


@pytest.mark.parametrize("role", [role for role in DbRole if role not in SEEN_BY])
async def test_the_setting_gives_others_nothing(tried: Tried, role: DbRole) -> None:
    """A role whose rows no setting limits can name whom it likes: it may read no table that it could not before."""

    async def readable() -> set[str]:
        found = set()
        for table in (*RIGHTS, *RIGHTS_OF_OFFICERS):
            key = KEYS[table]
            try:
                await tried.login.fetch(f"SELECT {key}, {key} IS NULL FROM {table}")
            except asyncpg.InsufficientPrivilegeError:
                continue
            found.add(table)
        return found

    before = await readable()
    for setting in (INSTANCES, CONTROLLERS):
        await tried.name(setting, sides(setting)[0])

    assert await readable() == before
    assert ("audit_side" in before) == (role in {DbRole.ERASER, DbRole.ADMIN})


@pytest.mark.parametrize("role", [DbRole.CONSOLE])
async def test_an_officer_writes_in_nobody_elses_name(tried: Tried, role: DbRole) -> None:
    """The console adds looks of the controller that it serves, and none of others; an error quotes no row."""
    assert role is DbRole.CONSOLE
    home, other = sides(CONTROLLERS)[:2]
    await tried.name(CONTROLLERS, home)
    entry = (
        "INSERT INTO audit_entries (id, at, event, actor, sender, data, commitments, leaf) "
        "VALUES ($1, now(), 'audit.read', 'officer:x', $2, '{}', '{}', $3)"
    )
    known = await tried.owner.fetchval("SELECT id FROM audit_entries WHERE sender IS NULL OR sender NOT LIKE 'job%'")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await tried.login.execute(entry, "01900000-0000-7000-8000-000000000001", f"{other}:", bytes(32))
    with pytest.raises(asyncpg.UniqueViolationError) as double:
        await tried.login.execute(entry, known, f"{home}:", bytes(32))
    await tried.login.execute(entry, "01900000-0000-7000-8000-000000000002", f"{home}:", bytes(32))

    assert double.value.detail is None


#: What the process of `serve` has no need for, whichever of its roles it takes on.
BEYOND = (
    *(f"{what} audit_entries" for what in ("DELETE FROM", "TRUNCATE", "DROP TABLE", "LOCK TABLE")),
    *(f"{what} audit_leaves" for what in ("DELETE FROM", "TRUNCATE", "INSERT INTO audit_leaves TABLE")),
    "UPDATE audit_entries SET actor = 'x'",
    "UPDATE audit_side SET fields = '{}'",
    "DELETE FROM audit_side",
    "DELETE FROM audit_pending",
    "DELETE FROM decisions",
    "DELETE FROM transfer_events",
    "DELETE FROM transfers",
    "UPDATE submissions SET digest = ''",
    "UPDATE outbox SET topic = 'x'",
    "SELECT value FROM outbox",
    "UPDATE clients SET role = 'auditor'",
    "INSERT INTO agencies DEFAULT VALUES",
    "ALTER TABLE transfers DISABLE ROW LEVEL SECURITY",
    "CREATE TABLE public.mine (n int)",
    "CREATE SCHEMA mine",
    "CREATE EXTENSION dblink",
    "CREATE EXTENSION postgres_fdw",
    "CREATE LANGUAGE plpython3u",
    "CREATE EVENT TRIGGER mine ON ddl_command_end EXECUTE FUNCTION audit_entries_wait()",
    "CREATE PUBLICATION mine FOR ALL TABLES",
    "COPY (SELECT 1) TO PROGRAM 'cat'",
    "COPY audit_pending FROM PROGRAM 'echo 1'",
    "COPY (SELECT 1) TO '/tmp/amtsbruecke-escape'",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT pg_ls_dir('/')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT lo_create(0)",
    "SELECT lo_from_bytea(0, 'hidden')",
    "SELECT pg_reload_conf()",
    "SELECT pg_create_logical_replication_slot('mine', 'pgoutput')",
    "SELECT amtsbruecke_drop_months(now())",
    "SELECT setval('audit_entries_seq_seq', 1)",
    "SELECT rolpassword FROM pg_authid",
    "ALTER ROLE amtsbruecke_reader BYPASSRLS",
    "GRANT amtsbruecke_eraser TO amtsbruecke_login_serve",
    "SET session_replication_role = replica",
    "SET SESSION AUTHORIZATION postgres",
    "SET row_security = off; SELECT id FROM audit_entries",
)


@pytest.fixture
async def serve(kreis: Kreis) -> AsyncIterator[asyncpg.Connection[Any]]:
    """Give a connection under the login of `serve`."""
    await (await kreis.office(JOBCENTER)).accepted(SOZIALAMT)
    url = make_url(kreis.gateway.settings.database).set(drivername="postgresql", username=login_of("serve"))
    connection = await asyncpg.connect(url.render_as_string(hide_password=False))
    yield connection
    await connection.close()


async def outcome(connection: asyncpg.Connection[Any], statement: str) -> str:
    """Return the name of the error that a statement ends with; empty where it is done, and taken back."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute(statement)
    except asyncpg.PostgresError as exc:
        return type(exc).__name__
    finally:
        await transaction.rollback()
    return ""


@pytest.mark.parametrize("acting", PROCESSES["serve"])
async def test_serve_does_no_more_than_its_work(serve: asyncpg.Connection[Any], acting: DbRole) -> None:
    """In each role that it takes on, evidence, structure, files, programs and other roles are out of reach."""
    others = [f"SET ROLE {role}" for role in (*set(DbRole) - set(PROCESSES["serve"]), "postgres")]
    await serve.execute(f"SET ROLE {acting}")
    met = {statement: await outcome(serve, statement) for statement in (*BEYOND, *others)}
    allowed = {s for s, e in met.items() if e != "InsufficientPrivilegeError"}
    # Reading with the guard switched off is an error where the guard binds, and nothing where none is needed.
    assert allowed <= {"SET row_security = off; SELECT id FROM audit_entries"} | MISSING_HERE, met


#: What this server cannot do for anybody: its files are not there.
MISSING_HERE = {"CREATE LANGUAGE plpython3u", "CREATE EXTENSION dblink", "CREATE EXTENSION postgres_fdw"}


async def test_login_of_serve_can_do_nothing_without_a_role(serve: asyncpg.Connection[Any]) -> None:
    """It inherits nothing: not even the version of the tables is read without a role."""
    for table in ("alembic_version", "transfers", "audit_entries", "clients"):
        assert await outcome(serve, f"SELECT * FROM {table}") == "InsufficientPrivilegeError"


async def test_a_plan_that_was_made_as_another_role_shows_no_more(serve: asyncpg.Connection[Any]) -> None:
    """A statement prepared as the gateway, which sees all transfers, shows the reader its own rows alone."""
    await serve.execute("SET ROLE amtsbruecke_gateway; PREPARE seen AS SELECT id FROM transfers")
    for _ in range(7):  # until the plan is kept
        assert len(await serve.fetch("EXECUTE seen")) == 1
    await serve.execute("SET ROLE amtsbruecke_reader")
    nobody = await serve.fetch("EXECUTE seen")
    await serve.execute(f"SELECT set_config('{INSTANCES}', '{SOZIALAMT}', false)")
    side = await serve.fetch("EXECUTE seen")

    assert (len(nobody), len(side)) == (0, 1)


async def test_a_reader_draws_no_numbers(serve: asyncpg.Connection[Any]) -> None:
    """Numbers tell how much happens: who adds no rows cannot draw one."""
    await serve.execute("SET ROLE amtsbruecke_reader")
    for sequence in ("audit_entries_seq_seq", "transfers_seq_seq", "transfer_events_seq_seq"):
        assert await outcome(serve, f"SELECT nextval('{sequence}')") == "InsufficientPrivilegeError"
        assert await outcome(serve, f"SELECT last_value FROM {sequence}") == "InsufficientPrivilegeError"


async def test_what_runs_with_the_owners_rights_is_the_erasers_alone(kreis: Kreis) -> None:
    """Two functions run as the owner, with a search path of their own, and nobody but the eraser calls them."""
    query = (
        "SELECT p.proname || ' ' || r.rolname || ' ' || (p.proconfig::text LIKE '%search_path=pg_catalog, pg_temp%') "
        "FROM pg_proc p CROSS JOIN pg_roles r WHERE p.prosecdef AND p.pronamespace = 'public'::regnamespace "
        "AND r.rolname LIKE 'amtsbruecke%' AND r.rolname NOT LIKE '%login%' "
        "AND has_function_privilege(r.rolname, p.oid, 'EXECUTE') ORDER BY 1"
    )
    found = await kreis.scalar(f"SELECT string_agg(x, ', ') FROM ({query}) AS f (x)")

    names = [f"amtsbruecke_{what}_months amtsbruecke_eraser true" for what in ("drop", "make")]
    assert found == ", ".join(names)
