"""The world of these tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from broker.gateway import Gateway
from tests.world import MovableClock, fresh_gateway


@pytest.fixture
async def gateway(data_dir: Path, clock: MovableClock) -> AsyncIterator[Gateway]:
    """Give a gateway on an empty database."""
    async with fresh_gateway(data_dir, clock) as found:
        yield found
