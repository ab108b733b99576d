"""The dossier's matrix, read without the catalogue: every unit that may stand for ``*``, and the code of what falls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from consent.catalogue import Catalogue
from consent.decision import Permit, RefusalKind
from consent.engine import decide
from consent.facts import FirstCollection, TransferFacts
from schemas.declarations import Declarations
from schemas.identifiers import DataCategory, OriginMark, Part, Purpose
from tests.consent.samples import DAY, MATRIX, consent, facts, items, party, refused

YOUTH = ("JUGENDAMT_ASD", "JUGENDAMT_WJH", "JUGENDAMT_KITA")
BOUND = (
    *YOUTH,
    *("JOBCENTER", "SOZIALAMT_SGBXII", "WOHNGELDSTELLE", "JUGENDAMT_UVG", "AGENTUR_FUER_ARBEIT", "KRANKENKASSE"),
    *("RENTENVERSICHERUNG", "FAMILIENKASSE", "BAFOEG_AMT", "ELTERNGELDSTELLE"),
)
"""Bodies under § 35 SGB I (rules.md 1.2)."""
SOCIAL = (*BOUND, "SOZIALAMT_ASYLBLG", "JUGENDAMT_BEISTAND")
HEALTH = {"GESUNDHEIT", "BEHINDERUNG_PFLEGE", "SUCHT_PSYCHE", "SCHWANGERSCHAFT"}
EVERY = tuple(category.value for category in DataCategory)
PURPOSES = sorted(MATRIX.keys() - {"AMTSINTERN_FREMD"})
Row = dict[str, Any]
NOTHING: Row = {"n": [], "c": {}}


def fits(pattern: str, unit: str) -> bool:
    """Tell whether a unit may stand there: ``*`` is any social authority (reading 16)."""
    return pattern == unit or (pattern == "*" and unit in SOCIAL)


def most_explicit(purpose: str, sender: str, recipient: str) -> Row | None:
    """Return the row that counts: of several the one with the most explicit units (reading 16)."""
    rows = [r for r in MATRIX[purpose]["routen"] if fits(r["von"], sender) and fits(r["an"], recipient)]
    return max(rows, key=lambda r: (r["von"] != "*") + (r["an"] != "*"), default=None)


def routes() -> Iterator[tuple[str, str, str, Row]]:
    """Give every purpose with every two units that a row connects, between two controllers or inside one."""
    for purpose in PURPOSES:
        for sender in SOCIAL:
            for recipient in {*SOCIAL, *(row["an"] for row in MATRIX[purpose]["routen"])} - {"*"}:
                if row := most_explicit(purpose, sender, recipient):
                    yield purpose, sender, recipient, row


def whole(purpose: str, sender: str, recipient: str, row: Row) -> TransferFacts:
    """Return a request with an item of every category, all conditions of the row fulfilled and nothing locked."""
    day = date(2026, 3, 1)
    marks = {category: OriginMark.GUTACHTEN for category, code in row["c"].items() if code == "OBJ_OK"}
    found = items(*EVERY)
    return facts(
        sender=party(sender),
        recipient=party(recipient),
        purpose=Purpose(purpose),
        items=tuple(
            replace(
                item,
                marks=frozenset({marks.get(item.category.value, OriginMark.SELBST)}),
                part=Part.MIET if row["c"].get(item.category.value) == "MIET" else None,
            )
            for item in found
        ),
        first_collection=FirstCollection("UNVERHAELTNISMAESSIG", reason_code="NUR_BEI_STELLE"),
        consents=(consent(*EVERY, to=recipient, purpose=purpose, granted=day),),
        declarations=Declarations(
            par64_2_erfolg_gefaehrdet="nein",
            fachkraft="F",
            hinweis_par76=day,
            bedingungen=frozenset({"AUSL", "MB", "K12", "KOPF", "ARBG", "WEGFALL"}),
            gewichtige_anhaltspunkte=True,
            gefahrrelevant=frozenset(DataCategory(c) for c, code in row["c"].items() if code == "REL"),
            ersuchen_vom=day,
            leitung_entschieden=True,
            richterliche_anordnung=day,
            gerichtsverfahren=True,
            nachweis_fuer_anspruch=True,
            fortdauernder_zustand=True,
            haushaltsmitglieder_eingewilligt=True,
            verpflichtung_privat=day,
        ),
    )


def one_controller(sender: str, recipient: str) -> bool:
    """Tell whether two units have one controller key; equal codes are two Träger (reading 5)."""
    return sender != recipient and sender in YOUTH and recipient in YOUTH


def consent_only(purpose: str, sender: str, recipient: str) -> bool:
    """Tell whether even a request needs consent (reading 12)."""
    of_beistand = sender == "JUGENDAMT_BEISTAND" and purpose not in {"BEISTAND_UNTERHALT", "KINDERSCHUTZ"}
    wanted = of_beistand or purpose in {"CASE_MANAGEMENT", "MIETE_KLAERUNG"}
    return wanted and not one_controller(sender, recipient)


def due(purpose: str, sender: str, recipient: str, row: Row) -> dict[str, str]:
    """Return what must fall, with its code, by readings 10, 12, 14 and 16 alone."""
    inside = one_controller(sender, recipient)
    fall = dict.fromkeys(set(EVERY) - set(row["n"]) - set(row["c"]), "NICHT_ERFORDERLICH")
    fall |= {c: "NICHT_ERFORDERLICH" for c, code in row["c"].items() if code == "INTERN" and not inside}
    if consent_only(purpose, sender, recipient):
        fall |= dict.fromkeys(HEALTH, "KEIN_GRUND")
    if row["c"].get("SCHUTZANSCHRIFT") != "REL":
        fall["SCHUTZANSCHRIFT"] = "SCHUTZINTERESSE"
    return fall


def barred(purpose: str, sender: str, recipient: str) -> bool:
    """Tell whether a row connects two units and is yet no ground (readings 12 and 15)."""
    inside = one_controller(sender, recipient)
    asylum = purpose == "ANTRAGSWEITERLEITUNG" and "SOZIALAMT_ASYLBLG" in {sender, recipient}
    return not inside and (asylum or (purpose == "AUSLAENDERBEHOERDE" and sender in YOUTH))


@pytest.mark.parametrize("purpose", PURPOSES)
def test_what_is_not_in_the_row_falls_with_its_code(catalogue: Catalogue, purpose: str) -> None:
    """From and to every unit of a row exactly what it does not name falls, each item with the code of its gate."""
    for route in (route for route in routes() if route[0] == purpose):
        answer = decide(whole(*route), catalogue, DAY)
        if barred(*route[:3]):
            assert (refused(answer).code, refused(answer).kind) == ("KEIN_GRUND", RefusalKind.NOT_PERMITTED), route[:3]
            continue
        assert isinstance(answer, Permit), (route[:3], answer)
        assert {removed.category.value: removed.code for removed in answer.removed} == due(*route), route[:3]


@pytest.mark.parametrize("purpose", PURPOSES)
def test_where_no_row_leads_there_is_a_gap(catalogue: Catalogue, purpose: str) -> None:
    """Between two units that no row of the purpose connects, nothing carries anything: KEIN_GRUND, kind gap."""
    led = {route[1:3] for route in routes() if route[0] == purpose}
    for sender, recipient in {(one, other) for one in SOCIAL for other in SOCIAL} - led:
        answer = refused(decide(whole(purpose, sender, recipient, NOTHING), catalogue, DAY))
        assert (answer.code, answer.kind) == ("KEIN_GRUND", RefusalKind.GAP), (sender, recipient)


@pytest.mark.parametrize("purpose", PURPOSES)
def test_a_condition_that_is_not_met_takes_its_item_alone(catalogue: Catalogue, purpose: str) -> None:
    """Without consent and declared conditions exactly the conditional items fall, but for what a request meets."""
    for _, sender, recipient, row in (route for route in routes() if route[0] == purpose):
        if barred(purpose, sender, recipient):
            continue
        answer = decide(bare(purpose, sender, recipient, row), catalogue, DAY)
        if consent_only(purpose, sender, recipient):
            none = "PAR68" if sender == "JUGENDAMT_BEISTAND" else "KEIN_GRUND"
            assert (refused(answer).code, refused(answer).kind) == (none, RefusalKind.NOT_PERMITTED), (
                sender,
                recipient,
            )
        elif not row["n"]:
            assert refused(answer).code == "NICHT_ERFORDERLICH", (sender, recipient)
        else:
            met = {"ERS"} | ({"INTERN"} if one_controller(sender, recipient) else set())
            lost = {c: "NICHT_ERFORDERLICH" for c, code in row["c"].items() if code not in met}
            lost |= {c: "SCHUTZINTERESSE" for c in lost if c == "SCHUTZANSCHRIFT"}
            assert isinstance(answer, Permit), (sender, recipient, answer)
            assert {removed.category.value: removed.code for removed in answer.removed} == lost, (sender, recipient)


def bare(purpose: str, sender: str, recipient: str, row: Row) -> TransferFacts:
    """Return a request with the row's items and the proofs of its ground; no consent, no condition declared."""
    full = whole(purpose, sender, recipient, row)
    said = replace(
        full.declarations,
        bedingungen=frozenset(),
        gefahrrelevant=frozenset(),
        nachweis_fuer_anspruch=None,
        fortdauernder_zustand=None,
        haushaltsmitglieder_eingewilligt=None,
    )
    named = {*row["n"], *row["c"]}
    kept = (item for item in full.items if item.category.value in named)
    plain = tuple(replace(item, marks=frozenset({OriginMark.SELBST}), part=None) for item in kept)
    return replace(full, items=plain, consents=(), declarations=said)
