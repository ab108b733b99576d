"""What the tests of the directory share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from broker.gateway import Gateway
from tests.broker.directory.gateways import MovableClock, fresh_gateway


@pytest.fixture
def clock() -> MovableClock:
    """Return a clock that stands still until it is moved."""
    return MovableClock()


@pytest.fixture
async def gateway(tmp_path: Path, clock: MovableClock) -> AsyncIterator[Gateway]:
    """Give a gateway on an empty database."""
    async with fresh_gateway(tmp_path / "data", clock) as found:
        yield found
