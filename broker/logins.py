"""One login of PostgreSQL for each process: a member of the roles that its work needs, and of no others.

A login has no privilege of its own and inherits none (``NOINHERIT``): a connection may do what the role may that it has
taken on. Passwords reach the server as SCRAM verifiers alone (RFC 5803), so that they stand in no log of statements.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.privileges import PROCESSES, DbRole

ITERATIONS = 4096
SALT_BYTES = 16
MEMBERSHIPS = """
    SELECT r.rolname FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid JOIN pg_roles l ON l.oid = m.member
    WHERE l.rolname = :login"""

#: Of the login itself, whatever role the connection has taken on.
LOOK = """
    SELECT session_user::text AS name, coalesce((
        SELECT rolsuper OR rolbypassrls OR pg_has_role(session_user, (
            SELECT relowner FROM pg_class WHERE oid = to_regclass('public.audit_entries')), 'MEMBER')
        FROM pg_roles WHERE rolname = session_user), false) AS owns,
    ARRAY(SELECT needed FROM unnest(CAST(:needed AS text[])) AS needed WHERE NOT EXISTS (
        SELECT 1 FROM pg_roles WHERE rolname = needed AND pg_has_role(session_user, oid, 'MEMBER'))) AS lacks"""


@dataclass(frozen=True, slots=True)
class Login:
    """Under which name a connection to PostgreSQL is logged in, and what that means."""

    name: str
    owns: bool
    """It owns the tables, or is a superuser: no privilege, and no row-level security, binds it."""
    lacks: tuple[str, ...]
    """Roles that it needs and is no member of."""


async def look(connection: AsyncConnection, needed: Iterable[DbRole] = ()) -> Login:
    """Return the login of a connection to PostgreSQL; `needed`: the roles that it must be able to take on."""
    row = (await connection.execute(text(LOOK), {"needed": [role.value for role in needed]})).one()
    return Login(row.name, row.owns, tuple(row.lacks))


def roles_of(process: str, *, with_all: bool) -> tuple[DbRole, ...]:
    """Return the roles that a process takes on; `with_all`: it runs the other processes' work inside."""
    if not with_all:
        return PROCESSES[process]
    return tuple(role for role in DbRole if role is not DbRole.ADMIN)


def login_of(process: str) -> str:
    """Return the name under which a process (one of `PROCESSES`) logs in."""
    return f"amtsbruecke_login_{process}"


#: What every login may by PostgreSQL's own defaults and no process needs: tables and functions of its own for a while,
#: large objects. The latter are the superuser's to take away.
NARROW = (
    "DO $$ BEGIN EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database()); END $$",
    """DO $$ BEGIN
        REVOKE EXECUTE ON FUNCTION lo_creat(integer), lo_create(oid), lo_from_bytea(oid, bytea) FROM PUBLIC;
    EXCEPTION WHEN insufficient_privilege THEN NULL; END $$""",
)


async def narrow(connection: AsyncConnection) -> None:
    """Take from all logins of this database what none of ours needs; the same again changes nothing."""
    for statement in NARROW:
        await connection.exec_driver_sql(statement)


async def exists(connection: AsyncConnection, process: str) -> bool:
    """Whether the login of a process is there."""
    query = text("SELECT 1 FROM pg_roles WHERE rolname = :login")
    return (await connection.scalar(query, {"login": login_of(process)})) is not None


async def settle(connection: AsyncConnection, process: str, password: str | None) -> None:
    """Make the login of a process or bring it to what it should be; `password` None: it keeps the one it has."""
    login, wanted = login_of(process), set(PROCESSES[process])
    if not await exists(connection, process):
        await connection.exec_driver_sql(f"CREATE ROLE {login} LOGIN NOINHERIT")
    if password is not None:
        await connection.exec_driver_sql(f"ALTER ROLE {login} LOGIN NOINHERIT PASSWORD '{verifier(password)}'")
    held = set(await connection.scalars(text(MEMBERSHIPS), {"login": login}))
    for role in sorted(held - wanted):
        await connection.exec_driver_sql(f'REVOKE "{role}" FROM {login}')
    for role in sorted(wanted - held):
        await connection.exec_driver_sql(f"GRANT {role} TO {login}")


def verifier(password: str) -> str:
    """Return what PostgreSQL keeps of a password; `password` is ASCII, so that SASLprep (RFC 4013) changes nothing."""
    salt = os.urandom(SALT_BYTES)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    b64 = [base64.b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${ITERATIONS}:{b64[0]}${b64[1]}:{b64[2]}"
