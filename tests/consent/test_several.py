"""Several persons, several consents, and stops that case files cannot say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest

from consent.catalogue import Catalogue, assemble
from consent.consents import ConsentForm, GivenBy
from consent.decision import Decision, Missing, Outcome, Permit, Refusal, RefusalKind
from consent.engine import decide
from consent.facts import FirstCollection, Objection, ObjectionScope, PersonFacts
from consent.rows import NecessityRow, PurposeRow
from schemas.declarations import Declarations, Received
from schemas.identifiers import DataCategory, Mode, OriginMark, Purpose, UnitCode
from tests.consent.samples import (
    DAY,
    OTHER,
    RELEASE,
    consent,
    facts,
    fallen,
    items,
    kept,
    management,
    party,
    permitted,
    refused,
)

Ask = Callable[..., Decision]


def test_a_consent_counts_for_its_person_only(ask: Ask) -> None:
    """Another person's items fall with the code of what is missing, the rest passes."""
    both = items("STAMMDATEN", "KONTAKT") + items("STAMMDATEN", "KONTAKT", person="p2")
    answer = permitted(ask(management(items=both, consents=(consent("STAMMDATEN", "KONTAKT"),))))
    assert kept(answer) == {"p1-STAMMDATEN", "p1-KONTAKT"}
    assert fallen(answer) == {("p2-STAMMDATEN", "KEIN_GRUND"), ("p2-KONTAKT", "KEIN_GRUND")}
    assert answer.consents == ("c1",)


def test_a_faulty_consent_of_one_person_takes_their_items(ask: Ask) -> None:
    """They fall with the code of the fault."""
    both = items("STAMMDATEN", "KONTAKT") + items("KONTAKT", person="p2")
    second = consent("KONTAKT", id="c2", person="p2", voluntary=False)
    answer = ask(management(items=both, consents=(consent("STAMMDATEN", "KONTAKT"), second)))
    assert fallen(answer) == {("p2-KONTAKT", "EINWILLIGUNG_UNFREIWILLIG")}


def test_each_record_has_a_finding_of_its_own(ask: Ask) -> None:
    """Items that fall for the same reason, but on the records of two controllers, are two findings."""
    both = items("STAMMDATEN", "LEISTUNGSBEZUG", "KONTAKT") + items("KONTAKT", person="p2")
    faulty = consent("KONTAKT", purpose="RECHTSKREISWECHSEL", voluntary=False)
    given = facts(
        items=both,
        consents=(replace(faulty, recorded_by="a:JOBCENTER"), replace(faulty, id="c2", person="p2", recorded_by=OTHER)),
    )
    found = [(f.items, f.rests_on) for f in ask(given).findings if f.outcome is Outcome.REMOVE]
    assert found == [(("p1-KONTAKT",), "a:JOBCENTER"), (("p2-KONTAKT",), OTHER)]


def test_what_a_record_does_not_say_is_not_so(ask: Ask) -> None:
    """A consent by word of mouth counts as documented, and a slider as moved, only where the record says it."""
    spoken = consent("KONTAKT", form=ConsentForm.MUENDLICH)
    assert refused(ask(management("KONTAKT", consents=(spoken,)))).code == "EINWILLIGUNG_FORM"
    assert isinstance(ask(management("KONTAKT", consents=(replace(spoken, documented=True),))), Permit)


def test_where_nobody_s_consent_holds_the_case_is_stopped(ask: Ask) -> None:
    """The code is that of the first item's person."""
    both = items("KONTAKT") + items("KONTAKT", person="p2")
    answer = refused(ask(management(items=both, consents=(consent("KONTAKT", voluntary=False),))))
    assert (answer.code, answer.removed) == ("EINWILLIGUNG_UNFREIWILLIG", ())


def test_where_nothing_useful_is_left_the_case_is_stopped(ask: Ask) -> None:
    """One person's mere identity does not carry the purpose."""
    both = items("STAMMDATEN") + items("KONTAKT", person="p2")
    answer = refused(ask(management(items=both, consents=(consent("STAMMDATEN"),))))
    assert answer.code == "KEIN_GRUND"


