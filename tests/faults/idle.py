"""A process that does nothing, for the supervisor's tests: sleeps until it is told to end, or ends at once."""

from __future__ import annotations

import signal
import sys
import time


def main() -> None:
    """Be it."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    while sys.argv[1] == "sleep":
        time.sleep(0.05)
    sys.exit(3)


if __name__ == "__main__":
    main()
