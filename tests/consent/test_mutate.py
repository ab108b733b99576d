"""The command that flips conditions: what it flips, and that it sees both a flip and none."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.consent.mutate import FILES, ROOT, Mutant, argued, mutants, noticed, tried


@pytest.mark.parametrize(
    ("text", "flipped"),
    [
        ("a == b", {"a != b"}),
        ("a < b <= c", {"a <= b <= c", "a < b < c"}),
        ("a is None", {"a is not None"}),
        ("a in b", {"a not in b"}),
        ("a and b", {"a or b"}),
        ("not a", {"not not a"}),
        ("a if b else c", {"a if not b else c"}),
        ("[a for a in b if c]", {"[a for a in b if not c]"}),
        ("True", {"False"}),
        ("a + 1", set()),
    ],
)
def test_each_kind_of_condition_is_flipped(tmp_path: Path, text: str, flipped: set[str]) -> None:
    """Every mutant differs from the module in one condition, and each condition has its mutants."""
    path = tmp_path / "module.py"
    path.write_text(text, encoding="utf-8")
    assert {ast.unparse(mutant.tree) for mutant in mutants(path)} == flipped


def test_how_a_class_is_made_is_no_condition(tmp_path: Path) -> None:
    """Arguments of a decorator are left out."""
    path = tmp_path / "module.py"
    path.write_text("@dataclass(frozen=True)\nclass A:\n    b: bool = False\n", encoding="utf-8")
    assert [mutant.before for mutant in mutants(path)] == ["False"]


def test_a_flip_is_noticed() -> None:
    """One condition of a gate, flipped, changes the answer of some case."""
    [gate] = [path for path in FILES if path.stem == "recipient"]
    assert noticed(next(mutants(gate)))


def test_what_is_argued_is_a_mutant_that_there_is() -> None:
    """An argument for a condition that is not in the code any more is taken out."""
    files = {ROOT / file for file, _, _ in argued()}
    known = {(mutant.file, mutant.before, mutant.after) for path in files for mutant in mutants(path)}
    assert argued() <= known


def test_a_mutant_knows_its_lines(tmp_path: Path) -> None:
    """Of a condition over several lines the first and the last; of a branch those of its test alone."""
    path = tmp_path / "module.py"
    path.write_text(
        "if (\n    a\n    and b\n):\n    pass\nd = [\n    c\n    for c in e\n    if c\n]\n", encoding="utf-8"
    )
    assert {(mutant.line, mutant.last, mutant.before[:2]) for mutant in mutants(path)} == {
        (2, 3, "if"),
        (2, 3, "a "),
        (8, 9, " f"),
    }


def test_the_time_ends_a_run() -> None:
    """When the time is over no further mutant is tried."""
    [gate] = [path for path in FILES if path.stem == "recipient"]
    assert list(tried([*mutants(gate)], -1)) == []


def test_a_mutant_says_where_it_is() -> None:
    """File from the root of the tree, line, and both readings."""
    mutant = Mutant(ROOT / "consent" / "engine.py", 7, 7, "a", "b", ast.parse(""))
    assert str(mutant) == "consent/engine.py:7: a  →  b"
    assert mutant.in_a_gate
