"""The log over HTTP: any tlog-tiles client can check it, and nobody sees of it what is not theirs."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest

from broker.audit import merkle
from broker.audit.notes import Checkpoint, open_checkpoint, read_key
from broker.audit.sequencer import Sealer
from broker.audit.tree import read_tiles, write_tiles
from broker.auth.caller import Role
from broker.auth.clients import add_client
from broker.oversight.log_api import tile_path
from tests.flow.world import JOBCENTER, SOZIALAMT, Kreis, Office, open_kreis
from tests.world import evidence

LOG = "/v1/audit/log"
HOME, STRANGER = "jobcenter-kreis-re", "jugendamt-marl"


@pytest.fixture
async def kreis(data_dir: Path) -> AsyncIterator[Kreis]:
    """Give a running service with some sealed entries, and some that are not sealed."""
    async with open_kreis(data_dir) as running:
        await (await running.office(JOBCENTER)).accepted(SOZIALAMT)
        await running.pump()
        await seal(running)
        yield running


async def seal(kreis: Kreis) -> None:
    """Let a sealer seal all that waits."""
    sealer = Sealer(kreis.gateway, "one")
    while await sealer.seal():
        pass
    await sealer.stop()


async def auditor(kreis: Kreis) -> Office:
    """Return an auditor."""
    return Office(kreis, kreis.http(), "", await add_client(kreis.gateway, Role.AUDITOR))


async def checkpoint(reader: Office) -> Checkpoint:
    """Return the last checkpoint, opened with the key that the log shows."""
    keys = [read_key(line) for line in (await reader.get(f"{LOG}/keys")).text.splitlines()]
    return open_checkpoint((await reader.get(f"{LOG}/checkpoint")).text, keys)


def problem(answer: httpx.Response) -> tuple[int, str]:
    """Return status and type of a problem."""
    return answer.status_code, answer.json()["type"].removeprefix("/problems/")


def raw(hashes: list[str]) -> list[bytes]:
    """Read hashes."""
    return [base64.b64decode(one) for one in hashes]


async def test_a_client_of_tiles_checks_the_whole_log(kreis: Kreis) -> None:
    """From checkpoint, tile and bundle alone: each entry hashes to its leaf, and the leaves to the signed root."""
    reader = await auditor(kreis)
    head = await checkpoint(reader)
    tile = await reader.get(f"{LOG}/tile/0/000.p/{head.size}")
    bundle = (await reader.get(f"{LOG}/tile/entries/000.p/{head.size}")).content
    entries = []
    while bundle:
        length = int.from_bytes(bundle[:2], "big")
        entries.append(bundle[2 : 2 + length])
        bundle = bundle[2 + length :]
    leaves = [sha256(b"\x00" + entry).digest() for entry in entries]

    assert len(entries) == head.size > 3
    assert b"".join(leaves) == tile.content
    assert merkle.root({(0, 0): tile.content}, head.size) == head.root
    assert tile.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert tile.headers["content-type"] == "application/octet-stream"
    await seal(kreis)
    assert (await reader.get(f"{LOG}/tile/0/000.p/{head.size}")).content == tile.content


async def test_a_checkpoint_is_cached_for_a_moment_only(kreis: Kreis) -> None:
    """The checkpoint is text, and changes."""
    answer = await (await kreis.officer(HOME)).get(f"{LOG}/checkpoint")

    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["cache-control"] == "private, max-age=2"
    assert answer.text.startswith("amtsbruecke/audit\n")


async def test_size_and_entries_are_nothing_for_clients(kreis: Kreis) -> None:
    """Instances and operators read none of it; entries of all agencies are for auditors alone."""
    paths = ["log/checkpoint", "log/keys", "log/tile/0/000.p/1", "proofs/inclusion", "proofs/consistency"]
    for client in (await kreis.office(JOBCENTER), await kreis.operator()):
        for path in (*paths, "log/tile/entries/000.p/1"):
            answer = await client.get(f"/v1/audit/{path}")
            assert problem(answer) == (403, "wrong-role"), path
    answer = await (await kreis.officer(HOME)).get(f"{LOG}/tile/entries/000.p/1")
    assert (problem(answer), answer.json()["allowed"]) == ((403, "wrong-role"), ["auditor"])


async def test_an_inclusion_proof_leads_from_the_promise_to_the_checkpoint(kreis: Kreis) -> None:
    """By id or by leaf: the proof verifies against the signed root that comes with it."""
    officer = await kreis.officer(HOME)
    [(entry, _)] = await evidence(kreis.gateway, "transfer.permitted")
    head = await checkpoint(officer)
    for asked in ({"entry": entry.id}, {"leaf": entry.leaf.hex()}, {"entry": entry.id, "size": head.size}):
        found = (await officer.get("/v1/audit/proofs/inclusion", **asked)).json()
        assert merkle.verify_inclusion(entry.leaf, found["index"], head.size, raw(found["proof"]), head.root)
        assert (found["root"], found["entry"]) == (base64.b64encode(head.root).decode(), entry.id)
        assert found["checkpoint"].startswith("amtsbruecke/audit\n")


async def test_a_consistency_proof_leads_from_checkpoint_to_checkpoint(kreis: Kreis) -> None:
    """Between what an officer kept and what is signed now."""
    officer = await kreis.officer(HOME)
    kept = await checkpoint(officer)
    await (await kreis.office(JOBCENTER)).accepted(SOZIALAMT)
    await seal(kreis)
    now = await checkpoint(officer)
    found = (await officer.get("/v1/audit/proofs/consistency", first=kept.size, second=now.size)).json()

    assert now.size > kept.size
    assert merkle.verify_consistency(kept.size, now.size, kept.root, now.root, raw(found["proof"]))


async def test_what_is_not_sealed_yet_is_told_with_a_time(kreis: Kreis) -> None:
    """An entry that waits, and a size that is not reached, are no errors for good."""
    officer = await kreis.officer(HOME)
    await (await kreis.office(JOBCENTER)).accepted(SOZIALAMT)
    waiting = (await evidence(kreis.gateway, "transfer.permitted"))[-1][0]
    head = await checkpoint(officer)
    for path, asked in (
        ("inclusion", {"entry": waiting.id}),
        ("inclusion", {"entry": waiting.id, "size": head.size + 99}),
        ("consistency", {"first": 1, "second": head.size + 99}),
    ):
        answer = await officer.get(f"/v1/audit/proofs/{path}", **asked)
        assert problem(answer) == (409, "not-sealed-yet")
        assert int(answer.headers["retry-after"]) == 2
    await seal(kreis)
    assert (await officer.get("/v1/audit/proofs/inclusion", entry=waiting.id)).is_success
    late = await officer.get("/v1/audit/proofs/inclusion", entry=waiting.id, size=head.size)
    assert (problem(late), late.json()["errors"][0]["field"]) == ((422, "invalid-request"), "size")


async def test_an_officer_proves_the_own_entries_alone(kreis: Kreis) -> None:
    """Another agency's entry is not found, as one that is not there; an auditor finds it."""
    [(entry, _)] = await evidence(kreis.gateway, "transfer.permitted")
    stranger = await kreis.officer(STRANGER)
    answers = [
        await stranger.get("/v1/audit/proofs/inclusion", entry=entry.id),
        await stranger.get("/v1/audit/proofs/inclusion", leaf=entry.leaf.hex()),
        await stranger.get("/v1/audit/proofs/inclusion", entry="00000000-0000-4000-8000-000000000000"),
    ]

    assert [answer.json() for answer in answers] == [answers[0].json()] * 3
    assert problem(answers[0]) == (404, "not-found")
    assert (await (await auditor(kreis)).get("/v1/audit/proofs/inclusion", entry=entry.id)).is_success