def test_a_withdrawal_of_one_person_stops_the_whole_transfer(ask: Ask) -> None:
    """Beside a statute a no of anyone concerned goes to a human."""
    both = items("STAMMDATEN", "LEISTUNGSBEZUG") + items("LEISTUNGSBEZUG", person="p2")
    no = consent("KONTAKT", person="p2", purpose="RECHTSKREISWECHSEL", revoked=DAY, recorded_by=OTHER)
    answer = refused(ask(facts(items=both, consents=(no,))))
    assert (answer.code, answer.kind) == ("EINWILLIGUNG_WIDERRUFEN", RefusalKind.HUMAN)
    assert answer.deciding.rests_on == OTHER


def test_the_first_valid_consent_that_names_an_item_carries_it(ask: Ask) -> None:
    """Several declarations of one person add up; a faulty one beside them takes nothing away."""
    given = (
        consent("STAMMDATEN", id="c1"),
        consent("KONTAKT", id="c2"),
        consent("KONTAKT", "SCHULDEN", id="c3", voluntary=False),
    )
    answer = permitted(ask(management("STAMMDATEN", "KONTAKT", "SCHULDEN", consents=given)))
    assert kept(answer) == {"p1-STAMMDATEN", "p1-KONTAKT"}
    assert answer.consents == ("c1", "c2")


def test_of_faulty_consents_the_best_one_names_the_fault(ask: Ask) -> None:
    """The one whose first fault is asked last is the best."""
    given = (consent("KONTAKT", id="c1", purpose="*"), consent("KONTAKT", id="c2", valid_until=date(2026, 3, 1)))
    assert refused(ask(management("KONTAKT", consents=given))).code == "EINWILLIGUNG_ABGELAUFEN"


def test_a_later_no_on_another_record_undoes_an_older_yes(ask: Ask) -> None:
    """The latest word of the person counts: an older consent that nobody withdrew formally carries nothing."""
    yes = consent("KONTAKT", id="c1", granted=date(2026, 1, 12))
    for day, carried in ((date(2026, 1, 11), True), (date(2026, 1, 12), False), (date(2026, 2, 1), False)):
        no = consent("KONTAKT", id="c2", granted=None, refused=day)
        answer = ask(management("KONTAKT", consents=(yes, no)))
        assert isinstance(answer, Permit) is carried
        if isinstance(answer, Refusal):
            assert answer.code == "EINWILLIGUNG_VERWEIGERT"


def test_a_no_to_everything_stops_what_a_statute_carries(ask: Ask) -> None:
    """A refusal without limits is a refusal of this, too."""
    no = consent("*", purpose="*", recipients=frozenset({"*"}), refused=DAY)
    answer = refused(ask(facts(consents=(no,))))
    assert (answer.code, answer.kind) == ("EINWILLIGUNG_VERWEIGERT", RefusalKind.HUMAN)


def test_an_objection_of_one_person_opens_the_other_s_data(ask: Ask) -> None:
    """An objection under § 76 takes the items of its person alone; one that names nobody, all."""
    health = [replace(items("GESUNDHEIT", person=p)[0], marks=frozenset({OriginMark.GUTACHTEN})) for p in ("p1", "p2")]
    told = Declarations(hinweis_par76=date(2025, 1, 1))
    given = facts(items=(*items("STAMMDATEN", "LEISTUNGSBEZUG"), *health), declarations=told)
    one = Objection(DAY, ObjectionScope.PAR76, person="p2", recorded_by=OTHER)
    answer = ask(replace(given, objections=(one,)))
    assert fallen(answer) == {("p2-GESUNDHEIT", "PAR76")}
    assert {f.rests_on for f in answer.findings if f.outcome is Outcome.REMOVE} == {OTHER}
    assert len(fallen(ask(replace(given, objections=(replace(one, person=None),))))) == 2


