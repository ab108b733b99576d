"""The German pages of the whole catalogue: for those who have to answer for the law, and annotate it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from consent.book import words
from consent.book.chapters import CHAPTERS, Chapter, page_of
from consent.book.entries import Entry, entries_of
from consent.book.markdown import Page, prose, table
from consent.book.names import Names, names_of
from consent.catalogue import Catalogue
from consent.rows import NecessityRow, PurposeRow

ASKS = (
    ("G0", "Ist die Nachricht der Form nach vollständig und in Datenkategorien zerlegt?"),
    ("G1", "Welches Recht gilt für die Daten des Absenders?"),
    ("G2", "Sind Absender und Empfänger ein Verantwortlicher? Dann ist es Nutzung und keine Übermittlung."),
    ("G3", "Kann der Empfänger für diesen Zweck überhaupt eine Aufgabe haben?"),
    ("G4 a", "Ist ein Datum dem Jugendamt anvertraut (§ 65 SGB VIII)? Dann öffnet nur ein Schlüssel."),
    ("G4 b", "Stammt ein Datum von einer schweigepflichtigen Person oder aus einem Gutachten (§ 76 SGB X)?"),
    ("G4 c", "Stellt die Übermittlung den Erfolg einer Hilfe in Frage (§ 64 Abs. 2 SGB VIII)?"),
    ("G4 d", "Ist es eine Schutzanschrift?"),
    ("G4 e", "Hat die handelnde Person das Datum unter eigener Schweigepflicht erfahren (§ 203 StGB)?"),
    ("G4 EMPFANGEN", "Wurde das Datum selbst von einer anderen Stelle empfangen, und zu welchem Zweck?"),
    ("G5", "Trägt ein Gesetz die Übermittlung, oder, wo das nicht genügt, eine Einwilligung?"),
    ("G6", "Welche Datenkategorien sind für diesen Zweck auf diesem Weg erforderlich? Alles andere entfällt."),
    ("G7", "Wurde bei einem Ersuchen oder Abruf zuerst die Person gefragt?"),
    ("G8", "Stehen schutzwürdige Interessen oder ein Widerspruch entgegen?"),
    ("G9", "Braucht die Übermittlung ein registriertes Verfahren (Abruf, regelmäßige Lieferung, viele Personen)?"),
    ("G10", "Welche Pflichten entstehen mit der Übermittlung?"),
    (
        "REST",
        "Trägt das, was nach einer Entfernung übrig ist, den Zweck noch? Gefragt nach jeder Prüfung, die entfernt.",
    ),
)
"""The gates in their order, and what each asks."""


def pages_of(catalogue: Catalogue) -> tuple[Page, ...]:
    """Return the pages of a catalogue, the index first. Every row stands on one of them."""
    entries, names = entries_of(catalogue), names_of(catalogue.tables)
    chapters = tuple(_page(chapter, entries, names) for chapter in CHAPTERS)
    return (Page("README.md", "Der Regelkatalog, zum Lesen", tuple(_index(catalogue, chapters)), entries), *chapters)


def _page(chapter: Chapter, entries: Sequence[Entry], names: Names) -> Page:
    """Write one page; some look at rows of others."""
    own = tuple(entry for entry in entries if page_of(entry) == chapter.file)
    seen = entries if chapter.looks_around else own
    return Page(chapter.file, chapter.title, tuple(chapter.write(seen, names)), own)


BESIDE = frozenset({"explanations.md"})
"""Pages of the same folder that are made of decisions, not of rows."""


def write_pages(catalogue: Catalogue, folder: Path) -> None:
    """Write the pages into a folder; pages that are none any more go."""
    folder.mkdir(parents=True, exist_ok=True)
    pages = {page.name: page.text for page in pages_of(catalogue)}
    for name, text in pages.items():
        (folder / name).write_text(text, encoding="utf-8")
    for old in folder.glob("*.md"):
        if old.name not in {*pages, *BESIDE}:
            old.unlink()


def _index(catalogue: Catalogue, chapters: Sequence[Page]) -> Iterator[str]:
    yield from prose("index", fingerprint=catalogue.fingerprint)
    yield from ("## Kapitel", "")
    yield from table(
        ("Kapitel", "Zeilen", "Beleg V", "S", "K"),
        ([f"[{page.title}]({page.name})", *_counts(page.entries)] for page in chapters),
    )
    yield from ("## Was der Beleg sagt", "")
    yield from table(("Beleg", "Kurz", "Bedeutung"), ((grade, *said) for grade, said in words.GRADES.items()))
    yield from ("## Wie eine Zeile zu lesen ist", "", *prose("reading"))
    yield from ("## Wie eine Entscheidung entsteht", "")
    yield from table(("Prüfung", "Frage"), ASKS)
    yield from prose("deciding")
    yield from ("## Zwecke", "")
    yield from _purposes(chapters[0])


def _counts(entries: Sequence[Entry]) -> list[str]:
    counts = Counter(str(entry.row.grade) for entry in entries)
    return [str(len(entries)), *(str(counts[grade]) for grade in words.GRADES)]


def _purposes(page: Page) -> Iterator[str]:
    lines = []
    for entry in page.entries:
        row = entry.row
        if not isinstance(row, PurposeRow):
            continue
        routes = [one.row for one in page.entries if isinstance(one.row, NecessityRow) and one.row.purpose == row.code]
        place = f"[{entry.title}]({page.name}#{entry.id})"
        lines.append((place, f"`{row.code}`", _bound(row, routes), str(len(routes)) if routes else "–"))
    yield from table(("Zweck", "Kürzel", "Pflicht oder Befugnis", "Wege"), lines)


def _bound(row: PurposeRow, routes: Sequence[NecessityRow]) -> str:
    if row.nur_intern or row.ohne_aufgabe:
        return "keine Übermittlung"
    if row.pflicht:
        return "MUSS"
    return "KANN, auf einzelnen Wegen MUSS" if any(route.pflicht for route in routes) else "KANN"
