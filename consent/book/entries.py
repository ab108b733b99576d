"""The rows of a catalogue as entries: an id that lasts, title and sentence in German, every field by German name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import date
from enum import Enum
from types import MappingProxyType
from typing import Any

from consent import rows
from consent.book import words
from consent.book.names import Names, names_of
from consent.book.sentences import sentence, switched
from consent.book.titles import title
from consent.catalogue import Catalogue
from consent.catalogue_checks import key_of
from consent.norm import same_paragraph
from consent.rows import ANY, Row
from consent.validity import Validity

KINDS: Mapping[str, str] = MappingProxyType(
    {
        "unit": "Stelle",
        "category": "Datenkategorie",
        "purpose": "Zweck",
        "row": "Erforderlich auf einem Weg",
        "ground": "Rechtsgrund",
        "consent_only": "Nur mit Einwilligung",
        "barred": "Ausgeschlossener Weg",
        "proof": "Nachweis",
        "procedure": "Registriertes Verfahren",
        "declaration": "Angabe, die fehlen kann",
        "default_mark": "Herkunft, wenn keine erklärt ist",
        "lock": "Sperre",
        "key": "Schlüssel zu einer Sperre",
        "deletion": "Löschpflicht",
        "collection_reason": "Grund, nicht die Person zu fragen",
        "collection_norm": "Norm, die andere zu fragen erlaubt",
        "parameter": "Zahl",
        "condition": "Bedingung",
        "code": "Ablehnungsgrund",
        "gate": "Prüfung",
        "duty": "Pflicht",
        "switch": "Streitpunkt",
    }
)
"""Table → what one of its rows is, in German."""

LABELS: Mapping[str, str] = MappingProxyType(
    {
        "approved": "mit Genehmigungen",
        "basis": "Grundlage",
        "bound": "trifft",
        "categories": "Datenkategorien",
        "checked_on": "geprüft am",
        "classes": "Klassen",
        "code": "Kürzel",
        "conditional": "unter Bedingung",
        "conditions": "Bedingungen",
        "controller": "Verantwortlicher",
        "days": "Tage",
        "except_controllers": "ausgenommene Absender",
        "except_par64_nein": "ausgenommen bei „nein“ nach § 64 Abs. 2 SGB VIII",
        "except_purposes": "ausgenommene Zwecke",
        "gate": "Prüfung",
        "gates": "Prüfungen",
        "grade": "Beleg",
        "how": "erfüllt durch",
        "idle": "Text, wenn nichts zu fragen ist",
        "kern": "Kern",
        "kind": "Art",
        "klass": "Klasse",
        "lasts": "Dauer",
        "lock": "Sperre",
        "mark": "Herkunft",
        "marks": "Herkunft",
        "mode": "Art der Übermittlung",
        "modes": "Arten der Übermittlung",
        "months": "Monate",
        "name": "Name",
        "necessary": "erforderlich",
        "norms": "Normen",
        "note": "Anmerkung",
        "nur_auf_ersuchen": "nur auf Ersuchen",
        "nur_einwilligung": "nur mit Einwilligung",
        "nur_intern": "nur bei demselben Verantwortlichen",
        "ohne_aufgabe": "ohne Aufgabe",
        "par35": "Stelle nach § 35 SGB I",
        "part": "eigenes Element",
        "pflicht": "Pflicht (MUSS)",
        "private": "private Stelle",
        "proof": "Nachweis",
        "purpose": "Zweck",
        "purposes": "Zwecke",
        "rank": "Rang",
        "received_only": "nur empfangene Daten",
        "recipient": "Empfänger",
        "recipients": "Empfänger",
        "regime": "wer übermittelt",
        "regimes": "wer übermittelt",
        "schutzauftrag": "Schutz eines Kindes",
        "sender": "Absender",
        "senders": "Absender",
        "source": "Quelle",
        "text": "Text",
        "valid": "gilt",
        "value": "Wert",
        "when": "entsteht",
        "with_switch": "nur mit Schalter",
        "without_switches": "nicht mit Schalter",
    }
)
"""Field of a row → its German name."""

HIDDEN = frozenset({"where"})
"""Where a row stands in its file says nothing about the law."""
_SPELLED: Mapping[str, str] = MappingProxyType({"klass": "class"})
_SLUG = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"})


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a row: its name in TOML and in German, the value in German and as JSON."""

    name: str
    label: str
    text: str
    raw: Any


