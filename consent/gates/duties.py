"""G10 DUTIES: what a permit obliges to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from consent.facts import Item
from consent.gates.case import Case, all_marks
from consent.rows import DutyRow, Occasion, Regime
from schemas.identifiers import OriginMark


def duties(case: Case) -> tuple[DutyRow, ...]:
    """G10: the duties that go with what passes.

    Norm: DSGVO Art. 5 Abs. 2, Art. 14; SGB X §§ 67c, 78, 82a, 84; SGB VIII §§ 65, 68. Reading E.
    """
    found = _marks_found(case)
    return tuple([row for row in case.day.duties if OCCASIONS[row.when](case, found)])


def _marks_found(case: Case) -> set[OriginMark]:
    """Return the marks of everything that passes; contested is STRITTIG."""
    found: set[OriginMark] = set()
    for item in case.kept:
        found |= item.marks | all_marks(case, item)
        if item.contested or _came_contested(case, item):
            found.add(OriginMark.STRITTIG)
    return found


def _came_contested(case: Case, item: Item) -> bool:
    """Tell whether the mark under which an item was received says so: it travels (SGB X § 84 Abs. 2, reading C 11)."""
    origin = item.received or case.facts.declarations.received
    return OriginMark.EMPFANGEN in item.marks and origin.ursprungsmarke is OriginMark.STRITTIG


def _to_a_fachkraft_outside(case: Case, found: set[OriginMark]) -> bool:
    """Tell whether entrusted data go to a Fachkraft of another controller (SGB VIII § 64 Abs. 2a)."""
    drawn_in = case.facts.declarations.par65_key == "Nr. 4" and not case.internal
    return drawn_in and case.sender.controller == "SGB8" and OriginMark.ANVERTRAUT_65 in found


def _under_35(case: Case) -> bool:
    return case.recipient.par35 and not case.internal


OCCASIONS: Mapping[Occasion, Callable[[Case, set[OriginMark]], bool]] = MappingProxyType(
    {
        Occasion.IMMER: lambda _, __: True,
        Occasion.EMPFAENGER_PAR35: lambda case, _: _under_35(case),
        Occasion.EMPFAENGER_NICHT_PAR35: lambda case, _: not case.recipient.par35,
        Occasion.EMPFAENGER_PRIVAT: lambda case, _: case.recipient.private,
        Occasion.INFORMATION: lambda case, _: case.requested or _under_35(case),
        Occasion.ANVERTRAUT: lambda _, found: OriginMark.ANVERTRAUT_65 in found,
        Occasion.BEISTAND: lambda case, found: case.sender.regime is Regime.BEISTAND_68 or OriginMark.BEISTAND in found,
        Occasion.STRITTIG: lambda _, found: OriginMark.STRITTIG in found,
        Occasion.ABGLEICH: lambda case, _: case.facts.purpose in case.day.deletions,
        Occasion.DRINGEND: lambda case, _: case.purpose.schutzauftrag and case.facts.declarations.dringend is True,
        Occasion.FACHKRAFT_AUSSERHALB: _to_a_fachkraft_outside,
    }
)
"""When each duty arises, by the case and the marks of what passes."""
