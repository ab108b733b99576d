"""The parts put together."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.base import AgencyAdapter
from adapters.registry import CHANNELS, DIALECTS
from tests.adapters.examples import NOON, adapter

SUNDAY = datetime(2026, 3, 15, 11, tzinfo=UTC)


def test_every_channel_of_a_dialect_exists() -> None:
    """A dialect names only channels that the registry has, and each channel serves somebody."""
    assert {name for dialect in DIALECTS.values() for name in dialect.channels} == set(CHANNELS)


@pytest.mark.parametrize("kind", sorted(DIALECTS))
def test_the_inbox_is_always_open(kind: str) -> None:
    """Whoever fetches decides when."""
    office: AgencyAdapter = adapter(kind, None)
    assert office.opens_at(SUNDAY) == SUNDAY


@pytest.mark.parametrize("kind", ["jobcenter", "jugendamt", "sozialamt"])
def test_a_folder_has_hours_and_what_is_urgent_has_none(kind: str, tmp_path: Path) -> None:
    """On a Sunday a message waits for Monday morning, a kinderschutz message does not."""
    office: AgencyAdapter = adapter(kind, tmp_path)
    assert office.opens_at(NOON) == NOON
    assert office.opens_at(SUNDAY) == datetime(2026, 3, 16, 5, tzinfo=UTC)
    assert office.opens_at(SUNDAY, urgent=True) == SUNDAY
