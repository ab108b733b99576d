"""Two who meet in one moment, forced into every order that matters: whatever comes first, no promise is broken.

On real concurrent connections of PostgreSQL; the old relay that wakes on Apache Kafka. That each lock, fence and second
decision is needed for it is shown by `test_races_need_locks.py`, which runs the same races without them.
"""

from __future__ import annotations

import pytest

from tests.flow.forced import Ground
from tests.flow.guards import EMBEDDED_RACES, KAFKA_RACES, RACES
from tests.world import on_kafka, on_postgresql, on_sqlite


@on_postgresql
@pytest.mark.parametrize("name", RACES)
async def test_race_is_held(ground: Ground, name: str) -> None:
    """Both sides in one named interleaving: nothing is broken."""
    assert await RACES[name](ground) == set()


@on_kafka
@pytest.mark.parametrize("name", KAFKA_RACES)
async def test_race_on_kafka_is_held(ground: Ground, name: str) -> None:
    """The same with Apache Kafka between the two."""
    assert await KAFKA_RACES[name](ground) == set()


@on_sqlite
@pytest.mark.parametrize("name", EMBEDDED_RACES)
async def test_race_on_sqlite_is_held(ground: Ground, name: str) -> None:
    """The same where the embedded database alone makes a difference."""
    assert await EMBEDDED_RACES[name](ground) == set()