async def test_looks_are_entries_where_they_show_something(kreis: Kreis) -> None:
    """Proofs and bundles are on record with who looked beside; hashes and checkpoint alone are not."""
    reader = await auditor(kreis)
    [(entry, _)] = await evidence(kreis.gateway, "transfer.permitted")
    for path in ("log/checkpoint", "log/keys", "log/tile/0/000.p/2"):
        assert (await reader.get(f"/v1/audit/{path}")).is_success
    assert await evidence(kreis.gateway, "audit.read") == []
    await reader.get("/v1/audit/proofs/inclusion", entry=entry.id)
    await reader.get("/v1/audit/proofs/consistency", first=1)
    await reader.get(f"{LOG}/tile/entries/000.p/2")
    proved, read = await evidence(kreis.gateway, "audit.proved"), await evidence(kreis.gateway, "audit.read")

    assert [look.reference for look, _ in proved] == [entry.id, None]
    assert [look.data for look, _ in read] == [{"bundle": 0, "width": 2}]
    assert {side["client"] for _, side in [*proved, *read]} == {reader.client.client_id}


#: Named otherwise than the specification says, wider than the tree, beyond it.
NO_TILES = [
    *("0/0", "0/x000/000.p/1", "0/000.p/01", "0/000.p/0", "0/000.p/256", "0/000.p/1/", "00/000", "x/000", "-1/000"),
    *("0/000", "0/000.p/99", "0/001.p/1", "1/000.p/1", "1/000", "64/000.p/1", "entries/000", "entries/999.p/1"),
    "0/Zzmarker",
]


