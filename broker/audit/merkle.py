"""The Merkle tree of RFC 6962 (and 9162), kept in tiles of 256 hashes (C2SP tlog-tiles). Pure functions.

A hash is 32 bytes. A node is (height, index): the root of the complete subtree over the leaves
[index * 2**height, (index + 1) * 2**height). A tile is (level, number): up to 256 consecutive nodes of height
8 * level, concatenated.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256

HASH_BYTES = 32
TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
EMPTY_ROOT = sha256(b"").digest()

Tile = tuple[int, int]
"""Level and number."""
Node = tuple[int, int]
"""Height and index."""
Span = tuple[int, int]
"""Leaves from the first on, to the second, which is no more in it."""


class BrokenTree(Exception):
    """A tile is missing or too short: the stored tree is not whole."""


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node (RFC 6962, section 2.1)."""
    return sha256(b"\x01" + left + right).digest()


def tile_width(level: int, number: int, size: int) -> int:
    """Return how many hashes a tile holds in a tree of `size` leaves; 0: there is no such tile."""
    return max(0, min(TILE_WIDTH, (size >> (TILE_HEIGHT * level)) - number * TILE_WIDTH))


def edge(size: int) -> list[Tile]:
    """Return the partial tiles of a tree, which grow with the next leaves."""
    levels = range(size.bit_length() // TILE_HEIGHT + 1)
    counts = [(level, size >> (TILE_HEIGHT * level)) for level in levels]
    return [(level, count // TILE_WIDTH) for level, count in counts if count % TILE_WIDTH]


def grow(tiles: Mapping[Tile, bytes], size: int, leaves: Iterable[bytes]) -> dict[Tile, bytes]:
    """Append leaf hashes to a tree of `size` leaves whose `edge` tiles are given; return the tiles that changed.

    Raises `BrokenTree` where an edge tile is not as wide as the size says.
    """
    changed: dict[Tile, bytes] = {}
    level, arriving = 0, list(leaves)
    while arriving:
        count = size >> (TILE_HEIGHT * level)
        number, width = divmod(count, TILE_WIDTH)
        held = tiles.get((level, number), b"") if width else b""
        if len(held) != width * HASH_BYTES:
            raise BrokenTree(f"tile {level}/{number} is not {width} wide")
        row = held + b"".join(arriving)
        arriving = []
        for start in range(0, len(row), TILE_WIDTH * HASH_BYTES):
            tile = row[start : start + TILE_WIDTH * HASH_BYTES]
            changed[level, number] = tile
            number += 1
            if len(tile) == TILE_WIDTH * HASH_BYTES:
                arriving.append(_perfect(tile))
        level += 1
    return changed


def root(tiles: Mapping[Tile, bytes], size: int) -> bytes:
    """Return the root of the tree of the first `size` leaves. Raises `BrokenTree`."""
    return span_hash(tiles, (0, size)) if size else EMPTY_ROOT


def inclusion_spans(index: int, size: int) -> list[Span]:
    """Return the spans whose hashes prove a leaf's place (RFC 6962, 2.1.1), from the leaf up.

    Raises `ValueError` where the leaf is not in the tree.
    """
    if not 0 <= index < size:
        raise ValueError("the leaf is not in the tree")
    spans: list[Span] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        spans.append((middle, end) if index < middle else (start, middle))
        start, end = (start, middle) if index < middle else (middle, end)
    return spans[::-1]


def consistency_spans(first: int, second: int) -> list[Span]:
    """Return the spans whose hashes prove that a tree grew from an earlier one (RFC 6962, 2.1.2).

    Raises `ValueError` where the sizes are not 0 < first <= second.
    """
    if not 0 < first <= second:
        raise ValueError("the first tree must hold something, and not more than the second")
    spans: list[Span] = []
    start, end = 0, second
    while first != end:
        middle = start + _split(end - start)
        spans.append((middle, end) if first <= middle else (start, middle))
        start, end = (start, middle) if first <= middle else (middle, end)
    if start > 0:
        spans.append((start, end))
    return spans[::-1]


def tiles_of(spans: Iterable[Span]) -> frozenset[Tile]:
    """Return the tiles that hold what the hashes of these spans are made of."""
    return frozenset(_place(node)[0] for span in spans for node in _nodes(span))


def span_hash(tiles: Mapping[Tile, bytes], span: Span) -> bytes:
    """Return the hash of a span of leaves that a tree or a proof asks for. Raises `BrokenTree`."""
    *earlier, found = [_node(tiles, node) for node in _nodes(span)]
    for left in reversed(earlier):
        found = node_hash(left, found)
    return found


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], tree_root: bytes) -> bool:
    """Whether the proof leads from the leaf at its place to the root (RFC 9162, section 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    here, last, found = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if here & 1 or here == last:
            found = node_hash(sibling, found)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        here, last = here >> 1, last >> 1
    return last == 0 and found == tree_root


def verify_consistency(first: int, second: int, first_root: bytes, second_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the second tree is the first with leaves added (RFC 9162, section 2.1.4.2)."""
    if not 0 < first <= second:
        return False
    if first == second:
        return not proof and first_root == second_root
    path = [first_root, *proof] if first & (first - 1) == 0 else list(proof)
    if not path:
        return False
    here, last = first - 1, second - 1
    while here & 1:
        here, last = here >> 1, last >> 1
    one = other = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if here & 1 or here == last:
            one, other = node_hash(sibling, one), node_hash(sibling, other)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            other = node_hash(other, sibling)
        here, last = here >> 1, last >> 1
    return last == 0 and one == first_root and other == second_root


def _split(count: int) -> int:
    """Return the largest power of two below `count`."""
    return 1 << ((count - 1).bit_length() - 1)


def _nodes(span: Span) -> Iterator[Node]:
    """Yield the complete subtrees of a span, from the left, largest first."""
    start, end = span
    while start < end:
        height = (end - start).bit_length() - 1
        yield height, start >> height
        start += 1 << height


def _place(node: Node) -> tuple[Tile, int, int]:
    """Return the tile that a node is computed from, and where in it: first hash and count of hashes."""
    height, index = node
    level, rows = divmod(height, TILE_HEIGHT)
    number, offset = divmod(index << rows, TILE_WIDTH)
    return (level, number), offset, 1 << rows


def _node(tiles: Mapping[Tile, bytes], node: Node) -> bytes:
    tile, offset, count = _place(node)
    hashes = tiles.get(tile, b"")[offset * HASH_BYTES : (offset + count) * HASH_BYTES]
    if len(hashes) != count * HASH_BYTES:
        raise BrokenTree(f"tile {tile[0]}/{tile[1]} does not hold what it should")
    return _perfect(hashes)


def _perfect(hashes: bytes) -> bytes:
    """Return the root over a power of two of hashes."""
    row = [hashes[i : i + HASH_BYTES] for i in range(0, len(hashes), HASH_BYTES)]
    while len(row) > 1:
        row = [node_hash(left, right) for left, right in zip(row[::2], row[1::2], strict=True)]
    return row[0]
