"""Run the service with a sampling profile of the thread that runs the loop: which package it is in.

``python -m bench.sampling FILE serve …`` is ``python -m broker serve …``; from the signal SIGUSR1 on it looks 250 times
a second of processor time where the main thread is, and writes the shares to FILE at the end.
"""

from __future__ import annotations

import json
import signal
import sys
from collections import Counter
from pathlib import Path
from types import FrameType

from broker.__main__ import main

INTERVAL = 0.004
#: Innermost files while the loop waits, with either loop.
IDLE = ("asyncio/runners.py", "selectors.py")
#: Part of a file's path → name in the table; the innermost frame that has one counts.
PACKAGES = {
    "/schemas/": "schemas (XML gate)",
    "/consent/": "consent (law)",
    "/broker/transfers/": "broker.transfers",
    "/broker/outbox/": "broker.outbox (relay)",
    "/broker/transport/": "broker.transport",
    "/broker/delivery/": "broker.delivery",
    "/broker/lifecycle/": "broker.lifecycle",
    "/broker/audit/": "broker.audit",
    "/broker/auth/": "broker.auth",
    "/broker/subjects/": "broker.subjects (pseudonyms)",
    "/broker/consents/": "broker.consents",
    "/broker/crypto.py": "cryptography",
    "/cryptography/": "cryptography",
    "/broker/db.py": "broker.db",
    "/broker/": "broker, the rest",
    "/sqlalchemy/": "SQLAlchemy",
    "/aiosqlite/": "aiosqlite",
    "/fastapi/": "FastAPI",
    "/starlette/": "Starlette",
    "/pydantic": "pydantic",
    "/joserfc/": "joserfc",
    "/uvicorn/": "uvicorn",
    "/json/": "json",
}


def package(frame: FrameType | None) -> str:
    """Return the name of the innermost package that the table knows."""
    while frame is not None:
        path = frame.f_code.co_filename
        for part, name in PACKAGES.items():
            if part in path:
                return name
        frame = frame.f_back
    return "other"


def sampled(file: Path) -> None:
    """Run the service and write package → share of the samples."""
    found: Counter[str] = Counter()

    def count(_: int, frame: FrameType | None) -> None:
        if frame is not None and not frame.f_code.co_filename.endswith(IDLE):
            found[package(frame)] += 1

    signal.signal(signal.SIGPROF, count)
    signal.signal(signal.SIGUSR1, lambda *_: signal.setitimer(signal.ITIMER_PROF, INTERVAL, INTERVAL))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # the server gives the signal on when it has stopped
    try:
        main()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        total = max(sum(found.values()), 1)
        file.write_text(json.dumps({name: number / total for name, number in found.most_common()}), encoding="utf-8")


if __name__ == "__main__":
    sampled(Path(sys.argv.pop(1)))
