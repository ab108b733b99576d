"""A transfer for each row of the law, with every condition fulfilled."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from functools import cache

from consent.catalogue import load_catalogue
from consent.facts import FirstCollection, TransferFacts
from consent.rows import ANY, ConditionRow, GroundRow, NecessityRow, PurposeRow
from schemas.declarations import Declarations
from schemas.identifiers import DataCategory, OriginMark, Part, Purpose
from tests.consent.samples import consent, facts, items, party

CATALOGUE = load_catalogue()
LAST = date(2026, 6, 30)
TASKLESS = {row.code for row in CATALOGUE.tables["purpose"] if isinstance(row, PurposeRow) and row.ohne_aufgabe}
ROWS = [row for row in CATALOGUE.tables["row"] if isinstance(row, NecessityRow)]
NECESSITY = [row for row in ROWS if row.purpose not in TASKLESS]
"""Rows that permit something."""
DECLARED = frozenset(row.code for row in CATALOGUE.tables["condition"] if isinstance(row, ConditionRow))
SENDER, INSIDE, RECIPIENT = "WOHNGELDSTELLE", "JUGENDAMT_ASD", "KRANKENKASSE"


def ideal(
    row: NecessityRow, day: date, *categories: DataCategory, sender: str = "", recipient: str = ""
) -> TransferFacts:
    """Return a transfer on the row's route with every condition fulfilled; for ``*`` stands any unit that fits."""
    stands_for_any = INSIDE if "INTERN" in row.conditional.values() else SENDER
    sender = sender or (stands_for_any if row.sender == ANY else row.sender)
    recipient = recipient or (RECIPIENT if row.recipient == ANY else row.recipient)
    found = categories or (*row.necessary, *row.conditional)
    marks = {c: OriginMark.GUTACHTEN for c in found if row.conditional.get(c) == "OBJ_OK"}
    parts = {c: Part.MIET for c in found if row.conditional.get(c) == "MIET"}
    return facts(
        sender=party(sender),
        recipient=party(recipient),
        purpose=Purpose(row.purpose),
        items=tuple(
            replace(i, marks=frozenset({marks.get(i.category, OriginMark.SELBST)}), part=parts.get(i.category))
            for i in items(*found)
        ),
        first_collection=FirstCollection("UNVERHAELTNISMAESSIG", reason_code="NUR_BEI_STELLE"),
        consents=(consent(*found, to=recipient, purpose=row.purpose, granted=day - timedelta(days=3)),),
        declarations=everything(row, day),
    )


def everything(row: NecessityRow, day: date) -> Declarations:
    """Return whatever a sender or recipient can declare in favour of a transfer on this row."""
    told, yesterday = date(2018, 1, 1), day - timedelta(days=3)
    return Declarations(
        par64_2_erfolg_gefaehrdet="nein",
        fachkraft="F",
        hinweis_par76=told,
        verfahrensbeginn=told,
        bedingungen=DECLARED,
        gewichtige_anhaltspunkte=True,
        gefahrrelevant=frozenset(c for c, code in row.conditional.items() if code == "REL"),
        ersuchen_vom=yesterday,
        leitung_entschieden=True,
        richterliche_anordnung=yesterday,
        gerichtsverfahren=True,
        nachweis_fuer_anspruch=True,
        fortdauernder_zustand=True,
        haushaltsmitglieder_eingewilligt=True,
        verpflichtung_privat=yesterday,
    )


@cache
def ground_ideals() -> tuple[tuple[GroundRow, TransferFacts], ...]:
    """Return for each ground of the statute a transfer that it alone carries."""
    day = CATALOGUE.as_of(LAST)
    found = []
    for ground in (row for row in CATALOGUE.tables["ground"] if isinstance(row, GroundRow) and row.purpose != ANY):
        named = {g.recipient for g in day.grounds.values() if (g.purpose, g.regime) == (ground.purpose, ground.regime)}
        for (purpose, sender, recipient), row in day.routes.items():
            here = recipient == ground.recipient or (ground.recipient == ANY and recipient not in named)
            other = day.units[sender].controller != day.units[recipient].controller
            wanted = purpose == ground.purpose and day.units[sender].regime is ground.regime
            if wanted and here and (other or sender == recipient) and (purpose, sender, recipient) not in day.barred:
                found.append((ground, ideal(row, LAST, sender=sender.value, recipient=recipient.value)))
                break
    return tuple(found)
