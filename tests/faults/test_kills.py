"""Death comes at the place and the call that was named, and every place that is named exists."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from faults.dying import arm, mortal
from faults.kills import STATIONS
from faults.roles import Doom, Supervisor

PATIENCE = 60.0
"""Seconds; on a crowded machine an interpreter takes its time to start, and what is waited for ends the wait."""
PLACES = [doom.place for dooms in STATIONS.values() for doom in dooms]


class DeathError(Exception):
    """Stands for the end of the process."""


def die() -> None:
    """End by an exception."""
    raise DeathError


@pytest.mark.parametrize("place", PLACES)
def test_every_place_exists(place: str) -> None:
    """A place that was renamed would be a fault that is not made."""
    module, _, path = place.partition(":")
    owner: Any = importlib.import_module(module)
    for part in path.split("."):
        owner = getattr(owner, part)
    assert callable(owner)


def test_death_comes_at_the_call_that_was_named() -> None:
    """Earlier calls are untouched; before: the call has no effect; after: it has."""
    effects: list[int] = []
    for when, done in (("before", [1, 2]), ("after", [1, 2, 3])):
        effects.clear()
        doomed = mortal(effects.append, when, 3, die)
        doomed(1)
        doomed(2)
        with pytest.raises(DeathError):
            doomed(3)
        assert effects == done


async def test_death_comes_in_coroutines_too() -> None:
    """A coroutine dies before or after it has run, not when it is made."""
    effects: list[int] = []

    async def work(number: int) -> int:
        effects.append(number)
        return number

    doomed = mortal(work, "after", 2, die)
    assert await doomed(1) == 1
    with pytest.raises(DeathError):
        await doomed(2)
    assert effects == [1, 2]


def test_a_place_that_is_not_there_is_an_error() -> None:
    """Arming a name that does not exist fails loudly."""
    with pytest.raises(AttributeError):
        arm("faults.dying:no_such_function", "before", 1, die)


@pytest.fixture
def supervisor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervisor]:
    """Give a supervisor whose processes are no roles but a few lines of Python."""
    monkeypatch.setattr("faults.roles.MODULE", "tests.faults.idle")
    supervisor = Supervisor(tmp_path)
    yield supervisor
    supervisor.stop()


def until(holds: Any) -> None:
    """Wait until something holds."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def lives(supervisor: Supervisor) -> int:
    """Return how often the one process was started."""
    return supervisor.processes["idle"].lives


def test_what_we_kill_comes_again_and_is_expected(supervisor: Supervisor) -> None:
    """A killed process has another life, and nobody wonders about it."""
    supervisor.add("idle", "idle", ["sleep"], {"PATH": ""})
    supervisor.kill("idle")
    until(lambda: lives(supervisor) == 2)
    assert supervisor.unexpected == []


def test_what_ends_by_itself_is_kept_as_a_finding(supervisor: Supervisor) -> None:
    """A process that ends without our hand is remembered with its code, and comes again all the same."""
    supervisor.add("idle", "idle", ["end"], {"PATH": ""})
    until(lambda: lives(supervisor) >= 2)
    assert (supervisor.unexpected[0].name, supervisor.unexpected[0].code) == ("idle", 3)


def test_what_is_held_stays_down_until_it_is_released(supervisor: Supervisor) -> None:
    """A process that is held ends in order and comes back when it may."""
    supervisor.add("idle", "idle", ["sleep"], {"PATH": ""})
    supervisor.hold("idle")
    until(lambda: supervisor.processes["idle"].popen is None)
    time.sleep(1.0)
    assert lives(supervisor) == 1
    supervisor.release("idle")
    until(lambda: lives(supervisor) == 2)


@pytest.mark.parametrize(("place", "reached"), [("time:sleep", True), ("time:gmtime", False)])
def test_a_doomed_life_ends_at_its_place(supervisor: Supervisor, place: str, *, reached: bool) -> None:
    """The supervisor tells whether the place was reached; afterwards an ordinary life follows."""
    supervisor.add("idle", "idle", ["sleep"], {"PATH": "", "PYTHONPATH": ":".join(sys.path)})
    assert supervisor.dies_at("idle", Doom(place, "before"), PATIENCE if reached else 2.0) is reached
    until(lambda: lives(supervisor) == 3)
    assert supervisor.unexpected == []
