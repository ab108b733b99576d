"""What was measured, as text: for the terminal, and between the markers of docs/performance.md."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter

from bench.stations import Station

PAGE = Path(__file__).resolve().parents[1] / "docs" / "performance.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
PACKAGES = ("fastapi", "uvicorn", "sqlalchemy", "asyncpg", "aiokafka", "lxml", "cryptography")


def percentile(latencies: Sequence[float], percent: int) -> float:
    """Return a percentile in milliseconds; of fewer than two values, the value."""
    if len(latencies) < 2:
        return 1e3 * sum(latencies)
    return 1e3 * quantiles(latencies, n=100, method="inclusive")[percent - 1]


def spread(values: Iterable[float | None], digits: int = 1) -> str:
    """Write median and, in brackets, least and most; a dash where nothing was measured."""
    known = [value for value in values if value is not None]
    if not known:
        return "–"
    text = f"{median(known):,.{digits}f}"
    return text if len(known) == 1 else f"{text} ({min(known):,.{digits}f}–{max(known):,.{digits}f})"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a table that reads well as text and as Markdown; all columns but the first are numbers."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join([cells[0].ljust(widths[0]), *map(str.rjust, cells[1:], widths[1:])]) + " |"

    rule = "| " + " | ".join(["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]) + " |"
    return "\n".join([line(head), rule, *map(line, rows)])


def machine() -> str:
    """Say on what was measured: nothing that names the machine."""
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        f"{os.cpu_count()} cores ({platform.machine()}, {platform.system()}) for everything; "
        f"Python {platform.python_version()}, {packages}."
    )


def fsync_seconds(folder: Path, times: int = 50) -> float:
    """Measure how long the disk under `folder` takes to keep 4 kB (median): the least that a commit can take."""
    path = folder / "fsync"
    found = []
    with path.open("wb", buffering=0) as stream:
        for _ in range(times):
            begin = perf_counter()
            stream.write(bytes(4096))
            os.fsync(stream.fileno())
            found.append(perf_counter() - begin)
    path.unlink()
    return median(found)


def stations_table(single: Sequence[Station], shared: Sequence[Station], batch: int) -> str:
    """Write the stations, alone and in batches."""
    head = ("µs a transfer", "alone: wall", "loop", f"in batches of {batch}: wall", "loop")
    pairs = list(zip(single, shared, strict=True))
    rows = [
        (one.name, f"{one.wall:,.0f}", f"{one.loop:,.0f}", f"{many.wall:,.0f}", f"{many.loop:,.0f}")
        for one, many in pairs
    ]
    columns = zip(*((one.wall, one.loop, many.wall, many.loop) for one, many in pairs), strict=True)
    return table(head, [*rows, ("all", *(f"{sum(column):,.0f}" for column in columns))])


def write_page(text: str, page: Path = PAGE) -> None:
    """Put the figures between the markers of the page. Raises `ValueError` where it has none."""
    before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page.name} has no lines {BEGIN} and {END}")
    page.write_text(f"{before}{BEGIN}\n\n{text.strip()}\n\n{END}{after}", encoding="utf-8")
