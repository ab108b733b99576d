"""Each guard is needed: without it the very races that hold with it are lost, and in the way that it prevents."""

from __future__ import annotations

import re

import pytest

from tests.flow.forced import Ground
from tests.flow.guards import ALL_RACES, EMBEDDED_RACES, GUARDS, KAFKA_RACES, RACES, Guard
from tests.house.source import ROOT
from tests.world import on_kafka, on_postgresql, on_sqlite


def on(races: object) -> pytest.MarkDecorator:
    """Return the guards and races of one deployment as parameters."""
    assert isinstance(races, dict)
    pairs = [(guard, race) for guard in GUARDS for race in guard.breaks if race in races]
    return pytest.mark.parametrize(("guard", "race"), pairs, ids=[f"{guard.name}-{race}" for guard, race in pairs])


async def lost(ground: Ground, guard: Guard, race: str) -> None:
    """Run a race without a guard; its own breach must be seen, and the guard must have been there to take out."""
    guard.take_out(ground)
    found = await ALL_RACES[race](ground)

    assert found == {guard.breaks[race]}
    assert all(changed.hits for changed in ground.changed)


@on_postgresql
@on(RACES)
async def test_race_is_lost_without_its_guard(ground: Ground, guard: Guard, race: str) -> None:
    """Without it the promise is broken."""
    await lost(ground, guard, race)


@on_kafka
@on(KAFKA_RACES)
async def test_race_on_kafka_is_lost_without_its_guard(ground: Ground, guard: Guard, race: str) -> None:
    """The same with Apache Kafka between the two."""
    await lost(ground, guard, race)


@on_sqlite
@on(EMBEDDED_RACES)
async def test_race_on_sqlite_is_lost_without_its_guard(ground: Ground, guard: Guard, race: str) -> None:
    """The same where the embedded database alone makes a difference."""
    await lost(ground, guard, race)


def test_every_race_needs_a_guard_and_the_page_lists_them() -> None:
    """No race that holds by itself, and docs/reliability.md names each guard with its races."""
    page = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    listed = {
        match["guard"]: set(re.findall(r"`([a-z-]+)`", match["races"]))
        for match in re.finditer(r"^\| `(?P<guard>[a-z-]+)` \|[^|]*\|(?P<races>[^|]*)\|", page, re.MULTILINE)
    }

    assert {race for guard in GUARDS for race in guard.breaks} == set(ALL_RACES)
    assert listed == {guard.name: set(guard.breaks) for guard in GUARDS}
