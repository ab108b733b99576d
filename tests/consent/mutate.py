"""Flip every condition of the engine, one at a time, and see whether a test notices: ``make mutate [ONLY=gates/mode]``.

Each mutant is tried in a process of its own: against every case file first, then against the tests of the engine. What
nothing noticed is printed, with file, line and what was flipped. Exit status 0 where `WANTED` of all were noticed and
every other one is argued in ``mutants.toml``.

``make mutate ARGS=--changed`` flips what stands on changed lines alone (`tests.consent.changed_lines` says since when),
in an order that each commit draws anew, until ``--seconds`` are over. Whoever lands a condition that no test notices
hears of it there; that all of them are noticed says the whole run.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import importlib.abc
import importlib.util
import os
import sys
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from random import Random
from time import monotonic
from types import ModuleType

import pytest

from tests.consent.changed_lines import NoHistory, changed_lines, git
from tests.consent.samples import all_cases

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
WANTED = 0.95
FILES = (
    *sorted((ROOT / "consent" / "gates").glob("[a-z]*.py")),
    *(ROOT / "consent" / f"{name}.py" for name in ("engine", "consents", "catalogue_day", "owed")),
)
TESTS = (
    *("cases", "engine", "consents", "owed", "several", "switches", "conditions", "catalogue", "rows"),
    *("facts_json", "properties"),
)
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
    last: int
    """The condition stands on the lines from `line` to this one."""
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
        before, (line, last) = ast.unparse(node), span(node)
        list(flips(node))[number]()
        yield Mutant(path, line, last, before, ast.unparse(node), ast.fix_missing_locations(tree))


def span(node: ast.AST) -> tuple[int, int]:
    """Return the first and the last line of the condition that is flipped at a node."""
    if isinstance(node, ast.If | ast.IfExp):
        node = node.test
    parts = [part for part in ast.walk(node) if isinstance(part, ast.expr)]
    return min(part.lineno for part in parts), max(part.end_lineno or part.lineno for part in parts)


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


def chosen(*, changed: bool) -> list[Mutant]:
    """Return the mutants to try: of all files or of those that ``ONLY`` names, all of them or of changed lines."""
    files = [path for path in FILES if os.environ.get("ONLY", "") in str(path)]
    found = [mutant for path in files for mutant in mutants(path)]
    if not changed:
        return found
    lines = changed_lines(ROOT)[1]
    found = [one for one in found if lines.get(one.file, set()).intersection(range(one.line, one.last + 1))]
    Random(git(ROOT, "rev-parse", "HEAD")).shuffle(found)
    return found


def tried(found: Sequence[Mutant], seconds: float) -> Iterator[tuple[Mutant, bool]]:
    """Try mutants until the time is over; give each with whether it was noticed."""
    end = monotonic() + seconds
    for mutant in found:
        if monotonic() > end:
            return
        yield mutant, noticed(mutant)


def main() -> int:
    """Try mutants; print those that nothing noticed, and how many were."""
    parser = argparse.ArgumentParser(prog="mutate")
    parser.add_argument("--changed", action="store_true", help="on changed lines alone")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after so long")
    given = parser.parse_args()
    try:
        found = chosen(changed=given.changed)
    except NoHistory as exc:
        print(f"NO MUTANT TRIED: {exc}; `make mutate` tries all")
        return 0
    all_cases()
    known, number, silent, unargued = argued(), 0, 0, 0
    for mutant, seen in tried(found, given.seconds):
        number += 1
        silent += not seen
        if not seen and (mutant.file, mutant.before, mutant.after) not in known:
            unargued += 1
            print(mutant, flush=True)
    share = 1 - silent / max(number, 1)
    print(f"{number} mutants, {share:.1%} noticed, {silent - unargued} argued, {unargued} not")
    if number < len(found):
        print(f"STOPPED after {given.seconds:g} s: {len(found) - number} of {len(found)} mutants were not tried")
    return 0 if not unargued and (given.changed or share >= WANTED) else 1


if __name__ == "__main__":
    sys.exit(main())
