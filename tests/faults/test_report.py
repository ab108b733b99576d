"""The figures on the page: a row is replaced by its like alone, and what was measured otherwise is not mixed in."""

from __future__ import annotations

from datetime import date
from itertools import islice

import pytest

from faults import report
from faults.report import merged
from faults.scene import FAULTS
from faults.suite import Result

ONE, TWO, THREE = islice(FAULTS, 3)
ORDER = [ONE.name, TWO.name, THREE.name]
PAGE = "a\n<!-- figures: begin -->\n<!-- figures: end -->\nb\n"
MONDAY, TUESDAY = date(2026, 3, 16), date(2026, 3, 17)


def result(fault: report.Fault, accepted: int) -> Result:
    """Return a round that held."""
    return Result(fault, 10_000, accepted=accepted, recovery={"first 202": 1.5})


def rows(page: str) -> list[tuple[str, str, str]]:
    """Return fault, accepted and day of each row."""
    cells = [[cell.strip() for cell in line.split("|")] for line in page.splitlines() if line.startswith("|")]
    return [(row[1], row[3], row[-2]) for row in cells[2:]]


def test_figures_replace_figures_alone() -> None:
    """Writing keeps the page around the markers, and says on what was measured."""
    page = merged(PAGE, [result(ONE, 9_000)], MONDAY, ORDER)
    assert page.startswith("a\n<!-- figures: begin -->\n")
    assert page.endswith("<!-- figures: end -->\nb\n")
    assert report.where() in page
    with pytest.raises(ValueError, match="no lines"):
        merged("no markers", [], MONDAY, ORDER)


def test_a_row_replaces_the_row_of_the_same_fault() -> None:
    """Others stay as they are, each with its day, all in the order of the list."""
    page = merged(PAGE, [result(THREE, 3)], MONDAY, ORDER)
    page = merged(page, [result(ONE, 1)], MONDAY, ORDER)
    page = merged(page, [result(THREE, 4)], TUESDAY, ORDER)
    assert rows(page) == [(ONE.name, "1", "2026-03-16"), (THREE.name, "4", "2026-03-17")]


def test_rows_of_faults_that_are_no_more_go() -> None:
    """A fault that was renamed leaves no row behind."""
    page = merged(PAGE, [result(TWO, 2)], MONDAY, ORDER)
    assert rows(merged(page, [result(ONE, 1)], MONDAY, [ONE.name])) == [(ONE.name, "1", "2026-03-16")]


def test_rows_of_another_machine_are_not_mixed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line says on what all rows were measured; rows for which it would be untrue go."""
    page = merged(PAGE, [result(TWO, 2)], MONDAY, ORDER)
    monkeypatch.setattr("os.cpu_count", lambda: 96)
    assert rows(merged(page, [result(ONE, 1)], TUESDAY, ORDER)) == [(ONE.name, "1", "2026-03-17")]


def test_the_page_of_the_project_can_be_written() -> None:
    """Its markers are there."""
    assert merged(report.PAGE.read_text(encoding="utf-8"), [result(ONE, 1)], MONDAY, ORDER)
