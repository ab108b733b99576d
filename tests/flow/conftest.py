"""The world of these tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from broker import db
from broker.audit import sequencer
from tests.flow.forced import Ground
from tests.flow.world import JOBCENTER, SOZIALAMT, kreis, open_kreis
from tests.world import data_dir, deployment, migrated

__all__ = ["data_dir", "deployment", "kreis", "migrated"]

LONG = 60


@pytest.fixture
async def ground(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Ground]:
    """Give the ground of a race: both offices known, and nobody thrown out for standing still at a halt."""
    for name in ("lock_timeout", "idle_in_transaction_session_timeout"):
        monkeypatch.setitem(db.SESSION, name, str(LONG * 1000))
    monkeypatch.setattr(sequencer, "PAUSED_TRANSACTION_SECONDS", LONG)
    async with open_kreis(data_dir) as kreis:
        made = Ground(kreis, monkeypatch, await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT))
        for office in (made.jobcenter, made.sozialamt):
            await office.headers()
        yield made
