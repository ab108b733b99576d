"""The decision as a value: permit, refusal, findings, what is missing, whose record it rests on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest

from consent.catalogue import Catalogue
from consent.consents import ConsentForm, add_months
from consent.decision import Decision, Missing, Outcome, Permit, Refusal, RefusalKind
from consent.engine import ENGINE_VERSION, STEPS, bind_reduced, decide
from consent.facts import FACTS_VERSION, FirstCollection, Objection, ObjectionScope, PersonFacts
from schemas.declarations import Declarations, Received
from schemas.identifiers import DataCategory, Mode, OriginMark, Part, Purpose, UnitCode
from tests.consent.samples import (
    DAY,
    NEIN,
    OTHER,
    RELEASE,
    all_cases,
    consent,
    facts,
    fallen,
    items,
    management,
    party,
    permitted,
    refused,
)

Ask = Callable[..., Decision]


def test_a_permit_names_what_it_rests_on(ask: Ask, catalogue: Catalogue) -> None:
    """Transfer, digest, ground, day, fingerprint, versions and switches are in it."""
    permit = permitted(ask(facts(), "GESUNDHEIT_EINWILLIGUNG_ALLEIN"))
    assert (permit.transfer_id, permit.payload_digest) == ("t1", "d1")
    assert permit.grounds == ("SGB X § 69 Abs. 1 Nr. 1 Alt. 3",)
    assert (permit.basis.on, permit.basis.catalogue) == (DAY, catalogue.fingerprint)
    assert (permit.basis.engine_version, permit.basis.facts_version) == (ENGINE_VERSION, FACTS_VERSION)
    assert permit.basis.switches == ("GESUNDHEIT_EINWILLIGUNG_ALLEIN",)


def test_a_reduced_permit_is_bound_to_the_bytes_that_remain(ask: Ask) -> None:
    """Only the digest changes."""
    permit = permitted(ask(facts("STAMMDATEN", "LEISTUNGSBEZUG", "SCHULDEN")))
    assert bind_reduced(permit, "d2") == replace(permit, payload_digest="d2")


def test_removed_blocks_are_named(ask: Ask) -> None:
    """Block, person, category, code and norms; never content."""
    removed = permitted(ask(facts("STAMMDATEN", "LEISTUNGSBEZUG", "SCHULDEN"))).removed[0]
    assert (removed.block, removed.person, removed.category) == ("p1-SCHULDEN", "p1", DataCategory.SCHULDEN)
    assert removed.code == "NICHT_ERFORDERLICH"
    assert "SGB X § 69 Abs. 1" in removed.norms


def test_findings_follow_the_gates(ask: Ask) -> None:
    """A permit has a finding of every gate that is asked there, in order; inside one controller the task comes late."""
    gates = [finding.gate for finding in permitted(ask(facts())).findings]
    assert gates == [*(step.gate for step in STEPS if step.outside), "G10"]
    inside = permitted(ask(facts(recipient=party("JOBCENTER"), purpose=Purpose("INTERN_67C"), same_controller=True)))
    asked_inside = ["G0", "G1", "G2", "G4 a", "G4 d", "G4 EMPFANGEN", "G3", "G5", "G6", "G10"]
    assert [finding.gate for finding in inside.findings] == asked_inside
    assert [step.gate for step in STEPS if step.inside] == asked_inside[:-1]
    assert [gate.partition(" ")[0] for gate in gates] == sorted(
        (g.partition(" ")[0] for g in gates), key=lambda g: int(g[1:])
    )


def test_a_refusal_carries_all_findings_up_to_the_deciding_one(ask: Ask) -> None:
    """What fell before the case was stopped is there too, and the last finding decides."""
    answer = refused(ask(facts("STAMMDATEN", "LEISTUNGSBEZUG", "SCHULDEN", first_collection=None)))
    assert answer.findings[-1] is answer.deciding
    assert [finding.code for finding in answer.findings if finding.outcome is not Outcome.PASS] == [
        "NICHT_ERFORDERLICH",
        "UNVOLLSTAENDIG",
    ]
    assert fallen(answer) == {("p1-SCHULDEN", "NICHT_ERFORDERLICH")}


def test_texts_are_german_and_name_the_categories(ask: Ask) -> None:
    """A removal names the category and the purpose in words."""
    found = ask(facts("STAMMDATEN", "LEISTUNGSBEZUG", "SCHULDEN", "VERMOEGEN", mode=Mode.UNAUFGEFORDERT)).findings
    text = next(finding.text for finding in found if finding.outcome is Outcome.REMOVE)
    assert text.startswith("Schulden, Vermögen: für den Zweck „Wechsel des Rechtskreises“")


@pytest.mark.parametrize(
    ("changes", "field", "by"),
    [
        ({"items": ()}, "kategorien", "sender"),
        ({"declarations": Declarations(anhang="a.pdf")}, "kategorien_erklaert", "sender"),
        ({"same_controller": True}, "same_controller", "sender"),
        ({"sender": party("JUGENDAMT_ASD")}, "par64_2_erfolg_gefaehrdet", "sender"),
        (
            {"sender": party("JUGENDAMT_ASD"), "declarations": replace(NEIN, fachkraft=None)},
            "fachkraft",
            "sender",
        ),
        ({"first_collection": None}, "first_collection", "recipient"),
        ({"first_collection": FirstCollection("VERSUCHT_FRUCHTLOS", deadline=DAY)}, "asked", "recipient"),
        ({"first_collection": FirstCollection("VERSUCHT_FRUCHTLOS", asked=DAY)}, "deadline", "recipient"),
        ({"first_collection": FirstCollection("UNVERHAELTNISMAESSIG")}, "reason_code", "recipient"),
        ({"first_collection": FirstCollection("RECHTSNORM")}, "norm", "recipient"),
        ({"first_collection": FirstCollection("NICHT_VERSUCHT")}, "first_collection", "recipient"),
    ],
)
def test_incomplete_says_what_is_missing_and_by_whom(ask: Ask, changes: dict[str, object], field: str, by: str) -> None:
    """Kind incomplete names the declaration and the side that has to give it."""
    answer = refused(ask(facts(**changes)))
    assert answer.kind is RefusalKind.INCOMPLETE
    assert answer.deciding.missing == (Missing(field, by),)


def test_a_missing_original_purpose_is_named(ask: Ask) -> None:
    """An item that falls for it says so, and so does the refusal that follows."""
    blocks = tuple(replace(item, marks=frozenset({OriginMark.EMPFANGEN})) for item in items("LEISTUNGSBEZUG"))
    answer = refused(ask(facts(items=blocks)))
    assert (answer.code, answer.kind) == ("UNVOLLSTAENDIG", RefusalKind.INCOMPLETE)
    assert answer.deciding.missing == (Missing("ursprungszweck", "sender"),)


def test_the_refusal_of_the_remainder_says_so(ask: Ask) -> None:
    """Code and gate are those of the earliest removed item; the text adds that the rest is of no use."""
    answer = refused(ask(facts("STAMMDATEN", "GESUNDHEIT", "SCHULDEN")))
    assert (answer.code, answer.deciding.gate) == ("PAR76", "G4 b")
    assert "trägt den Zweck" in answer.deciding.text
    assert "Gesundheit" in answer.deciding.text


def test_an_item_can_carry_its_own_origin(ask: Ask) -> None:
    """The origin of a single item comes before that of the declarations."""
    first, second = items("LEISTUNGSBEZUG", "EINKOMMEN")
    marked = frozenset({OriginMark.EMPFANGEN})
    own = Received(UnitCode.WOHNGELDSTELLE, Purpose("RECHTSKREISWECHSEL"))
    blocks = (replace(first, marks=marked, received=own), replace(second, marks=marked))
    rest = Declarations(received=Received(UnitCode.WOHNGELDSTELLE, Purpose("ABGLEICH_52A")))
    assert fallen(ask(facts(items=blocks, declarations=rest))) == {("p1-EINKOMMEN", "LOESCHPFLICHT")}


def test_the_tax_id_as_an_element_falls(ask: Ask) -> None:
    """The part of the element says it as well as the declaration."""
    blocks = (*items("STAMMDATEN", "LEISTUNGSBEZUG"), replace(items("ORDNUNGSMERKMAL")[0], part=Part.STEUER_IDNR))
    assert fallen(ask(facts(items=blocks))) == {("p1-ORDNUNGSMERKMAL", "NICHT_ERFORDERLICH")}


def test_a_german_is_not_a_foreigner_by_declaration(ask: Ask) -> None:
    """AUSL declared against what the message itself says is not fulfilled."""
    given = facts(
        "STAMMDATEN",
        "LEISTUNGSBEZUG",
        "STAATSANGEHOERIGKEIT",
        declarations=Declarations(bedingungen=frozenset({"AUSL"})),
    )
    for german, falls in ((None, False), (False, False), (True, True)):
        answer = ask(replace(given, persons=(PersonFacts("p1", 38, german=german),)))
        assert bool(fallen(answer)) is falls


def test_data_that_wait_for_a_request_need_one_that_names_them(ask: Ask) -> None:
    """ERS: an Ersuchen that asks for other categories does not fulfil it; what the row needs anyway passes."""
    given = facts("STAMMDATEN", "LEISTUNGSBEZUG", "VERMOEGEN")
    asked = frozenset({DataCategory.VERMOEGEN})
    assert not fallen(ask(replace(given, requested=asked)))
    answer = ask(replace(given, requested=frozenset({DataCategory.LEISTUNGSBEZUG})))
    assert fallen(answer) == {("p1-VERMOEGEN", "NICHT_ERFORDERLICH")}


def test_findings_on_another_s_record_say_whose(ask: Ask) -> None:
    """Objection, protected address and faulty consent carry the controller whose record it is."""
    objected = refused(ask(facts(objections=(Objection(DAY, ObjectionScope.ART21, recorded_by=OTHER),))))
    assert objected.deciding.rests_on == OTHER
    register = facts("STAMMDATEN", "ANSCHRIFT", declarations=Declarations(schutzanschrift_im_register=True))
    sheltered = refused(ask(replace(register, shelter_recorded_by=OTHER)))
    assert (sheltered.code, sheltered.deciding.rests_on) == ("SCHUTZINTERESSE", OTHER)
    faulty = refused(ask(management("KONTAKT", consents=(consent("KONTAKT", voluntary=False, recorded_by=OTHER),))))
    assert faulty.deciding.rests_on == OTHER
    carried = permitted(ask(management("KONTAKT", consents=(consent("KONTAKT", recorded_by=OTHER),))))
    assert {finding.rests_on for finding in carried.findings if finding.gate == "G5"} == {OTHER}


def test_an_open_lock_rests_on_the_consent_that_opened_it(ask: Ask) -> None:
    """Opened by a release, the finding rests on its record; opened by notice, on nobody's."""
    health = replace(items("GESUNDHEIT")[0], marks=frozenset({OriginMark.GUTACHTEN}))
    yes = consent("GESUNDHEIT", purpose="RECHTSKREISWECHSEL", release_of=RELEASE, recorded_by=OTHER)
    given = facts(items=(*items("STAMMDATEN", "LEISTUNGSBEZUG"), health), consents=(yes,))
    told = replace(given, declarations=Declarations(hinweis_par76=date(2025, 1, 1)))
    for found, rests_on in ((given, OTHER), (told, None)):
        assert [f.rests_on for f in ask(found).findings if f.gate == "G4 b"] == [rests_on]


