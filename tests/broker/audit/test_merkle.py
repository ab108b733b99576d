"""The Merkle tree: the vectors of RFC 6962, and that each proof holds for just what it proves."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.audit import merkle
from broker.audit.merkle import BrokenTree, Span, Tile

#: The eight leaves of the reference tests of Certificate Transparency (RFC 6962), and what is published about them.
LEAVES = [
    sha256(b"\x00" + bytes.fromhex(text)).digest()
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
PATHS = {
    0: ["96a296d2", "5f083f0a", "6b47aaf2"],
    3: ["0298d122", "fac54203", "6b47aaf2"],
    7: ["b08693ec", "0ebc5d34", "d37ee418"],
}
GROWTH = {
    2: ["5f083f0a", "6b47aaf2"],
    3: ["0298d122", "07506a85", "fac54203", "6b47aaf2"],
    4: ["6b47aaf2"],
    6: ["0ebc5d34", "ca854ea1", "d37ee418"],
}

Tiles = dict[Tile, bytes]


def leaf(number: int) -> bytes:
    """Return a leaf hash of one's own for each number."""
    return sha256(number.to_bytes(8, "big")).digest()


def built(leaves: Sequence[bytes]) -> Tiles:
    """Grow a tree in one go."""
    return merkle.grow({}, 0, leaves)