def test_the_latest_objection_counts(ask: Ask) -> None:
    """A release opens again only after the last of several; another's record is named where it hangs on that one."""
    health = replace(items("GESUNDHEIT")[0], marks=frozenset({OriginMark.GUTACHTEN}))
    yes = consent("GESUNDHEIT", purpose="RECHTSKREISWECHSEL", granted=date(2026, 2, 1), release_of=RELEASE)
    given = facts(items=(*items("STAMMDATEN", "LEISTUNGSBEZUG"), health), consents=(yes,))
    first = Objection(date(2026, 1, 1), ObjectionScope.PAR76, recorded_by="a:JOBCENTER")
    last = replace(first, date=date(2026, 2, 2), recorded_by=OTHER)
    assert not fallen(ask(replace(given, objections=(first,))))
    for objections, named in (
        ((first, last), OTHER),
        ((first, last, replace(last, recorded_by=None)), None),
    ):
        answer = ask(replace(given, objections=objections))
        assert fallen(answer) == {("p1-GESUNDHEIT", "PAR76")}
        assert {f.rests_on for f in answer.findings if f.outcome is Outcome.REMOVE} == {named}


def test_a_no_on_another_s_record_is_laid_to_that_record(ask: Ask) -> None:
    """Where the sender's own consent would carry an item, what stands against it is named with whose record it is."""
    own = facts().sender.instance
    yes = consent("KONTAKT", recorded_by=own)
    no = consent("KONTAKT", id="c2", granted=None, refused=DAY, recorded_by=OTHER)
    for noes, named in (((no,), OTHER), ((no, replace(no, id="c3", recorded_by=own)), own)):
        answer = refused(ask(management("KONTAKT", consents=(yes, *noes))))
        assert (answer.code, answer.deciding.rests_on) == ("EINWILLIGUNG_VERWEIGERT", named)


@pytest.mark.parametrize("recorded_by", [OTHER, None])
def test_what_a_beistand_may_not_send_rests_on_the_consent_that_lacks_it(ask: Ask, recorded_by: str | None) -> None:
    """Where the one consent on record does not name an item, the whole case falls, and rests on that record."""
    lacking = consent("STAMMDATEN", to="JOBCENTER", purpose="UNTERHALT_UEBERGANG", recorded_by=recorded_by)
    given = facts(
        sender=party("JUGENDAMT_BEISTAND"),
        recipient=party("JOBCENTER"),
        purpose=Purpose("UNTERHALT_UEBERGANG"),
        mode=Mode.UNAUFGEFORDERT,
        items=items("STAMMDATEN", "UNTERHALT"),
        consents=(lacking,),
    )
    answer = refused(ask(given))
    assert (answer.code, answer.deciding.rests_on) == ("PAR68", recorded_by)


def test_the_sender_s_own_no_is_named_before_others(ask: Ask) -> None:
    """Beside a statute its own withdrawal stops the case in its own words, whatever another has on record."""
    own = facts().sender.instance
    mine = consent("KONTAKT", purpose="RECHTSKREISWECHSEL", revoked=DAY, recorded_by=own)
    theirs = replace(mine, id="c0", granted=None, revoked=None, refused=DAY, recorded_by=OTHER)
    answer = refused(ask(facts(consents=(theirs, mine))))
    assert (answer.code, answer.deciding.rests_on) == ("EINWILLIGUNG_WIDERRUFEN", own)


def test_an_objection_on_the_sender_s_own_record_is_named_as_such(ask: Ask) -> None:
    """An expert opinion that falls by it rests on the sender's record; one that lacks its notice rests on nobody's."""
    own = facts().sender.instance
    health = replace(items("GESUNDHEIT")[0], marks=frozenset({OriginMark.GUTACHTEN}))
    given = facts(items=(*items("STAMMDATEN", "LEISTUNGSBEZUG"), health))
    objected = replace(given, objections=(Objection(date(2026, 2, 2), ObjectionScope.PAR76, recorded_by=own),))
    for each, named in ((given, None), (objected, own)):
        answer = ask(each)
        assert fallen(answer) == {("p1-GESUNDHEIT", "PAR76")}
        assert {f.rests_on for f in answer.findings if f.outcome is Outcome.REMOVE} == {named}