def test_duties_are_those_of_the_transfer(ask: Ask) -> None:
    """Exactly those: inside one controller the record alone, a mark or a contested item its own duty."""
    inside = facts(sender=party("JUGENDAMT_ASD"), recipient=party("JUGENDAMT_KITA"), mode=Mode.UNAUFGEFORDERT)
    inside = replace(inside, purpose=Purpose("KITA_BEITRAG"))
    assert permitted(ask(inside)).duties == ("PROTOKOLL",)
    assert permitted(ask(replace(inside, mode=Mode.ERSUCHEN))).duties == ("PROTOKOLL", "INFO_EMPFAENGER")
    assert permitted(ask(facts())).duties == ("PROTOKOLL", "INFO_EMPFAENGER", "ZWECKBINDUNG_67C")
    contested = tuple(replace(item, contested=True) for item in items("STAMMDATEN", "LEISTUNGSBEZUG"))
    marked = tuple(
        replace(item, marks=frozenset({OriginMark.STRITTIG})) for item in items("STAMMDATEN", "LEISTUNGSBEZUG")
    )
    plain = permitted(ask(facts())).duties
    for blocks in (contested, marked):
        assert set(permitted(ask(facts(items=blocks))).duties) - set(plain) == {"STRITTIG_VERMERK"}


