"""The tree is as it was given, its rooms have names, and the wheel ships our four packages and their data."""

from __future__ import annotations

import tomllib
from importlib import import_module
from typing import Any

import pytest

from tests.house.source import FOLDERS, PACKAGES, ROOT, kept_files, python_files

GIVEN = ("broker", "schemas", "adapters", "consent", "tests", "alembic", "pyproject.toml", "Dockerfile")
VAGUE = {
    "utils",
    "util",
    "common",
    "core",
    "helpers",
    "helper",
    "managers",
    "manager",
    "misc",
    "lib",
    "interfaces",
    "tools",
}


@pytest.fixture(scope="module")
def setuptools_table() -> dict[str, Any]:
    """Return ``[tool.setuptools]`` of pyproject.toml."""
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    return table


@pytest.mark.parametrize("name", GIVEN)
def test_the_given_names_stand_at_the_top(name: str) -> None:
    """The top level that the project was given is there."""
    assert (ROOT / name).exists()


def test_no_module_has_a_name_that_says_nothing() -> None:
    """No file and no folder with Python code is called utils, common, core, helpers, managers or the like."""
    files = python_files(*FOLDERS)
    assert files
    assert [path for path in files if VAGUE & {path.stem, *path.relative_to(ROOT).parts[:-1]}] == []


def test_the_migrations_do_not_shadow_their_library() -> None:
    """The folder alembic/ has no __init__.py, or ``import alembic`` would find it in place of the library."""
    assert not (ROOT / "alembic" / "__init__.py").exists()


def test_the_wheel_ships_our_four_packages_alone(setuptools_table: dict[str, Any]) -> None:
    """What setuptools finds begins with our four names: no tests, no bench, no migrations."""
    include = setuptools_table["packages"]["find"]["include"]
    finder = import_module("setuptools.discovery").PEP420PackageFinder
    found = finder.find(str(ROOT), include=include)
    assert {name.partition(".")[0] for name in found} == set(PACKAGES)


def test_every_folder_with_code_is_a_package() -> None:
    """Each folder of the four packages that holds Python code has an __init__.py that says what it is for."""
    folders = {path.parent for path in python_files(*PACKAGES)}
    assert [folder for folder in sorted(folders) if not (folder / "__init__.py").is_file()] == []


def test_the_wheel_ships_the_data_files(setuptools_table: dict[str, Any]) -> None:
    """Each file of the four packages that is no Python code is named by ``package-data``."""
    shipped = {
        path
        for package, patterns in setuptools_table["package-data"].items()
        for pattern in patterns
        for path in ROOT.joinpath(*package.split(".")).glob(pattern)
    }
    data = [path for path in kept_files() if path.relative_to(ROOT).parts[0] in PACKAGES and path.suffix != ".py"]
    assert [path.relative_to(ROOT).as_posix() for path in data if path not in shipped] == []
