"""The catalogue: the law as dated rows, loaded once, immutable, cheap to ask for a day.

`load_catalogue` refuses whatever a lawyer could not vouch for. `Catalogue.as_of(day)` is a lookup among views that are
made once for each span of days on which the rows are the same.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from consent import rows
from consent.catalogue_checks import VOCABULARY, check, check_complete, key_of, switches_of
from consent.catalogue_day import CatalogueDay, grouped, routes_of
from consent.rowreader import CatalogueError, read_row

RULES = Path(__file__).parent / "rules"

TABLES: Mapping[str, tuple[str, type[rows.Row]]] = MappingProxyType(
    {
        "unit": ("units.toml", rows.UnitRow),
        "category": ("categories.toml", rows.CategoryRow),
        "purpose": ("purposes.toml", rows.PurposeRow),
        "row": ("necessity.toml", rows.NecessityRow),
        "ground": ("grounds.toml", rows.GroundRow),
        "consent_only": ("grounds.toml", rows.ConsentOnlyRow),
        "barred": ("grounds.toml", rows.BarredRow),
        "proof": ("grounds.toml", rows.ProofRow),
        "procedure": ("procedures.toml", rows.ProcedureRow),
        "declaration": ("declarations.toml", rows.DeclarationRow),
        "default_mark": ("locks.toml", rows.DefaultMarkRow),
        "lock": ("locks.toml", rows.LockRow),
        "key": ("locks.toml", rows.KeyRow),
        "deletion": ("locks.toml", rows.DeletionRow),
        "collection_reason": ("collection.toml", rows.CollectionReasonRow),
        "collection_norm": ("collection.toml", rows.CollectionNormRow),
        "parameter": ("parameters.toml", rows.ParameterRow),
        "condition": ("conditions.toml", rows.ConditionRow),
        "code": ("codes.toml", rows.CodeRow),
        "gate": ("gates.toml", rows.GateRow),
        "duty": ("duties.toml", rows.DutyRow),
        "switch": ("switches.toml", rows.SwitchRow),
    }
)
"""Table → the file it stands in, and the kind of its rows."""

FILES = frozenset(file for file, _ in TABLES.values())
T = TypeVar("T", bound=rows.Row)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All rows, the bytes they came from, and a view for each span of days. Made by `load_catalogue`."""

    source_bytes: bytes
    """Canonical: the files in order of their names, each with name, length and content."""
    fingerprint: str
    """SHA-256 of `source_bytes`, hexadecimal."""
    tables: Mapping[str, tuple[rows.Row, ...]] = field(repr=False)
    _starts: tuple[date, ...] = field(repr=False)
    _views: tuple[CatalogueDay, ...] = field(repr=False)
    _switched: dict[tuple[int, frozenset[str]], CatalogueDay] = field(repr=False, compare=False)
    """Views with switches on, made when they are first asked for."""

    def as_of(self, day: date, switches: frozenset[str] = frozenset()) -> CatalogueDay:
        """Return the rows in force on that day (Europe/Berlin), as they count where these switches are on."""
        span = bisect_right(self._starts, day)
        if not switches:
            return self._views[span]
        if (span, switches) not in self._switched:
            self._switched[span, switches] = _view(self.tables, day, switches)
        return self._switched[span, switches]

    def purposes_on(self, day: date) -> frozenset[str]:
        """Purposes that have necessity rows on that day; any other is answered with kind ``gap``."""
        return self.as_of(day).purposes_with_rows

    @property
    def days(self) -> tuple[date, ...]:
        """Days on which something begins to count or has stopped to count, in order."""
        return self._starts


def load_catalogue(folder: Path | None = None) -> Catalogue:
    """Load the rows of a folder, or of this package, once a process. Raises `CatalogueError` with file and row."""
    return _load(folder) if folder else _own()


@cache
def _own() -> Catalogue:
    return _load(RULES)


def _load(folder: Path) -> Catalogue:
    return read_catalogue({path.name: path.read_bytes() for path in sorted(folder.glob("*.toml"))})


def read_catalogue(files: Mapping[str, bytes]) -> Catalogue:
    """Make a catalogue from the content of its files. Raises `CatalogueError` with file and row."""
    canonical = {name: files[name].replace(b"\r\n", b"\n") for name in sorted(files)}
    for name in sorted(FILES ^ canonical.keys()):
        raise CatalogueError(
            name, "fehlt im Ordner" if name in FILES else "unbekannte Datei; jede Tabelle hat ihre Datei"
        )
    tables: dict[str, tuple[rows.Row, ...]] = {}
    for name, content in canonical.items():
        tables |= _read_file(name, content)
    return assemble(tables, b"".join(f"{name}\n{len(text)}\n".encode() + text for name, text in canonical.items()))


def assemble(tables: Mapping[str, tuple[rows.Row, ...]], source: bytes) -> Catalogue:
    """Check rows against each other and index them by day. Raises `CatalogueError` with file and row."""
    check(tables)
    starts = _starts(row for table in tables.values() for row in table)
    views = tuple(_view(tables, day, frozenset()) for day in (date.min, *starts))
    for day, view in zip(starts, views[1:], strict=True):
        check_complete(view, day)
        for switch in sorted(switches_of(tables, VOCABULARY)):
            check_complete(_view(tables, day, frozenset({switch})), day)
    fingerprint = hashlib.sha256(source).hexdigest()
    return Catalogue(source, fingerprint, MappingProxyType(tables), starts, views, {})


