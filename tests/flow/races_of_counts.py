"""The race for the last place on a route without a registered procedure. See `tests/flow/races.py`."""

from __future__ import annotations

from broker.transfers import service
from tests.flow.forced import Ground
from tests.flow.many import at_once
from tests.flow.races import ACCEPTED, Breach


async def two_for_the_last_place(ground: Ground) -> set[Breach]:
    """Submit about two persons at once, of whom the first to commit is the fiftieth of the route."""
    await at_once(ground.kreis, ground.jobcenter, *(range(start, min(start + 10, 49)) for start in range(0, 49, 10)))
    halt = ground.halt_after(service, "load_records")
    sides = (at_once(ground.kreis, ground.jobcenter, [number]) for number in (50, 51))
    answers = [answer for side in await ground.meanwhile(halt, *sides) for answer in side]
    passed = [answer for answer in answers if getattr(answer, "status", None) == ACCEPTED]
    return set() if len(passed) == 1 else {Breach.TOO_MANY}
