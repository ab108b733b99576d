"""README and promises: what they claim is so."""

from __future__ import annotations

import re
from pathlib import Path

from consent.cases import check_file
from consent.catalogue import load_catalogue
from consent.decision import Refusal, RefusalKind

ROOT = Path(__file__).resolve().parents[2]
CASES = ROOT / "tests" / "consent" / "cases" / "cases.yaml"
PURPOSES = {"RECHTSKREISWECHSEL", "KITA_BEITRAG", "CASE_MANAGEMENT", "HILFEKOORDINATION"}


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


def test_numbers_of_cases_are_the_real_ones() -> None:
    """The README's count of scenario cases is what the engine answers, and what it does not know it calls a gap."""
    results = check_file(CASES, load_catalogue())
    own = [result for result in results if result.case.facts.purpose in PURPOSES]
    others = [result.answer for result in results if result not in own]
    said = re.search(
        r"Of the (\d+) scenario cases.*?all (\d+) of these four.*?the other (\d+) with `gap`",
        (ROOT / "README.md").read_text(encoding="utf-8"),
        re.DOTALL,
    )

    assert said is not None
    assert [int(number) for number in said.groups()] == [len(results), len(own), len(others)]
    assert not [result.case.id for result in own if result.differences]
    assert all(isinstance(answer, Refusal) and answer.kind is RefusalKind.GAP for answer in others)
