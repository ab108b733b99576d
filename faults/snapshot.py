"""What lies in the database after a round: rows for the checks, and all in which a content or a name could be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from broker.lifecycle.states import State
from faults.checks import ANSWERED, ENDED_BY_A_PERSON, Blob, HandedOver, LeftKey, TransferRow
from faults.cluster import Cluster

#: Not settled yet: they must get on by themselves.
MOVING = (
    State.ACCEPTED.value,
    State.PUBLISHING.value,
    State.PUBLISHED.value,
    State.HANDING_OVER.value,
    State.DELIVERED.value,
)
ENDED = tuple(sorted(ANSWERED | ENDED_BY_A_PERSON | {State.EXPIRED, State.RECALLED, State.DISCARDED}))
#: Tables with ciphertext: table, column with the transfer's id, column with the bytes.
SEALED = (("outbox", "transfer_id", "value"), ("deliveries", "transfer_id", "sealed"))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The rows of a database that checks look at."""

    transfers: Sequence[TransferRow]
    handed_over: Sequence[HandedOver]
    left_keys: Sequence[LeftKey]
    blobs: Sequence[Blob]
    traces: Sequence[str]
    """Tables in whose rows the mark stands."""

    @property
    def ended(self) -> frozenset[str]:
        """Return the ids of transfers whose content nobody may read any more."""
        return frozenset(row.id for row in self.transfers if row.state in ENDED)


def take(cluster: Cluster, database: str, mark: str) -> Snapshot:
    """Read all, as superuser."""

    async def work(connection: Any) -> Snapshot:  # noqa: ANN401 - asyncpg's connection
        transfers = await connection.fetch("SELECT id, sender, message_id, state FROM transfers")
        events = await connection.fetch(
            "SELECT transfer_id, seq, extract(epoch FROM at)::float8 FROM transfer_events WHERE state = 'handing_over'"
        )
        keys = await connection.fetch(
            "SELECT k.transfer_id, t.recipient, k.sealing_kid, k.wrapped FROM transfer_keys k"
            " JOIN transfers t ON t.id = k.transfer_id"
        )
        return Snapshot(
            [TransferRow(*row) for row in transfers],
            [HandedOver(*row) for row in events],
            [LeftKey(*row) for row in keys],
            await _blobs(connection),
            await _traces(connection, mark),
        )

    found: Snapshot = cluster.administer(work, database)
    return found


async def _blobs(connection: Any) -> list[Blob]:  # noqa: ANN401 - asyncpg's connection
    found = []
    for table, owner, column in SEALED:
        rows = await connection.fetch(f"SELECT {owner}, {column} FROM {table} WHERE length({column}) > 0")
        found += [Blob(table, row[0], row[1]) for row in rows]
    return found


async def _traces(connection: Any, mark: str) -> list[str]:  # noqa: ANN401 - asyncpg's connection
    """Return the tables that have the mark in any column, bytes included."""
    await connection.execute("SET bytea_output = 'escape'")
    tables = await connection.fetch(
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace"
    )
    query = 'SELECT EXISTS (SELECT FROM "{}" t WHERE position($1 IN t::text) > 0)'
    return [name for (name,) in tables if await connection.fetchval(query.format(name), mark)]


def moving(cluster: Cluster, database: str) -> list[tuple[str, str]]:
    """Return (id, state) of the transfers that are not settled."""

    async def work(connection: Any) -> list[tuple[str, str]]:  # noqa: ANN401 - asyncpg's connection
        rows = await connection.fetch("SELECT id, state FROM transfers WHERE state = ANY($1)", list(MOVING))
        return [(row[0], row[1]) for row in rows]

    found: list[tuple[str, str]] = cluster.administer(work, database)
    return found


def how_many_move(cluster: Cluster, database: str) -> int | None:
    """Return how many transfers are not settled; None where the database cannot be asked now."""

    async def work(connection: Any) -> int:  # noqa: ANN401 - asyncpg's connection
        return int(await connection.fetchval("SELECT count(*) FROM transfers WHERE state = ANY($1)", list(MOVING)))

    try:
        return int(cluster.administer(work, database))
    except (OSError, TimeoutError, asyncpg.PostgresError):
        return None


def in_state(cluster: Cluster, database: str, state: str) -> list[str]:
    """Return the ids of the transfers in a state."""

    async def work(connection: Any) -> list[str]:  # noqa: ANN401 - asyncpg's connection
        return [
            row[0] for row in await connection.fetch("SELECT id FROM transfers WHERE state = $1 ORDER BY seq", state)
        ]

    found: list[str] = cluster.administer(work, database)
    return found


def unpublished(cluster: Cluster, database: str, number: int) -> list[tuple[str, str]]:
    """Return (id, topic) of some transfers that no relay has touched."""

    async def work(connection: Any) -> list[tuple[str, str]]:  # noqa: ANN401 - asyncpg's connection
        query = (
            "SELECT o.transfer_id, o.topic FROM outbox o JOIN transfers t ON t.id = o.transfer_id"
            " WHERE t.state = 'accepted' ORDER BY o.id DESC LIMIT $1"
        )
        return [(row[0], row[1]) for row in await connection.fetch(query, number)]

    found: list[tuple[str, str]] = cluster.administer(work, database)
    return found
