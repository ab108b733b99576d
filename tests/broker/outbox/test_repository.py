"""What may enter the outbox, and who takes it out."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from broker.gateway import Gateway
from broker.outbox.repository import PermitMismatch, claim_due, note_published, outbox_row
from consent.decision import Basis, Permit
from tests.flow.world import JOBCENTER, SOZIALAMT, Kreis
from tests.world import rows

TRANSFER = "11111111-2222-4333-8444-555555555555"
OTHER = "11111111-2222-4333-8444-666666666666"
HOLD = timedelta(seconds=30)
LIMIT = 100


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
    assert set(row) == {"transfer_id", "topic", "key", "headers", "value"}


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


async def claimed(gateway: Gateway, relay: str, limit: int = LIMIT) -> list[str]:
    """Claim what is due; return the ids in the order of the claim."""
    async with gateway.db.writing() as connection:
        return [transfer_id for transfer_id, _ in await claim_due(connection, relay, gateway.clock(), HOLD, limit)]


async def submitted(kreis: Kreis, count: int) -> list[str]:
    """Submit so many transfers."""
    jobcenter = await kreis.office(JOBCENTER)
    return [await jobcenter.accepted(SOZIALAMT) for _ in range(count)]


async def test_oldest_are_claimed_first(kreis: Kreis) -> None:
    """A claim takes rows in the order of their acceptance, at most its limit."""
    ids = await submitted(kreis, 3)

    assert await claimed(kreis.gateway, "a", limit=2) == ids[:2]
    assert await claimed(kreis.gateway, "b", limit=2) == ids[2:]


async def test_claim_keeps_others_away_until_it_ends(kreis: Kreis) -> None:
    """While a relay holds a row it alone gets it again; when the time is over, any other."""
    ids = await submitted(kreis, 1)
    assert await claimed(kreis.gateway, "a") == ids
    kreis.clock.move(seconds=30)
    assert await claimed(kreis.gateway, "b") == []
    assert await claimed(kreis.gateway, "a") == ids
    kreis.clock.move(seconds=31)
    assert await claimed(kreis.gateway, "b") == ids
    assert await claimed(kreis.gateway, "a") == []


async def test_published_row_is_claimed_no_more_and_holds_nothing(kreis: Kreis) -> None:
    """Once the transport has it, neither relay takes the row, and its ciphertext is gone."""
    ids = await submitted(kreis, 1)
    await claimed(kreis.gateway, "a")
    async with kreis.gateway.db.writing() as connection:
        await note_published(connection, ids, kreis.clock())
    kreis.clock.move(days=1)

    assert await claimed(kreis.gateway, "a") == await claimed(kreis.gateway, "b") == []
    [row] = await rows(kreis.gateway, "SELECT value, claimed_by, published_at FROM outbox")
    assert (row.value, row.claimed_by) == (b"", None)
    assert row.published_at


async def test_nothing_due_claims_nothing(kreis: Kreis) -> None:
    """An empty outbox is no error."""
    assert await claimed(kreis.gateway, "a") == []
