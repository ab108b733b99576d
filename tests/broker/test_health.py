"""Whether a process is ready: its clock against the database's."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from broker.clock import system_clock
from broker.health import Check, Readiness, checks_of, clock_right, failure
from tests.flow.world import Kreis
from tests.world import on_postgresql, on_sqlite


async def clock_code(kreis: Kreis, ahead: float) -> str | None:
    """Return the code of the check on a machine whose clock is ahead of the true time by some seconds."""

    def wrong() -> datetime:
        return system_clock() + timedelta(seconds=ahead)

    readiness = Readiness(checks_of(replace(kreis.gateway, clock=wrong)))
    return (await readiness.look())["clock"]


@on_postgresql
@pytest.mark.parametrize(
    ("ahead", "code"), [(0, None), (1, None), (-1, None), (4, "clock-offset"), (-4, "clock-offset")]
)
async def test_a_clock_that_differs_from_the_databases(kreis: Kreis, ahead: float, code: str | None) -> None:
    """More than two seconds off the database's clock, either way, is not ready, and says which check it was."""
    assert await clock_code(kreis, ahead) == code


@on_sqlite
async def test_an_embedded_database_has_no_other_clock(kreis: Kreis) -> None:
    """Where the database is a file of the same machine, its clock is ours."""
    assert await clock_code(kreis, 3600) is None


@on_postgresql
async def test_a_slow_answer_is_no_offset(kreis: Kreis) -> None:
    """What the question itself takes is told from an offset: half of it lies before the database's answer."""
    moments = iter([system_clock() - timedelta(seconds=5), system_clock() + timedelta(seconds=5)])
    slow = replace(kreis.gateway, clock=lambda: next(moments))

    assert await failure(Check("clock", lambda: clock_right(slow), "database-unreachable")) is None