@dataclass(frozen=True, slots=True)
class Entry:
    """One row. `id` is the same in every catalogue that has the row; `key` in every one that has its successor."""

    id: str
    key: str
    table: str
    title: str
    text: str
    fields: tuple[Field, ...]
    row: Row

    @property
    def switched(self) -> str:
        """What the row says of switches, empty where it hangs on none."""
        return switched(self.row)

    @property
    def kind(self) -> str:
        """What the row is, in German."""
        return KINDS[self.table]

    def field(self, name: str) -> Field | None:
        """Return a field by its name in TOML; None where the row leaves it at its default."""
        return next((one for one in self.fields if one.name == name), None)


def entries_of(catalogue: Catalogue) -> tuple[Entry, ...]:
    """Return all rows of a catalogue, in the order of its tables and files."""
    names = names_of(catalogue.tables)
    found: dict[str, Entry] = {}
    for table in KINDS:
        for row in catalogue.tables[table]:
            entry = _entry(table, row, names)
            assert entry.id not in found, entry.id  # noqa: S101 - the catalogue refuses two rows of one key and day
            found[entry.id] = entry
    return tuple(found.values())


def chosen(
    entries: Iterable[Entry], *, purpose: str | None = None, norm: str | None = None, on: date | None = None
) -> Iterator[Entry]:
    """Yield the entries about a purpose, with a norm of the same paragraph, that count on a day; None asks nothing."""
    for entry in entries:
        about = purpose is None or purpose in purposes_of(entry.row)
        cites = norm is None or any(same_paragraph(norm, one) for one in entry.row.norms)
        if about and cites and (on is None or entry.row.valid.covers(on)):
            yield entry


def purposes_of(row: Row) -> frozenset[str]:
    """Return the purposes that a row names as its own."""
    one = getattr(row, "purpose", "")
    several = getattr(row, "purposes", ())
    own = (row.code,) if isinstance(row, rows.PurposeRow) else ()
    return frozenset({one, *several, *own} - {"", ANY})


def _entry(table: str, row: Row, names: Names) -> Entry:
    key = f"{table}.{_slug(_identity(row))}" + (f".mit-{row.with_switch}" if row.with_switch else "")
    return Entry(
        id=f"{key}.{row.valid.start.isoformat()}",
        key=key,
        table=table,
        title=title(row, names),
        text=sentence(row, names),
        fields=tuple(_fields(row, names)),
        row=row,
    )


def _identity(row: Row) -> tuple[Any, ...]:
    if isinstance(row, rows.NecessityRow):
        return (row.purpose, row.sender, row.recipient)
    if isinstance(row, rows.CodeRow):
        return (row.code, row.gates)
    key = key_of(row)
    return key if isinstance(key, tuple) else (key,)


def _slug(parts: Iterable[Any]) -> str:
    texts = ["+".join(str(one) for one in part) if isinstance(part, tuple) else str(part) for part in parts]
    plain = (text.replace(ANY, "alle").translate(_SLUG) for text in texts)
    return ".".join(re.sub(r"[^A-Za-z0-9_+]+", "-", text).strip("-") for text in plain)


def _fields(row: Row, names: Names) -> Iterator[Field]:
    for one in fields(row):
        value = getattr(row, one.name)
        if one.name in HIDDEN or value == one.default or value in ((), "", {}):
            continue
        label = LABELS[one.name]
        yield Field(_SPELLED.get(one.name, one.name), label, _german(one.name, value, row, names), _plain(value))


def _german(name: str, value: Any, row: Row, names: Names) -> str:  # noqa: ANN401  a value of any field
    said = _SAID.get(name)
    if said is not None:
        return str(said(value, row, names))
    if isinstance(value, bool):
        return "ja" if value else "nein"
    if isinstance(value, tuple):
        return ", ".join(str(_plain(one)) for one in value)
    return str(_plain(value))


