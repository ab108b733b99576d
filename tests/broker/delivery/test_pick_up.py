"""Quittungen that an office leaves in its folder: some at a time, in one commit, each with its own fate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.delivery import bringing, pick_up, worker
from broker.delivery.bringing import Office
from broker.delivery.quittung import Brought
from broker.gateway import Gateway
from tests.broker.delivery.folder_office import MESSAGE_ID, OFFICE, leave, place, quittung, state, waiting
from tests.flow.world import FOLDER_AGENCY, JOBCENTER, Kreis

UNKNOWN = "00000000-0000-4000-8000-000000000000"


async def test_quittung_in_the_folder_counts_and_is_put_away(kreis: Kreis) -> None:
    """A quittung that lies in the folder acknowledges the transfer, ends its key and lies among the settled ones."""
    transfer = await waiting(kreis, message_id=MESSAGE_ID)
    await kreis.deliver()
    leave(kreis, {"q.xml": quittung(transfer)})

    assert await kreis.deliver() == 1
    assert await state(kreis, transfer) == "acknowledged"
    assert await kreis.scalar("SELECT count(*) FROM transfer_keys") == 0
    assert (place(kreis) / "quittungen" / "erledigt" / "q.xml").is_file()
    assert await kreis.deliver() == 0


async def test_bad_quittungen_are_put_away_with_their_reason(kreis: Kreis) -> None:
    """What does not count goes to the faulty ones with a code beside it, and holds up no good one."""
    transfer = await waiting(kreis, message_id=MESSAGE_ID)
    await kreis.deliver()
    bad = {
        "a.xml": (b"<kaputt", "schema-violation"),
        "b.xml": ((await kreis.office(JOBCENTER)).message(OFFICE), "schema-violation"),
        "c.xml": (quittung(UNKNOWN), "not-found"),
        "d.xml": (quittung(transfer, f"{FOLDER_AGENCY}:WOHNGELDSTELLE"), "wrong-unit"),
        "e.xml": (quittung(transfer, "sozialamt-herten:SOZIALAMT_SGBXII"), "not-found"),
        "f.xml": (quittung(transfer, reply_to=UNKNOWN), "invalid-request"),
    }
    leave(kreis, {name: content for name, (content, _) in bad.items()} | {"z.xml": quittung(transfer)})
    await kreis.deliver()
    faulty = place(kreis) / "quittungen" / "fehler"

    assert {name: (faulty / f"{name}.grund.txt").read_text().strip() for name in bad} == {
        name: reason for name, (_, reason) in bad.items()
    }
    assert all((faulty / name).is_file() for name in bad)
    assert await state(kreis, transfer) == "acknowledged"


async def test_quittung_is_committed_before_its_file_is_put_away(kreis: Kreis) -> None:
    """Where the file cannot be put away, the quittung counts all the same, once, and is put away later."""
    transfer = await waiting(kreis, message_id=MESSAGE_ID)
    await kreis.deliver()
    leave(kreis, {"q.xml": quittung(transfer)})
    settled = place(kreis) / "quittungen" / "erledigt"
    aside = settled.rename(settled.with_name("anderswo"))
    assert await kreis.deliver() == 0
    assert await state(kreis, transfer) == "acknowledged"
    aside.rename(settled)

    assert await kreis.deliver() == 1
    assert (settled / "q.xml").is_file()
    assert await kreis.scalar("SELECT count(*) FROM audit_entries WHERE event = 'transfer.quittung'") == 1


async def test_what_has_gathered_shares_its_commits(kreis: Kreis, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five, one of them faulty, are taken two at a time, and each counts once."""
    monkeypatch.setattr(pick_up, "TOGETHER", 2)
    ids = [str(uuid4()) for _ in range(4)]
    transfers = [await waiting(kreis, message_id=one) for one in ids]
    await kreis.deliver()
    pairs = enumerate(zip(transfers, ids, strict=True))
    good = {f"{number}.xml": quittung(transfer, reply_to=one) for number, (transfer, one) in pairs}
    leave(kreis, good | {"0a.xml": b"<kaputt"})
    groups: list[int] = []

    async def noted(connection: AsyncConnection, gateway: Gateway, batch: Sequence[Brought]) -> Any:
        groups.append(len(batch))
        return await accept_quittungen(connection, gateway, batch)

    accept_quittungen = pick_up.accept_quittungen
    monkeypatch.setattr(pick_up, "accept_quittungen", noted)
    assert [await kreis.deliver(), await kreis.deliver()] == [5, 0]

    assert groups == [1, 2, 1]
    assert {await state(kreis, one) for one in transfers} == {"acknowledged"}
    assert await kreis.scalar("SELECT count(*) FROM audit_entries WHERE event = 'transfer.quittung'") == 4
    assert len(list((place(kreis) / "quittungen" / "fehler").glob("*.xml"))) == 1


async def test_quittungen_do_not_wait_for_the_last_message(kreis: Kreis, monkeypatch: pytest.MonkeyPatch) -> None:
    """While messages for an office keep coming, what it has answered is picked up between them."""
    monkeypatch.setattr(bringing, "TOGETHER", 1)
    first = await waiting(kreis, message_id=MESSAGE_ID)
    await kreis.deliver()
    leave(kreis, {"q.xml": quittung(first)})
    others = [await waiting(kreis) for _ in range(3)]
    seen: list[tuple[str, int]] = []

    async def noted(gateway: Gateway, office: Office) -> int:
        delivered = [await state(kreis, one) for one in others].count("delivered")
        seen.append((await state(kreis, first), delivered))
        return await push(gateway, office)

    push = worker.push
    monkeypatch.setattr(worker, "push", noted)
    await kreis.deliver()

    assert seen == [("delivered", 0), *(("acknowledged", number) for number in (1, 2, 3))]
