"""Sealing keys end by themselves: what hangs on one is opened until its end, and afterwards by nobody."""

from __future__ import annotations

import asyncio
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from broker.cleanup.role import clean_up
from broker.crypto import SealBroken, unseal, unwrap
from broker.gateway import Gateway
from broker.key_watch import KeyWatch
from broker.keys import SEALING, key_file, make_key, owner_key, read_secrets
from broker.privileges import DbRole
from broker.sealing_keys import NotHere, Verdict, prune, rotate, shown
from tests.flow.world import JOBCENTER, SOZIALAMT, Kreis, ersuchen_body, person
from tests.world import evidence, fresh_gateway

ACTOR = "operator:*"
HOUR = timedelta(hours=1)


def eraser(kreis: Kreis) -> Gateway:
    """Return the gateway as the clean-up has it."""
    return kreis.gateway.acting(DbRole.ERASER)


def files(kreis: Kreis) -> list[str]:
    """Return the ids of the sealing keys whose files lie there, the newest first."""
    return [secret.kid for secret in read_secrets(kreis.gateway.settings.keys_dir, SEALING)]


async def next_period(kreis: Kreis) -> str:
    """Let the next key come into use; return its id."""
    kid, _ = await rotate(eraser(kreis), ACTOR, HOUR)
    kreis.clock.move(hours=1)
    await KeyWatch(kreis.gateway).look()
    return kid


def opens(folder: Path, wrapped: bytes, sealed: bytes, transfer: str) -> bool:
    """Whether any sealing key of a folder opens a content."""
    for secret in read_secrets(folder, SEALING):
        try:
            unseal(sealed, unwrap(wrapped, owner_key(secret.value, SEALING, SOZIALAMT)), transfer)
        except SealBroken:
            continue
        return True
    return False


async def received(kreis: Kreis) -> None:
    """Let the recipient fetch and answer all that there is."""
    office = await kreis.office(SOZIALAMT)
    for item in await office.inbox():
        assert (await office.answer(item)).status_code == 200


async def test_content_of_a_former_period_opens_until_its_end(kreis: Kreis) -> None:
    """After the change new contents are sealed under the new key, and those on their way are handed over."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    first = await jobcenter.accepted(SOZIALAMT)
    kid = await next_period(kreis)
    second = await jobcenter.accepted(SOZIALAMT, case_sender="BG-2")
    query = "SELECT sealing_kid FROM transfer_keys WHERE transfer_id = :id"
    under = [await kreis.scalar(query, id=one) for one in (first, second)]
    await kreis.pump()
    kreis.clock.move(days=10)

    assert under == ["1", kid]
    assert {item["transfer_id"] for item in await sozialamt.inbox()} == {first, second}


async def test_what_was_dug_out_of_old_pages_opens_for_nobody_after_the_end_of_its_key(kreis: Kreis) -> None:
    """Ciphertext and wrapped key, kept aside as PostgreSQL keeps them, open with the folder of before alone."""
    jobcenter = await kreis.office(JOBCENTER)
    transfer = await jobcenter.accepted(SOZIALAMT)
    await kreis.pump()
    wrapped = bytes(await kreis.scalar("SELECT wrapped FROM transfer_keys"))
    sealed = bytes(await kreis.scalar("SELECT sealed FROM deliveries"))
    folder = kreis.gateway.settings.keys_dir
    before = folder.with_name("taken")
    shutil.copytree(folder, before)
    await received(kreis)
    await next_period(kreis)
    kreis.clock.move(days=kreis.gateway.settings.payload_days - 1)
    early, still = await prune(eraser(kreis), ACTOR), opens(folder, wrapped, sealed, transfer)
    kreis.clock.move(days=1)
    gone = await prune(eraser(kreis), ACTOR)

    assert (early, still) == ([], True)
    assert (gone, files(kreis)) == (["1"], ["2"])
    assert not opens(folder, wrapped, sealed, transfer)
    assert opens(before, wrapped, sealed, transfer)
    assert [entry.data["kid"] for entry, _ in await evidence(kreis.gateway, "key.deleted")] == ["1"]


async def test_a_key_that_a_content_names_stays(kreis: Kreis) -> None:
    """However old it is: what was not handed over is not lost by a clean-up that did not run, or ran too early."""
    transfer = await (await kreis.office(JOBCENTER)).accepted(SOZIALAMT)
    await next_period(kreis)
    kreis.clock.move(days=100)
    gone = await prune(eraser(kreis), ACTOR)
    [_, old] = await shown(eraser(kreis))

    assert gone == []
    assert (old.kid, old.verdict, old.transfers, old.here) == ("1", Verdict.NAMED, 1, True)
    assert await kreis.scalar("SELECT sealing_kid FROM transfer_keys WHERE transfer_id = :id", id=transfer) == "1"


async def test_an_ersuchen_outlives_the_key_it_was_sealed_under(kreis: Kreis) -> None:
    """Its key is wrapped anew: the one who is asked still reads whom it is about, and the old sealing key goes."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    made = (await sozialamt.post("/v1/ersuchen", ersuchen_body(JOBCENTER, person("Lange", "Lea")))).json()["id"]
    await next_period(kreis)
    kreis.clock.move(days=20)
    gone = await prune(eraser(kreis), ACTOR)
    await KeyWatch(kreis.gateway).look()
    seen = (await jobcenter.get(f"/v1/ersuchen/{made}")).json()

    assert gone == ["1"]
    assert await kreis.scalar("SELECT sealing_kid FROM ersuchen_contents") == "2"
    assert seen["person"]["familienname"] == "Lange"


