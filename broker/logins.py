"""One login of PostgreSQL for each process: a member of the roles that its work needs, and of no others.

A login has no privilege of its own and inherits none (``NOINHERIT``): a connection may do what the role may that it has
taken on. Passwords reach the server as SCRAM verifiers alone (RFC 5803), so that they stand in no log of statements.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.privileges import PROCESSES

ITERATIONS = 4096
SALT_BYTES = 16
MEMBERSHIPS = """
    SELECT r.rolname FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid JOIN pg_roles l ON l.oid = m.member
    WHERE l.rolname = :login"""


def login_of(process: str) -> str:
    """Return the name under which a process (one of `PROCESSES`) logs in."""
    return f"amtsbruecke_login_{process}"


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