def test_where_records_differ_about_insight_every_objection_counts(ask: Ask) -> None:
    """With one consent that denies insight and one that does not say, person and representative are both heard."""
    health = replace(items("GESUNDHEIT")[0], marks=frozenset({OriginMark.GUTACHTEN}))
    said = [consent("KONTAKT", id=f"c{n}", insight_of_minor=insight) for n, insight in enumerate((False, None))]
    given = facts(
        items=(*items("STAMMDATEN", "LEISTUNGSBEZUG"), health),
        persons=(PersonFacts("p1", 16),),
        declarations=Declarations(hinweis_par76=date(2025, 1, 1)),
    )
    heard = {
        (len(consents), by): bool(fallen(ask(replace(given, consents=consents, objections=(_against(by),)))))
        for consents in ((), tuple(said[:1]), tuple(said))
        for by in (GivenBy.JUGENDLICHER, GivenBy.MUTTER, GivenBy.EHEGATTE)
    }
    counts = {(0, GivenBy.JUGENDLICHER), (1, GivenBy.MUTTER), (2, GivenBy.JUGENDLICHER), (2, GivenBy.MUTTER)}
    assert {key for key, falls in heard.items() if falls} == counts


def test_where_the_age_is_unknown_anyone_s_objection_counts(ask: Ask) -> None:
    """Nobody can say then who would be entitled to object."""
    health = replace(items("GESUNDHEIT")[0], marks=frozenset({OriginMark.GUTACHTEN}))
    given = facts(
        items=(*items("STAMMDATEN", "LEISTUNGSBEZUG"), health),
        declarations=Declarations(hinweis_par76=date(2025, 1, 1)),
        objections=(_against(GivenBy.EHEGATTE),),
    )
    for age, falls in ((None, True), (38, False)):
        assert bool(fallen(ask(replace(given, persons=(PersonFacts("p1", age),))))) is falls


def _against(by: GivenBy) -> Objection:
    return Objection(DAY, ObjectionScope.PAR76, by)


def test_a_no_of_the_day_itself_undoes_an_older_yes(ask: Ask) -> None:
    """It counts from the day; one that is to count later does not yet."""
    yes = consent("KONTAKT", id="c1")
    for revoked, carried in ((DAY, False), (date(2026, 3, 17), True)):
        other = consent("KONTAKT", id="c2", granted=date(2025, 12, 1), revoked=revoked)
        assert isinstance(ask(management("KONTAKT", consents=(yes, other))), Permit) is carried


def test_an_unclear_answer_needs_a_consent_of_everyone(ask: Ask) -> None:
    """§ 64 Abs. 2 SGB VIII with ``unklar``: one person's consent does not speak for the other."""
    both = items("STAMMDATEN", "JUGENDHILFE_STATUS") + items("JUGENDHILFE_STATUS", person="p2")
    given = facts(
        items=both,
        sender=party("JUGENDAMT_ASD"),
        recipient=party("JOBCENTER"),
        declarations=Declarations(par64_2_erfolg_gefaehrdet="unklar", fachkraft="F"),
    )
    first = consent("STAMMDATEN", "JUGENDHILFE_STATUS", to="JOBCENTER", purpose="RECHTSKREISWECHSEL", recorded_by=OTHER)
    assert refused(ask(replace(given, consents=(first,)))).code == "PAR64_2"
    answer = permitted(ask(replace(given, consents=(first, replace(first, id="c2", person="p2")))))
    assert {finding.rests_on for finding in answer.findings if finding.gate == "G4 c"} == {OTHER}


def test_a_first_collection_by_consent_needs_everyone(ask: Ask) -> None:
    """Each person of whom data pass has agreed to at least one of them."""
    both = items("STAMMDATEN", "LEISTUNGSBEZUG") + items("LEISTUNGSBEZUG", person="p2")
    first = consent("LEISTUNGSBEZUG", purpose="RECHTSKREISWECHSEL", recorded_by=OTHER)
    given = facts(items=both, first_collection=FirstCollection("EINWILLIGUNG"), consents=(first,))
    assert refused(ask(given)).code == "ERSTERHEBUNG_FEHLT"
    answer = permitted(ask(replace(given, consents=(first, replace(first, id="c2", person="p2")))))
    assert answer.consents == ("c1", "c2")


