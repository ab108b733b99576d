"""The stored tree: its tiles, leaves and checkpoints in the database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from sqlalchemy import exists, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.audit.merkle import EMPTY_ROOT, Tile
from broker.audit.models import AuditCheckpoint, AuditEntry, AuditLeaf, AuditPending, AuditTile
from broker.bulk import Sql, fetch, insert_rows
from broker.db import upsert

UNSEALED = Sql(
    "SELECT p.seq, e.leaf FROM audit_pending p JOIN audit_entries e ON e.seq = p.seq ORDER BY p.seq LIMIT $1::int",
    "SELECT p.seq, e.leaf FROM audit_pending p JOIN audit_entries e ON e.seq = p.seq ORDER BY p.seq LIMIT ?",
)
SEALED = Sql(
    "DELETE FROM audit_pending WHERE seq = ANY($1::bigint[])",
    "DELETE FROM audit_pending WHERE seq IN (SELECT value FROM json_each(?))",
)


@dataclass(frozen=True, slots=True)
class Head:
    """The state of the tree at its last checkpoint; an empty tree has no note."""

    size: int = 0
    root: bytes = EMPTY_ROOT
    note: str = ""
    at: datetime | None = None


async def head(connection: AsyncConnection) -> Head:
    """Return the last checkpoint."""
    columns = (AuditCheckpoint.size, AuditCheckpoint.root, AuditCheckpoint.note, AuditCheckpoint.at)
    row = (await connection.execute(select(*columns).order_by(AuditCheckpoint.size.desc()).limit(1))).first()
    return Head(*row) if row is not None else Head()


async def checkpoint_of(connection: AsyncConnection, size: int) -> Head | None:
    """Return the checkpoint of just this size, or None."""
    columns = (AuditCheckpoint.size, AuditCheckpoint.root, AuditCheckpoint.note, AuditCheckpoint.at)
    row = (await connection.execute(select(*columns).where(AuditCheckpoint.size == size))).first()
    return Head(*row) if row is not None else None


async def read_tiles(connection: AsyncConnection, tiles: Iterable[Tile]) -> dict[Tile, bytes]:
    """Return those of the tiles that are stored, as wide as they are now."""
    found: dict[Tile, bytes] = {}
    for level, group in groupby(sorted(tiles), key=lambda tile: tile[0]):
        numbers = [number for _, number in group]
        query = select(AuditTile.number, AuditTile.hashes).where(
            AuditTile.level == level, AuditTile.number.in_(numbers)
        )
        found |= {(level, row.number): bytes(row.hashes) for row in await connection.execute(query)}
    return found


async def write_tiles(connection: AsyncConnection, tiles: Mapping[Tile, bytes]) -> None:
    """Store tiles, in place of narrower ones."""
    rows = [{"level": level, "number": number, "hashes": hashes} for (level, number), hashes in tiles.items()]
    await upsert(connection, AuditTile, rows)


async def unsealed(connection: AsyncConnection, limit: int) -> list[tuple[int, bytes]]:
    """Return number and leaf of entries that have no index yet, lowest number first."""
    return [(row.seq, bytes(row.leaf)) for row in await fetch(connection, UNSEALED, limit)]


async def astray(connection: AsyncConnection, limit: int) -> list[str]:
    """Return ids of entries that have no place in the tree and wait for none: no proof would tell of their change."""
    placed = exists().where(AuditLeaf.seq == AuditEntry.seq)
    waits = exists().where(AuditPending.seq == AuditEntry.seq)
    query = select(AuditEntry.id).where(~placed, ~waits).order_by(AuditEntry.seq).limit(limit)
    return list(await connection.scalars(query))


async def forget_pending(connection: AsyncConnection, numbers: Sequence[int]) -> None:
    """Note that entries are in the tree now."""
    await fetch(connection, SEALED, list(numbers))


async def oldest_unsealed(connection: AsyncConnection) -> datetime | None:
    """Return when the entry that waits longest was made; None where all are sealed."""
    return await connection.scalar(select(AuditPending.at).order_by(AuditPending.seq).limit(1))


async def write_leaves(connection: AsyncConnection, first: int, leaves: Sequence[tuple[int, bytes]]) -> None:
    """Give entries their indices, from `first` on."""
    rows = [{"index": first + i, "seq": seq, "leaf": leaf} for i, (seq, leaf) in enumerate(leaves)]
    await insert_rows(connection, AuditLeaf, rows)


async def write_checkpoint(connection: AsyncConnection, state: Head) -> None:
    """Store a checkpoint."""
    row = {"size": state.size, "root": state.root, "note": state.note, "at": state.at}
    await connection.execute(insert(AuditCheckpoint), [row])
