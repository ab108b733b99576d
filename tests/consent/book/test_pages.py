"""The German pages are those of the rows, hold all of them, and warn on top."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from consent.book.entries import entries_of
from consent.book.markdown import Page
from consent.book.pages import BESIDE, pages_of, write_pages
from consent.catalogue import Catalogue
from consent.decision import RefusalKind
from tests.house.source import ROOT

FOLDER = ROOT / "docs" / "law"
#: Codes of the case format and of the API: they may stand beside a German name, never in its place.
CODE = re.compile(r"(?<![\w`])(?:[A-Z]{2,}_[A-Z0-9_]+)(?![\w`])")


@pytest.fixture(scope="module")
def pages(catalogue: Catalogue) -> tuple[Page, ...]:
    """Give the pages of the shipped catalogue."""
    return pages_of(catalogue)


def test_the_pages_in_docs_are_those_of_the_rows(pages: tuple[Page, ...]) -> None:
    """docs/law/ is what `make law-docs` writes; who changed a row runs it."""
    there = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.md") if path.name not in BESIDE}

    assert there == {page.name: page.text for page in pages}, "run: make law-docs"


def test_pages_that_are_none_any_more_go(catalogue: Catalogue, pages: tuple[Page, ...], tmp_path: Path) -> None:
    """A chapter that was given up does not stay behind."""
    (tmp_path / "old.md").write_text("old", encoding="utf-8")
    write_pages(catalogue, tmp_path)

    assert {path.name for path in tmp_path.iterdir()} == {page.name for page in pages}


def test_every_row_stands_on_one_page_once(catalogue: Catalogue, pages: tuple[Page, ...]) -> None:
    """Nothing of the law is left out, and nothing is said in two places: each row has one anchor."""
    anchors = Counter(anchor for page in pages for anchor in re.findall(r'<a id="([^"]+)"></a>', page.text))

    assert anchors == Counter(entry.id for entry in entries_of(catalogue))


def test_every_row_shows_what_it_rests_on(catalogue: Catalogue, pages: tuple[Page, ...]) -> None:
    """Below each row: its norm, its source, when it was checked, how well, and since when it counts."""
    shown = "\n".join(page.text for page in pages)
    for entry in entries_of(catalogue):
        below = shown.split(f'<a id="{entry.id}"></a>', 1)[1].split("<a id=", 1)[0]
        statute = entry.row.norms[0].split(" §")[0].split(" Art.")[0]
        assert statute in below, entry.id
        assert re.search(r"Quelle: \S", below), entry.id
        assert f"geprüft am {entry.row.checked_on:%d.%m.%Y}, Beleg **{entry.row.grade}**" in below, entry.id
        assert f"gilt seit {entry.row.valid.start:%d.%m.%Y}" in below, entry.id
        assert entry.row.note.lower()[1:].rstrip(".") in below.lower(), entry.id


def test_every_page_warns_on_top(pages: tuple[Page, ...]) -> None:
    """Before anything else: no legal advice, and how many rows were held against which wording."""
    for page in pages:
        top = page.text.split("\n\n")[1]
        counts = Counter(entry.row.grade for entry in page.entries)
        assert top.startswith("> **Keine Rechtsberatung.**"), page.name
        assert f"{counts['K']} **nicht nachgeprüft**" in top or not counts["K"], page.name
        assert f"{counts['V']} gegen den Wortlaut" in top or not counts["V"], page.name
        assert ("mit Stand 2018/19" in top) == bool(counts["V"]), page.name


def test_pages_speak_german_and_not_code(pages: tuple[Page, ...]) -> None:
    """No English word of the rows' code gets through, no unfilled place, no empty list, no doubled punctuation."""
    english = {kind.value for kind in RefusalKind} - {"human", "gap"} | {"None", "True", "False"}
    for page in pages:
        words = set(re.findall(r"\w+", page.text))
        assert not words & english, page.name
        assert not re.search(r"\{\w+\}|\(\)|: \.|,,|;;|\.\.(?!\.)| ,|  \w", page.text), page.name


def test_codes_stand_in_headings_and_beside_names(pages: tuple[Page, ...]) -> None:
    """In the sentences of routes a data-protection officer reads names: a code is an addition in code type."""
    routes = next(page for page in pages if page.name == "zwecke.md")
    lines = [
        line
        for line in routes.text.splitlines()
        if line.startswith(("Immer erforderlich", "- ")) and "Kennung" not in line
    ]

    assert len(lines) > 100
    assert [line for line in lines if CODE.search(line)] == []
