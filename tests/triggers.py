"""Triggers that let a statement or a commit fail, on either database."""

from __future__ import annotations

from sqlalchemy import text

from broker.gateway import Gateway

NAME = "disturbs"
#: A row that only the end of the transaction refuses, so that COMMIT itself fails.
DOOMED = "CREATE TABLE doomed (agency VARCHAR REFERENCES agencies (id) DEFERRABLE INITIALLY DEFERRED)"


async def refuse(gateway: Gateway, what: str, table: str, where: str = "true") -> None:
    """Let a statement (``UPDATE``) on rows of a table fail, where a condition on ``NEW`` holds."""
    if gateway.db.is_sqlite:
        await _run(gateway, _on_sqlite(f"BEFORE {what}", table, "SELECT RAISE(ABORT, 'no')", where))
    else:
        await _run(gateway, *_on_postgresql(f"BEFORE {what}", table, "RAISE EXCEPTION 'no'", where))


async def doom(gateway: Gateway, table: str) -> None:
    """Let every commit fail that holds a new row of a table."""
    insert = "INSERT INTO doomed VALUES ('nobody')"
    make = [_on_sqlite("AFTER INSERT", table, insert)] if gateway.db.is_sqlite else []
    await _run(gateway, DOOMED, *(make or _on_postgresql("AFTER INSERT", table, insert)))


async def mend(gateway: Gateway, table: str) -> None:
    """Take the trigger away again."""
    await _run(gateway, f"DROP TRIGGER {NAME}" + ("" if gateway.db.is_sqlite else f" ON {table}"))


def _on_sqlite(when: str, table: str, does: str, where: str = "true") -> str:
    return f"CREATE TRIGGER {NAME} {when} ON {table} WHEN {where} BEGIN {does}; END"


def _on_postgresql(when: str, table: str, does: str, where: str = "true") -> list[str]:
    body = f"BEGIN {does}; RETURN NEW; END"
    return [
        f"CREATE OR REPLACE FUNCTION {NAME}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS '{_quoted(body)}'",
        f"CREATE TRIGGER {NAME} {when} ON {table} FOR EACH ROW WHEN ({where}) EXECUTE FUNCTION {NAME}()",
    ]


def _quoted(body: str) -> str:
    return body.replace("'", "''")


async def _run(gateway: Gateway, *statements: str) -> None:
    async with gateway.db.writing() as connection:
        for statement in statements:
            await connection.execute(text(statement))
