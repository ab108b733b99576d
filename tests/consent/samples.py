"""Facts to start from: each a transfer that passes, to be changed in one thing."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from consent.casefile import CaseRecord, read_cases
from consent.consents import Consent, ConsentForm, GivenBy, ReleaseOf
from consent.decision import Decision, Permit, Refusal
from consent.facts import FirstCollection, Item, Party, PersonFacts, TransferFacts
from schemas.declarations import Declarations
from schemas.identifiers import DataCategory, Mode, Purpose, UnitCode

DAY = date(2026, 3, 16)
FOLDER = Path(__file__).parent / "cases"
GIVEN = FOLDER / "cases.yaml"
OWN = sorted(path for path in FOLDER.glob("*.yaml") if path != GIVEN)
OTHER = "jugendamt-marl:JUGENDAMT_ASD"
"""A controller on whose record something rests."""
MATRIX: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "matrix.yaml").read_text("utf-8"))["zwecke"]
"""The dossier's necessity matrix: purposes with their routes."""
PURPOSES = frozenset({*MATRIX, "INTERN_67C"})
"""Every purpose that has an answer of its own."""
NOTICES = frozenset({"zweck", "folgen_der_verweigerung", "widerruf"})
ASKED = FirstCollection("VERSUCHT_FRUCHTLOS", asked=date(2026, 2, 2), deadline=date(2026, 2, 20))
RELEASE = ReleaseOf(natural_person=True)
NEIN = Declarations(par64_2_erfolg_gefaehrdet="nein", fachkraft="ASD-17")


@cache
def all_cases() -> tuple[CaseRecord, ...]:
    """Return every case of the folder."""
    return tuple(case for path in (GIVEN, *OWN) for case in read_cases(path))


def party(unit: str) -> Party:
    """Return a unit as one instance, as in case files."""
    return Party(unit, UnitCode(unit))


def items(*categories: str, person: str = "p1") -> tuple[Item, ...]:
    """Return an item of each category, its id after person and category."""
    return tuple(Item(f"{person}-{category}", person, DataCategory(category)) for category in categories)


def facts(*categories: str, **changes: Any) -> TransferFacts:
    """Return a request from the Jobcenter to the Sozialamt (change of Rechtskreis) that passes, with changes."""
    base = TransferFacts(
        sender=party("JOBCENTER"),
        recipient=party("SOZIALAMT_SGBXII"),
        purpose=Purpose("RECHTSKREISWECHSEL"),
        mode=Mode.ERSUCHEN,
        persons=(PersonFacts("p1", 38), PersonFacts("p2", 36)),
        items=items(*(categories or ("STAMMDATEN", "LEISTUNGSBEZUG"))),
        declarations=Declarations(),
        first_collection=ASKED,
        transfer_id="t1",
        payload_digest="d1",
    )
    return replace(base, **changes)


def consent(
    *categories: str, to: str = "SOZIALAMT_SGBXII", purpose: str = "CASE_MANAGEMENT", **changes: Any
) -> Consent:
    """Return a valid consent of person p1 to case management, with changes."""
    base = Consent(
        id="c1",
        person="p1",
        given_by=GivenBy.PERSON,
        granted=date(2026, 1, 12),
        purpose=purpose,
        recipients=frozenset({to}),
        categories=frozenset(categories),
        form=ConsentForm.SCHRIFTLICH,
        notices=NOTICES,
        voluntary=True,
    )
    return replace(base, **changes)


def management(*categories: str, **changes: Any) -> TransferFacts:
    """Return a case-management transfer from the Jobcenter to the Sozialamt, unrequested; consents are to be added."""
    base = facts(*categories, purpose=Purpose("CASE_MANAGEMENT"), mode=Mode.UNAUFGEFORDERT, first_collection=None)
    return replace(base, **changes)


def kept(answer: Decision) -> frozenset[str]:
    """Return the ids of what passes; nothing passes a refusal."""
    return frozenset(answer.kept) if isinstance(answer, Permit) else frozenset()


def fallen(answer: Decision) -> frozenset[tuple[str, str]]:
    """Return the ids and codes of what fell by itself."""
    return frozenset((removed.block, removed.code) for removed in answer.removed)


def refused(answer: Decision) -> Refusal:
    """Return the answer, which must be a refusal."""
    assert isinstance(answer, Refusal), answer
    return answer


def permitted(answer: Decision) -> Permit:
    """Return the answer, which must be a permit."""
    assert isinstance(answer, Permit), answer
    return answer
