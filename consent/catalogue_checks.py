"""What no single row can show: unknown names across the tables, and rows that contradict each other on a day."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import combinations
from typing import Any, TypeVar

from consent import rows
from consent.catalogue_day import matching, precision
from consent.rowreader import CatalogueError
from consent.rows import ANY, Row
from schemas.identifiers import UnitCode

Tables = Mapping[str, tuple[Row, ...]]
R = TypeVar("R", bound=Row)

_KEYS: Mapping[type[Row], Callable[[Any], Any]] = {
    rows.UnitRow: lambda row: row.code,
    rows.CategoryRow: lambda row: row.code,
    rows.PurposeRow: lambda row: row.code,
    rows.GroundRow: lambda row: (row.purpose, row.regime, row.recipient, row.basis),
    rows.ConsentOnlyRow: lambda row: row.name,
    rows.DefaultMarkRow: lambda row: row.name,
    rows.LockRow: lambda row: row.mark,
    rows.KeyRow: lambda row: (row.lock, row.name),
    rows.DeletionRow: lambda row: row.purpose,
    rows.CollectionReasonRow: lambda row: row.code,
    rows.CollectionNormRow: lambda row: row.name,
    rows.ParameterRow: lambda row: row.code,
    rows.ConditionRow: lambda row: row.code,
    rows.GateRow: lambda row: row.gate,
    rows.DutyRow: lambda row: row.code,
    rows.SwitchRow: lambda row: row.code,
}


def key_of(row: Row) -> Any:  # noqa: ANN401  each table has its own kind of key
    """Return what a row is looked up by in its table."""
    return _KEYS[type(row)](row)


def check(tables: Tables) -> None:
    """Check the tables against each other. Raises `CatalogueError` naming the row."""
    for name, table in tables.items():
        if name == "row":
            _check_routes(table, tables["unit"])
        elif name == "code":
            _refuse_overlaps(table, lambda one, other: one.code == other.code and bool({*one.gates} & {*other.gates}))
        else:
            _refuse_overlaps(table, lambda one, other: key_of(one) == key_of(other))
    for row, field, value, known in _references(tables):
        if value not in known:
            raise CatalogueError(row.where, f"{field}: „{value}“ kennt der Katalog nicht")


def _refuse_overlaps(table: Iterable[Row], same: Callable[[Any, Any], bool]) -> None:
    for one, other in combinations(table, 2):
        if one.valid.overlaps(other.valid) and same(one, other):
            raise CatalogueError(
                other.where, f"sagt für dieselben Tage dasselbe wie {one.where}; die ältere Zeile schließen"
            )


def _check_routes(table: Iterable[Row], units: Iterable[Row]) -> None:
    known = {row.code: row for row in units if isinstance(row, rows.UnitRow)}

    def same(one: rows.NecessityRow, other: rows.NecessityRow) -> bool:
        return (
            one.purpose == other.purpose
            and precision(one) == precision(other)
            and _share(one.sender, other.sender, known)
            and _share(one.recipient, other.recipient, known)
        )

    _refuse_overlaps(table, same)


def _share(one: str, other: str, units: Mapping[UnitCode, rows.UnitRow]) -> bool:
    return not {*matching(one, units)}.isdisjoint(matching(other, units))


def _references(tables: Tables) -> Iterator[tuple[Row, str, str, frozenset[str]]]:
    """Every name in a row that must be known elsewhere: row, field, name, and the names known."""
    units = frozenset(row.code.value for row in _of(tables, "unit", rows.UnitRow)) | {ANY}
    purposes = frozenset(row.code for row in _of(tables, "purpose", rows.PurposeRow))
    known = {
        "category": frozenset(row.code.value for row in _of(tables, "category", rows.CategoryRow)),
        "condition": frozenset(row.code for row in _of(tables, "condition", rows.ConditionRow)),
        "gate": frozenset(row.gate for row in _of(tables, "gate", rows.GateRow)),
        "code": frozenset(row.code for row in _of(tables, "code", rows.CodeRow)),
        "switch": frozenset(row.code for row in _of(tables, "switch", rows.SwitchRow)) | {""},
    }
    for row in _of(tables, "row", rows.NecessityRow):
        yield row, "purpose", row.purpose, purposes
        yield from ((row, "unit", unit, units) for unit in (row.sender, row.recipient))
        yield from (
            (row, "category", category.value, known["category"]) for category in (*row.necessary, *row.conditional)
        )
        yield from ((row, "condition", condition, known["condition"]) for condition in row.conditional.values())
    for ground in _of(tables, "ground", rows.GroundRow):
        yield ground, "purpose", ground.purpose, purposes | {ANY}
        yield ground, "unit", ground.recipient, units
    for only in _of(tables, "consent_only", rows.ConsentOnlyRow):
        yield from ((only, "unit", unit, units) for unit in only.recipients)
        yield from ((only, "purpose", name, purposes) for name in (*only.except_purposes, *only.except_par64_nein))
        yield only, "code", only.code, known["code"]
        yield only, "switch", only.switch, known["switch"]
    for mark in _of(tables, "default_mark", rows.DefaultMarkRow):
        yield mark, "unit", mark.sender, units
    yield from ((row, "code", row.code, known["code"]) for row in _of(tables, "lock", rows.LockRow))
    for key in _of(tables, "key", rows.KeyRow):
        yield key, "code", key.lock, known["code"]
        yield key, "switch", key.switch, known["switch"]
    yield from ((row, "purpose", row.purpose, purposes) for row in _of(tables, "deletion", rows.DeletionRow))
    for code in _of(tables, "code", rows.CodeRow):
        yield from ((code, "gate", gate, known["gate"]) for gate in code.gates)


def _of(tables: Tables, name: str, kind: type[R]) -> tuple[R, ...]:
    return tuple(row for row in tables[name] if isinstance(row, kind))
