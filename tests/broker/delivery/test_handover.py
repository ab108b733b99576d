"""The moment of handing over, where the content itself is not what it was."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Update, update

from broker.lifecycle.models import DeliveryRow, Transfer, TransferKey
from tests.flow.world import FOLDER_AGENCY, JOBCENTER, SOZIALAMT, Kreis

TAMPERING: dict[str, Callable[[str], Update]] = {
    "ciphertext": lambda id_: update(DeliveryRow).where(DeliveryRow.transfer_id == id_).values(sealed=bytes(64)),
    "wrapped key": lambda id_: update(TransferKey).where(TransferKey.transfer_id == id_).values(wrapped=bytes(40)),
    "digest": lambda id_: update(Transfer).where(Transfer.id == id_).values(digest="f"),
}


@pytest.mark.parametrize("what", TAMPERING)
@pytest.mark.parametrize("recipient", [SOZIALAMT, f"{FOLDER_AGENCY}:SOZIALAMT_SGBXII"])
async def test_content_that_does_not_open_lies_dead_and_holds_up_no_other_case(
    kreis: Kreis, what: str, recipient: str
) -> None:
    """What was changed underway is handed over to nobody, for a human to see, and the next case goes its way."""
    jobcenter, office = await kreis.office(JOBCENTER), await kreis.office(recipient)
    broken = await jobcenter.accepted(recipient, case_sender="BG-1")
    whole = await jobcenter.accepted(recipient, case_sender="BG-2")
    await kreis.publish()
    await kreis.take_in()
    async with kreis.gateway.db.writing() as connection:
        await connection.execute(TAMPERING[what](broken))
    await kreis.deliver()
    items = await office.inbox()

    assert (await jobcenter.get(f"/v1/transfers/{broken}")).json()["history"][-1]["reason"] == "seal-broken"
    assert await jobcenter.state(broken) == "dead"
    assert [item["transfer_id"] for item in items] == ([whole] if recipient == SOZIALAMT else [])
    assert await jobcenter.state(whole) == ("handing_over" if recipient == SOZIALAMT else "delivered")
