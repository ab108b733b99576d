"""Ten explanations of cases, as a page for reading: ``python -m tests.consent.explanation.page`` and a file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import date
from functools import cache
from pathlib import Path

from consent.casefile import CaseRecord, read_cases
from consent.catalogue import Catalogue, load_catalogue
from consent.decision import Decision, Permit
from consent.engine import decide
from consent.explanation.argument import Section, explain, reasons_of
from consent.explanation.sentences import Language
from tests.house.source import ROOT

CASES = ROOT / "tests" / "consent" / "cases"
PAGE = ROOT / "docs" / "law" / "explanations.md"
#: Case → what it shows. Ten outcomes that differ.
SHOWN = {
    "C001": "Zulässig auf Ersuchen, nachdem die Person vergeblich gefragt wurde",
    "C060": "Zum Teil zulässig: Gesundheit ist gesperrt, anderes nicht erforderlich",
    "C018": "Zulässig, weil eine Einwilligung jedes Datum nennt",
    "C026": "Nicht zulässig: Anvertrautes ist der Kern der Nachricht",
    "C035": "Unvollständig: Die Person wurde nicht zuerst gefragt",
    "C205": "Nicht zulässig: unaufgefordert trägt nur eine Einwilligung",
    "C204": "Eine Lücke: Der Katalog hat keine Regel",
    "C203": "Ein Mensch muss entscheiden: Die Einwilligung ist widerrufen",
    "C058": "Zulässig zum Schutz eines Kindes, mit vielen Pflichten",
    "C118": "Zulässiger Abgleich; danach ist zu löschen",
}
INTRODUCTION = """\
# Zehn Entscheidungen, erklärt

Diese Seite ist zum Lesen und Prüfen da: So erklärt die Amtsbrücke eine Entscheidung, wenn jemand danach fragt
(`GET /v1/decisions/{id}`, deutsch oder englisch). Die Sätze stehen in `consent/sentences/` neben den Zeilen des
Katalogs; welche zusammenkommen, folgt aus den Befunden der Entscheidung. Die Fälle sind erfunden. Erzeugt wird die
Seite mit `make law-docs`; ein Test vergleicht sie mit dem, was die Entscheidung heute sagt.

**Das ist keine Rechtsberatung.** Woher jede Zeile stammt und wie gut sie belegt ist, steht im
[Katalog](README.md).
"""


@cache
def cases() -> dict[str, CaseRecord]:
    """Return all cases by their ids."""
    return {case.id: case for path in sorted(CASES.glob("*.yaml")) for case in read_cases(path)}


def explained(
    case: CaseRecord, catalogue: Catalogue, language: Language, handed_over: date | None = None
) -> tuple[Decision, tuple[Section, ...]]:
    """Decide a case and explain it; `handed_over`: as if its content had gone on that day."""
    decision = decide(case.facts, catalogue, case.on)
    reasons = reasons_of(decision, case.facts, handed_over=handed_over)
    return decision, explain(reasons, catalogue, language)


def page(catalogue: Catalogue) -> str:
    """Return the page, in Markdown."""
    return INTRODUCTION + "".join(f"\n{line}\n" for line in _parts(catalogue))


def _parts(catalogue: Catalogue) -> Iterator[str]:
    for number, (name, title) in enumerate(SHOWN.items(), start=1):
        case = cases()[name]
        decision, sections = explained(case, catalogue, Language.DE, handed_over=case.on)
        yield f"## {number}. {title}"
        yield f"Fall {name} der Sammlung, Ergebnis: {_outcome(decision)}."
        for section in sections:
            yield f"**{section.title}.** " + " ".join(sentence.text for sentence in section.sentences)


def _outcome(decision: Decision) -> str:
    if not isinstance(decision, Permit):
        return f"abgelehnt, `{decision.code}`"
    return "zum Teil zugelassen" if decision.removed else "zugelassen"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(load_catalogue()), encoding="utf-8")
