"""What may enter the outbox, and who takes it out."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import date
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from broker.gateway import Gateway
from broker.outbox import repository
from broker.outbox.leases import PARTITIONS, partition_of
from broker.outbox.repository import PermitMismatch, claim, outbox_row
from broker.transport.base import topic_of
from consent.decision import Basis, Permit
from tests.flow.world import FOLDER_AGENCY, JOBCENTER, SOZIALAMT, Kreis
from tests.world import rows

TRANSFER = "11111111-2222-4333-8444-555555555555"
OTHER = "11111111-2222-4333-8444-666666666666"


def permit_for(transfer_id: str, content: bytes) -> Permit:
    """Return a permit as the engine binds it."""
    return Permit(
        transfer_id=transfer_id,
        payload_digest=sha256(content).hexdigest(),
        kept=("b1",),
        removed=(),
        grounds=(),
        consents=(),
        duties=(),
        findings=(),
        basis=Basis(date(2026, 3, 16), "f" * 64, "1", 1, ()),
    )


def queued(permit: Permit, transfer_id: str, content: bytes) -> dict[str, Any]:
    """Build the row."""
    return outbox_row(permit, transfer_id, content, b"sealed", "sozialamt-herten", "key", {"ce_id": transfer_id})


@given(st.binary(max_size=64))
def test_permit_for_these_bytes_and_this_id_queues_the_ciphertext_alone(content: bytes) -> None:
    """With its own permit a transfer gets a row, on its agency's topic, that holds nothing of the content."""
    row = queued(permit_for(TRANSFER, content), TRANSFER, content)

    assert (row["transfer_id"], row["topic"], row["value"]) == (TRANSFER, "amtsbruecke.v1.sozialamt-herten", b"sealed")
    assert set(row) == {"record_id", "transfer_id", "partition", "topic", "key", "headers", "value"}


@given(st.binary(max_size=64), st.binary(max_size=64))
def test_permit_serves_no_other_bytes(permitted: bytes, sent: bytes) -> None:
    """A permit for other bytes queues nothing."""
    assume(permitted != sent)
    with pytest.raises(PermitMismatch):
        queued(permit_for(TRANSFER, permitted), TRANSFER, sent)


@pytest.mark.parametrize("made_for", [OTHER, "", TRANSFER.upper() + " "])
def test_permit_serves_no_other_transfer(made_for: str) -> None:
    """A permit for the same bytes under another id queues nothing."""
    permit = replace(permit_for(TRANSFER, b"x"), transfer_id=made_for)
    with pytest.raises(PermitMismatch):
        queued(permit, TRANSFER, b"x")


async def claimed(gateway: Gateway, *, passed_over: Collection[str] = ()) -> list[str]:
    """Claim what is due; return the ids in the order of the claim."""
    async with gateway.db.writing() as connection:
        found = await claim(connection, range(PARTITIONS), passed_over, gateway.clock())
    return [item.transfer_id for item in found]


async def submitted(kreis: Kreis, count: int) -> list[str]:
    """Submit so many transfers."""
    jobcenter = await kreis.office(JOBCENTER)
    return [await jobcenter.accepted(SOZIALAMT) for _ in range(count)]


async def test_oldest_are_claimed_first(kreis: Kreis, monkeypatch: pytest.MonkeyPatch) -> None:
    """A claim takes rows in the order of their acceptance, at most a batch."""
    ids = await submitted(kreis, 3)
    monkeypatch.setattr(repository, "BATCH", 2)

    assert await claimed(kreis.gateway) == ids[:2]


async def test_claim_holds_no_more_bytes_than_a_relay_may(kreis: Kreis, monkeypatch: pytest.MonkeyPatch) -> None:
    """A claim ends before it grows over its bytes, and takes a record that is larger by itself."""
    ids = await submitted(kreis, 3)
    monkeypatch.setattr(repository, "BATCH_BYTES", 10)

    assert await claimed(kreis.gateway) == ids[:1]


async def test_claim_looks_into_its_partitions_alone(kreis: Kreis) -> None:
    """What lies in another relay's partitions is not touched."""
    [transfer] = await submitted(kreis, 1)
    [row] = await rows(kreis.gateway, "SELECT partition, key FROM outbox")
    async with kreis.gateway.db.writing() as connection:
        others = await claim(connection, set(range(PARTITIONS)) - {row.partition}, (), kreis.clock())
        mine = await claim(connection, {row.partition}, (), kreis.clock())

    assert row.partition == partition_of(row.key)
    assert ([item.transfer_id for item in others], [item.transfer_id for item in mine]) == ([], [transfer])


async def test_topic_that_is_passed_over_holds_back_no_other(kreis: Kreis) -> None:
    """Rows for a topic that takes nothing stay, the others are claimed."""
    waits = await submitted(kreis, 1)
    goes = await (await kreis.office(JOBCENTER)).accepted(f"{FOLDER_AGENCY}:SOZIALAMT_SGBXII")

    assert await claimed(kreis.gateway, passed_over=[topic_of("sozialamt-herten")]) == [goes]
    assert await claimed(kreis.gateway) == [*waits, goes]


async def test_row_of_a_transfer_that_ended_is_dropped(kreis: Kreis) -> None:
    """Its ciphertext leaves the outbox without having gone anywhere."""
    [transfer] = await submitted(kreis, 1)
    await (await kreis.office(JOBCENTER)).post(f"/v1/transfers/{transfer}/recall")

    assert await claimed(kreis.gateway) == []
    assert await rows(kreis.gateway, "SELECT id FROM outbox") == []


async def test_nothing_due_claims_nothing(kreis: Kreis) -> None:
    """An empty outbox is no error."""
    assert await claimed(kreis.gateway) == []
