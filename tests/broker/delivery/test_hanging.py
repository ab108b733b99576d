"""An office whose share hangs: nobody else waits for it, its attempts end, and what wakes too late shows nothing."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from sqlalchemy import text

from broker.app import running
from broker.delivery.bringing import ACTOR
from broker.delivery.handover import Released, take
from broker.delivery.leases import Leases
from broker.delivery.repository import Queue, Taker, Way, hold, note_failure
from broker.delivery.strand import HANGS
from broker.delivery.worker import run
from broker.directory.file import read_directory
from broker.directory.service import load, prepare_channels
from broker.lifecycle.states import State
from broker.privileges import DbRole
from tests.flow.test_roles import free_port
from tests.flow.test_shutdown import GRACE, process
from tests.flow.world import FOLDER_AGENCY, JOBCENTER, Kreis, open_kreis
from tests.world import DIRECTORY, eventually, on_postgresql, on_sqlite, rows

OTHER_AGENCY = "sozialamt-datteln"
UNIT = "SOZIALAMT_SGBXII"


@pytest.fixture
async def hasty(data_dir: Path) -> AsyncIterator[Kreis]:
    """Give a service whose leases last a second, with a second office that reads files."""
    async with open_kreis(data_dir, lease_seconds=1, deliver_seconds=0.1) as kreis:
        changed = data_dir / "directory.yaml"
        marl = 'sozialamt-marl: {channel: folder, path: "folders/{agency}", hours: always}'
        text_of = DIRECTORY.read_text(encoding="utf-8")
        changed.write_text(text_of.replace(marl, f"{marl}\n    {marl.replace('marl', 'datteln')}"), encoding="utf-8")
        document = read_directory(changed, data_dir)
        await load(kreis.gateway.acting(DbRole.ADMIN), document)
        await prepare_channels(document, data_dir)
        yield kreis


def place(folder: Path) -> Path:
    """Return where the office's messages lie."""
    return folder / "folders" / FOLDER_AGENCY / "sgb-xii"


@contextmanager
def hanging(folder: Path) -> Iterator[None]:
    """Let the office's share hang: somebody holds its lock, as one that sleeps in the middle of a hand-over."""
    lock = os.open(folder / "folders" / FOLDER_AGENCY / ".uebergeben" / ".sperre", os.O_RDWR | os.O_CREAT, 0o640)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(lock)


async def waiting(kreis: Kreis, agency: str = FOLDER_AGENCY, **parts: Any) -> str:
    """Submit a transfer to an office and take it in; it waits to be brought."""
    transfer = await (await kreis.office(JOBCENTER)).accepted(f"{agency}:{UNIT}", **parts)
    await kreis.publish()
    await kreis.take_in()
    return transfer


async def delivery(kreis: Kreis, transfer: str) -> Any:
    """Return the row of a delivery."""
    found = await rows(kreis.gateway, "SELECT * FROM deliveries WHERE transfer_id = :id", id=transfer)
    return found[0]


async def test_hanging_share_stops_no_other_and_its_attempt_ends(hasty: Kreis) -> None:
    """The others are served; after three leases the attempt is over, and what wakes later shows no file."""
    jobcenter, folder = await hasty.office(JOBCENTER), hasty.gateway.settings.data_dir
    hung, served = await waiting(hasty), await waiting(hasty, OTHER_AGENCY)
    async with running([run(hasty.gateway)]):
        with hanging(folder):
            await eventually(lambda: reads(hasty, served, "delivered"))
            later = await waiting(hasty, OTHER_AGENCY)
            await eventually(lambda: reads(hasty, later, "delivered"))
            meanwhile = await delivery(hasty, hung)
            await eventually(lambda: failed(hasty, hung))
        await asyncio.sleep(0.5)
        woken = list(place(folder).glob("*.xml"))
        until = (await delivery(hasty, hung)).leased_until
        hasty.clock.move(seconds=3600)
        await eventually(lambda: reads(hasty, hung, "delivered"))

    assert (meanwhile.attempts, meanwhile.last_error, woken) == (1, None, [])
    assert until is not None
    assert [path.name for path in place(folder).glob("*.xml")] == [f"{hung}-1.xml"]
    assert (await jobcenter.get(f"/v1/transfers/{hung}")).json()["attempts"] == 2


