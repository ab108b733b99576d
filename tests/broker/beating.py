"""A worker that serves nothing: it beats while its keeper is there, or hangs, or dies, as it is told."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

folder, manner = Path(sys.argv[1]), sys.argv[2]
(folder / str(os.getpid())).touch()
if manner == "dies":
    sys.exit(3)
os.set_blocking(0, False)
while manner in {"beats", "stubborn"}:
    os.write(1, b".")
    try:
        gone = os.read(0, 64) == b""
    except BlockingIOError:
        gone = False
    if gone and manner == "beats":
        sys.exit(0)
    time.sleep(0.05)
time.sleep(60)
