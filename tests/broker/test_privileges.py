"""Least privilege on PostgreSQL, tried around with a login of each role."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from sqlalchemy import make_url

from broker.db import Database
from broker.privileges import CONTROLLERS, INSTANCES, PRIVILEGES, SEEN_BY, DbRole
from broker.tables import METADATA
from tests.flow.world import ASD, JOBCENTER, SOZIALAMT, Kreis
from tests.world import on_postgresql

pytestmark = on_postgresql
WHAT = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")
EVIDENCE = (
    "audit_entries",
    "audit_leaves",
    "audit_checkpoints",
    "decisions",
    "submissions",
    "transfer_events",
    "consents",
)
CONTENT = {"outbox": DbRole.RELAY, "deliveries": None, "transfer_keys": None, "ersuchen_contents": None}
ESCAPES = (
    "SET row_security = off; SELECT count(*) FROM transfers; SELECT count(*) FROM audit_side",
    "SET ROLE postgres",
    "CREATE TABLE public.mine (n int)",
    "CREATE FUNCTION public.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "COPY (SELECT 1) TO PROGRAM 'cat'",
    "COPY (SELECT 1) TO '/tmp/amtsbruecke-escape'",
    "SELECT rolpassword FROM pg_authid",
    "ALTER TABLE audit_entries DISABLE ROW LEVEL SECURITY",
    "ALTER TABLE audit_entries DISABLE TRIGGER ALL",
    "SET session_replication_role = replica",
    "ALTER ROLE CURRENT_USER SUPERUSER",
)


@pytest.fixture(params=DbRole)
def role(request: pytest.FixtureRequest) -> DbRole:
    """Return each role in turn."""
    return DbRole(request.param)


@pytest.fixture
async def login(kreis: Kreis, role: DbRole) -> AsyncIterator[asyncpg.Connection[Any]]:
    """Give the connection of a login that is a member of the role alone; one transfer lies in the database."""
    await (await kreis.office(JOBCENTER)).accepted(SOZIALAMT)
    url = make_url(kreis.gateway.settings.database).set(drivername="postgresql")
    name = f"login_{url.database}_{role}"[-60:]
    owner = await asyncpg.connect(url.render_as_string(hide_password=False))
    await owner.execute(f"CREATE ROLE {name} LOGIN IN ROLE {role}")
    connection = await asyncpg.connect(url.set(username=name).render_as_string(hide_password=False))
    yield connection
    await connection.close()
    await owner.execute(f"DROP ROLE {name}")
    await owner.close()


async def refused(connection: asyncpg.Connection[Any], statement: str) -> bool:
    """Whether PostgreSQL refuses a statement for want of a privilege."""
    try:
        await connection.execute(statement)
    except asyncpg.InsufficientPrivilegeError:
        return True
    return False


async def test_each_role_has_just_what_the_table_says(kreis: Kreis) -> None:
    """The catalogue of PostgreSQL and the table of the code agree, role by role and table by table."""
    found: dict[str, dict[str, set[str]]] = {}
    for role in DbRole:
        for table in METADATA.tables:
            for what in WHAT:
                if await kreis.scalar("SELECT has_table_privilege(:r, :t, :w)", r=role.value, t=table, w=what):
                    found.setdefault(role, {}).setdefault(table, set()).add(what)

    assert found == {role: {t: set(p.split(", ")) for t, p in tables.items()} for role, tables in PRIVILEGES.items()}


async def test_no_role_changes_the_evidence(login: asyncpg.Connection[Any]) -> None:
    """UPDATE, DELETE and TRUNCATE of what is evidence are refused to every role."""
    for table in EVIDENCE:
        column = next(iter(METADATA.tables[table].columns.keys()))
        for statement in (f'UPDATE {table} SET "{column}" = "{column}"', f"DELETE FROM {table}", f"TRUNCATE {table}"):  # noqa: S608 - fixed names
            assert await refused(login, statement), statement


async def test_content_is_read_by_whom_it_must_alone(login: asyncpg.Connection[Any], role: DbRole) -> None:
    """Ciphertext is for the relay, wrapped keys for none of these; what lies beside entries only the eraser deletes."""
    for table, reader in CONTENT.items():
        assert await refused(login, f"SELECT * FROM {table}") == (role is not reader), table  # noqa: S608 - fixed names
    assert await refused(login, "DELETE FROM audit_side") == (role is not DbRole.ERASER)


async def test_nobody_gets_out(login: asyncpg.Connection[Any]) -> None:
    """Nobody turns the guard off, becomes another, makes objects, reaches files or programs, or reads passwords."""
    for statement in ESCAPES:
        assert await refused(login, statement), statement


async def test_nobody_becomes_another_role(login: asyncpg.Connection[Any], role: DbRole) -> None:
    """A login can act as its own role, and as no other."""
    for other in DbRole:
        assert await refused(login, f"SET ROLE {other}") == (other is not role)


@pytest.mark.parametrize("role", SEEN_BY, indirect=True)
async def test_rows_are_seen_by_their_two_sides_alone(login: asyncpg.Connection[Any], role: DbRole) -> None:
    """A transaction that names nobody sees nothing; one that names a side sees its rows; a third party's, none."""
    setting, tables = SEEN_BY[role]
    for table in set(tables) - {"notices"}:
        seen = {}
        for who in ("", JOBCENTER, SOZIALAMT, ASD):
            given = who.partition(":")[0] if setting == CONTROLLERS else who
            async with login.transaction():
                if who:
                    await login.execute("SELECT set_config($1, $2, true)", setting, given)
                seen[who] = await login.fetchval(f"SELECT count(*) FROM {table}")  # noqa: S608 - fixed names

        assert seen[""] == 0, table
        assert min(seen[JOBCENTER], seen[SOZIALAMT]) > 0, table
        assert seen[JOBCENTER] >= 1, table
        assert await login.fetchval(f"SELECT count(*) FROM {table}") == 0, table  # noqa: S608 - fixed names


async def test_a_transaction_acts_as_a_role(kreis: Kreis) -> None:
    """`acting` gives a view on the same pool: its transactions have the role and the limits, no others."""
    await (await kreis.office(JOBCENTER)).accepted(SOZIALAMT)
    seen = []
    for who in (JOBCENTER, ASD):
        db: Database = kreis.gateway.db.acting(DbRole.READER, {INSTANCES: who})
        async with db.reading() as connection:
            seen.append((await connection.exec_driver_sql("SELECT count(*), current_user FROM transfers")).one())

    assert seen == [(1, DbRole.READER), (0, DbRole.READER)]
    assert await kreis.scalar("SELECT current_user") == "postgres"
