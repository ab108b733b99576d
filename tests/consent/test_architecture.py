"""What keeps the law pure: who may make a permit, and what the package may touch."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("broker", "adapters", "schemas", "consent")
ENGINE = ROOT / "consent" / "engine.py"
DECISION = ROOT / "consent" / "decision.py"
CLOCKS = {"today", "now", "utcnow", "time", "monotonic", "perf_counter"}


def sources(*packages: str) -> Iterator[Path]:
    """Give every Python file of the packages."""
    for package in packages:
        yield from sorted((ROOT / package).rglob("*.py"))


def permits_made(tree: ast.AST) -> list[int]:
    """Return the lines on which a `Permit` is constructed, under its own name, another, or as an attribute."""
    names = {"Permit"}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names |= {alias.asname for alias in node.names if alias.name == "Permit" and alias.asname}
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name) and node.value.id in names:
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and (
            (isinstance(node.func, ast.Name) and node.func.id in names)
            or (isinstance(node.func, ast.Attribute) and node.func.attr == "Permit")
        )
    ]


def test_a_permit_is_made_in_the_engine_alone() -> None:
    """No other module of the four packages constructs one."""
    found = {path.relative_to(ROOT): permits_made(ast.parse(path.read_text("utf-8"))) for path in sources(*PACKAGES)}
    assert {path for path, lines in found.items() if lines} == {ENGINE.relative_to(ROOT)}


def test_no_subclass_of_a_permit_is_made() -> None:
    """A subclass would be a permit that the engine did not make."""
    for path in sources(*PACKAGES):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                assert "Permit" not in {base.id for base in node.bases if isinstance(base, ast.Name)}, path


@pytest.mark.parametrize(
    "text",
    [
        "from consent.decision import Permit\nPermit(1)",
        "from consent.decision import Permit as P\nP(1)",
        "from consent import decision\ndecision.Permit(1)",
        "from consent.decision import Permit\nmake = Permit\nmake(1)",
    ],
)
def test_the_search_finds_a_forged_permit(text: str) -> None:
    """Each way of writing it is seen."""
    assert permits_made(ast.parse(text))


def test_the_law_reads_no_clock_and_nothing_but_its_rows() -> None:
    """No module of the package asks for the time or opens a network; files are read where rows and sentences are."""
    reading = set()
    for path in sources("consent"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                assert not {alias.name for alias in node.names} & {"time", "random", "socket", "os", "urllib"}, path
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                assert node.func.attr not in CLOCKS, path
                if node.func.attr in {"read_bytes", "read_text", "open", "glob"}:
                    reading.add(f"{path.parent.name}/{path.stem}")
    deciding, telling = {"consent/catalogue", "consent/casefile"}, {"explanation/sentences"}
    assert reading == deciding | telling | {"book/markdown", "book/pages"}


def test_every_public_name_has_a_docstring() -> None:
    """Gates quote their norm: the word Norm stands in the docstring of each."""
    gates = (
        "form",
        "regime",
        "recipient",
        "locks",
        "grounds",
        "necessity",
        "collection",
        "interests",
        "mode",
        "duties",
    )
    for gate in gates:
        tree = ast.parse((ROOT / "consent" / "gates" / f"{gate}.py").read_text("utf-8"))
        docs = [ast.get_docstring(node) or "" for node in tree.body if isinstance(node, ast.FunctionDef)]
        assert any("Norm:" in doc and "eading" in doc for doc in docs), gate


def test_the_engine_itself_makes_it_once() -> None:
    """One place constructs a permit; binding to reduced bytes copies it."""
    assert len(permits_made(ast.parse(ENGINE.read_text("utf-8")))) == 1
    assert permits_made(ast.parse(DECISION.read_text("utf-8"))) == []