async def test_two_who_change_the_key_at_once_make_one(data_dir: Path) -> None:
    """The later one finds what the earlier one made, and both name the same key and moment."""
    async with fresh_gateway(data_dir) as one, fresh_gateway(data_dir) as other:
        made = await asyncio.gather(*(rotate(gateway, ACTOR, HOUR) for gateway in (one, other, one, other)))
        recorded = await evidence(one, "key.made")

    assert len(set(made)) == len(recorded) == 1
    assert [secret.kid for secret in read_secrets(data_dir / "keys", SEALING)] == ["2", "1"]


async def test_changing_the_key_under_load_loses_nothing(kreis: Kreis) -> None:
    """What is submitted while keys change is sealed under one that is there, and all of it arrives."""
    jobcenter, sozialamt = await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT)
    await jobcenter.headers()

    async def change() -> None:
        for _ in range(3):
            await rotate(eraser(kreis), ACTOR, timedelta())
            await KeyWatch(kreis.gateway).look()

    sent = [jobcenter.accepted(SOZIALAMT, case_sender=f"BG-{n}") for n in range(12)]
    *transfers, _ = await asyncio.gather(*sent[:6], change(), *sent[6:], change())
    transfers = [one for one in transfers if one]
    await kreis.pump()
    items = [item for _ in range(2) for item in await sozialamt.inbox()]

    assert sorted(item["transfer_id"] for item in items) == sorted(transfers)
    assert len(files(kreis)) == 7


async def test_a_file_that_did_not_come_on_record_is_used_by_nobody_until_it_does(kreis: Kreis) -> None:
    """Whoever dies between the two leaves a file; no content is sealed under it before all can know of it."""
    folder = kreis.gateway.settings.keys_dir
    make_key(folder, SEALING, "2")
    kept = key_file(folder, SEALING, "2").read_bytes()
    await KeyWatch(kreis.gateway).look()
    before = kreis.gateway.keys.sealing_key(SOZIALAMT)[0]
    after = await next_period(kreis)

    assert (before, after) == ("1", "2")
    assert kreis.gateway.keys.sealing_key(SOZIALAMT)[0] == "2"
    assert key_file(folder, SEALING, "2").read_bytes() == kept


async def test_the_next_key_is_made_where_the_last_one_lies(kreis: Kreis) -> None:
    """A machine without the newest file makes none of the same number: it says where to go."""
    await next_period(kreis)
    key_file(kreis.gateway.settings.keys_dir, SEALING, "2").unlink()
    with pytest.raises(NotHere, match=r"sealing-2\.json"):
        await rotate(eraser(kreis), ACTOR, HOUR)

    assert files(kreis) == ["1"]


async def test_a_copy_on_another_machine_goes_too(kreis: Kreis) -> None:
    """What is on record as deleted is deleted wherever the command runs, and is not used again where it comes back."""
    folder = kreis.gateway.settings.keys_dir
    copy = key_file(folder, SEALING, "1").read_bytes()
    await next_period(kreis)
    kreis.clock.move(days=15)
    first = await prune(eraser(kreis), ACTOR)
    key_file(folder, SEALING, "1").touch(mode=0o600)
    key_file(folder, SEALING, "1").write_bytes(copy)
    [_, old] = await shown(eraser(kreis))
    second = await prune(eraser(kreis), ACTOR)

    assert (old.verdict, old.here) == (Verdict.DELETED, True)
    assert (first, second, files(kreis)) == (["1"], ["1"], ["2"])
    assert len(await evidence(kreis.gateway, "key.deleted")) == 1


@pytest.mark.parametrize("keeps", [True, False])
async def test_the_clean_up_keeps_the_keys_of_a_fortnight(data_dir: Path, keeps: bool) -> None:
    """Run daily it makes one a day and lets the oldest go; beside PostgreSQL only where it is told that it does."""
    given: dict[str, Any] = {"keeps_keys": keeps, "payload_days": 4}
    async with fresh_gateway(data_dir, **given) as gateway:
        kept = []
        for _ in range(12):
            gateway.clock.move(hours=24)  # type: ignore[attr-defined]
            await clean_up(gateway)
            kept.append(len(read_secrets(gateway.settings.keys_dir, SEALING)))
        now = gateway.clock()
        newest = (await shown(gateway))[0]

    if keeps or gateway.db.is_sqlite:
        assert max(kept) == kept[-1] == given["payload_days"] + 2
        assert newest.used_from >= now - timedelta(days=1)
    else:
        assert set(kept) == {1}
