"""The evidence: what a leaf covers, what opens a commitment, what can be deleted, and that nothing is changed."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select, text

from broker.audit.events import EVENTS, AuditEvent
from broker.audit.leaves import SALT_BYTES, commitment, hashed_part, leaf_hash
from broker.audit.log import append
from broker.audit.models import AuditEntry, AuditSide
from broker.gateway import Gateway
from broker.law.models import CatalogueBytes
from tests.world import START, MovableClock, evidence, fresh_gateway, scalar

EVENT = AuditEvent(
    "transfer.permitted",
    "jobcenter-kreis-re:JOBCENTER",
    "jobcenter-kreis-re:JOBCENTER",
    "sozialamt-herten:SOZIALAMT_SGBXII",
    "11111111-2222-4333-8444-555555555555",
    {"purpose": "RECHTSKREISWECHSEL", "removed": []},
    {"client": "c-1", "case": "keyed"},
)


@pytest.fixture
async def gateway(data_dir: Path, clock: MovableClock) -> AsyncIterator[Gateway]:
    """Give a gateway on an empty database."""
    async with fresh_gateway(data_dir, clock) as found:
        yield found


async def appended(gateway: Gateway, *events: AuditEvent) -> list[str]:
    """Append in a transaction of its own."""
    async with gateway.db.writing() as connection:
        return await append(connection, events, gateway.clock())


codes = st.text(min_size=1, max_size=12)
values = st.one_of(st.none(), codes, st.integers(-1000, 1000), st.lists(codes, max_size=3))
entries = st.fixed_dictionaries(
    {
        "id": codes,
        "event": st.sampled_from(sorted(EVENTS)),
        "actor": codes,
        "sender": st.none() | codes,
        "recipient": st.none() | codes,
        "reference": st.none() | codes,
        "data": st.dictionaries(codes, values, max_size=3),
        "commitments": st.dictionaries(codes, codes, max_size=3),
        "at": st.datetimes(min_value=START.replace(tzinfo=None)).map(
            lambda at: at.replace(tzinfo=START.tzinfo, microsecond=at.microsecond // 1000 * 1000)
        ),
    }
)


@given(entries, entries)
def test_leaf_changes_with_every_field(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Whichever field of an entry is exchanged for another value, the leaf is another; the same entry has the same."""
    leaf = leaf_hash(hashed_part(one))

    assert leaf == leaf_hash(hashed_part(copy.deepcopy(one)))
    for name in one:
        changed = one | {name: other[name]}
        assert (leaf_hash(hashed_part(changed)) == leaf) == (hashed_part(changed) == hashed_part(one)), name


def test_leaf_covers_all_columns_that_stay() -> None:
    """Every column of an entry but its number and the leaf itself is covered."""
    row = dict.fromkeys(AuditEntry.__table__.columns.keys(), "x") | {"at": START}

    assert set(hashed_part(row)) == set(row) - {"seq", "leaf"}


@given(st.binary(min_size=SALT_BYTES, max_size=SALT_BYTES), codes, codes)
def test_commitment_opens_with_its_own_value_alone(salt: bytes, value: str, other: str) -> None:
    """Salt and value give the commitment again, another value does not, and another salt does not."""
    made = commitment(salt, value)

    assert made == commitment(salt, value)
    assert (made == commitment(salt, other)) == (value == other)
    assert made != commitment(bytes([salt[0] ^ 1]) + salt[1:], value)


async def test_what_is_stored_verifies(gateway: Gateway) -> None:
    """From the database alone the leaf can be computed again, and each commitment opens with salt and value beside."""
    await appended(gateway, EVENT)
    [(entry, side)] = await evidence(gateway)
    async with gateway.db.reading() as connection:
        fields = (await connection.execute(select(AuditSide.fields))).scalar_one()
    salts = {name: bytes.fromhex(salt) for name, (salt, _) in fields.items()}

    assert leaf_hash(hashed_part(dict(entry._mapping))) == entry.leaf
    assert side == EVENT.side
    assert {name: commitment(salts[name], value) for name, value in side.items()} == entry.commitments
    assert len({*salts.values()}) == len(salts)
    assert "c-1" not in str(entry)


async def test_same_value_is_committed_to_differently(gateway: Gateway) -> None:
    """Two entries about the same client cannot be linked by their commitments."""
    await appended(gateway, EVENT, EVENT)
    [(one, _), (other, _)] = await evidence(gateway)

    assert not set(one.commitments.values()) & set(other.commitments.values())


async def test_erasure_leaves_a_leaf_that_verifies(gateway: Gateway) -> None:
    """What lies beside an entry can be deleted, and the entry is still provably the one that was written."""
    await appended(gateway, EVENT)
    async with gateway.db.writing() as connection:
        await connection.execute(text("DELETE FROM audit_side"))
    [(entry, side)] = await evidence(gateway)

    assert side == {}
    assert leaf_hash(hashed_part(dict(entry._mapping))) == entry.leaf


async def test_unknown_event_is_refused(gateway: Gateway) -> None:
    """An event that is not in the catalogue of events is a fault of ours, and nothing of the batch is written."""
    with pytest.raises(ValueError, match="unknown audit event"):
        await appended(gateway, EVENT, AuditEvent("transfer.invented", "x"))

    assert await evidence(gateway) == []


async def test_entry_and_business_row_share_their_fate(gateway: Gateway) -> None:
    """An exception after the entry was written leaves neither the entry nor the row it proves."""
    catalogue = {"fingerprint": "f", "content": b"x", "first_used": START}
    with pytest.raises(RuntimeError, match="afterwards"):
        await _write_both_and_fail(gateway, catalogue)

    assert await evidence(gateway) == []
    assert await scalar(gateway, "SELECT count(*) FROM audit_side") == 0
    assert await scalar(gateway, "SELECT count(*) FROM catalogues") == 0


async def _write_both_and_fail(gateway: Gateway, catalogue: dict[str, Any]) -> None:
    async with gateway.db.writing() as connection:
        await connection.execute(insert(CatalogueBytes), [catalogue])
        await append(connection, [EVENT], START)
        raise RuntimeError("afterwards")
