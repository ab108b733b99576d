"""What a permit obliges to by a day: for whom, until when."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta

from consent.catalogue_day import CatalogueDay
from consent.consents import add_months
from consent.rows import Bound, DutyRow, Lasts


@dataclass(frozen=True, slots=True)
class Owed:
    """One duty of one side, due at the end of a day (Europe/Berlin)."""

    duty: str
    bound: Bound
    due: date


def owed(day: CatalogueDay, duties: Collection[str], on: date) -> tuple[Owed, ...]:
    """Return what is to be done by a day, of the duties of a permit whose content is handed over `on`.

    What the decision itself fulfils, and what has no end, is not among it. Norms: those of the rows (reading E).
    """
    rows = [row for row in day.duties if row.code in duties and row.lasts is Lasts.FRIST]
    return tuple(Owed(row.code, bound, due(row, on)) for row in rows for bound in row.bound)


def due(row: DutyRow, on: date) -> date:
    """Return the last day on which a duty with a term can be done in time: calendar months, then days."""
    return add_months(on, row.months) + timedelta(days=row.days)
