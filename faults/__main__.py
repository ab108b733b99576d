"""``python -m faults``: break, look, say what held. Everything runs on 127.0.0.1 and is gone afterwards."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from faults.cluster import running
from faults.progress import shown
from faults.report import lines_of, listing, summary, write_page
from faults.scene import FAULTS, Fault
from faults.suite import Result, named, one_round
from tests.servers.keeper import ServerMissing

FULL, QUICK = 10_000, 150


def main() -> int:
    """Read the options, run the rounds, print; 0: every promise held."""
    given = _options()
    if given.list:
        print(listing(FAULTS))
        return 0
    try:
        chosen = named(given.only, quick=given.quick)
    except KeyError as exc:
        print(f"there is no fault {exc}; `python -m faults --list` names them", file=sys.stderr)
        return 2
    transfers = given.transfers or (QUICK if given.quick else FULL)
    if given.write and (given.quick or transfers < FULL):
        print(f"--write keeps full rounds alone: {FULL:,} transfers for each fault, not --quick", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, _interrupt)
    folder = Path(tempfile.mkdtemp(prefix="amtsbruecke-faults-logs-"))
    begun = time.monotonic()
    results: list[Result] = []
    try:
        for result in _rounds(chosen, folder, transfers, quick=given.quick):
            results.append(result)
            if given.write:
                write_page([result])
    except ServerMissing as exc:
        print(exc, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\n{summary(results, time.monotonic() - begun)}\ninterrupted; logs and ledgers: {folder}")
        return 130
    print(f"\n{summary(results, time.monotonic() - begun)}")
    if all(result.holds or _may_skip(result) for result in results):
        shutil.rmtree(folder)
        return 0
    print(f"logs and ledgers: {folder}", file=sys.stderr)
    return 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m faults", description="Break on purpose, and see what holds.")
    parser.add_argument("--transfers", type=int, default=0, help=f"transfers for each fault ({FULL}; quick {QUICK})")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="this fault; may be repeated")
    parser.add_argument("--quick", action="store_true", help="a subset with few transfers, in about five minutes")
    parser.add_argument("--write", action="store_true", help="put each row into docs/reliability.md when it is there")
    parser.add_argument("--list", action="store_true", help="name all faults")
    return parser.parse_args()


def _rounds(chosen: list[Fault], folder: Path, transfers: int, *, quick: bool) -> Iterator[Result]:
    """Run the faults one after another; each result is shown and given as soon as it is there."""
    with running() as cluster:
        for position, fault in enumerate(chosen, start=1):
            place = folder / fault.name
            with shown(f"{fault.name} [{position}/{len(chosen)}]") as say:
                result = one_round(cluster, fault, place, transfers, quick=quick, seed=position, say=say)
            print("\n".join(lines_of(result)), flush=True)
            if result.holds:
                shutil.rmtree(place, ignore_errors=True)
            yield result


def _may_skip(result: Result) -> bool:
    """Whether a fault may be left out that this machine cannot make; CI refuses."""
    return bool(result.skipped) and os.environ.get("CI") != "true"


def _interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
