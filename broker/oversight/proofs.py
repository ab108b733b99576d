"""The tree over the evidence as others read it: tiles, bundles of entries, proofs. Each proof is checked before use."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.audit import merkle, tree
from broker.audit.leaves import entry_bytes, hashed_part
from broker.audit.merkle import Span
from broker.audit.models import AuditEntry, AuditLeaf

LENGTH_BYTES = 2


@dataclass(frozen=True, slots=True)
class Placed:
    """An entry and its place in the tree; None: it is not sealed yet."""

    entry: str
    leaf: bytes
    index: int | None
    sender: str | None
    recipient: str | None

    def concerns(self, agency: str) -> bool:
        """Whether the entry is about an instance of the agency."""
        return any(side is not None and side.startswith(f"{agency}:") for side in (self.sender, self.recipient))


async def placed(connection: AsyncConnection, entry: str | None, leaf: bytes | None) -> Placed | None:
    """Find an entry by its id or by its leaf (which is found once it is sealed); None where there is none."""
    columns = (AuditEntry.id, AuditEntry.leaf, AuditLeaf.index.label("place"), AuditEntry.sender, AuditEntry.recipient)
    query = select(*columns).outerjoin(AuditLeaf, AuditLeaf.seq == AuditEntry.seq)
    query = query.where(AuditEntry.id == entry) if entry is not None else query.where(AuditLeaf.leaf == leaf)
    row = (await connection.execute(query.limit(1))).first()
    return Placed(row.id, bytes(row.leaf), row.place, row.sender, row.recipient) if row is not None else None


async def inclusion(connection: AsyncConnection, leaf: bytes, index: int, size: int) -> tuple[list[bytes], bytes]:
    """Return the proof that the leaf stands at its place in the tree of `size`, and that tree's root.

    Raises `BrokenTree` where the stored tree does not prove it.
    """
    spans = merkle.inclusion_spans(index, size)
    proof, root = await _hashes(connection, spans, size)
    if not merkle.verify_inclusion(leaf, index, size, proof, root):
        raise merkle.BrokenTree(f"leaf {index} is not in the tree of {size}")
    return proof, root


async def consistency(connection: AsyncConnection, first: int, second: int) -> tuple[list[bytes], bytes, bytes]:
    """Return the proof that the second tree is the first with leaves added, and both roots. Raises `BrokenTree`."""
    spans = merkle.consistency_spans(first, second)
    proof, root = await _hashes(connection, spans, second)
    _, earlier = await _hashes(connection, [], first)
    if not merkle.verify_consistency(first, second, earlier, root, proof):
        raise merkle.BrokenTree(f"the tree of {second} is not that of {first} with leaves added")
    return proof, earlier, root


async def _hashes(connection: AsyncConnection, spans: Sequence[Span], size: int) -> tuple[list[bytes], bytes]:
    """Return the hashes of spans, and the root; where a checkpoint is of this size, it must be that checkpoint's."""
    tiles = await tree.read_tiles(connection, merkle.tiles_of([*spans, (0, size)]))
    root = merkle.root(tiles, size)
    known = await tree.checkpoint_of(connection, size)
    if known is not None and known.root != root:
        raise merkle.BrokenTree(f"the tree of {size} is not that of its checkpoint")
    return [merkle.span_hash(tiles, span) for span in spans], root


async def bundle(connection: AsyncConnection, number: int, width: int) -> bytes:
    """Return the entries of a level-0 tile: each its canonical bytes behind their length. Raises `BrokenTree`."""
    start = number * merkle.TILE_WIDTH
    columns = [AuditEntry.__table__.columns[name] for name in ("id", "at", "event", "actor", "sender", "recipient")]
    columns += [AuditEntry.__table__.columns[name] for name in ("reference", "data", "commitments")]
    query = (
        select(*columns)
        .join(AuditLeaf, AuditLeaf.seq == AuditEntry.seq)
        .where(AuditLeaf.index >= start, AuditLeaf.index < start + width)
        .order_by(AuditLeaf.index)
    )
    rows = (await connection.execute(query)).mappings().all()
    if len(rows) != width:
        raise merkle.BrokenTree(f"entries of tile {number} are missing")
    return b"".join(_prefixed(entry_bytes(hashed_part(dict(row)))) for row in rows)


def _prefixed(content: bytes) -> bytes:
    return len(content).to_bytes(LENGTH_BYTES, "big") + content


def written(hashes: Sequence[bytes]) -> list[str]:
    """Write hashes as Base64, as checkpoints do."""
    return [base64.b64encode(one).decode() for one in hashes]


def shown(root: bytes, known: tree.Head | None) -> dict[str, Any]:
    """Write a root, with the checkpoint that signs it where there is one of this size."""
    return {"root": base64.b64encode(root).decode(), "checkpoint": known.note if known is not None else None}
