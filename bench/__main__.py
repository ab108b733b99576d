"""``python -m bench``: measure, print, and with ``--write`` keep the figures in docs/performance.md.

Only addresses of this machine get load, every round is bounded in time and in requests, and the data lie in a
temporary folder that is gone afterwards.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import Iterator
from os import getloadavg
from pathlib import Path
from statistics import median

from bench.figures import fsync_seconds, machine, percentile, spread, stations_table, table, write_page
from bench.rounds import KINDS, WHOLE, Plan, Round, closed_round, open_round, shares
from bench.servers import Kind, Seed, make_seed
from bench.stations import profile, xml_gate

QUICK = Plan(connections=8, seconds=0.5, warm_up=0.2, most=200)


def main() -> None:
    """Read the options, measure, print."""
    given = _options()
    plan = QUICK if given.quick else Plan(given.connections, given.seconds, min(1.0, given.seconds), given.most)
    rounds = 1 if given.quick else given.rounds
    with tempfile.TemporaryDirectory(prefix="amtsbruecke-bench-", dir=given.folder) as folder:
        sections = []
        for section in _sections(Path(folder), plan, rounds, quick=given.quick):
            print(section, end="\n\n", flush=True)
            sections.append(section)
    if given.write:
        write_page("\n\n".join(sections))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure POST /v1/transfers.")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of a round (default 10)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each server (default 3)")
    parser.add_argument("--connections", type=int, default=32, help="kept connections (default 32)")
    parser.add_argument("--most", type=int, default=100_000, help="most requests of a round (default 100000)")
    parser.add_argument("--folder", type=Path, help="where the temporary data lie; must be on a disk to mean anything")
    parser.add_argument("--quick", action="store_true", help="see in seconds that it runs; the figures mean nothing")
    parser.add_argument("--write", action="store_true", help="put the figures into docs/performance.md")
    return parser.parse_args()


def _sections(folder: Path, plan: Plan, rounds: int, *, quick: bool) -> Iterator[str]:
    disk = f"Write and fsync of 4 kB there: {fsync_seconds(folder) * 1e3:.2f} ms."
    yield f"{machine()} {disk} Load average before: {getloadavg()[0]:.1f}."
    yield (
        f"{plan.connections} connections; rounds of {plan.seconds:g} s, {rounds} of each server in turn, with a fresh "
        "database each. Median (least–most)."
    )
    seed = asyncio.run(make_seed(folder / "seed"))
    closed = _closed(seed, folder, plan, rounds, (KINDS[0], KINDS[-1]) if quick else KINDS)
    yield _closed_table(closed)
    rate = median(round_.taken.rate for round_ in closed[WHOLE]) / 2
    yield _open_table(rate, [open_round(WHOLE, seed, folder / f"open-{n}", plan, rate) for n in range(rounds)])
    count = 32 if quick else 960
    yield _stations(seed, folder, count, batch=16)
    yield table(("XML, 6 kB", "µs a message"), [(name, f"{value:,.0f}") for name, value in xml_gate(count)])
    sampled = folder / "samples.json"
    closed_round(WHOLE, seed, folder / "sampled", plan, sampled)
    rows = [(name, f"{share:.0%}") for name, share in shares(sampled).items() if quick or share >= 0.01]
    yield table(("loop of the whole service, by package", "of its busy time"), rows)


def _closed(seed: Seed, folder: Path, plan: Plan, rounds: int, kinds: tuple[Kind, ...]) -> dict[Kind, list[Round]]:
    """Measure the kinds in turn, beginning with another in each round."""
    found: dict[Kind, list[Round]] = {kind: [] for kind in kinds}
    for number in range(rounds):
        shift = number % len(kinds)
        for kind in kinds[shift:] + kinds[:shift]:
            place = folder / f"{kind.name.replace(' ', '-')}-{number}"
            found[kind].append(closed_round(kind, seed, place, plan))
    return found


def _closed_table(closed: dict[Kind, list[Round]]) -> str:
    base = [round_.taken.rate for round_ in closed[WHOLE]]
    rows = []
    for kind, found in closed.items():
        rows.append(
            (
                kind.text,
                spread((r.taken.rate for r in found), 0),
                f"{median(r.taken.rate for r in found) / median(base):.2f}",
                spread(percentile(r.taken.latencies, 50) for r in found),
                spread(percentile(r.taken.latencies, 99) for r in found),
                spread((r.cpu_per_request for r in found), 2),
                spread((r.generator_cpu / r.taken.seconds for r in found), 2),
                spread((r.waiting for r in found), 0),
                spread((r.kilobytes_per_request for r in found), 0),
            )
        )
    head = (
        "closed loop",
        "a second",
        "ratio",
        "p50 ms",
        "p99 ms",
        "server CPU ms",
        "generator cores",
        "relay behind",
        "kB kept",
    )
    return table(head, rows)


def _open_table(rate: float, found: list[Round]) -> str:
    row = (
        f"{WHOLE.text}, {rate:,.0f} a second",
        spread(percentile(r.taken.latencies, 50) for r in found),
        spread(percentile(r.taken.latencies, 99) for r in found),
        spread((r.cpu_per_request for r in found), 2),
        spread((r.waiting for r in found), 0),
    )
    return table(("open loop at half the throughput", "p50 ms", "p99 ms", "server CPU ms", "relay behind"), [row])


def _stations(seed: Seed, folder: Path, count: int, batch: int) -> str:
    single = asyncio.run(profile(seed, folder / "stations-1", 1, count))
    shared = asyncio.run(profile(seed, folder / f"stations-{batch}", batch, count))
    return stations_table(single, shared, batch)


if __name__ == "__main__":
    main()
