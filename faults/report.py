"""What the rounds gave, as text: a line while they run, a table at the end, and the figures of docs/reliability.md."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.figures import BEGIN, END, table
from faults.scene import Fault
from faults.suite import Result

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reliability.md"
HEAD = (
    "fault", "transfers", "accepted", "refused", "doubles removed", "retries", "longest gap s",
    "first 202 s", "first hand-over s", "drained s", "verdict",
)  # fmt: skip


def listing(faults: Sequence[Fault]) -> str:
    """Write all faults with what they do, in both languages."""
    lines = (f"{f.name:20} {'quick' if f.quick else '':5}  {f.english}\n{'':28}{f.german}" for f in faults)
    return "\n".join(lines)


def verdict(result: Result) -> str:
    """Say in a word how it went."""
    if result.skipped:
        return "SKIPPED"
    return "holds" if result.holds else f"{len(result.findings)} BROKEN"


def lines_of(result: Result) -> list[str]:
    """Write one line about a round, and one for each finding."""
    notes = "".join(f", {number} {what}" for what, number in result.notes.items())
    first = f"{result.fault.name}: {verdict(result)} ({result.accepted} accepted{notes}; {result.seconds:.0f} s)"
    if result.skipped:
        return [first, f"  NOT TESTED: {result.skipped}"]
    return [first, *(f"  {finding}" for finding in result.findings)]


def figures(results: Sequence[Result]) -> str:
    """Write the table."""
    return table(HEAD, [_row(result) for result in results])


def _row(result: Result) -> list[str]:
    times = [result.recovery.get(name) for name in ("first 202", "first hand-over", "drained")]
    counts = (result.transfers, result.accepted, result.refused, result.doubles, result.retries)
    return [
        result.fault.name,
        *(f"{number:,}" for number in counts),
        f"{result.gap:.1f}",
        *("–" if seconds is None else f"{seconds:.1f}" for seconds in times),
        verdict(result),
    ]


def summary(results: Sequence[Result], seconds: float) -> str:
    """Write the table and the verdict over all."""
    broken = [result.fault.name for result in results if result.findings]
    last = f"broken: {', '.join(broken)}" if broken else "every promise that was tried held"
    return f"{figures(results)}\n\n{last} ({len(results)} faults, {seconds / 60:.1f} min)"


def section(results: Sequence[Result], command: str) -> str:
    """Write the figures with what they were measured by."""
    machine = f"{os.cpu_count()} cores ({platform.machine()}, {platform.system()})"
    day = datetime.now(UTC).date().isoformat()
    where = f"everything on one machine with {machine}, Python {platform.python_version()}"
    return f"`{command}`, {day}, {where}.\n\n{figures(results)}"


def write_page(text: str, page: Path = PAGE) -> None:
    """Put the figures between the markers of the page. Raises `ValueError` where it has none."""
    before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{page.name} has no lines {BEGIN} and {END}")
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")
