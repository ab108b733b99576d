"""Who waits for a round sees what it does, with a terminal and without."""

from __future__ import annotations

import io
import time

from faults.progress import shown


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def test_without_a_terminal_a_line_comes_now_and_then() -> None:
    """Each line is whole, and has the time and the present step."""
    out = io.StringIO()
    with shown("fault", every=0.05, out=out) as say:
        say("5 of 10")
        end = time.monotonic() + 10
        while out.getvalue().count("\n") < 2 and time.monotonic() < end:
            time.sleep(0.01)
    lines = out.getvalue().splitlines()
    assert len(lines) >= 2
    assert all("fault: 5 of 10 (" in line and line[2] == ":" for line in lines)


def test_a_terminal_has_one_line() -> None:
    """Each step takes the place of the one before, and nothing is left."""
    out = Terminal()
    with shown("fault", every=0.01, out=out) as say:
        say("a")
        say("b")
    assert "\n" not in out.getvalue()
    assert out.getvalue().endswith("\r\033[K")
