"""No file over 400 lines, no function over 60: what is longer has two jobs."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.house.source import FOLDERS, ROOT, python_files

MOST_LINES_OF_A_FILE = 400
MOST_LINES_OF_A_FUNCTION = 60


def too_long(path: Path, root: Path) -> list[str]:
    """Return what in the file is over a limit, as ``path:line name (lines)``."""
    text = path.read_text(encoding="utf-8")
    name = path.relative_to(root).as_posix()
    lines = len(text.splitlines())
    found = [f"{name} ({lines})"] if lines > MOST_LINES_OF_A_FILE else []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > MOST_LINES_OF_A_FUNCTION:
                found.append(f"{name}:{node.lineno} {node.name} ({length})")
    return found


def test_no_file_and_no_function_is_over_its_limit() -> None:
    """Every Python file of ours keeps both limits."""
    assert [found for path in python_files(*FOLDERS) for found in too_long(path, ROOT)] == []


def test_the_measure_sees_methods_and_nested_coroutines(tmp_path: Path) -> None:
    """A long coroutine inside a method is found, and so is the long file around it."""
    body = "".join(f"            x{n} = {n}\n" for n in range(MOST_LINES_OF_A_FILE))
    path = tmp_path / "long.py"
    path.write_text(f"class A:\n    def short(self):\n        async def inner():\n{body}", encoding="utf-8")
    assert too_long(path, tmp_path) == ["long.py (403)", "long.py:2 short (402)", "long.py:3 inner (401)"]


def test_both_limits_themselves_are_allowed(tmp_path: Path) -> None:
    """400 lines and 60 lines are not too long."""
    function = "def f():\n" + "    pass\n" * (MOST_LINES_OF_A_FUNCTION - 1)
    path = tmp_path / "full.py"
    path.write_text(function + "\n" * (MOST_LINES_OF_A_FILE - MOST_LINES_OF_A_FUNCTION), encoding="utf-8")
    assert too_long(path, tmp_path) == []
