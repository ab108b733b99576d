"""The pages, chapter by chapter: which rows stand where, under which headings, with which words before them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from consent import rows
from consent.book import words
from consent.book.entries import Entry, purposes_of
from consent.book.markdown import bold, paragraphs, prose, row_lines, sentence_case
from consent.book.names import Names
from consent.book.words import listed
from consent.rows import ANY, Row
from schemas.identifiers import Mode

OF_A_PURPOSE = ("row", "ground", "barred", "proof", "deletion")
"""Tables whose rows stand with their purpose."""

Write = Callable[[Sequence[Entry], Names], Iterator[str]]


@dataclass(frozen=True, slots=True)
class Chapter:
    """A page: its file, its title, what writes it, and the tables whose rows it shows."""

    file: str
    title: str
    write: Write
    tables: tuple[str, ...]
    looks_around: bool = False
    """It refers to rows of other pages."""


def purposes(entries: Sequence[Entry], names: Names) -> Iterator[str]:
    """Yield the purposes: each with its routes, what carries it, and what else it asks for."""
    yield from prose("purposes")
    for entry in _of(entries, "purpose"):
        yield from (f"## {sentence_case(entry.title)} ({_code(entry)})", "")
        yield from row_lines(entry)
        own = [one for one in entries if one.table in OF_A_PURPOSE and _code(entry) in purposes_of(one.row)]
        for one in _of(own, "row"):
            yield from _route(one, names, _of(entries, "consent_only"))
        yield from _group("Was die Übermittlung trägt", _of(own, "ground"), 4)
        yield from _group("Was außerdem vorliegen muss", _of(own, "proof"), 4)
        yield from _group("Wo nichts trägt", _of(own, "barred"), 4)
        yield from _group("Was danach gilt", _of(own, "deletion"), 4)


def _route(entry: Entry, names: Names, limits: Iterable[Entry]) -> Iterator[str]:
    row = entry.row
    assert isinstance(row, rows.NecessityRow)  # noqa: S101 - rows of this table are
    only = f" (nur mit Schalter {row.with_switch})" if row.with_switch else ""
    until = f" (bis {words.german_day(row.valid.end)})" if row.valid.end else ""
    way = f"{names.unit(row.sender, 'Jede Sozialbehörde')} → {names.unit(row.recipient)}"
    yield from (f"### {way}{until}{only}", "")
    narrowed = [_narrowed(limit, row, names) for limit in limits if _narrows(limit.row, row, names)]
    yield from row_lines(entry, paragraphs([*_asks(row, entry, names), *narrowed]))


def _narrows(limit: Row, row: rows.NecessityRow, names: Names) -> bool:
    """Whether a statute that carries elsewhere does not on this route, or on one of those that the row stands for."""
    assert isinstance(limit, rows.ConsentOnlyRow)  # noqa: S101 - rows of this table are
    there = ANY in limit.recipients or row.recipient in (ANY, *limit.recipients)
    sent = row.sender in (ANY, limit.sender) and not limit.with_switch
    asked = (row.nur_auf_ersuchen or row.purpose in names.on_request) and set(limit.modes) == {Mode.UNAUFGEFORDERT}
    carried = (
        row.purpose not in names.closed | names.by_consent and (row.purpose, limit.sender.value) not in names.barred
    )
    return sent and there and carried and not asked and row.purpose not in limit.except_purposes


def _narrowed(limit: Entry, route: rows.NecessityRow, names: Names) -> str:
    row = limit.row
    assert isinstance(row, rows.ConsentOnlyRow)  # noqa: S101 - rows of this table are
    how = "" if set(row.modes) == set(Mode) else f" {listed([words.MODES[mode] for mode in row.modes], 'oder')}"
    where = f"[{limit.title}]({page_of(limit)}#{limit.id})"
    answered = route.purpose in row.except_par64_nein
    unless = ", außer § 64 Abs. 2 SGB VIII ist mit „nein“ beantwortet" if answered else ""
    sent = f"Übermittelt „{names.unit(row.sender)}“{how}"
    return f"{sent}, so trägt hier nur eine Einwilligung, die jedes Datum nennt{unless} ({where})."


def _asks(row: rows.NecessityRow, entry: Entry, names: Names) -> Iterator[str]:
    if row.purpose in names.closed:
        yield "Diese Zeile lässt nichts durch: Zu diesem Zweck hat der Empfänger keine Aufgabe."
        return
    bound = row.pflicht or row.purpose in names.bound
    if row.purpose in names.by_consent:
        yield "**Nur mit Einwilligung:** Kein Gesetz trägt diesen Zweck."
    else:
        yield "**MUSS:** Es besteht eine Pflicht." if bound else "**KANN:** Es besteht eine Befugnis."
    if row.nur_auf_ersuchen:
        yield "Unaufgefordert wird auf diesem Weg nichts übermittelt."
    yield f"Immer erforderlich: {bold(names.category_names(row.necessary))}."
    if row.conditional:
        yield "Nur unter der genannten Bedingung:"
        for category, code in row.conditional.items():
            yield f"- {names.categories.get(category, category)}: {names.conditions.get(code, code)} (`{code}`)"
    yield "Alle anderen Datenkategorien entfallen."
    if row.kern:
        only = ", ".join(names.category_names(row.kern))
        yield f"Auf diesem Weg kommt es an auf: {only}; bleibt davon nichts, so wird die ganze Übermittlung abgelehnt."
    if entry.switched:
        yield entry.switched


def grounds(entries: Sequence[Entry], _: Names) -> Iterator[str]:
    """Yield what carries beside the purposes: consent, and registered procedures."""
    yield from prose("grounds")
    yield from ("## Wann eine Einwilligung wirksam ist", "", *prose("consents"))
    yield from _group("Einwilligung als Grund", [one for one in _of(entries, "ground") if not purposes_of(one.row)])
    yield from _group("Wege, auf denen nur eine Einwilligung trägt", _of(entries, "consent_only"))
    yield from _group("Abruf und regelmäßige Lieferung: registrierte Verfahren", _of(entries, "procedure"))


def locks(entries: Sequence[Entry], _: Names) -> Iterator[str]:
    """Yield the locks: where data come from, what is locked by that, which keys open."""
    yield from prose("locks")
    yield from ("## Der Erfolg einer Hilfe (§ 64 Abs. 2 SGB VIII)", "", *prose("success"))
    yield from ("## Empfangene Daten", "", *prose("received"))
    yield from _group("Herkunft, wenn der Absender keine erklärt", _of(entries, "default_mark"))
    yield from _group("Sperren", _of(entries, "lock"))
    yield from _group("Schlüssel", _of(entries, "key"))


def collection(entries: Sequence[Entry], _: Names) -> Iterator[str]:
    """Yield the first collection: who need not ask the person first."""
    yield from prose("collection")
    yield from _group("Gründe für unverhältnismäßigen Aufwand", _of(entries, "collection_reason"))
    yield from _group("Normen, die andere zu fragen erlauben", _of(entries, "collection_norm"))


def conditions(entries: Sequence[Entry], _: Names) -> Iterator[str]:
    """Yield the conditions, and what can be missing."""
    yield from prose("conditions")
    yield from ("## Bedingungen der Wege", "")
    for entry in _of(entries, "condition"):
        yield from (f"### {_code(entry)}: {entry.title}", "")
        yield from row_lines(entry)
    yield from ("## Angaben, die fehlen können", "", *prose("declarations"))
    yield from _rows(_of(entries, "declaration"))


def figures(entries: Sequence[Entry], _: Names) -> Iterator[str]:
    """Yield the figures: ages, time limits, bounds."""
    yield from prose("figures")
    for code in _codes(entries):
        own = [one for one in entries if _code(one) == code]
        yield from _group(f"{own[0].title} ({code})", own)


def disputes(entries: Sequence[Entry], _: Names) -> Iterator[str]:
    """Yield the disputed points: each switch, its default, and the rows that hang on it."""
    yield from prose("disputes")
    for entry in _of(entries, "switch"):
        code = _code(entry)
        yield from (f"## {sentence_case(entry.title)} ({code})", "")
        yield from row_lines(entry)
        hanging = [one for one in entries if code in (one.row.with_switch, *one.row.without_switches)]
        if not hanging:
            yield from ("Keine Zeile hängt daran; die Prüfung selbst fragt nach dem Schalter.", "")
            continue
        yield from ("Zeilen, die daran hängen:", "")
        for one in hanging:
            which = "nur mit dem" if one.row.with_switch == code else "nur ohne den"
            yield f"- {which} Schalter: [{one.kind}: {one.title}]({page_of(one)}#{one.id})"
        yield ""


def outcomes(entries: Sequence[Entry], _: Names) -> Iterator[str]:
    """Yield the gates, the reason codes and the duties."""
    yield from prose("outcomes")
    yield from _group("Prüfungen und was sie sagen", _of(entries, "gate"))
    yield from ("## Ablehnungsgründe", "", *prose("codes"))
    for code in _codes(_of(entries, "code")):
        yield from _group(code, [one for one in _of(entries, "code") if _code(one) == code], 3)
    yield from ("## Pflichten", "", *prose("duties"))
    yield from _rows(_of(entries, "duty"))


def parties(entries: Sequence[Entry], _: Names) -> Iterator[str]:
    """Yield the units and the data categories."""
    yield from prose("parties")
    yield from _group("Stellen", _of(entries, "unit"))
    yield from ("## Datenkategorien", "", *prose("categories"))
    yield from _rows(_of(entries, "category"))


CHAPTERS = (
    Chapter("zwecke.md", "Zwecke und Wege", purposes, ("purpose", *OF_A_PURPOSE), True),
    Chapter("gruende.md", "Einwilligung und Verfahren", grounds, ("ground", "consent_only", "procedure")),
    Chapter("sperren.md", "Sperren und ihre Schlüssel", locks, ("default_mark", "lock", "key")),
    Chapter("ersterhebung.md", "Zuerst die Person fragen", collection, ("collection_reason", "collection_norm")),
    Chapter("bedingungen.md", "Bedingungen und Angaben", conditions, ("condition", "declaration")),
    Chapter("zahlen.md", "Altersgrenzen, Fristen, Schwellen", figures, ("parameter",)),
    Chapter("streitpunkte.md", "Streitpunkte und ihre Schalter", disputes, ("switch",), True),
    Chapter("befunde.md", "Prüfungen, Ablehnungsgründe, Pflichten", outcomes, ("gate", "code", "duty")),
    Chapter("stellen.md", "Stellen und Datenkategorien", parties, ("unit", "category")),
)
_FILES: Mapping[str, str] = MappingProxyType({table: one.file for one in reversed(CHAPTERS) for table in one.tables})


def page_of(entry: Entry) -> str:
    """Return the file on which a row stands; a ground of every purpose stands with the consents."""
    common = entry.table == "ground" and not purposes_of(entry.row)
    return "gruende.md" if common else _FILES[entry.table]


def _of(entries: Iterable[Entry], table: str) -> list[Entry]:
    return [entry for entry in entries if entry.table == table]


def _code(entry: Entry) -> str:
    return str(getattr(entry.row, "code", ""))


def _codes(entries: Iterable[Entry]) -> list[str]:
    return list(dict.fromkeys(_code(entry) for entry in entries))


def _group(title: str, entries: Sequence[Entry], level: int = 2) -> Iterator[str]:
    if entries:
        yield from (f"{'#' * level} {title}", "")
        yield from _rows(entries)


def _rows(entries: Iterable[Entry]) -> Iterator[str]:
    for entry in entries:
        yield from row_lines(entry)