def test_the_norm_of_the_first_collection_is_the_recipient_s(ask: Ask) -> None:
    """SGB VIII for its recipients, SGB X for the others, by whether the sender is bound by § 35 SGB I."""
    kita = facts(recipient=party("JUGENDAMT_KITA"), purpose=Purpose("KITA_BEITRAG"))
    by_task = replace(kita, first_collection=FirstCollection("AUFGABENART"))
    for given, norm in (
        (kita, "SGB VIII § 62 Abs. 3 Nr. 3"),
        (by_task, "SGB VIII § 62 Abs. 3 Nr. 2"),
        (facts(), "SGB X § 67a Abs. 2 Satz 2 Nr. 1"),
        (facts(sender=party("SOZIALAMT_ASYLBLG")), "SGB X § 67a Abs. 2 Satz 2 Nr. 2"),
    ):
        assert [finding.norms for finding in ask(given).findings if finding.gate == "G7"] == [(norm,)]


@pytest.mark.parametrize(
    "collected",
    [None, FirstCollection("NICHT_VERSUCHT"), FirstCollection("VERSUCHT_FRUCHTLOS", asked=DAY, deadline=DAY)],
)
def test_whose_duty_to_ask_the_person_first_was_broken(ask: Ask, collected: FirstCollection | None) -> None:
    """Towards the Jugendamt SGB VIII says it, too; towards others SGB X alone."""
    kita = facts(recipient=party("JUGENDAMT_KITA"), purpose=Purpose("KITA_BEITRAG"))
    for given, also in ((kita, True), (facts(), False)):
        norms = refused(ask(replace(given, first_collection=collected))).deciding.norms
        assert ("SGB VIII § 62 Abs. 2" in norms) is also
        assert "SGB X § 67a Abs. 2" in norms


