"""The migration that put the outbox into partitions carries what waits, both ways."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, MetaData, Table, insert, text

from broker.db import Database
from broker.migrations import downgrade, upgrade
from broker.outbox.leases import partition_of
from tests.broker.test_db import url
from tests.world import START

__all__ = ["url"]

SAMPLES: dict[type, object] = {str: "x", int: 1, bytes: b"x", bool: False, datetime: START, object: {}}
KEYS = ["case-a", "case-b", "case-a"]
BESIDE = """
    INSERT INTO outbox (record_id, transfer_id, partition, topic, key, headers, value)
    SELECT 'side', transfer_id, partition, topic, key, headers, value FROM outbox WHERE id = 1
"""
WAITS = "SELECT transfer_id, key, value FROM outbox ORDER BY id"


def fill(connection: Connection, name: str, **given: object) -> None:
    """Insert a row with something in every column that must have something."""
    table = Table(name, MetaData(), autoload_with=connection, resolve_fks=False)
    must = [c for c in table.columns if not c.nullable and c.server_default is None and c.name != "id"]
    connection.execute(insert(table).values({c.name: SAMPLES[c.type.python_type] for c in must} | given))


def before(connection: Connection) -> None:
    """Queue three records as they were before the partitions, and one that is published."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET session_replication_role = replica"))  # transfers need no instances here
    for n, key in enumerate([*KEYS, "case-c"]):
        fill(connection, "transfers", seq=n, id=f"t{n}", message_id=f"m{n}", state="accepted")
        row: Mapping[str, Any] = {
            "transfer_id": f"t{n}",
            "key": key,
            "value": bytes([n]),
            "headers": {"ce_id": f"t{n}"},
        }
        fill(connection, "outbox", **row, published_at=START if key == "case-c" else None)


async def do(url: str, work: Callable[[Connection], Any]) -> Any:
    """Do something in a transaction of its own."""
    database = Database(url)
    try:
        async with database.writing() as connection:
            return await connection.run_sync(work)
    finally:
        await database.close()


def asked(statement: str) -> Callable[[Connection], list[Any]]:
    """Return what asks this and gives the rows."""
    return lambda connection: [tuple(row) for row in connection.execute(text(statement))]


async def test_what_waits_keeps_its_order_both_ways(url: str) -> None:
    """Up: partition of the case, what is published is gone. Down: records beside transfers go, the rest stays."""
    await asyncio.to_thread(upgrade, url, "0011")
    await do(url, before)
    await asyncio.to_thread(upgrade, url, "0012")
    waits = await do(url, asked(WAITS))
    places = await do(url, asked("SELECT record_id, partition FROM outbox ORDER BY id"))
    await do(url, lambda connection: connection.execute(text(BESIDE)))
    await asyncio.to_thread(downgrade, url, "0011")

    assert waits == [(f"t{n}", key, bytes([n])) for n, key in enumerate(KEYS)]
    assert places == [(f"t{n}", partition_of(key)) for n, key in enumerate(KEYS)]
    assert await do(url, asked(WAITS)) == waits
    assert await do(url, asked("SELECT count(*) FROM outbox WHERE published_at IS NULL")) == [(3,)]