def test_a_person_without_an_age_cannot_consent(ask: Ask) -> None:
    """The age is missed by the gate that asks for it, and by none before."""
    given = management("KONTAKT", consents=(consent("KONTAKT"),), persons=(PersonFacts("p1", None),))
    answer = refused(ask(given))
    assert (answer.code, answer.kind, answer.deciding.gate) == ("UNVOLLSTAENDIG", RefusalKind.INCOMPLETE, "G5")
    assert answer.deciding.missing == (Missing("alter", "sender"),)
    assert isinstance(ask(facts(persons=())), Permit)
    later = consent("KONTAKT", purpose="RECHTSKREISWECHSEL")
    for known, lacks in ((later, (Missing("alter", "sender"),)), (replace(later, purpose="*"), ())):
        found = ask(facts("LEISTUNGSBEZUG", "KONTAKT", consents=(known,), persons=())).findings
        assert [finding.missing for finding in found if finding.outcome is Outcome.REMOVE] == [lacks]


def test_an_opt_out_goes_to_a_human(ask: Ask) -> None:
    """A recorded opt-out turns a discretionary ground into a human decision, also where consent is the ground."""
    stop = (Objection(DAY, ObjectionScope.OPT_OUT),)
    for given in (facts(objections=stop), management("KONTAKT", consents=(consent("KONTAKT"),), objections=stop)):
        assert (refused(ask(given)).code, refused(ask(given)).kind) == ("WIDERSPRUCH", RefusalKind.HUMAN)
    assert isinstance(ask(facts(objections=(replace(stop[0], date=date(2026, 3, 17)),))), Permit)


@pytest.fixture(scope="module")
def obliged(catalogue: Catalogue) -> Catalogue:
    """Return the catalogue with the change of Rechtskreis as an obligation."""
    purposes = tuple(
        replace(row, pflicht=True) if isinstance(row, PurposeRow) and row.code == "RECHTSKREISWECHSEL" else row
        for row in catalogue.tables["purpose"]
    )
    return assemble({**catalogue.tables, "purpose": purposes}, b"")


def test_an_obligation_can_be_that_of_one_row(catalogue: Catalogue) -> None:
    """MUSS and "on request only" stand on a row as well as on its purpose, for that route alone."""
    table = tuple(
        replace(row, pflicht=True, nur_auf_ersuchen=True)
        if isinstance(row, NecessityRow) and (row.sender, row.recipient) == ("JOBCENTER", "SOZIALAMT_SGBXII")
        else row
        for row in catalogue.tables["row"]
    )
    strict = assemble({**catalogue.tables, "row": table}, b"")
    stop = (Objection(DAY, ObjectionScope.ART21),)
    elsewhere = party("WOHNGELDSTELLE")
    assert isinstance(decide(facts(objections=stop), strict, DAY), Permit)
    assert refused(decide(facts(objections=stop, recipient=elsewhere), strict, DAY)).code == "WIDERSPRUCH"
    assert refused(decide(facts(mode=Mode.UNAUFGEFORDERT), strict, DAY)).code == "KEIN_GRUND"
    assert isinstance(decide(facts(mode=Mode.UNAUFGEFORDERT, recipient=elsewhere), strict, DAY), Permit)


def test_the_kern_of_a_row_replaces_that_of_its_purpose(catalogue: Catalogue) -> None:
    """What carries the purpose on this route is the row's to say."""
    given = facts("STAMMDATEN", "LEISTUNGSBEZUG", "EINKOMMEN", recipient=party("JUGENDAMT_KITA"))
    given = replace(given, purpose=Purpose("KITA_BEITRAG"))
    table = tuple(
        replace(row, kern=(DataCategory.EINKOMMEN,))
        if isinstance(row, NecessityRow) and row.purpose == "KITA_BEITRAG"
        else row
        for row in catalogue.tables["row"]
    )
    assert isinstance(decide(given, catalogue, DAY), Permit)
    other = assemble({**catalogue.tables, "row": table}, b"")
    assert refused(decide(given, other, DAY)).code == "NICHT_ERFORDERLICH"