async def reads(kreis: Kreis, transfer: str, state: str) -> bool:
    """Whether a transfer is in a state."""
    return await kreis.scalar("SELECT state FROM transfers WHERE id = :id", id=transfer) == state


async def failed(kreis: Kreis, transfer: str) -> bool:
    """Whether an attempt is noted as one whose channel hung."""
    return (await delivery(kreis, transfer)).last_error == HANGS


@on_sqlite
async def test_process_ends_in_order_while_a_share_hangs(data_dir: Path, tmp_path: Path) -> None:
    """SIGTERM while a file is being brought to a share that hangs: gone within ten seconds, in order."""
    async with open_kreis(data_dir) as kreis:
        kreis.clock.goes = True
        transfer = await waiting(kreis)
        log = tmp_path / "serve.log"
        with (
            hanging(data_dir),
            process("serve", "--roles", folder=data_dir, log=log, AMTSBRUECKE_PORT=str(free_port())) as served,
        ):
            await eventually(lambda: begun(kreis, transfer))
            began = monotonic()
            served.send_signal(signal.SIGTERM)
            status = await asyncio.to_thread(served.wait, 2 * GRACE)

    assert (status, monotonic() - began < GRACE) == (0, True), log.read_text()


async def begun(kreis: Kreis, transfer: str) -> bool:
    """Whether somebody is bringing a transfer."""
    return bool((await delivery(kreis, transfer)).attempts)


async def taken(kreis: Kreis) -> Released:
    """Take what waits for the office, as a worker does."""
    one = await take(kreis.gateway, Taker(ACTOR, "", Way.PUSH, "w"), Queue(agency=FOLDER_AGENCY))
    assert one
    return one[0]


async def test_lease_that_runs_out_is_not_relied_on(hasty: Kreis) -> None:
    """Before its end it is ours no more: whoever slept so long shows nothing; and nothing that another has begun."""
    await waiting(hasty)
    released = await taken(hasty)
    leases, transfer = Leases(hasty.gateway, [released]), released.transfer.id
    fresh = leases.stand(transfer)
    hasty.clock.move(seconds=0.7)
    stale = leases.stand(transfer)
    await leases._prolong()
    prolonged = leases.stand(transfer)
    hasty.clock.move(seconds=2)
    await taken(hasty)
    await leases._prolong()

    assert (fresh, stale, prolonged, leases.stand(transfer)) == (True, False, True, False)


@on_postgresql
async def test_prolonging_never_takes_back_a_pause(hasty: Kreis) -> None:
    """A lease that is being prolonged while its failure is noted ends with the pause that was noted."""
    await waiting(hasty)
    released = await taken(hasty)
    leases, transfer = Leases(hasty.gateway, [released]), released.transfer.id
    until = hasty.clock() + timedelta(hours=1)
    async with hasty.gateway.db.writing() as other:
        await other.execute(text("SELECT 1 FROM deliveries FOR UPDATE"))
        prolonging = asyncio.create_task(leases._prolong())
        await asyncio.sleep(0.3)
        forgetting = asyncio.create_task(leases.forget(transfer))
        await asyncio.sleep(0.1)
        early = forgetting.done()
    await forgetting
    async with hasty.gateway.db.writing() as connection:
        held = await hold(connection, transfer)
        await note_failure(connection, transfer, released.attempt, until, "folder-missing")
    await prolonging
    await leases._prolong()

    assert (early, held.state) == (False, State.HANDING_OVER)
    assert (await delivery(hasty, transfer)).leased_until == until
