"""What the house tests look at: the files of the tree, and calls in its Python code."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("broker", "schemas", "consent", "adapters")
FOLDERS = (*PACKAGES, "tests", "alembic", "bench", "faults")


def python_files(*folders: str, root: Path = ROOT) -> list[Path]:
    """Return the Python files under the folders, sorted."""
    return sorted(path for folder in folders for path in (root / folder).rglob("*.py"))


def kept_files() -> list[Path]:
    """Return the files that git keeps or would keep; without a repository, all but hidden folders and caches."""
    if (ROOT / ".git").exists():
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        names = listed.stdout.decode().split("\0")
        return sorted({ROOT / name for name in names if name and (ROOT / name).is_file()})
    return sorted(path for path in ROOT.rglob("*") if path.is_file() and not _left_out(path.relative_to(ROOT)))


def _left_out(path: Path) -> bool:
    return path.parts[0] in {"var", "build", "dist"} or any(
        part == "__pycache__" or part.endswith(("_cache", ".egg-info")) or part in {".venv", ".hypothesis"}
        for part in path.parts
    )


def called_methods(tree: ast.AST) -> Iterator[tuple[str, str, int]]:
    """Yield receiver, method and line of each method call: ``self.session.commit()`` is ``session``, ``commit``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield _last_name(node.func.value), node.func.attr, node.lineno


def _last_name(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Call(func=function):
            return _last_name(function)
        case _:
            return ""
