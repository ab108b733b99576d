"""What the rounds gave, as text: a line while they run, a table at the end, and the figures of docs/reliability.md."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

from bench.figures import BEGIN, END, table
from faults.scene import FAULTS, Fault
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


def merged(page: str, results: Sequence[Result], day: date, order: Sequence[str]) -> str:
    """Put the rows of full rounds into a page: each replaces the row of the same fault, the others stay.

    `order`: the names of all faults. Rows of faults that are no more, and rows measured on another machine, go.
    Raises `ValueError` where the page has no markers.
    """
    before, begin, rest = page.partition(BEGIN)
    old, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the page has no lines {BEGIN} and {END}")
    line = where()
    rows = {name: row for name, row in _rows(old).items() if name in order} if line in old else {}
    rows |= {result.fault.name: [*_row(result), day.isoformat()] for result in results}
    text = table((*HEAD, "day"), [rows[name] for name in order if name in rows])
    return f"{before}{BEGIN}\n\n{line}\n\n{text}\n\n{END}{after}"


def where() -> str:
    """Say how and on what the figures were measured."""
    machine = f"{os.cpu_count()} cores ({platform.machine()}, {platform.system()})"
    version = ".".join(platform.python_version_tuple()[:2])
    return f"`make faults ARGS=--write`, everything on one machine with {machine}, Python {version}."


def _rows(text: str) -> dict[str, list[str]]:
    """Return the rows of a table that has our columns, by the name of the fault."""
    cells = ([cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|")
    return {row[0]: row for row in cells if len(row) == len(HEAD) + 1}


def write_page(results: Sequence[Result], page: Path = PAGE) -> None:
    """Put the rows of full rounds into the page of the project, whole or not at all."""
    text = merged(page.read_text(encoding="utf-8"), results, datetime.now(UTC).date(), [f.name for f in FAULTS])
    draft = page.with_suffix(".draft")
    draft.write_text(text, encoding="utf-8")
    draft.replace(page)
