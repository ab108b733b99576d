"""Least privilege on PostgreSQL, tried around with a login of each role."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import asyncpg
import pytest
from sqlalchemy import make_url

from broker.db import Database
from broker.privileges import CONTROLLERS, INSTANCES, PRIVILEGES, SEEN_BY, DbRole
from broker.tables import METADATA
from tests.flow.world import ASD, JOBCENTER, SOZIALAMT, Kreis
from tests.world import on_postgresql, rows

pytestmark = on_postgresql
EVIDENCE = (
    "audit_entries",
    "audit_leaves",
    "audit_checkpoints",
    "decisions",
    "submissions",
    "transfer_events",
    "consents",
    "procedures",
    "procedure_steps",
    "catalogues",
    "catalogue_days",
)
#: What the clean-up deletes after its time; of the log itself nobody deletes.
AGED = ("decisions", "submissions", "transfer_events", "consents")
#: Table and column with content, or a key to it → who may read it. The eraser sees ciphertext, and no key to it.
CONTENT = {
    ("outbox", "value"): {DbRole.RELAY},
    ("deliveries", "sealed"): {DbRole.DELIVERY, DbRole.ERASER},
    ("transfer_keys", "wrapped"): {DbRole.DELIVERY},
    ("ersuchen_contents", "sealed"): {DbRole.READER},
    ("ersuchen_contents", "wrapped"): {DbRole.READER, DbRole.ERASER},
    ("embedded_records", "value"): {DbRole.DELIVERY},
    ("quittungen", "content"): {DbRole.DELIVERY, DbRole.READER},
}
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
    """The catalogue of PostgreSQL and the table of the code agree, role by role, table by table, column by column."""
    found = {role.value: set(await catalogued(kreis, role)) for role in DbRole}

    assert found == {role.value: set(written(tables)) for role, tables in PRIVILEGES.items()}


async def catalogued(kreis: Kreis, role: DbRole) -> list[tuple[str, str, str | None]]:
    """Return what the server's catalogue gives a role: table, privilege and, where it is not of all, column."""
    whole = await rows(
        kreis.gateway,
        "SELECT c.relname, a.privilege_type, NULL FROM pg_class c, aclexplode(c.relacl) a "
        "WHERE c.relkind IN ('r', 'p') AND a.grantee = CAST(:role AS regrole)",
        role=role.value,
    )
    parts = await rows(
        kreis.gateway,
        "SELECT c.relname, a.privilege_type, t.attname FROM pg_class c JOIN pg_attribute t ON t.attrelid = c.oid, "
        "aclexplode(t.attacl) a WHERE c.relkind IN ('r', 'p') AND a.grantee = CAST(:role AS regrole)",
        role=role.value,
    )
    return [(row[0], row[1], row[2]) for row in (*whole, *parts)]


def written(tables: Mapping[str, str]) -> Iterator[tuple[str, str, str | None]]:
    """Yield the same of the code's table."""
    for table, privileges in tables.items():
        for what, columns in re.findall(r"([A-Z]+)(?: \(([^)]*)\))?", privileges):
            for column in columns.split(", "):
                yield table, what, column or None


async def test_no_role_changes_the_evidence(login: asyncpg.Connection[Any], role: DbRole) -> None:
    """UPDATE, DELETE and TRUNCATE of what is evidence are refused; what is past its time the eraser alone deletes."""
    for table in EVIDENCE:
        column = next(iter(METADATA.tables[table].columns.keys()))
        assert await refused(login, f'UPDATE {table} SET "{column}" = "{column}"'), table  # noqa: S608 - fixed names
        assert await refused(login, f"TRUNCATE {table}"), table
        may = role is DbRole.ERASER and table in AGED
        assert await refused(login, f"DELETE FROM {table} WHERE false") == (not may), table  # noqa: S608 - fixed names


async def test_content_is_read_by_whom_it_must_alone(login: asyncpg.Connection[Any], role: DbRole) -> None:
    """Ciphertext and keys are for those who carry and open them; what lies beside entries only the eraser deletes."""
    for (table, column), readers in CONTENT.items():
        assert await refused(login, f"SELECT {column} FROM {table}") == (role not in readers), table  # noqa: S608 - fixed names
    assert await refused(login, "DELETE FROM audit_side WHERE false") == (role is not DbRole.ERASER)


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
    both = {"transfers", "transfer_events", "audit_entries", "audit_side"}
    for table in set(tables) & (both | ({"decisions"} if role is DbRole.CONSOLE else set())):
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