@pytest.mark.parametrize("scope", [ObjectionScope.ART21, ObjectionScope.ALLE, ObjectionScope.OPT_OUT])
def test_an_obligation_passes_objections(obliged: Catalogue, scope: ObjectionScope) -> None:
    """MUSS leaves neither objection nor opt-out room; found by a near match only, a human looks all the same."""
    stop = Objection(DAY, scope)
    assert isinstance(decide(facts(objections=(stop,)), obliged, DAY), Permit)
    near = refused(decide(facts(objections=(replace(stop, near=True),)), obliged, DAY))
    assert (near.code, near.kind) == ("WIDERSPRUCH", RefusalKind.HUMAN)


def test_an_obligation_passes_a_withdrawal_but_no_protected_interest(obliged: Catalogue) -> None:
    """A no beside MUSS stops nothing; indications of protected interests do."""
    no = consent("KONTAKT", purpose="RECHTSKREISWECHSEL", revoked=DAY)
    assert isinstance(decide(facts(consents=(no,)), obliged, DAY), Permit)
    warned = facts(declarations=Declarations(anhaltspunkte_schutz=True))
    assert refused(decide(warned, obliged, DAY)).code == "SCHUTZINTERESSE"


def test_a_near_match_of_any_scope_goes_to_a_human(ask: Ask) -> None:
    """Even one under § 76 where no such data are in the message: someone has to look whose it is."""
    stop = Objection(DAY, ObjectionScope.PAR76, near=True, recorded_by=OTHER)
    answer = refused(ask(facts(objections=(stop,))))
    assert (answer.kind, answer.deciding.rests_on) == (RefusalKind.HUMAN, OTHER)


def test_the_protection_of_a_child_waits_for_no_near_match(ask: Ask) -> None:
    """What would not stop it if it were certain does not stop it by a near match."""
    child = facts("STAMMDATEN", "ANSCHRIFT", "KINDESWOHL", recipient=party("JUGENDAMT_ASD"), mode=Mode.UNAUFGEFORDERT)
    child = replace(child, purpose=Purpose("KINDERSCHUTZ"), declarations=Declarations(gewichtige_anhaltspunkte=True))
    stop = Objection(DAY, ObjectionScope.ALLE, near=True, recorded_by=OTHER)
    assert isinstance(ask(replace(child, objections=(stop,))), Permit)
    other = replace(child, purpose=Purpose("ANTRAGSWEITERLEITUNG"), objections=(stop,))
    assert refused(ask(other)).kind is RefusalKind.HUMAN


def test_a_row_on_request_only_is_no_ground_otherwise(catalogue: Catalogue) -> None:
    """UNAUFGEFORDERT has no ground there; a request and a regular delivery have."""
    purposes = tuple(
        replace(row, nur_auf_ersuchen=True) if isinstance(row, PurposeRow) and row.code == "RECHTSKREISWECHSEL" else row
        for row in catalogue.tables["purpose"]
    )
    strict = assemble({**catalogue.tables, "purpose": purposes}, b"")
    answer = refused(decide(facts(mode=Mode.UNAUFGEFORDERT), strict, DAY))
    assert (answer.code, answer.kind) == ("KEIN_GRUND", RefusalKind.NOT_PERMITTED)
    assert isinstance(decide(facts(), strict, DAY), Permit)
    assert refused(decide(facts(mode=Mode.REGELMAESSIG), strict, DAY)).deciding.gate == "G9"


def test_only_what_was_received_contested_travels_as_contested(ask: Ask) -> None:
    """A mark of the origin says nothing of an item that was not received; what was received under it keeps it."""
    origin = Received(UnitCode.SOZIALAMT_SGBXII, Purpose("RECHTSKREISWECHSEL"), OriginMark.STRITTIG)
    for marks, owed in ((frozenset({OriginMark.SELBST}), False), (frozenset({OriginMark.EMPFANGEN}), True)):
        status = replace(items("LEISTUNGSBEZUG")[0], marks=marks)
        given = facts(items=(*items("STAMMDATEN"), status), declarations=Declarations(received=origin))
        assert ("STRITTIG_VERMERK" in permitted(ask(given)).duties) is owed
