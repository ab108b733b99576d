"""The pages point at things that exist, and the glossary knows our words."""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path

import pytest

from broker.lifecycle.states import State
from schemas.identifiers import DataCategory, Mode, OriginMark, Part, Ueberhang, UnitCode
from tests.house.source import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "deploy").rglob("*.md")])
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!`)\[[^\]]*\]\((?P<target>[^)\s]+)[^)]*\)")
CODE = re.compile(r"`([^`]+)`")
#: `make` as a command: in a code span, or at the start of a line of a code block.
MAKE = re.compile(r"(?:`|^\s*(?:\$ )?)make (?P<words>[^`\n#&|;]+)", re.MULTILINE)
#: The offices of the three agencies come first in UnitCode; the others go by their plain name.
UNITS_OF_THE_AGENCIES = 9
TERMS = """
    Sozialdaten Sozialgeheimnis Leistungsträger Behörde Ersuchen Übermittlung Überhang Quittung Aktenzeichen
    Ersterhebung Widerspruch Widerruf Einwilligung Schutzanschrift Herkunftsmarke Zweckbindung Fachverfahren
    Fachkraft Befugnis Verantwortlicher Vermittlungsstelle Datenkategorie Rechtskreis Beistand Bezirksstelle
    Hilfeplan Gutachten Datenschutzcockpit Datenschutzbeauftragte MUSS KANN
""".split()  # noqa: SIM905  # a list of words reads as words


def anchors(page: str) -> set[str]:
    """Return the anchors of a page: its headings, as code hosts make them, and those that it sets itself."""
    headings = re.findall(r"^#+ +(.+?) *$", FENCE.sub("", page), re.MULTILINE)
    made = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return made | set(re.findall(r'<a id="([^"]+)"></a>', page))


def dead_links(page: Path) -> list[str]:
    """Return the links of a page whose file or heading is not there. Addresses of the web are not followed."""
    dead = []
    for match in LINK.finditer(FENCE.sub("", page.read_text(encoding="utf-8"))):
        target, _, anchor = match["target"].partition("#")
        if re.match(r"[a-z][a-z0-9+.-]*:", target):
            continue
        file = page.parent / target if target else page
        if not file.exists() or (anchor and anchor not in anchors(file.read_text(encoding="utf-8"))):
            dead.append(match["target"])
    return dead


def make_targets(text: str) -> set[str]:
    """Return the words after ``make`` in a page's commands, without variables."""
    words = (word for match in MAKE.finditer(text) for word in match["words"].split())
    return {word for word in words if re.fullmatch(r"[a-z][a-z-]*", word)}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_point_at_what_exists(page: Path) -> None:
    """Each link inside the tree leads to a file, and to a heading of it."""
    assert dead_links(page) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_commands_name_targets_of_the_makefile(page: Path) -> None:
    """Each `make` command of a page is one that the Makefile knows."""
    rules = set(re.findall(r"^([a-z-]+):(?!=)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert make_targets(page.read_text(encoding="utf-8")) <= rules


def test_the_checks_see_what_is_wrong(tmp_path: Path) -> None:
    """A missing file, a missing heading and the targets of a command are seen; code blocks hold no links."""
    page = tmp_path / "page.md"
    text = "# Über uns\n[a](b.md) [c](#über-uns) [d](#weg) `make run DEMO=0`\n```\nmake test\n[x](y.md)\n```\n"
    page.write_text(text, encoding="utf-8")
    assert dead_links(page) == ["b.md", "#weg"]
    assert make_targets(text) == {"run", "test"}


def test_every_target_of_the_makefile_explains_itself() -> None:
    """`make` lists every target that a person may call."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.+)$", text, re.MULTILINE)
    assert phony
    assert set(phony[1].split()) == set(re.findall(r"^([a-z-]+):.*## \S", text, re.MULTILINE))


def test_every_decision_is_in_the_index() -> None:
    """docs/decisions/README.md lists each record, and the numbers have no gap."""
    folder = ROOT / "docs" / "decisions"
    records = sorted(path.name for path in folder.glob("[0-9]*.md"))
    index = (folder / "README.md").read_text(encoding="utf-8")
    assert [int(name[:4]) for name in records] == list(range(1, len(records) + 1))
    assert [name for name in records if f"({name})" not in index] == []


def test_the_glossary_knows_our_words() -> None:
    """Each code of the closed vocabularies, each state and each German term of the code has its line."""
    rows = re.findall(r"^\| (.+?) \|", (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8"), re.MULTILINE)
    known = {term for row in rows for term in [*CODE.findall(row), *re.split(r", ", CODE.sub("", row))]}
    codes = {code.value for kind in (DataCategory, OriginMark, Mode, Part, Ueberhang, State) for code in kind}
    units = {unit.value for unit in islice(UnitCode, UNITS_OF_THE_AGENCIES)}
    assert {*codes, *units, *TERMS} - known == set()