def reference(leaves: Sequence[bytes]) -> bytes:
    """Return the root as RFC 6962, section 2.1 defines it, word for word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\x01" + reference(leaves[:k]) + reference(leaves[k:])).digest()


def hashes(tiles: Tiles, spans: Sequence[Span]) -> list[bytes]:
    """Return the hashes of a proof, from nothing but the tiles that it names."""
    needed = {tile: tiles[tile] for tile in merkle.tiles_of(spans)}
    return [merkle.span_hash(needed, span) for span in spans]


def flipped(value: bytes, bit: int) -> bytes:
    """Return the value with one bit changed."""
    changed = bytearray(value)
    changed[bit // 8 % len(value)] ^= 1 << bit % 8
    return bytes(changed)


def test_roots_are_those_of_the_reference_tests() -> None:
    """Each of the published roots, of no leaf to eight."""
    assert [merkle.root(built(LEAVES[:size]), size).hex() for size in range(9)] == ROOTS


@pytest.mark.parametrize("index", PATHS)
def test_audit_paths_are_those_of_the_reference_tests(index: int) -> None:
    """The published paths come out, and lead to the published root."""
    proof = hashes(built(LEAVES), merkle.inclusion_spans(index, 8))

    assert [one.hex()[:8] for one in proof] == PATHS[index]
    assert merkle.verify_inclusion(LEAVES[index], index, 8, proof, bytes.fromhex(ROOTS[8]))


@pytest.mark.parametrize("first", GROWTH)
def test_consistency_proofs_are_those_of_the_reference_tests(first: int) -> None:
    """The published proofs come out, and lead from root to root."""
    proof = hashes(built(LEAVES), merkle.consistency_spans(first, 8))

    assert [one.hex()[:8] for one in proof] == GROWTH[first]
    assert merkle.verify_consistency(first, 8, bytes.fromhex(ROOTS[first]), bytes.fromhex(ROOTS[8]), proof)


sizes = st.one_of(st.integers(1, 40), st.integers(250, 520), st.just(65_537))
TREE = built([leaf(number) for number in range(65_800)])


def tree_of(size: int) -> Tiles:
    """Return the tiles of the first leaves."""
    return {
        (level, number): row[: merkle.tile_width(level, number, size) * merkle.HASH_BYTES]
        for (level, number), row in TREE.items()
        if merkle.tile_width(level, number, size)
    }


@given(st.lists(st.integers(0, 700), min_size=1, max_size=6))
def test_a_tree_does_not_depend_on_how_it_grew(steps: list[int]) -> None:
    """Leaf by leaf or all at once, from the edge tiles alone: the same tiles, and the root of the definition."""
    tiles: Tiles = {}
    size = 0
    for count in steps:
        edge = {tile: tiles[tile] for tile in merkle.edge(size)}
        tiles |= merkle.grow(edge, size, [leaf(n) for n in range(size, size + count)])
        size += count

    assert tiles == built([leaf(n) for n in range(size)])
    assert merkle.root(tiles, size) == reference([leaf(n) for n in range(size)])


def test_widths_are_those_of_the_specification() -> None:
    """A tree of 70,000 has the tiles that tlog-tiles counts up, and one of 256 a partial tile above its full one."""
    assert [merkle.tile_width(0, n, 70_000) for n in (272, 273, 274)] == [256, 112, 0]
    assert [merkle.tile_width(1, n, 70_000) for n in (0, 1, 2)] == [256, 17, 0]
    assert [merkle.tile_width(2, n, 70_000) for n in (0, 1)] == [1, 0]
    assert (merkle.tile_width(0, 0, 256), merkle.tile_width(1, 0, 256)) == (256, 1)
    assert merkle.edge(256) == [(1, 0)]


@given(st.data(), sizes)
def test_each_inclusion_proof_holds_and_no_bit_of_it_is_spare(data: st.DataObject, size: int) -> None:
    """The proof of any leaf leads to the root; with a bit of leaf, proof or root, or the place changed, it does not."""
    index = data.draw(st.integers(0, size - 1))
    tiles = tree_of(size)
    root = merkle.root(tiles, size)
    proof = hashes(tiles, merkle.inclusion_spans(index, size))
    bit = data.draw(st.integers(0, 255))

    assert merkle.verify_inclusion(leaf(index), index, size, proof, root)
    assert not merkle.verify_inclusion(flipped(leaf(index), bit), index, size, proof, root)
    assert not merkle.verify_inclusion(leaf(index), index, size, proof, flipped(root, bit))
    assert not merkle.verify_inclusion(leaf(index), index, size, [*proof, root], root)
    assert not merkle.verify_inclusion(leaf(index), size, size, proof, root)
    if proof:
        other = data.draw(st.integers(0, len(proof) - 1))
        changed = [flipped(one, bit) if i == other else one for i, one in enumerate(proof)]
        elsewhere = data.draw(st.integers(0, size - 1).filter(lambda n: n != index))
        assert not merkle.verify_inclusion(leaf(index), index, size, changed, root)
        assert not merkle.verify_inclusion(leaf(index), index, size, proof[:-1], root)
        assert not merkle.verify_inclusion(leaf(index), elsewhere, size, proof, root)


@given(st.data(), sizes)
def test_each_consistency_proof_holds_and_no_bit_of_it_is_spare(data: st.DataObject, second: int) -> None:
    """A tree is shown to have grown from each earlier one; with a bit of proof or roots changed, it is not."""
    first = data.draw(st.integers(1, second))
    tiles = tree_of(second)
    roots = merkle.root(tiles, first), merkle.root(tiles, second)
    proof = hashes(tiles, merkle.consistency_spans(first, second))
    bit = data.draw(st.integers(0, 255))

    assert merkle.verify_consistency(first, second, *roots, proof)
    assert not merkle.verify_consistency(first, second, flipped(roots[0], bit), roots[1], proof)
    assert not merkle.verify_consistency(first, second, roots[0], flipped(roots[1], bit), proof)
    assert not merkle.verify_consistency(first, second, *roots, [*proof, roots[0]])
    if proof:
        other = data.draw(st.integers(0, len(proof) - 1))
        changed = [flipped(one, bit) if i == other else one for i, one in enumerate(proof)]
        assert not merkle.verify_consistency(first, second, *roots, changed)
        assert not merkle.verify_consistency(first, second, *roots, proof[:-1])


@pytest.mark.parametrize(("first", "second"), [(0, 0), (0, 3), (4, 3), (-1, 3)])
def test_no_proof_from_nothing_or_backwards(first: int, second: int) -> None:
    """From an empty tree anything follows: no proof is made or taken, nor one from a larger tree to a smaller."""
    with pytest.raises(ValueError, match="first tree"):
        merkle.consistency_spans(first, second)
    assert not merkle.verify_consistency(first, second, leaf(0), leaf(0), [])


@pytest.mark.parametrize(("index", "size"), [(0, 0), (3, 3), (-1, 3)])
def test_no_proof_of_a_leaf_that_is_not_there(index: int, size: int) -> None:
    """A place outside the tree has no proof."""
    with pytest.raises(ValueError, match="not in the tree"):
        merkle.inclusion_spans(index, size)
    assert not merkle.verify_inclusion(leaf(0), index, size, [], leaf(0))


def test_a_tile_that_is_missing_or_short_is_seen() -> None:
    """Nothing is computed from a tile that does not hold what it should."""
    tiles = built(LEAVES)
    with pytest.raises(BrokenTree, match="0/0"):
        merkle.root({(0, 0): tiles[0, 0][:-1]}, 8)
    with pytest.raises(BrokenTree, match="0/0"):
        merkle.root({}, 8)
    with pytest.raises(BrokenTree, match="not 8 wide"):
        merkle.grow({(0, 0): tiles[0, 0][:-32]}, 8, [leaf(0)])
