"""Which of a code's sentences fits: what the gate looked at says more than its code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from consent.decision import Finding, Outcome, RefusalKind
from consent.explanation.sentences import USUAL
from consent.facts import Item
from consent.gates.case import Case, marks
from consent.gates.grounds import basis, consent_only
from consent.gates.keys import objection_76
from consent.rows import CategoryClass, Fulfilled
from schemas.identifiers import DataCategory, Mode, OriginMark, Part

TAX_ID = "steuer_id"
OF_SEVERAL = frozenset({DataCategory.HAUSHALT, DataCategory.UNTERHALT})
"""Categories that are about all members of a household."""


def variant(case: Case, finding: Finding, item: Item | None) -> str:
    """Return the variant of the finding's code; `item`: one that fell, None where the case ended."""
    choose = _CHOICES.get(finding.code or "")
    return choose(case, finding, item) if choose else USUAL


def _child(case: Case, finding: Finding, _: Item | None) -> str:
    return "kinderschutz" if case.purpose.schutzauftrag and finding.gate != "G4 EMPFANGEN" else USUAL


def _medical(case: Case, finding: Finding, item: Item | None) -> str:
    """Tell what opens the lock of § 76 here: danger to a child, a claim, a release; after an objection, or at all."""
    if item is None or finding.gate != "G4 b":
        return USUAL
    opinion, ground = OriginMark.GUTACHTEN in marks(case, item), basis(case)
    under_69 = ground is not None and ground.par69
    if opinion and not under_69:
        return "nicht_69"
    if case.purpose.schutzauftrag:
        return "kinderschutz"
    if condition_of(case, item.category) == "NR1A":
        return "nachweis"
    if opinion and objection_76(case, item) is not None:
        return "widerspruch"
    return "begutachtung" if under_69 and OriginMark.ARZT_203 not in item.marks else USUAL


def _shelter(case: Case, finding: Finding, _: Item | None) -> str:
    said = case.facts.declarations.anhaltspunkte_schutz is True
    return USUAL if said or finding.gate != "G8" else "register"


def _success(case: Case, finding: Finding, _: Item | None) -> str:
    if case.facts.declarations.par64_2_erfolg_gefaehrdet != "ja":
        return USUAL
    return "ja_einwilligung" if finding.kind is RefusalKind.HUMAN else "ja"


def _no_ground(case: Case, finding: Finding, item: Item | None) -> str:
    if finding.kind is RefusalKind.GAP:
        return "luecke"
    if item is not None:
        return "gesundheit" if case.klass(item) is CategoryClass.G else "nicht_genannt"
    return next((name for name, holds in _NO_GROUND if holds(case, finding)), USUAL)


def _misses(field: str) -> Callable[[Case, Finding], bool]:
    return lambda _, finding: any(lack.field == field for lack in finding.missing)


def _barred(case: Case, _: Finding) -> bool:
    return (case.facts.purpose, case.sender.code, case.recipient.code) in case.day.barred


def _on_request(case: Case, _: Finding) -> bool:
    only = case.purpose.nur_auf_ersuchen or (case.row is not None and case.row.nur_auf_ersuchen)
    return only and case.facts.mode is Mode.UNAUFGEFORDERT


def _by_consent(case: Case, _: Finding) -> bool:
    found = basis(case)
    return found is not None and not found.by_statute


def _because_unrequested(case: Case, finding: Finding) -> bool:
    only = consent_only(case)
    by_mode = only is not None and Mode.ERSUCHEN not in only.modes
    return by_mode and not case.purpose.nur_einwilligung and _by_consent(case, finding)


_NO_GROUND: tuple[tuple[str, Callable[[Case, Finding], bool]], ...] = (
    ("intern", lambda case, _: case.purpose.nur_intern),
    ("gesperrt", _barred),
    ("leitung", _misses("leitung_entschieden")),
    ("par87", _misses("norm")),
    ("auf_ersuchen", _on_request),
    ("einwilligung_oder_ersuchen", _because_unrequested),
    ("einwilligung", _by_consent),
    ("anhaltspunkte", lambda case, _: case.facts.declarations.gewichtige_anhaltspunkte is False),
    ("einzelfall", lambda case, _: case.facts.mode is not Mode.ERSUCHEN),
)
"""Why a case has no ground at all, in the order of the gate."""


def _not_needed(case: Case, _: Finding, item: Item | None) -> str:
    by_type = case.facts.declarations.ordnungsmerkmal_typ == Part.STEUER_IDNR
    tax = item is not None and (
        item.part is Part.STEUER_IDNR or (by_type and item.category is DataCategory.ORDNUNGSMERKMAL)
    )
    return TAX_ID if tax else USUAL


def _wrong_person(case: Case, finding: Finding, item: Item | None) -> str:
    several = finding.gate == "G6" and item is not None and item.category in OF_SEVERAL
    return "haushalt" if several and item is not None and case.covering(item) else USUAL


def _said_no(_: Case, finding: Finding, __: Item | None) -> str:
    return "mensch" if finding.kind is RefusalKind.HUMAN else USUAL


def _procedure(case: Case, finding: Finding, _: Item | None) -> str:
    if finding.outcome is Outcome.REMOVE:
        return "kategorie"
    many = (case.facts.declarations.anzahl_personen or 0) > case.day.parameters["MASSEN_PERSONEN"]
    return "viele" if many else USUAL


_CHOICES: Mapping[str, Callable[[Case, Finding, Item | None], str]] = MappingProxyType(
    {
        "PAR65": _child,
        "PAR76": _medical,
        "PAR203": _child,
        "SCHUTZINTERESSE": _shelter,
        "ERSTERHEBUNG_FEHLT": _child,
        "ERSTERHEBUNG_FRIST": _child,
        "PAR64_2": _success,
        "KEIN_GRUND": _no_ground,
        "NICHT_ERFORDERLICH": _not_needed,
        "EINWILLIGUNG_FALSCHE_PERSON": _wrong_person,
        "EINWILLIGUNG_VERWEIGERT": _said_no,
        "EINWILLIGUNG_WIDERRUFEN": _said_no,
        "VERFAHREN_NICHT_REGISTRIERT": _procedure,
    }
)
"""Codes that have variants."""


def condition_of(case: Case, category: DataCategory) -> str | None:
    """Return the condition under which the route's row lets a category pass, None where it names none."""
    return None if case.row is None or category in case.row.necessary else case.row.conditional.get(category)


def is_consent(case: Case, condition: str) -> bool:
    """Whether the condition is a consent, which may be another controller's record."""
    return case.day.conditions[condition].how is Fulfilled.EINWILLIGUNG


def named(case: Case, category: DataCategory) -> bool:
    """Whether the route's row names a category, under a condition at least; a use that has no row is not asked."""
    row = case.row
    return row is None or category in row.necessary or category in row.conditional
