"""German names of what rows refer to by code, as a catalogue gives them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from consent import rows
from consent.rows import ANY, Row

R = TypeVar("R", bound=Row)
Tables = Mapping[str, tuple[Row, ...]]

SOCIAL = "jede Sozialbehörde"
"""What ``*`` means where a row of the matrix names a unit: a § 35 body, the AsylbLG office or the Beistand."""
ANYBODY = "jeden Empfänger"


@dataclass(frozen=True, slots=True)
class Names:
    """Code → German name, by kind of code."""

    units: Mapping[str, str]
    categories: Mapping[str, str]
    purposes: Mapping[str, str]
    conditions: Mapping[str, str]
    switches: Mapping[str, str]
    gates: Mapping[str, str]
    classes: Mapping[str, tuple[str, ...]]
    """Sensitivity class → names of its categories."""
    together: Mapping[str, tuple[str, ...]]
    """Key of a controller → names of the units that are one controller at one agency."""
    bound: frozenset[str]
    """Purposes that are an obligation."""
    on_request: frozenset[str]
    """Purposes for which nothing is sent unrequested."""
    by_consent: frozenset[str]
    """Purposes that no statute carries."""
    barred: frozenset[tuple[str, str]]
    """Purpose and unit that may not send for it to any social authority."""
    closed: frozenset[str]
    """Purposes for which nobody has a task: nothing passes, whatever a row says."""

    def unit(self, code: str, everybody: str = SOCIAL) -> str:
        """Name a unit; ``*`` is `everybody`."""
        return everybody if code == ANY else self.units.get(code, code)

    def units_of(self, codes: Iterable[str], everybody: str = SOCIAL) -> list[str]:
        """Name several units."""
        return [self.unit(code, everybody) for code in codes]

    def purpose(self, code: str) -> str:
        """Name a purpose in quotes."""
        return f"„{self.purposes.get(code, code)}“"

    def category_names(self, codes: Iterable[str]) -> list[str]:
        """Name data categories."""
        return [self.categories.get(code, code) for code in codes]


def names_of(tables: Tables) -> Names:
    """Read the names from the tables; where several rows have one code, the one without a switch names it."""
    units = _of(tables, "unit", rows.UnitRow)
    categories = _of(tables, "category", rows.CategoryRow)
    purposes = _of(tables, "purpose", rows.PurposeRow)
    barred = _of(tables, "barred", rows.BarredRow)
    return Names(
        units={row.code.value: row.name for row in units},
        categories={row.code.value: row.name for row in categories},
        purposes={row.code: row.name for row in purposes},
        conditions={row.code: row.name for row in _of(tables, "condition", rows.ConditionRow)},
        switches={row.code: row.name for row in _of(tables, "switch", rows.SwitchRow)},
        gates={row.gate: row.name for row in _of(tables, "gate", rows.GateRow)},
        classes=_grouped((row.klass.value, row.name) for row in categories),
        together=_grouped((row.controller, row.name) for row in units),
        bound=frozenset(row.code for row in purposes if row.pflicht),
        on_request=frozenset(row.code for row in purposes if row.nur_auf_ersuchen),
        by_consent=frozenset(row.code for row in purposes if row.nur_einwilligung),
        barred=frozenset((row.purpose, sender) for row in barred for sender in row.senders if ANY in row.recipients),
        closed=frozenset(row.code for row in purposes if row.ohne_aufgabe),
    )


def _of(tables: Tables, name: str, kind: type[R]) -> list[R]:
    found = [row for row in tables[name] if isinstance(row, kind)]
    return sorted(found, key=lambda row: not row.with_switch)


def _grouped(named: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    groups: dict[str, dict[str, None]] = {}
    for key, name in named:
        groups.setdefault(key, {})[name] = None
    return {key: tuple(names) for key, names in groups.items()}