def _everybody(row: Row) -> str:
    if isinstance(row, rows.GroundRow):
        return "alle Wege des Zwecks"
    return "jede Sozialbehörde" if isinstance(row, rows.NecessityRow | rows.BarredRow) else "jeder Empfänger"


def _categories(value: Iterable[str], _: Row, names: Names) -> str:
    return ", ".join(names.category_names(value))


def _units(value: Any, row: Row, names: Names) -> str:  # noqa: ANN401  one code or several
    codes = value if isinstance(value, tuple) else (value,)
    anybody = "jede Stelle" if isinstance(row, rows.DefaultMarkRow) else _everybody(row)
    return ", ".join(names.units_of(codes, anybody))


def _purposes(value: Any, _: Row, names: Names) -> str:  # noqa: ANN401  one code or several
    codes = value if isinstance(value, tuple) else (value,)
    return ", ".join("jeder Zweck" if code == ANY else names.purpose(code) for code in codes)


def _conditional(value: Mapping[str, str], _: Row, names: Names) -> str:
    return "; ".join(f"{names.categories.get(c, c)} ({names.conditions.get(code, code)})" for c, code in value.items())


def _switches(value: Any, _: Row, names: Names) -> str:  # noqa: ANN401  one code or several
    codes = value if isinstance(value, tuple) else (value,)
    return "; ".join(f"{code} ({names.switches.get(code, code)})" for code in codes)


def _each(spoken: Mapping[Any, str]) -> Any:  # noqa: ANN401  a way to say the values of one vocabulary
    def said(value: Any, *_: Any) -> str:  # noqa: ANN401  one value or several
        values = value if isinstance(value, tuple) else (value,)
        return "; ".join(spoken.get(one, str(one)) for one in values)

    return said


_SAID: Mapping[str, Any] = MappingProxyType(
    {
        "bound": _each(words.BOUND),
        "categories": _categories,
        "checked_on": lambda value, *_: words.german_day(value),
        "classes": lambda value, *_: "; ".join(f"{k.value} ({words.CLASSES[k]})" for k in value),
        "conditional": _conditional,
        "conditions": _each(words.KEY_CONDITIONS),
        "except_par64_nein": _purposes,
        "except_purposes": _purposes,
        "gates": lambda value, _, names: ", ".join(f"{gate} ({names.gates.get(gate, gate)})" for gate in value),
        "grade": lambda value, *_: f"{value} – {words.GRADES[value][0]}",
        "how": _each(words.FULFILLED),
        "idle": lambda value, *_: words.opened(value),
        "kern": _categories,
        "kind": _each(words.KINDS),
        "klass": lambda value, *_: f"{value.value} ({words.CLASSES[value]})",
        "lasts": _each(words.LASTS),
        "lock": _each(words.LOCKS),
        "mark": _each(words.MARKS),
        "marks": _each(words.MARKS),
        "mode": _each(words.MODES),
        "modes": _each(words.MODES),
        "necessary": _categories,
        "norms": lambda value, *_: words.cited_all(value),
        "part": _each(words.PARTS),
        "proof": _each(words.PROOFS),
        "purpose": _purposes,
        "purposes": _purposes,
        "recipient": _units,
        "recipients": _units,
        "regime": _each(words.SENDERS),
        "regimes": _each(words.SENDERS),
        "sender": _units,
        "senders": _units,
        "text": lambda value, *_: words.opened(value),
        "valid": lambda value, *_: words.german_span(value),
        "when": _each(words.OCCASIONS),
        "with_switch": _switches,
        "without_switches": _switches,
    }
)
"""Field → how its value is said; others as they are."""


def _plain(value: Any) -> Any:  # noqa: ANN401  a value of any field
    """Return a value as JSON has it."""
    if isinstance(value, Validity):
        return {"from": value.start.isoformat(), "to": value.end.isoformat() if value.end else None}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, tuple | frozenset):
        return [_plain(one) for one in value]
    if isinstance(value, Mapping):
        return {str(_plain(key)): _plain(one) for key, one in value.items()}
    return value
