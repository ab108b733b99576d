"""The rows in force on one day, indexed for the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from types import MappingProxyType
from typing import Any, TypeVar

from consent import rows
from consent.rows import ANY
from schemas.identifiers import DataCategory, Mode, OriginMark, UnitCode

Route = tuple[str, UnitCode, UnitCode]
"""Purpose, sender, recipient."""
T = TypeVar("T", bound=rows.Row)


@dataclass(frozen=True, slots=True)
class CatalogueDay:
    """What counts on one day. Read-only; made by `Catalogue.as_of`."""

    units: Mapping[UnitCode, rows.UnitRow]
    categories: Mapping[DataCategory, rows.CategoryRow]
    purposes: Mapping[str, rows.PurposeRow]
    routes: Mapping[Route, rows.NecessityRow]
    """The one row that counts for purpose, sender and recipient: the one with the most explicit unit codes."""
    named_recipients: frozenset[tuple[str, str]]
    purposes_with_rows: frozenset[str]
    """Purposes that have an answer: those with necessity rows, and the use by one controller, which needs none."""
    grounds: Mapping[tuple[str, rows.Regime, str, str], rows.GroundRow]
    consent_only: tuple[rows.ConsentOnlyRow, ...]
    barred: frozenset[Route]
    proofs: Mapping[str, tuple[rows.ProofRow, ...]]
    """What the grounds of a purpose ask for beside its rows, by purpose."""
    procedures: Mapping[tuple[Mode, rows.Regime], rows.ProcedureRow]
    sent_marks: Mapping[tuple[UnitCode | None, DataCategory], frozenset[OriginMark]]
    received_marks: Mapping[tuple[UnitCode | None, DataCategory], frozenset[OriginMark]]
    """Default marks of an item, by its sender; and of a received one, by the unit it came from (None: unknown)."""
    locks: Mapping[OriginMark, rows.LockRow]
    keys: Mapping[str, tuple[rows.KeyRow, ...]]
    """Keys by the lock that they open, in the order of the table."""
    deletions: Mapping[str, rows.DeletionRow]
    """Purposes whose data have to be deleted afterwards."""
    reasons: frozenset[str]
    collection_norms: tuple[rows.CollectionNormRow, ...]
    parameters: Mapping[str, int]
    conditions: Mapping[str, rows.ConditionRow]
    codes: Mapping[tuple[str, str], rows.CodeRow]
    gates: Mapping[str, rows.GateRow]
    declarations: Mapping[str, rows.DeclarationRow]
    """What can be missing."""
    duties: tuple[rows.DutyRow, ...]
    switches: frozenset[str]

    @classmethod
    def build(
        cls,
        *,
        necessity: tuple[rows.NecessityRow, ...],
        default_marks: tuple[rows.DefaultMarkRow, ...],
        units: Mapping[UnitCode, rows.UnitRow],
        categories: Mapping[DataCategory, rows.CategoryRow],
        purposes: Mapping[str, rows.PurposeRow],
        **rest: Any,  # noqa: ANN401  the other tables, handed through by name
    ) -> CatalogueDay:
        """Index the rows of a day."""
        return cls(
            units=units,
            categories=categories,
            purposes=purposes,
            routes=MappingProxyType(_routes(necessity, units)),
            named_recipients=frozenset((row.purpose, row.recipient) for row in necessity),
            purposes_with_rows=frozenset(row.purpose for row in necessity)
            | {code for code, row in purposes.items() if row.nur_intern},
            sent_marks=_all_marks(default_marks, units, categories, received=False),
            received_marks=_all_marks(default_marks, (None, *units), categories, received=True),
            **rest,
        )


def matching(pattern: str, units: Mapping[UnitCode, rows.UnitRow]) -> Iterable[UnitCode]:
    """Return the units that a unit code of a row stands for: itself, or with ``*`` every social authority."""
    if pattern == ANY:
        return [unit for unit, row in units.items() if row.social]
    return [unit for unit in units if unit == pattern]


def routes_of(table: tuple[rows.BarredRow, ...], units: Mapping[UnitCode, rows.UnitRow]) -> Iterable[Route]:
    """Return every route that rows of barred routes stand for."""
    for row in table:
        for senders, recipients in product(row.senders, row.recipients):
            yield from product([row.purpose], matching(senders, units), matching(recipients, units))


def grouped(table: tuple[T, ...], key: Callable[[T], str]) -> Mapping[str, tuple[T, ...]]:
    """Return the rows by a name, in the order of the table."""
    names = dict.fromkeys(key(row) for row in table)
    return MappingProxyType({name: tuple(row for row in table if key(row) == name) for name in names})


def precision(row: rows.NecessityRow) -> int:
    """Count the explicit unit codes of a row."""
    return (row.sender != ANY) + (row.recipient != ANY)


def _routes(
    necessity: tuple[rows.NecessityRow, ...], units: Mapping[UnitCode, rows.UnitRow]
) -> dict[Route, rows.NecessityRow]:
    found: dict[Route, rows.NecessityRow] = {}
    for row in sorted(necessity, key=precision):
        for sender in matching(row.sender, units):
            for recipient in matching(row.recipient, units):
                found[row.purpose, sender, recipient] = row
    return found


def _all_marks(
    table: tuple[rows.DefaultMarkRow, ...],
    units: Iterable[UnitCode | None],
    categories: Mapping[DataCategory, rows.CategoryRow],
    *,
    received: bool,
) -> Mapping[tuple[UnitCode | None, DataCategory], frozenset[OriginMark]]:
    """Give the marks of each unit and category; units that no row names have the same."""
    named = {row.sender for row in table}
    found: dict[tuple[UnitCode | None, DataCategory], frozenset[OriginMark]] = {}
    for code, category in categories.items():
        common = _marks(table, None, category, received=received)
        for unit in units:
            found[unit, code] = _marks(table, unit, category, received=received) if unit in named else common
    return MappingProxyType(found)


def _marks(
    table: tuple[rows.DefaultMarkRow, ...], unit: UnitCode | None, category: rows.CategoryRow, *, received: bool
) -> frozenset[OriginMark]:
    return frozenset(
        row.mark
        for row in table
        if row.sender in (ANY, unit)
        and (received or not row.received_only)
        and (category.code in row.categories or category.klass in row.classes or not (row.categories or row.classes))
    )