def test_the_tax_id_falls_by_its_own_act(ask: Ask) -> None:
    """What removes it names the IDNrG; another surplus does not."""
    given = facts("STAMMDATEN", "LEISTUNGSBEZUG", "ORDNUNGSMERKMAL", "SCHULDEN")
    answer = permitted(ask(replace(given, declarations=Declarations(ordnungsmerkmal_typ="STEUER_IDNR"))))
    named = {removed.category: "IDNrG" in removed.norms for removed in answer.removed}
    assert named == {DataCategory.ORDNUNGSMERKMAL: True, DataCategory.SCHULDEN: False}


def test_what_the_sender_declared_rests_on_nobody_s_record(ask: Ask) -> None:
    """Indications that the sender declared are its own."""
    given = facts("STAMMDATEN", "ANSCHRIFT", shelter_recorded_by=OTHER)
    declared = Declarations(schutzanschrift_im_register=True, anhaltspunkte_schutz=True)
    assert refused(ask(replace(given, declarations=declared))).deciding.rests_on is None


@pytest.mark.parametrize(
    ("day", "months", "result"),
    [
        (date(2024, 2, 29), 12, date(2025, 2, 28)),
        (date(2025, 12, 31), 2, date(2026, 2, 28)),
        (date(2025, 3, 16), 12, date(2026, 3, 16)),
        (date(2025, 11, 30), 1, date(2025, 12, 30)),
    ],
)
def test_months_are_calendar_months(day: date, months: int, result: date) -> None:
    """A day that the month does not have becomes its last."""
    assert add_months(day, months) == result


def test_an_oral_release_opens_nothing_undocumented_or_not(ask: Ask) -> None:
    """A release is written or electronic."""
    for form, opens in (
        (ConsentForm.SCHRIFTLICH, True),
        (ConsentForm.ELEKTRONISCH, True),
        (ConsentForm.MUENDLICH, False),
    ):
        yes = consent("LEISTUNGSBEZUG", purpose="RECHTSKREISWECHSEL", release_of=RELEASE, form=form, documented=True)
        declared = Declarations(absender_beruf_203=frozenset({DataCategory.LEISTUNGSBEZUG}))
        assert isinstance(ask(facts(consents=(yes,), declarations=declared)), Permit) is opens


def test_every_gate_decides_some_case(catalogue: Catalogue) -> None:
    """No gate of the engine is without a case that it stops; only the regime never does."""
    deciding = {
        answer.deciding.gate
        for case in all_cases()
        if isinstance(answer := decide(case.facts, catalogue, case.on), Refusal)
    }
    assert {step.gate for step in STEPS} - deciding == {"G1"}


def test_a_gate_that_had_nothing_to_ask_says_so(ask: Ask, catalogue: Catalogue) -> None:
    """Its finding has the idle sentence and no norm; one that was asked has the other sentence and norms."""
    found = {finding.gate: finding for finding in permitted(ask(facts(mode=Mode.UNAUFGEFORDERT))).findings}
    gates = catalogue.as_of(DAY).gates
    for gate in ("G4 a", "G4 b", "G4 c", "G4 d", "G4 e", "G4 EMPFANGEN", "G7", "G9"):
        assert (found[gate].text, found[gate].norms) == (gates[gate].idle, ())
    for gate in ("G0", "G2", "G3", "G8"):
        assert found[gate].text.startswith(gates[gate].text.partition("{")[0])
        assert found[gate].norms == gates[gate].norms


