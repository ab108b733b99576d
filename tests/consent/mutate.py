"""Flip every condition of the engine, one at a time, and see whether a test notices: ``make mutate [ONLY=gates/mode]``.

Each mutant is tried in a process of its own: against every case file first, then against the tests of the engine. What
nothing noticed is printed, with file, line and what was flipped. Exit status 0 where `WANTED` of all were noticed and
every other one is argued in ``mutants.toml``.
"""

from __future__ import annotations

import ast
import importlib
import importlib.abc
import importlib.util
import os
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pytest

from tests.consent.samples import all_cases

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
WANTED = 0.95
FILES = (
    *sorted((ROOT / "consent" / "gates").glob("[a-z]*.py")),
    *(ROOT / "consent" / f"{name}.py" for name in ("engine", "consents", "catalogue_day")),
)
TESTS = ("cases", "engine", "several", "switches", "conditions", "catalogue", "rows", "facts_json", "properties")
CHOSEN = "not removed_row and not vocabulary"
"""Tests of the catalogue's rows that take long and say nothing of the engine are left out."""
READ_ONCE = {
    "consent",
    *(f"consent.{name}" for name in ("facts", "consents", "decision", "casefile", "casefields", "norm", "validity")),
    *(f"consent.{name}" for name in ("rows", "rowreader", "catalogue", "catalogue_checks", "catalogue_day")),
}
"""Modules that import no gate: where a gate is flipped they stay, so that the cases need not be read again."""
OTHERWISE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One flipped condition: where it is, what it was and what it became, and the code of its module."""

    path: Path
    line: int
    before: str
    after: str
    tree: ast.Module

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.before}  →  {self.after}"

    @property
    def file(self) -> str:
        """The module's file, from the root of the tree."""
        return self.path.relative_to(ROOT).as_posix()

    @property
    def in_a_gate(self) -> bool:
        """Whether the cases themselves need not be read again."""
        return self.path.parent.name == "gates" or self.path.stem == "engine"


def mutants(path: Path) -> Iterator[Mutant]:
    """Give every mutant of a module."""
    source = path.read_text("utf-8")
    for place in range(len(places(ast.parse(source)))):
        tree = ast.parse(source)
        node, number = places(tree)[place]
        before, line = ast.unparse(node), getattr(node, "lineno", 0)
        list(flips(node))[number]()
        yield Mutant(path, line, before, ast.unparse(node), ast.fix_missing_locations(tree))


def places(tree: ast.Module) -> list[tuple[ast.AST, int]]:
    """Return what can be flipped in a module, except how its classes are made."""
    decorators = [d for node in ast.walk(tree) if isinstance(node, ast.ClassDef) for d in node.decorator_list]
    left_out = {id(part) for decorator in decorators for part in ast.walk(decorator)}
    found = [node for node in ast.walk(tree) if id(node) not in left_out]
    return [(node, number) for node in found for number, _ in enumerate(flips(node))]


def flips(node: ast.AST) -> Iterator[Callable[[], object]]:
    """Give what can be flipped at a node, each as a function that does it."""
    if isinstance(node, ast.Compare):
        for place, operator in enumerate(node.ops):
            other_way = OTHERWISE[type(operator)]()
            yield lambda place=place, other=other_way: node.ops.__setitem__(place, other)
    elif isinstance(node, ast.BoolOp):
        other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield lambda: setattr(node, "op", other)
    elif isinstance(node, ast.If | ast.IfExp):
        yield lambda: setattr(node, "test", ast.UnaryOp(ast.Not(), node.test))
    elif isinstance(node, ast.comprehension):
        for place, test in enumerate(node.ifs):
            yield lambda place=place, test=test: node.ifs.__setitem__(place, ast.UnaryOp(ast.Not(), test))
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield lambda: setattr(node, "operand", ast.UnaryOp(ast.Not(), node.operand))
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield lambda: setattr(node, "value", not node.value)


class Flipped(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Serves one module with its condition flipped."""

    def __init__(self, mutant: Mutant) -> None:
        """Serve the mutant's module only."""
        self.name = ".".join(Path(mutant.file).with_suffix("").parts)
        self.tree = mutant.tree

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Claim the one module."""
        del path, target
        return importlib.util.spec_from_loader(fullname, self) if fullname == self.name else None

    def exec_module(self, module: ModuleType) -> None:
        """Run the flipped code."""
        exec(compile(self.tree, self.name, "exec"), module.__dict__)  # noqa: S102  this tree's own code, one flip apart


def noticed(mutant: Mutant) -> bool:
    """Whether a case or a test notices, tried in a process of its own."""
    child = os.fork()
    if child == 0:
        sys.stdout = sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  until the process ends
        os._exit(1 if differs(mutant) else 0)
    return os.waitpid(child, 0)[1] != 0


def differs(mutant: Mutant) -> bool:
    """Load the engine with the mutant; tell whether a case is answered otherwise, or a test fails."""
    forget("consent", "tests.consent.test", "tests.consent.ideals", but=READ_ONCE if mutant.in_a_gate else set())
    sys.meta_path.insert(0, Flipped(mutant))
    try:
        if mutant.in_a_gate and a_case_differs():
            return True
        forget("tests.consent", but=set())
        files = [str(HERE / f"test_{test}.py") for test in TESTS]
        return pytest.main(["-x", "-q", "-n", "0", "-p", "no:cacheprovider", "-k", CHOSEN, *files]) != 0
    except Exception:  # noqa: BLE001  a mutant that cannot run is noticed
        return True


def forget(*names: str, but: set[str]) -> None:
    """Let modules of these names be loaded anew."""
    for loaded in [module for module in sys.modules if module.startswith(names) and module not in but]:
        del sys.modules[loaded]


def a_case_differs() -> bool:
    """Whether a case of any file is answered otherwise than the file says."""
    checked = importlib.import_module("consent.cases")
    catalogue = importlib.import_module("consent.catalogue").load_catalogue()
    return any(checked.check_case(case, catalogue).differences for case in all_cases())


def argued() -> set[tuple[str, str, str]]:
    """Return the mutants that change nothing that counts, each argued: file, before, after."""
    rows = tomllib.loads((HERE / "mutants.toml").read_text("utf-8")).get("mutant", [])
    return {(row["file"], row["before"], row["after"]) for row in rows if row["why"]}


def main() -> int:
    """Try every mutant; print those that nothing noticed, and how many were."""
    known, all_of_them, silent, unargued = argued(), 0, 0, 0
    all_cases()
    for mutant in (mutant for path in FILES if os.environ.get("ONLY", "") in str(path) for mutant in mutants(path)):
        all_of_them += 1
        if noticed(mutant):
            continue
        silent += 1
        if (mutant.file, mutant.before, mutant.after) not in known:
            unargued += 1
            print(mutant, flush=True)  # noqa: T201  what the command is for
    share = 1 - silent / max(all_of_them, 1)
    print(f"{all_of_them} mutants, {share:.1%} noticed, {silent - unargued} argued, {unargued} not")  # noqa: T201
    return 0 if not unargued and share >= WANTED else 1


if __name__ == "__main__":
    sys.exit(main())
