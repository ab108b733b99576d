"""Readings that are a choice: off is the conservative one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest

from consent.consents import GivenBy
from consent.decision import Decision, Permit, RefusalKind
from consent.engine import UnknownSwitch
from consent.facts import FirstCollection, PersonFacts, TransferFacts
from schemas.declarations import Declarations, Received
from schemas.identifiers import DataCategory, Mode, OriginMark, Purpose, UnitCode
from tests.consent.samples import (
    NEIN,
    RELEASE,
    consent,
    facts,
    items,
    kept,
    management,
    party,
    refused,
)

Ask = Callable[..., Decision]


HEALTH = replace(items("BEHINDERUNG_PFLEGE")[0], marks=frozenset({OriginMark.SELBST}))
ASYL_CARE = facts(
    items=(*items("STAMMDATEN", "LEISTUNGSBEZUG"), HEALTH),
    sender=party("SOZIALAMT_ASYLBLG"),
    mode=Mode.UNAUFGEFORDERT,
    consents=(consent("STAMMDATEN", "LEISTUNGSBEZUG", "BEHINDERUNG_PFLEGE", purpose="RECHTSKREISWECHSEL"),),
    declarations=Declarations(bedingungen=frozenset({"MB"})),
)
ASD_UNASKED = facts(
    "STAMMDATEN", "JUGENDHILFE_STATUS", sender=party("JUGENDAMT_ASD"), mode=Mode.UNAUFGEFORDERT, declarations=NEIN
)
CHILD = management(
    "STAMMDATEN",
    "SCHULDEN",
    persons=(PersonFacts("p1", 10, is_child=True),),
    consents=(consent("STAMMDATEN", "SCHULDEN", given_by=GivenBy.MUTTER),),
)
ENDANGERED = replace(
    ASD_UNASKED,
    declarations=Declarations(par64_2_erfolg_gefaehrdet="ja", fachkraft="F"),
    consents=(consent("STAMMDATEN", "JUGENDHILFE_STATUS", purpose="RECHTSKREISWECHSEL"),),
)
WITHDRAWN = facts(consents=(consent("KONTAKT", purpose="RECHTSKREISWECHSEL", id="c0", revoked=date(2026, 2, 1)),))
AGAIN = replace(
    WITHDRAWN,
    consents=(
        *WITHDRAWN.consents,
        consent("STAMMDATEN", "LEISTUNGSBEZUG", purpose="RECHTSKREISWECHSEL", granted=date(2026, 2, 2)),
    ),
)
ENTRUSTED = facts(
    items=(*items("STAMMDATEN"), replace(items("JUGENDHILFE_STATUS")[0], marks=frozenset({OriginMark.ANVERTRAUT_65}))),
    sender=party("JUGENDAMT_ASD"),
    declarations=replace(NEIN, anvertraut_von="betroffene Person"),
    consents=(consent("JUGENDHILFE_STATUS", purpose="RECHTSKREISWECHSEL"),),
)
RELEASED = management(
    items=(*items("STAMMDATEN"), replace(items("EINGLIEDERUNG")[0], marks=frozenset({OriginMark.GUTACHTEN}))),
    consents=(consent("STAMMDATEN", "EINGLIEDERUNG", release_of=RELEASE),),
)


@pytest.mark.parametrize(
    ("switch", "given"),
    [
        ("GESUNDHEIT_EINWILLIGUNG_ALLEIN", ASYL_CARE),
        ("ASYLBLG_UNAUFGEFORDERT_GESETZ", facts(sender=party("SOZIALAMT_ASYLBLG"), mode=Mode.UNAUFGEFORDERT)),
        ("ASD_UNAUFGEFORDERT_GESETZ", ASD_UNASKED),
        ("SORGE_EIN_ELTERNTEIL_KLASSE_E", CHILD),
        ("PAR64_2_JA_MIT_EINWILLIGUNG", ENDANGERED),
        ("WIDERRUF_NEBEN_GESETZ_UNBEACHTLICH", WITHDRAWN),
        ("SPAETERE_EINWILLIGUNG_HEBT_STOPP_AUF", AGAIN),
        ("PAR65_NR1_OHNE_ERKLAERUNG", ENTRUSTED),
        ("GUTACHTEN_ENTBINDUNG_OHNE_PAR69", RELEASED),
    ],
)
def test_a_switch_gives_the_other_reading(ask: Ask, switch: str, given: TransferFacts) -> None:
    """Off, the conservative default, lets less through; on, everything passes."""
    every = {item.id for item in given.items}
    assert kept(ask(given)) < every
    assert kept(ask(given, switch)) == every


DANGER = facts(
    items=(*items("STAMMDATEN", "ANSCHRIFT", "KINDESWOHL"),),
    sender=party("JUGENDAMT_ASD"),
    recipient=party("FAMILIENGERICHT"),
    purpose=Purpose("KINDERSCHUTZ"),
)
YOUNG = management(
    "STAMMDATEN",
    "KONTAKT",
    persons=(PersonFacts("p1", 14, is_child=True),),
    consents=(consent("STAMMDATEN", "KONTAKT", given_by=GivenBy.JUGENDLICHER),),
)
GUARDIAN = facts("STAMMDATEN", "EINKOMMEN", recipient=party("JUGENDAMT_BEISTAND"))
FROM_ASYLUM = facts(
    items=(*items("STAMMDATEN"), replace(items("LEISTUNGSBEZUG")[0], marks=frozenset({OriginMark.EMPFANGEN}))),
    sender=party("SOZIALAMT_ASYLBLG"),
    recipient=party("JOBCENTER"),
    declarations=Declarations(received=Received(UnitCode.JOBCENTER, Purpose("ASYLBLG_DURCHFUEHRUNG"))),
)

OPINION = frozenset({OriginMark.GUTACHTEN})
PROVING = facts(
    items=(*items("STAMMDATEN", "LEISTUNGSBEZUG"), replace(items("GESUNDHEIT")[0], marks=OPINION)),
    recipient=party("SOZIALAMT_ASYLBLG"),
    purpose=Purpose("ERSTATTUNG"),
    declarations=Declarations(nachweis_fuer_anspruch=True),
    mode=Mode.UNAUFGEFORDERT,
)
IN_DANGER = replace(
    DANGER,
    items=(*DANGER.items, replace(items("SUCHT_PSYCHE")[0], marks=OPINION)),
    sender=party("SOZIALAMT_ASYLBLG"),
    recipient=party("JUGENDAMT_ASD"),
    mode=Mode.UNAUFGEFORDERT,
    declarations=Declarations(
        gewichtige_anhaltspunkte=True, dringend=True, gefahrrelevant=frozenset({DataCategory.SUCHT_PSYCHE})
    ),
)


@pytest.mark.parametrize(
    ("switch", "given"),
    [
        ("PAR65_NUR_LEISTUNGEN", DANGER),
        ("ASYLBLG_ALS_SGB_AUFGABE", FROM_ASYLUM),
        ("BEISTAND_PAR69", replace(GUARDIAN, purpose=Purpose("BEISTAND_UNTERHALT"))),
        ("EINSICHT_AB_14", YOUNG),
        (
            "VERWALTUNGSAUFWAND_GENUEGT",
            facts(first_collection=FirstCollection("UNVERHAELTNISMAESSIG", reason_code="VERWALTUNGSAUFWAND")),
        ),
        ("REGELMAESSIG_OHNE_VERFAHREN", facts(mode=Mode.REGELMAESSIG)),
        ("GUTACHTEN_SCHLUESSEL_OHNE_PAR69", PROVING),
        ("GUTACHTEN_SCHLUESSEL_OHNE_PAR69", IN_DANGER),
    ],
)
def test_a_disputed_point_is_rows_with_a_switch(ask: Ask, switch: str, given: TransferFacts) -> None:
    """Off, the conservative default, lets less through; on, everything passes."""
    test_a_switch_gives_the_other_reading(ask, switch, given)


STRICTER = [
    ("KITA_NUR_AUF_ERSUCHEN", facts(recipient=party("JUGENDAMT_KITA"), mode=Mode.UNAUFGEFORDERT)),
    ("EINSICHT_AB_16", replace(YOUNG, persons=(PersonFacts("p1", 15, is_child=True),))),
    (
        "OHNE_PAR76_NR1A",
        facts("LEISTUNGSBEZUG", "GESUNDHEIT", declarations=Declarations(nachweis_fuer_anspruch=True)),
    ),
]
PURPOSES_OF = {"KITA_NUR_AUF_ERSUCHEN": "KITA_BEITRAG", "OHNE_PAR76_NR1A": "ERSTATTUNG"}


@pytest.mark.parametrize(("switch", "given"), STRICTER)
def test_some_switches_are_the_stricter_reading(ask: Ask, switch: str, given: TransferFacts) -> None:
    """Where the dossier settles the milder reading, the switch takes away."""
    given = replace(given, purpose=Purpose(PURPOSES_OF.get(switch, given.purpose)))
    every = {item.id for item in given.items}
    assert kept(ask(given)) == every
    assert kept(ask(given, switch)) < every


def test_asylum_data_need_a_procedure_whatever_the_view(ask: Ask) -> None:
    """§ 6 DSG NRW asks for regular deliveries too, so the switch does nothing there."""
    given = facts(sender=party("SOZIALAMT_ASYLBLG"), mode=Mode.REGELMAESSIG)
    assert refused(ask(given, "REGELMAESSIG_OHNE_VERFAHREN")).code == "VERFAHREN_NICHT_REGISTRIERT"


def test_the_stricter_reading_of_the_asylum_office(ask: Ask) -> None:
    """With this switch a request alone does not carry: consent is needed."""
    given = facts(sender=party("SOZIALAMT_ASYLBLG"))
    assert isinstance(ask(given), Permit)
    assert refused(ask(given, "ASYLBLG_NUR_EINWILLIGUNG")).code == "KEIN_GRUND"


def test_a_later_yes_lifts_a_no_only_as_far_as_it_names(ask: Ask) -> None:
    """An item that the later consent does not name keeps the stop, switch or not; so does a yes of the same day."""
    narrow = consent("STAMMDATEN", purpose="RECHTSKREISWECHSEL", granted=date(2026, 2, 2))
    same_day = replace(AGAIN.consents[1], granted=date(2026, 2, 1))
    for later in (narrow, same_day):
        given = replace(AGAIN, consents=(AGAIN.consents[0], later))
        assert refused(ask(given, "SPAETERE_EINWILLIGUNG_HEBT_STOPP_AUF")).kind is RefusalKind.HUMAN


def test_an_unknown_switch_is_refused(ask: Ask) -> None:
    """A misspelt reading must not pass as the default."""
    with pytest.raises(UnknownSwitch, match="TIPPFEHLER"):
        ask(facts(), "TIPPFEHLER")
