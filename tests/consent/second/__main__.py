"""Ask the engine and Cedar the same 100,000 requests, and print what they answered: ``make second [ARGS=1000000]``."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat

from tests.consent.second.compare import PART, Tally, all_policies, compared

DEFAULT = 100_000
FIRST_SEED = 1000
"""The suite's own requests have the seeds from 0 on."""


def main() -> int:
    """Compare, print, and fail where the two differ."""
    number, tally = int(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT, Tally()
    parts = -(-number // PART)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for part in pool.map(compared, range(FIRST_SEED, FIRST_SEED + parts), repeat(PART)):
            tally.add(part)
    for name, count in tally.outcomes.most_common():
        print(f"{count:9,}  {count / tally.requests:6.1%}  {name}")
    silent = sorted(all_policies() - tally.decided.keys())
    print(
        f"{len(all_policies()) - len(silent)} of {len(all_policies())} policies decided something; never:",
        *silent,
        sep="\n  ",
    )
    print(*tally.differences[:10], sep="\n")
    print(f"{tally.requests:,} requests, {tally.questions:,} questions to Cedar, {len(tally.differences)} differences")
    return 1 if tally.differences else 0


if __name__ == "__main__":
    sys.exit(main())