def catalogue_from_bytes(source: bytes) -> Catalogue:
    """Read a catalogue back from its `source_bytes`, as stored beside a decision. Raises `CatalogueError`."""
    files: dict[str, bytes] = {}
    rest = source
    while rest:
        head, _, rest = rest.partition(b"\n")
        length, _, rest = rest.partition(b"\n")
        if not length.isdigit() or len(rest) < int(length):
            raise CatalogueError("source_bytes", "sind nicht die Bytes eines Katalogs")
        files[head.decode("utf-8", "replace")], rest = rest[: int(length)], rest[int(length) :]
    return read_catalogue(files)


def _read_file(name: str, content: bytes) -> dict[str, tuple[rows.Row, ...]]:
    try:
        document = tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CatalogueError(name, f"kein gültiges TOML: {_slip(error)}") from error
    expected = {table: kind for table, (file, kind) in TABLES.items() if file == name}
    if unknown := sorted(document.keys() - expected.keys()):
        allowed = ", ".join(f"[[{table}]]" for table in expected)
        raise CatalogueError(name, f"unbekannte Tabelle: {', '.join(unknown)}; in dieser Datei stehen: {allowed}")
    lines = content.decode().splitlines()
    return {table: _read_table(name, table, kind, document.get(table, []), lines) for table, kind in expected.items()}


def _slip(error: Exception) -> str:
    """Say where a file is no TOML, and what it mostly is."""
    place = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
    where = f"Zeile {place[1]}, Stelle {place[2]}" if place else "am Ende oder in der Kodierung (UTF-8) der Datei"
    return (
        f"{where}. Meist ist es eines davon: Ein Tag heißt 2026-11-22, ohne Anführungszeichen; ja und nein heißen true "
        'und false; ein Text steht auf einer Zeile zwischen zwei geraden "; zwischen den Werten einer Liste steht ein '
        "Komma; kein Schlüssel steht in einer Zeile des Katalogs zweimal; eine Zeile beginnt mit doppelten Klammern, "
        "etwa [[row]]."
    )


def _read_table(
    name: str,
    table: str,
    kind: type[T],
    entries: Any,  # noqa: ANN401  a TOML value
    lines: Sequence[str],
) -> tuple[T, ...]:
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise CatalogueError(name, f"„{table}“ muss eine Liste von Tabellen sein: [[{table}]]")
    begun = [number for number, line in enumerate(lines, start=1) if line.strip().startswith(f"[[{table}]]")]
    numbers = begun if len(begun) == len(entries) else [0] * len(entries)
    return tuple(
        read_row(kind, entry, f"{name}, Zeile {line} ([[{table}]] {nr})" if line else f"{name} [[{table}]] {nr}")
        for nr, (entry, line) in enumerate(zip(entries, numbers, strict=True), start=1)
    )


def _starts(all_rows: Iterable[rows.Row]) -> tuple[date, ...]:
    days: set[date] = set()
    for row in all_rows:
        days.add(row.valid.start)
        if row.valid.end is not None and row.valid.end < date.max:
            days.add(row.valid.end + timedelta(days=1))
    return tuple(sorted(days))


def _view(tables: Mapping[str, tuple[rows.Row, ...]], day: date, switches: frozenset[str]) -> CatalogueDay:
    def active(table: str, kind: type[T]) -> tuple[T, ...]:
        found = (row for row in tables[table] if isinstance(row, kind))
        return tuple(row for row in found if row.valid.covers(day) and row.counts(switches))

    def keyed(table: str, kind: type[T], key: Callable[[T], Any] = key_of) -> Mapping[Any, T]:
        return MappingProxyType({key(row): row for row in active(table, kind)})

    units = keyed("unit", rows.UnitRow)
    return CatalogueDay.build(
        units=units,
        categories=keyed("category", rows.CategoryRow),
        purposes=keyed("purpose", rows.PurposeRow),
        necessity=active("row", rows.NecessityRow),
        grounds=MappingProxyType(
            {(r.purpose, r.regime, r.recipient, r.basis): r for r in active("ground", rows.GroundRow)}
        ),
        consent_only=active("consent_only", rows.ConsentOnlyRow),
        barred=frozenset(routes_of(active("barred", rows.BarredRow), units)),
        proofs=grouped(active("proof", rows.ProofRow), lambda row: row.purpose),
        procedures=keyed("procedure", rows.ProcedureRow),
        default_marks=active("default_mark", rows.DefaultMarkRow),
        locks=keyed("lock", rows.LockRow),
        keys=grouped(active("key", rows.KeyRow), lambda row: row.lock),
        deletions=MappingProxyType({row.purpose: row for row in active("deletion", rows.DeletionRow)}),
        reasons=frozenset(row.code for row in active("collection_reason", rows.CollectionReasonRow)),
        collection_norms=active("collection_norm", rows.CollectionNormRow),
        parameters=MappingProxyType({row.code: row.value for row in active("parameter", rows.ParameterRow)}),
        conditions=keyed("condition", rows.ConditionRow),
        codes=MappingProxyType({(row.code, gate): row for row in active("code", rows.CodeRow) for gate in row.gates}),
        gates=keyed("gate", rows.GateRow),
        declarations=keyed("declaration", rows.DeclarationRow),
        duties=active("duty", rows.DutyRow),
        switches=frozenset(row.code for row in active("switch", rows.SwitchRow)),
    )
