"""``python -m bench``: measure, print, and with ``--write`` keep figures and plots in docs/.

Only addresses of this machine get load, every round is bounded in time and in requests, and the data lie in a
temporary folder and databases of their own that are gone afterwards.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import Iterator, Sequence
from os import getloadavg
from pathlib import Path
from statistics import median

from bench import law, plots
from bench.behind import ways
from bench.figures import fsync_seconds, machine, percentile, spread, stations_table, table, write_page
from bench.rounds import BARE, KINDS, NOTHING, ROLES, SINGLE, STATIONS, STRAW, WHOLE, Kind, Plan, Round, measure
from bench.stations import Station, profile, xml_gate
from bench.world import World, world
from broker.config import Settings

QUICK = Plan(connections=8, seconds=0.5, warm_up=0.2, most=200, workers=1)
QUICK_KINDS = (WHOLE, NOTHING, BARE)
SHOWN = ("gateway", *ROLES, "PostgreSQL", "Kafka", "load generator")
Closed = dict[Kind, list[Round]]


def main() -> None:
    """Read the options, measure, print."""
    given = _options()
    asked = Plan(given.connections, given.seconds, min(2.0, given.seconds), given.most, given.workers)
    plan = QUICK if given.quick else asked
    with tempfile.TemporaryDirectory(prefix="amtsbruecke-bench-", dir=given.folder) as folder:
        Path(folder).chmod(0o711)  # PostgreSQL runs as another user where this one is root
        sections = []
        for section in _sections(Path(folder), plan, 1 if given.quick else given.rounds, given):
            print(section, end="\n\n", flush=True)
            sections.append(section)
    if given.write:
        write_page("\n\n".join(sections))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure POST /v1/transfers.")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of a round (default 4)")
    parser.add_argument("--rounds", type=int, default=4, help="rounds of each kind (default 4)")
    parser.add_argument("--connections", type=int, default=32, help="kept connections (default 32)")
    parser.add_argument("--workers", type=int, default=2, help="processes of the gateway (default 2)")
    parser.add_argument("--most", type=int, default=100_000, help="most requests of a round (default 100000)")
    parser.add_argument("--only", default="", help="names of kinds, with commas; default all")
    parser.add_argument("--folder", type=Path, help="where the temporary data lie; must be on a disk to mean anything")
    parser.add_argument("--quick", action="store_true", help="see in a minute that it runs; the figures mean nothing")
    parser.add_argument("--write", action="store_true", help="put figures and plots into docs/")
    return parser.parse_args()


def _sections(folder: Path, plan: Plan, rounds: int, given: argparse.Namespace) -> Iterator[str]:
    names = given.only.split(",") if given.only else [kind.name for kind in (QUICK_KINDS if given.quick else KINDS)]
    kinds = tuple(kind for kind in KINDS if kind.name in names)
    disk = f"Write and fsync of 4 kB there: {fsync_seconds(folder) * 1e3:.2f} ms."
    yield f"{machine()} {disk} Load average before: {getloadavg()[0]:.1f}."
    with world(folder) as there:
        transport = "Apache Kafka" if there.kafka else "the embedded transport (no Kafka on this machine)"
        yield (
            f"{plan.connections} connections, {plan.workers} gateway workers, PostgreSQL, {transport}; rounds of "
            f"{plan.seconds:g} s, {rounds} of each kind in turn, fresh databases each. Median (least–most)."
        )
        closed = _in_turn(there, plan, rounds, kinds)
        yield _closed_table(closed)
        yield _cpu_table(closed)
        yield _costs_table(closed)
        opened: Closed = {}
        if WHOLE in closed:
            rate = median(round_.rate for round_ in closed[WHOLE]) / 2
            both = [kind for kind in (WHOLE, BARE) if kind in closed]
            opened = _in_turn(there, plan, rounds, tuple(both), rate)
            yield _open_table(rate, opened)
            yield _goals(closed, opened)
        if given.write:
            plots.draw(closed, opened)
        yield _stations(there, 32 if given.quick else 960, batch=16)
        yield _behind(there, 16 if given.quick else 512)
    yield table(("XML, 6 kB", "µs a message"), [(n, f"{v:,.0f}") for n, v in xml_gate(32 if given.quick else 960)])
    yield law.written(law.pairs(turns=3 if given.quick else 200))


def _in_turn(there: World, plan: Plan, rounds: int, kinds: tuple[Kind, ...], rate: float = 0.0) -> Closed:
    """Measure the kinds in turn, beginning with another in each round."""
    found: Closed = {kind: [] for kind in kinds}
    for number in range(rounds):
        shift = number % len(kinds)
        for kind in kinds[shift:] + kinds[:shift]:
            found[kind].append(measure(kind, there, plan, rate))
    return found


def _closed_table(closed: Closed) -> str:
    base = _rate(closed.get(WHOLE, next(iter(closed.values()))))
    rows = [
        (
            f"{kind.name}: {kind.text}",
            spread((r.rate for r in found), 0),
            f"{_rate(found) / base:.2f}",
            spread(percentile(r.latencies, 50) for r in found),
            spread(percentile(r.latencies, 99) for r in found),
            spread((r.waiting for r in found), 0),
        )
        for kind, found in closed.items()
    ]
    return table(("closed loop", "a second", "ratio", "p50 ms", "p99 ms", "relay behind"), rows)


def _cpu_table(closed: Closed) -> str:
    rows = [
        (kind.name, *(f"{median(r.cpu_ms(role) for r in found):.2f}" for role in SHOWN), f"{_all_cpu(found):.2f}")
        for kind, found in closed.items()
    ]
    return table(("processor ms a transfer", *SHOWN, "all"), rows)


def _costs_table(closed: Closed) -> str:
    """Write what each station costs: the differences of processor time to the whole, round by round."""
    rows = []
    for kind in (kind for kind in STATIONS if kind in closed and WHOLE in closed):
        pairs = list(zip(closed[WHOLE], closed[kind], strict=True))
        rows.append(
            (
                kind.name.removeprefix("no "),
                *(spread((a.cpu_ms(role) - b.cpu_ms(role) for a, b in pairs), 2) for role in ("gateway", "PostgreSQL")),
                spread((a.service_cpu_ms - b.service_cpu_ms for a, b in pairs), 2),
                f"{_rate(closed[kind]) / _rate(closed[WHOLE]):.2f}",
            )
        )
    head = ("what a station costs, processor ms a transfer", "gateway", "PostgreSQL", "all", "rate without it")
    return table(head, rows)


def _open_table(rate: float, opened: Closed) -> str:
    rows = [
        (
            f"{kind.name}, {rate:,.0f} a second",
            spread(percentile(r.latencies, 50) for r in found),
            spread(percentile(r.latencies, 99) for r in found),
            spread((r.cpu_ms("gateway") for r in found), 2),
        )
        for kind, found in opened.items()
    ]
    return table(("open loop at half the throughput", "p50 ms", "p99 ms", "gateway CPU ms"), rows)


def _goals(closed: Closed, opened: Closed) -> str:
    """Write the ratios that are to be reached; by rate, and by all processor time, which a busy machine blurs less."""
    rows = []
    for kind, goal in ((NOTHING, "≥ 0.5"), (STRAW, "≥ 8"), (SINGLE, "≥ 1.4")):
        if kind in closed:
            by_rate = _rate(closed[WHOLE]) / _rate(closed[kind])
            rows.append(
                (
                    f"whole : {kind.name}",
                    goal,
                    f"{by_rate:.2f}",
                    f"{_all_cpu(closed[kind]) / _all_cpu(closed[WHOLE]):.2f}",
                )
            )
    if BARE in opened:
        slow = [median(percentile(r.latencies, 99) for r in opened[kind]) for kind in (WHOLE, BARE)]
        rows.append(("p99 whole : p99 bare, half the rate", "≤ 5", f"{slow[0] / slow[1]:.2f}", "–"))
    return table(("goal", "to reach", "measured", "by processor time"), rows)


def _rate(found: Sequence[Round]) -> float:
    return median(round_.rate for round_ in found)


def _all_cpu(found: Sequence[Round]) -> float:
    """Return the processor milliseconds of all roles but the load generator for one transfer."""
    return median(r.service_cpu_ms for r in found)


def _stations(there: World, count: int, batch: int) -> str:
    def through(size: int) -> list[Station]:
        with there.copied() as (database, folder):
            settings = Settings(data_dir=folder, database_url=database, token_seconds=3600)
            return asyncio.run(profile(settings, size, count))

    return stations_table(through(1), through(batch), batch)


def _behind(there: World, count: int) -> str:
    """Write what the ways behind the answer cost, by few and by many at once."""
    found = []
    postgres = there.server_pids()["PostgreSQL"]
    for turn in (16, 64):
        with there.copied() as (database, folder):
            settings = Settings(data_dir=folder, database_url=database, token_seconds=3600)
            found.append(asyncio.run(ways(settings, postgres, turn, max(count, turn))))
    rows = [
        (few.name, *(f"{value:,.0f}" for way in (few, many) for value in (way.own, way.postgres)))
        for few, many in zip(*found, strict=True)
    ]
    head = ("processor µs a transfer, behind the answer", "turns of 16", "PostgreSQL", "turns of 64", "PostgreSQL")
    return table(head, rows)


if __name__ == "__main__":
    main()
