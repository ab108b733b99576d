"""The keeper of several workers: who ends is replaced, who hangs is killed, and at the end nobody is left."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

import pytest
from typer.testing import CliRunner

from broker import workers
from broker.cli.main import app
from broker.health import Readiness
from broker.listening import CannotStart
from broker.transport.embedded import EmbeddedTransport
from broker.workers import Keeper
from tests.flow.world import Kreis
from tests.world import eventually

PROGRAM = Path(__file__).with_name("beating.py")


def lives(pid: int) -> bool:
    """Whether a process is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@asynccontextmanager
async def kept(kreis: Kreis, folder: Path, manner: str, count: int = 2) -> AsyncIterator[Keeper]:
    """Keep workers that behave in a manner while the body runs."""
    figures = folder / "figures"
    figures.mkdir()
    (folder / "seen").mkdir()
    command = [sys.executable, str(PROGRAM), str(folder / "seen"), manner]
    with socket.create_server(("127.0.0.1", 0)) as listening:
        keeper = Keeper(command, count, listening, figures)
        transport = EmbeddedTransport(kreis.gateway.db, kreis.gateway.topic_filled)
        task = asyncio.create_task(keeper.run(kreis.gateway, transport))
        try:
            yield keeper
        finally:
            kreis.gateway.stop()
            await task


def seen(folder: Path) -> set[int]:
    """Return the processes that were ever started."""
    return {int(path.name) for path in (folder / "seen").iterdir()}


async def code(kreis: Kreis, keeper: Keeper) -> str | None:
    """Return the reason code of the check of the workers."""
    transport = EmbeddedTransport(kreis.gateway.db, kreis.gateway.topic_filled)
    return (await Readiness(keeper.checks(kreis.gateway, transport)).look())["workers"]


async def test_a_killed_worker_is_replaced(kreis: Kreis, tmp_path: Path) -> None:
    """Kill -9 of one worker: not ready until another beats in its place; the other one never notices."""
    async with kept(kreis, tmp_path, "beats") as keeper:

        async def all_there() -> bool:
            return await code(kreis, keeper) is None

        await eventually(all_there)
        first = seen(tmp_path)
        killed = min(first)
        os.kill(killed, signal.SIGKILL)
        await eventually(lambda: _is(code(kreis, keeper), "workers-missing"))
        await eventually(all_there)
        later = seen(tmp_path)

    assert len(first) == 2
    assert len(later - first) == 1
    assert not [pid for pid in later if lives(pid)]


async def _is(got: object, wanted: object) -> bool:
    return await got == wanted  # type: ignore[misc]


async def test_a_worker_that_hangs_is_killed_and_replaced(
    kreis: Kreis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that does not beat is killed after its time, and another takes its place."""
    monkeypatch.setattr(workers, "HUNG_SECONDS", 0.5)
    async with kept(kreis, tmp_path, "hangs", 1):

        async def replaced() -> bool:
            return len(seen(tmp_path)) >= 2

        await eventually(replaced)
        first = min(seen(tmp_path))

    assert not [pid for pid in seen(tmp_path) | {first} if lives(pid)]


async def test_workers_that_die_young_are_not_started_in_a_storm(kreis: Kreis, tmp_path: Path) -> None:
    """One that ends at once is replaced after a pause that grows."""
    async with kept(kreis, tmp_path, "dies", 1):
        await asyncio.sleep(2.5)

    assert 1 <= len(seen(tmp_path)) <= 3


async def test_a_worker_that_does_not_end_is_killed(
    kreis: Kreis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the end a worker has its time; then it is killed, and the keeper ends."""
    monkeypatch.setattr(workers, "ENDS_SECONDS", 0.5)
    async with kept(kreis, tmp_path, "stubborn", 2):

        async def started() -> bool:
            return len(seen(tmp_path)) == 2

        await eventually(started)
        began = monotonic()

    assert monotonic() - began < 5
    assert not [pid for pid in seen(tmp_path) if lives(pid)]


@pytest.mark.parametrize(
    ("words", "url", "told"),
    [
        (("--workers", "2"), "", "PostgreSQL"),
        (("--workers", "2"), "postgresql+asyncpg://nobody@127.0.0.1:1/none", "--no-roles"),
    ],
)
def test_what_workers_cannot_share_is_refused_with_what_to_do(
    words: tuple[str, ...], url: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite has one writer, and roles inside the gateway would run once for each worker."""
    monkeypatch.setenv("AMTSBRUECKE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("AMTSBRUECKE_DATABASE_URL", url)
    result = CliRunner().invoke(app, ["serve", *words])

    assert isinstance(result.exception, CannotStart)
    assert told in str(result.exception)
