"""How the pages are written: the line on top, rows with lasting anchors and what they rest on, tables."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from textwrap import wrap

from consent.book import words
from consent.book.entries import Entry

WIDTH = 118
ADDRESS = re.compile(r"https?://[^\s;]+")


@dataclass(frozen=True, slots=True)
class Page:
    """One page: the name of its file, its title, its text in Markdown, and the rows that it shows."""

    name: str
    title: str
    lines: Sequence[str]
    entries: Sequence[Entry]

    @property
    def text(self) -> str:
        """The whole page, with title and warning."""
        body = "\n".join([f"# {self.title}", "", *warning(self.entries), "", *self.lines])
        return re.sub(r"\n{3,}", "\n\n", body).strip() + "\n"


def warning(entries: Sequence[Entry]) -> Iterator[str]:
    """Yield the line on top of every page: no legal advice, and how the rows of the page were checked."""
    yield "> **Keine Rechtsberatung.** Keine Juristin und kein Jurist hat diese Zeilen geprüft."
    days = sorted({entry.row.checked_on for entry in entries})
    if days:
        when = words.listed([f"am {words.german_day(day)}" for day in days])
        yield f"> Zuletzt durchgesehen wurden sie {when}: {_counted(entries)}."
    yield "> Das Recht kann sich seit dem Stand der gelesenen Texte geändert haben."


def _counted(entries: Sequence[Entry]) -> str:
    counts = Counter(str(entry.row.grade) for entry in entries)
    said = {
        "V": "gegen den Wortlaut des Gesetzes **mit Stand 2018/19** gehalten (Beleg V)",
        "S": "aus zweiter Hand entnommen, ohne den Wortlaut zu lesen (Beleg S)",
        "K": "**nicht nachgeprüft**, allgemeine Fachkenntnis (Beleg K)",
    }
    return "; ".join(f"{counts[grade]} {text}" for grade, text in said.items() if counts[grade])


def row_lines(entry: Entry, text: str | None = None) -> Iterator[str]:
    """Yield the lines of one row: its id as an anchor, what it says, and what it rests on."""
    yield f'<a id="{entry.id}"></a>'
    yield ""
    yield entry.text if text is None else text
    yield from ("", f"*Anmerkung:* {sentence(entry.row.note)}") if entry.row.note else ()
    yield ""
    yield evidence(entry)
    yield ""


def evidence(entry: Entry) -> str:
    """Return what a row rests on: norms, source, check, grade, validity, and the id to name it by."""
    row = entry.row
    grade, _ = words.GRADES[row.grade]
    source = ADDRESS.sub(lambda address: f"<{address[0]}>", row.source)
    checked = f"geprüft am {words.german_day(row.checked_on)}, Beleg **{row.grade}** ({grade})"
    span = f"gilt {words.german_span(row.valid)}"
    return f"- Norm: {words.cited_all(row.norms)}\n- Quelle: {source}; {checked}\n- {span} · Kennung `{entry.id}`"


def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table."""
    yield f"| {' | '.join(head)} |"
    yield f"| {' | '.join('---' for _ in head)} |"
    for cells in lines:
        yield f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
    yield ""


def prose(name: str, **filled: str) -> Iterator[str]:
    """Yield the paragraphs of that name (``prose.toml``), in lines of a readable length."""
    for paragraph in _prose()[name].format(**filled).strip().split("\n\n"):
        yield from wrap(paragraph, WIDTH, break_long_words=False, break_on_hyphens=False)
        yield ""


@cache
def _prose() -> Mapping[str, str]:
    return tomllib.loads(Path(__file__).with_name("prose.toml").read_text(encoding="utf-8"))


def paragraphs(lines: Iterable[str]) -> str:
    """Set each line as a paragraph of its own; points of a list stand together."""
    text = "\n\n".join(lines)
    return re.sub(r"(?m)^(- .*)\n\n(?=- )", r"\1\n", text)


def bold(names: Sequence[str]) -> str:
    """Write names in bold, each for itself; none: that everything hangs on a condition."""
    return ", ".join(f"**{name}**" for name in names) or "nichts; jedes Datum steht unter einer Bedingung"


def sentence_case(text: str) -> str:
    """Begin with a capital letter."""
    return text[:1].upper() + text[1:]


def sentence(text: str) -> str:
    """Write a note as a sentence."""
    return sentence_case(text).rstrip(".") + "."
