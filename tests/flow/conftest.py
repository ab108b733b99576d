"""The Kreis as a fixture."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.flow.world import Kreis, open_kreis


@pytest.fixture
async def kreis(data_dir: Path) -> AsyncIterator[Kreis]:
    """Give a running service with the directory of Kreis Recklinghausen."""
    async with open_kreis(data_dir) as running:
        yield running
