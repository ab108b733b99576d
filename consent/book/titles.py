"""A short German title for each row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from consent import rows
from consent.book import words
from consent.book.names import Names
from consent.rows import ANY, Row


def title(row: Row, names: Names) -> str:
    """Name a row; what has a name of its own has that."""
    titled = _TITLES.get(type(row))
    return titled(row, names) if titled else str(getattr(row, "name", "") or getattr(row, "code", ""))


def _necessity(row: rows.NecessityRow, names: Names) -> str:
    return f"{names.purpose(row.purpose)}: {names.unit(row.sender)} → {names.unit(row.recipient)}"


def _ground(row: rows.GroundRow, names: Names) -> str:
    purpose = "jeder Zweck" if row.purpose == ANY else names.purpose(row.purpose)
    consent = ", auf Einwilligung" if row.basis == "einwilligung" else ""
    return f"{purpose}: {words.SENDERS[row.regime]} → {names.unit(row.recipient, 'alle seine Wege')}{consent}"


def _barred(row: rows.BarredRow, names: Names) -> str:
    senders, recipients = names.units_of(row.senders), names.units_of(row.recipients)
    return f"{names.purpose(row.purpose)}: {', '.join(senders)} → {', '.join(recipients)}"


_TITLES: Mapping[type[Row], Callable[[Any, Names], str]] = MappingProxyType(
    {
        rows.NecessityRow: _necessity,
        rows.GroundRow: _ground,
        rows.BarredRow: _barred,
        rows.ProofRow: lambda row, names: f"{names.purpose(row.purpose)} → {names.unit(row.recipient)}",
        rows.ProcedureRow: lambda row, _: f"{words.SENDERS[row.regime]}, {words.MODES[row.mode]}",
        rows.LockRow: lambda row, _: words.LOCKS[row.code] + f": {words.MARKS[row.mark]}",
        rows.KeyRow: lambda row, _: f"{words.LOCKS[row.lock]}: {row.name}",
        rows.DeletionRow: lambda row, names: names.purpose(row.purpose),
        rows.CodeRow: lambda row, _: f"{row.code} an {', '.join(row.gates)}",
        rows.GateRow: lambda row, _: f"{row.gate} {row.name}",
    }
)