def test_entrusted_data_for_a_fachkraft_elsewhere_are_pseudonymised(ask: Ask) -> None:
    """The duty goes with key Nr. 4 to another controller, where something entrusted passes, and with nothing else."""
    said = Declarations(par65_key="Nr. 4", fachkraft="F")
    child = facts(
        "STAMMDATEN", "ANSCHRIFT", "KINDESWOHL", sender=party("JUGENDAMT_ASD"), recipient=party("JUGENDAMT_ASD")
    )
    child = replace(child, purpose=Purpose("KINDERSCHUTZ"), mode=Mode.UNAUFGEFORDERT, declarations=said)
    open_ones = tuple(replace(item, marks=frozenset({OriginMark.SELBST})) for item in child.items)
    for given, owed in (
        (child, True),
        (replace(child, declarations=replace(said, par65_key="Nr. 3")), False),
        (replace(child, same_controller=True), False),
        (replace(child, items=open_ones), False),
    ):
        assert ("PSEUDONYM" in permitted(ask(given)).duties) is owed


def test_information_is_put_off_in_urgent_danger_to_a_child_alone(ask: Ask) -> None:
    """The duty goes with the protection of a child that is urgent; urgency elsewhere brings nothing."""
    child = facts("STAMMDATEN", "ANSCHRIFT", recipient=party("JUGENDAMT_ASD"), mode=Mode.UNAUFGEFORDERT)
    child = replace(child, purpose=Purpose("KINDERSCHUTZ"))
    for urgent in (True, False, None):
        said = Declarations(gewichtige_anhaltspunkte=True, dringend=urgent)
        assert ("INFO_AUFSCHUB" in permitted(ask(replace(child, declarations=said))).duties) is (urgent is True)
        assert "INFO_AUFSCHUB" not in permitted(ask(facts(declarations=said))).duties


def test_data_of_a_comparison_are_deleted(ask: Ask) -> None:
    """The duty goes with the purposes that say so, and with no other."""
    check = facts("STAMMDATEN", "ANSCHRIFT", recipient=party("WOHNGELDSTELLE"), mode=Mode.UNAUFGEFORDERT)
    for purpose, owed in (("ABGLEICH_52A", True), ("DOPPELLEISTUNG", True), ("RECHTSKREISWECHSEL", False)):
        assert ("LOESCHUNG" in permitted(ask(replace(check, purpose=Purpose(purpose)))).duties) is owed


def test_a_first_collection_by_consent_rests_on_its_record(ask: Ask) -> None:
    """The finding of G7 names the controller that recorded the consent, where one did."""
    yes = consent("LEISTUNGSBEZUG", purpose="RECHTSKREISWECHSEL")
    given = facts(first_collection=FirstCollection("EINWILLIGUNG"))
    for recorded_by in (OTHER, None):
        answer = permitted(ask(replace(given, consents=(replace(yes, recorded_by=recorded_by),))))
        assert [finding.rests_on for finding in answer.findings if finding.gate == "G7"] == [recorded_by]


def test_what_is_necessary_rests_on_the_norms_of_its_row(ask: Ask, catalogue: Catalogue) -> None:
    """The finding of G6 names them; inside one controller, where no row is asked, none."""
    for given in (facts(), facts(recipient=party("JUGENDAMT_KITA"), purpose=Purpose("KITA_BEITRAG"))):
        row = catalogue.as_of(DAY).routes[given.purpose, given.sender.unit, given.recipient.unit]
        assert [found.norms for found in permitted(ask(given)).findings if found.gate == "G6"] == [row.norms]
    inside = facts(recipient=party("JOBCENTER"), purpose=Purpose("INTERN_67C"), same_controller=True)
    assert [found.norms for found in permitted(ask(inside)).findings if found.gate == "G6"] == [()]


def test_the_useful_remainder_is_asked_after_the_gates_that_remove() -> None:
    """Reading C 17 names them; and only the late question for a task is not asked between two controllers."""
    after = ["G4 a", "G4 b", "G4 d", "G4 e", "G4 EMPFANGEN", "G5", "G6", "G9"]
    assert [step.gate for step in STEPS if step.remainder] == after
    assert [(step.gate, step.inside) for step in STEPS if not step.outside] == [("G3", True)]


def test_nothing_is_asked_once_nothing_useful_is_left(ask: Ask) -> None:
    """The finding after which the remainder was of no use is the last one."""
    lock = replace(items("GESUNDHEIT")[0], marks=frozenset({OriginMark.ANVERTRAUT_65}))
    answer = refused(ask(facts(items=(*items("STAMMDATEN"), lock))))
    assert [finding.gate for finding in answer.findings if finding.gate.startswith("G4")] == ["G4 a", "G4 a"]
