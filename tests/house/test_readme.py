"""README and promises: what they claim is so."""

from __future__ import annotations

import re
from pathlib import Path

from consent.cases import check_file
from consent.catalogue import load_catalogue

ROOT = Path(__file__).resolve().parents[2]
CASES = ROOT / "tests" / "consent" / "cases" / "cases.yaml"


def test_promises_name_tests_that_exist() -> None:
    """Every promise names the tests that show it, and they are there."""
    text = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ") and "`tests/" in line]
    named = set(re.findall(r"`(tests/[^`]+)`", text))

    assert len(rows) >= 10
    assert not [name for name in named if not (ROOT / name).is_file()]


def test_stations_are_where_the_readme_says() -> None:
    """Each of the seven stations is a function of the named file."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| [1-7] \w+.*? \| `([\w/.]+)` `(\w+)` \|$", text, re.MULTILINE)

    assert len(rows) == 7
    for path, name in rows:
        assert re.search(rf"^(async )?def {name}\(", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE), name


def test_numbers_of_the_law_are_the_real_ones() -> None:
    """The README's counts of purposes, routes and scenario cases are those of the catalogue, and every case passes."""
    catalogue = load_catalogue()
    day = catalogue.as_of(max(catalogue.days))
    routes = {(row.purpose, row.sender, row.recipient) for row in day.routes.values()}
    results = check_file(CASES, catalogue)
    said = re.search(
        r"all (\d+)\s+purposes and (\d+) routes.*?All (\d+) scenario",
        (ROOT / "README.md").read_text(encoding="utf-8"),
        re.DOTALL,
    )

    assert said is not None
    assert [int(number) for number in said.groups()] == [len(day.purposes_with_rows), len(routes), len(results)]
    assert not [result.case.id for result in results if result.differences]
