"""The tree names no registry and no path of a machine, and its locks hold for any of them."""

from __future__ import annotations

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.house.source import ROOT, kept_files

#: Written in parts, so that this file does not name them either.
REGISTRIES = [
    ".".join(parts)
    for parts in [
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("registry", "npmjs", "org"),
        ("crates", "io"),
        ("proxy", "golang", "org"),
        ("maven", "apache", "org"),
        ("deb", "debian", "org"),
    ]
]
#: Folders of a person's or a machine's own; a path inside an address or after another name is none.
MACHINE_PATH = re.compile(r"(?<![\w.~$}/-])/(?:(?:work|home|Users|farm)/\w|root/\.)")
PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>\S+)(?P<marker> ; [^\\]+)? \\$")
LOCKS = ("requirements.txt", "requirements-dev.txt")


def blocks(lock: str) -> list[str]:
    """Return the entries of a lock, each a pin with its continuation lines; comments fall."""
    lines = [
        line for line in (ROOT / lock).read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#")
    ]
    return [block for block in re.split(r"\n(?=\S)", "\n".join(lines)) if block.strip()]


def pins(lock: str) -> dict[str, str]:
    """Return canonical name → version of a lock."""
    matches = [PIN.match(block.splitlines()[0]) for block in blocks(lock)]
    return {canonicalize_name(match["name"]): match["version"] for match in matches if match}


def wanted(*extras: str) -> list[Requirement]:
    """Return the dependencies of pyproject.toml, with those of the extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    optional = [text for extra in extras for text in project["optional-dependencies"][extra]]
    return [Requirement(text) for text in [*project["dependencies"], *optional]]


def test_no_kept_file_names_a_registry() -> None:
    """Where packages come from is the machine's business, not the tree's."""
    texts = {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8", errors="ignore") for path in kept_files()
    }
    assert texts
    assert [(name, host) for name, text in texts.items() for host in REGISTRIES if host in text] == []


def test_no_kept_file_names_a_path_of_a_machine() -> None:
    """What only exists on one machine is not written down."""
    found = [
        (path.relative_to(ROOT).as_posix(), number)
        for path in kept_files()
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="ignore").splitlines(), start=1)
        if MACHINE_PATH.search(line)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("folder", "inside", "is_one"),
    [("work", "tree", True), ("home", "anna", True), ("root", ".cache", True), ("root", "person", False)],
)
def test_the_rule_knows_a_path_of_a_machine(folder: str, inside: str, *, is_one: bool) -> None:
    """A home or work folder is found at a line's begin and in quotes; in an address it is none."""
    path = f"/{folder}/{inside}"
    assert bool(MACHINE_PATH.search(path)) is bool(MACHINE_PATH.search(f'cd "{path}"')) is is_one
    assert not MACHINE_PATH.search(f"https://example.org{path}")


@pytest.mark.parametrize("lock", LOCKS)
def test_every_entry_of_a_lock_is_one_version_with_hashes(lock: str) -> None:
    """Each entry is ``name==version`` with SHA-256 hashes; no option, no address, no path."""
    entries = blocks(lock)
    assert entries
    bad = [
        entry.splitlines()[0]
        for entry in entries
        if not PIN.match(entry.splitlines()[0])
        or not all(re.fullmatch(r" +--hash=sha256:[0-9a-f]{64}( \\)?", line) for line in entry.splitlines()[1:])
    ]
    assert bad == []
    assert "://" not in (ROOT / lock).read_text(encoding="utf-8")


@pytest.mark.parametrize(("lock", "extras"), [("requirements.txt", ()), ("requirements-dev.txt", ("dev",))])
def test_a_lock_holds_what_the_project_asks_for(lock: str, extras: tuple[str, ...]) -> None:
    """Each dependency of pyproject.toml is pinned at a version that it allows; otherwise `make lock` was forgotten."""
    pinned = pins(lock)
    missing = [
        str(want)
        for want in wanted(*extras)
        if not want.specifier.contains(pinned.get(canonicalize_name(want.name), ""), prereleases=True)
    ]
    assert missing == []


def test_both_locks_agree() -> None:
    """What is tested is what is shipped: the development lock pins each shipped package at the same version."""
    assert pins("requirements.txt").items() <= pins("requirements-dev.txt").items()
