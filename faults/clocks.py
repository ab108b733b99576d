"""Clocks that jump: the processes of one machine live in another time, by libfaketime."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from faults.deployment import Deployment
from faults.scene import Break, CannotBreak, Scene, fault

HOUR = 3600
DAYS = 20 * 24 * HOUR
#: What a client is told by a gateway whose clock is wrong, until nobody is sent there any more.
STATUSES = frozenset({"400", "401", "422"})


def library() -> Path:
    """Return the library that is loaded before all others. Raises `CannotBreak`."""
    found = find_spec("libfaketime")
    places = [Path(place) for place in (found.submodule_search_locations or ())] if found else []
    libraries = sorted(path for place in places for path in place.rglob("libfaketime*.so.1") if "MT" not in path.name)
    if not libraries:
        raise CannotBreak("libfaketime is not installed; `make install` brings it")
    return libraries[0]


def environment(deployment: Deployment, process: str) -> Mapping[str, str]:
    """Return the environment of a process whose clock can be moved; it is right at first."""
    _move(deployment, process, 0)
    return {
        "LD_PRELOAD": str(library()),
        "FAKETIME_TIMESTAMP_FILE": str(_file(deployment, process)),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_RESET": "1",
    }


def _file(deployment: Deployment, process: str) -> Path:
    return deployment.folder / f"{process}.clock"


def _move(deployment: Deployment, process: str, seconds: int) -> None:
    path = _file(deployment, process)
    draft = path.with_suffix(".draft")
    draft.write_text(f"{seconds:+d}\n")
    draft.rename(path)


def _jumps(processes: Sequence[str], seconds: Sequence[int]) -> Break:
    @contextmanager
    def make(scene: Scene) -> Iterator[None]:
        for offset in seconds:
            for process in processes:
                _move(scene.deployment, process, offset)
            scene.hold(10.0, 5.0)
            scene.count("jumps")
        yield
        for process in processes:
            _move(scene.deployment, process, 0)

    return make


_ROLES = {
    "serve": ("eines Gateways", "of one gateway", ["serve-1"]),
    "relay": ("eines Relays", "of one relay", ["relay-1"]),
    "deliver": ("einer Zustellung", "of one delivery process", ["deliver-1"]),
}
for _role, (_german, _english, _processes) in _ROLES.items():
    fault(
        f"clock-{_role}",
        f"die Uhr {_german} springt eine Stunde vor und zurück",
        f"the clock {_english} jumps an hour forward, and back",
        statuses=STATUSES,
        clocks_jump=True,
        environment=environment,
        quick=_role == "deliver",
    )(_jumps(_processes, (HOUR, -HOUR)))
fault(
    "clock-far",
    "die Uhr einer Zustellung springt zwanzig Tage vor, weiter als jede Frist",
    "the clock of one delivery process jumps twenty days, past every time limit",
    clocks_jump=True,
    environment=environment,
)(_jumps(["deliver-1"], (DAYS,)))
