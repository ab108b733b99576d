"""Readings that are a choice: off is the conservative one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest

from consent.consents import GivenBy
from consent.decision import Decision, Permit, RefusalKind
from consent.engine import UnknownSwitch
from consent.facts import PersonFacts, TransferFacts
from schemas.declarations import Declarations
from schemas.identifiers import Mode, OriginMark
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
