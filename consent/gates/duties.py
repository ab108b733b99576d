"""G10 DUTIES: what a permit obliges to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from consent.gates.case import Case, all_marks
from consent.rows import DutyRow, Occasion, Regime
from schemas.identifiers import OriginMark


def duties(case: Case) -> tuple[DutyRow, ...]:
    """G10: the duties that go with what passes.

    Norm: DSGVO Art. 5 Abs. 2, Art. 14; SGB X §§ 67c, 78, 82a, 84; SGB VIII §§ 65, 68. Reading E.
    """
    return tuple(row for row in case.day.duties if OCCASIONS[row.when](case))


def _any_mark(case: Case, mark: OriginMark) -> bool:
    return any(mark in all_marks(case, item) for item in case.kept)


def _contested(case: Case) -> bool:
    return any(item.contested or OriginMark.STRITTIG in item.marks for item in case.kept)


def _to_a_fachkraft_outside(case: Case) -> bool:
    """Tell whether entrusted data go to a Fachkraft of another controller (SGB VIII § 64 Abs. 2a)."""
    drawn_in = case.facts.declarations.par65_key == "Nr. 4" and not case.internal
    return drawn_in and case.sender.controller == "SGB8" and _any_mark(case, OriginMark.ANVERTRAUT_65)


def _under_35(case: Case) -> bool:
    return case.recipient.par35 and not case.internal


OCCASIONS: Mapping[Occasion, Callable[[Case], bool]] = MappingProxyType(
    {
        Occasion.IMMER: lambda _: True,
        Occasion.EMPFAENGER_PAR35: _under_35,
        Occasion.EMPFAENGER_NICHT_PAR35: lambda case: not case.recipient.par35,
        Occasion.EMPFAENGER_PRIVAT: lambda case: case.recipient.private,
        Occasion.INFORMATION: lambda case: case.requested or _under_35(case),
        Occasion.ANVERTRAUT: lambda case: _any_mark(case, OriginMark.ANVERTRAUT_65),
        Occasion.BEISTAND: lambda case: (
            case.sender.regime is Regime.BEISTAND_68 or _any_mark(case, OriginMark.BEISTAND)
        ),
        Occasion.STRITTIG: _contested,
        Occasion.ABGLEICH: lambda case: case.facts.purpose in case.day.deletions,
        Occasion.DRINGEND: lambda case: case.purpose.schutzauftrag and case.facts.declarations.dringend is True,
        Occasion.FACHKRAFT_AUSSERHALB: _to_a_fachkraft_outside,
    }
)
"""When each duty arises."""
