"""A role that kills itself at a named place: ``python -m faults.dying MODULE PLACE WHEN NTH MARK -- ROLE…``.

Puts death (SIGKILL, as a power cut) before or after the n-th call of the function ``module:name`` or
``module:Class.name``, then is ``python -m MODULE ROLE…``. The file MARK is there when the place was reached. Nothing of
this is in the product.
"""

from __future__ import annotations

import importlib
import inspect
import os
import runpy
import signal
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any


def arm(place: str, when: str, nth: int, die: Callable[[], None]) -> None:
    """Put death at the place. Raises `AttributeError` where there is no such function, so that no place goes stale."""
    module, _, path = place.partition(":")
    owner: Any = importlib.import_module(module)
    *outer, name = path.split(".")
    for part in outer:
        owner = getattr(owner, part)
    setattr(owner, name, mortal(getattr(owner, name), when, nth, die))


def mortal(original: Callable[..., Any], when: str, nth: int, die: Callable[[], None]) -> Callable[..., Any]:
    """Return the function with death ``before`` or ``after`` its n-th call."""
    calls = 0

    def its_turn() -> bool:
        nonlocal calls
        calls += 1
        return calls == nth

    if inspect.iscoroutinefunction(original):

        @wraps(original)
        async def dying(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as the original
            turn = its_turn()
            if turn and when == "before":
                die()
            result = await original(*args, **kwargs)
            if turn and when == "after":
                die()
            return result

        return dying

    @wraps(original)
    def dying_now(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as the original
        turn = its_turn()
        if turn and when == "before":
            die()
        result = original(*args, **kwargs)
        if turn and when == "after":
            die()
        return result

    return dying_now


def run(module: str, place: str, when: str, nth: str, mark: str) -> None:
    """Arm, and be the role that the command line names."""

    def die() -> None:
        Path(mark).touch()
        os.kill(os.getpid(), signal.SIGKILL)

    arm(place, when, int(nth), die)
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    words = sys.argv[1 : sys.argv.index("--")]
    sys.argv = ["amtsbruecke", *sys.argv[sys.argv.index("--") + 1 :]]
    run(*words)