@pytest.mark.parametrize("path", NO_TILES)
async def test_a_tile_that_is_not_there_is_not_found(kreis: Kreis, path: str) -> None:
    """Wider than the tree, beyond it, or named otherwise than the specification says."""
    answer = await (await auditor(kreis)).get(f"{LOG}/tile/{path}")

    assert problem(answer) == (404, "not-found")
    assert "marker" not in answer.text


async def test_before_the_first_checkpoint_there_is_none(data_dir: Path) -> None:
    """A log that was never sealed says that there is nothing yet."""
    async with open_kreis(data_dir) as kreis:
        officer = await kreis.officer(HOME)
        for path, asked in (("log/checkpoint", {}), ("proofs/consistency", {"first": 1})):
            assert problem(await officer.get(f"/v1/audit/{path}", **asked)) == (409, "not-sealed-yet")


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("inclusion", {}),
        ("inclusion", {"entry": "Zzmarker"}),
        ("inclusion", {"leaf": "AB"}),
        ("inclusion", {"entry": "00000000-0000-4000-8000-000000000000", "leaf": "0" * 64}),
        ("consistency", {}),
        ("consistency", {"first": 0}),
        ("consistency", {"first": 3, "second": 2}),
    ],
)
async def test_what_does_not_parse_is_told(kreis: Kreis, path: str, asked: dict[str, Any]) -> None:
    """The field is named, its value is not repeated, and nothing is on record."""
    answer = await (await kreis.officer(HOME)).get(f"/v1/audit/proofs/{path}", **asked)

    assert problem(answer) == (422, "invalid-request")
    assert "marker" not in answer.text
    assert await evidence(kreis.gateway, "audit.proved") == []


async def test_a_tree_that_was_tampered_with_proves_nothing(kreis: Kreis) -> None:
    """Where the stored tiles are not those of the checkpoint, no proof is given out."""
    officer = await kreis.officer(HOME)
    [(entry, _)] = await evidence(kreis.gateway, "transfer.permitted")
    async with kreis.gateway.db.writing() as connection:
        stored = await read_tiles(connection, [(0, 0)])
        changed = {tile: bytes([hashes[0] ^ 1]) + hashes[1:] for tile, hashes in stored.items()}
        await write_tiles(connection, changed)
    for path, asked in (("inclusion", {"entry": entry.id}), ("consistency", {"first": 1})):
        answer = await officer.get(f"/v1/audit/proofs/{path}", **asked)
        assert problem(answer) == (500, "internal-error")


@pytest.mark.parametrize(("number", "path"), [(0, "000"), (67, "067"), (1000, "x001/000"), (1234067, "x001/x234/067")])
def test_numbers_are_written_as_the_specification_says(number: int, path: str) -> None:
    """Three digits a group, all but the last behind an x."""
    assert tile_path(number) == path
