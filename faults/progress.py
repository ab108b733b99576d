"""What a round is doing, shown while it lasts: a terminal has one line that changes, a file a new one now and then."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TextIO

from faults.suite import Say

EVERY_SECONDS = 30.0
CLEAR = "\r\033[K"


@contextmanager
def shown(title: str, *, every: float = EVERY_SECONDS, out: TextIO = sys.stdout) -> Iterator[Say]:
    """Give what takes the present step; where `out` is no terminal, the last one is written every so many seconds."""
    begun = time.monotonic()
    now = ["begun"]
    over = threading.Event()

    def say(text: str) -> None:
        now[0] = text
        if out.isatty():
            print(f"{CLEAR}{title}: {text}", end="", file=out, flush=True)

    def run() -> None:
        while not over.wait(every):
            clock = datetime.now().astimezone().strftime("%H:%M:%S")
            print(f"{clock} {title}: {now[0]} ({time.monotonic() - begun:.0f} s)", file=out, flush=True)

    thread = threading.Thread(target=run, name="progress", daemon=True)
    if not out.isatty():
        thread.start()
    try:
        yield say
    finally:
        over.set()
        if thread.is_alive():
            thread.join()
        print(CLEAR if out.isatty() else "", end="", file=out)
