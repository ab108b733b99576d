"""What holds for every transfer: purity, order, and that what stands against it never helps an item.

An item *falls by itself* where it is among the removed of the answer, permit or refusal. A refusal of a case may
stop before a gate that would have taken an item; so the promise is about items: what fell by itself does not pass when
less speaks for the transfer or more against it, or when the message holds more. Adding an item may rescue the case as a
whole (the useful remainder), never an item that fell. One path is the law's own (reading C 18): a first collection by
consent holds where the consent names *one* item, so another item can fulfil ERS for all; there it is left out.
Of messages about one person more is true: a refused one stays refused, and nothing passes that did not pass before.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from consent.catalogue import load_catalogue
from consent.decision import Decision, Permit, Refusal
from consent.engine import decide
from consent.facts import Item, Objection, ObjectionScope, TransferFacts
from consent.gates.case import SILENT_MARKS
from schemas.identifiers import DataCategory, OriginMark, UnitCode
from tests.consent.samples import DAY, fallen, kept
from tests.consent.strategies import blocks, transfers

CATALOGUE = load_catalogue()
SUPPORTING: dict[str, Any] = {
    **dict.fromkeys(["par64_2_erfolg_gefaehrdet", "fachkraft", "par65_key", "anvertraut_von", "hinweis_par76"]),
    **dict.fromkeys(["verpflichtung_privat", "verfahren", "haushaltsmitglieder_eingewilligt", "sorge"]),
    **dict.fromkeys(["betreuer_aufgabenkreis", "kategorien_erklaert"]),
    **dict.fromkeys(["gewichtige_anhaltspunkte", "dringend", "leitung_entschieden", "norm", "richterliche_anordnung"]),
    **dict.fromkeys(["mahnung_am", "mahnung_mit_hinweis", "frist_bis", "gerichtsverfahren", "nachweis_fuer_anspruch"]),
    **dict.fromkeys(["fortdauernder_zustand"]),
    "bedingungen": frozenset(),
    "gefahrrelevant": frozenset(),
}
"""Supporting declarations and their absence. Not `verfahrensbeginn` (C 8) and `ersuchen_vom` (C 15): their absence can
help, because the reading puts another day in their place."""
OPPOSING: dict[str, Any] = {
    "konkreter_bedarf": False,
    "par64_2_erfolg_gefaehrdet": "ja",
    "anhaltspunkte_schutz": True,
    "schutzanschrift_im_register": True,
    "anzahl_personen": 51,
    "ordnungsmerkmal_typ": "STEUER_IDNR",
    "anhang": "a.pdf",
}
LOCKS = st.sampled_from([OriginMark.ANVERTRAUT_65, OriginMark.ARZT_203])


def answer(given_facts: TransferFacts) -> Decision:
    """Return the decision of the sample day."""
    return decide(given_facts, CATALOGUE, DAY)


def alone(given_facts: TransferFacts) -> bool:
    """Whether one person stands behind the items, and no Beistand sends (whose rule is about the whole message)."""
    persons = {item.person for item in given_facts.items}
    return len(persons) == 1 and given_facts.sender.unit is not UnitCode.JUGENDAMT_BEISTAND


def stricter(before: TransferFacts, after: TransferFacts) -> None:
    """Assert that `after`, which has less for it or more against it, lets nothing through that had fallen."""
    old, new = answer(before), answer(after)
    assert kept(new).isdisjoint(block for block, _ in fallen(old))
    if alone(before) and isinstance(old, Refusal):
        assert isinstance(new, Refusal)
    if alone(before):
        assert kept(new) <= kept(old)


@given(transfers())
def test_the_same_facts_give_the_same_answer(given_facts: TransferFacts) -> None:
    """Deciding twice gives equal answers, whose parts add up to the message."""
    one = answer(given_facts)
    assert one == answer(given_facts)
    gone = [removed.block for removed in one.removed]
    assert len(gone) == len(set(gone))
    if isinstance(one, Permit):
        assert [*sorted((*one.kept, *gone))] == sorted(item.id for item in given_facts.items)
    else:
        assert one.deciding in one.findings
        assert one.kind is one.deciding.kind


@given(transfers(), st.randoms(use_true_random=False))
def test_order_does_not_matter(given_facts: TransferFacts, dice: Any) -> None:
    """Items, persons, consents and objections in another order: the same items pass, and the same gate decides.

    The code of a refusal may be that of another item: by reading C 17 the first in the message's order gives it.
    """

    def shuffled(values: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(dice.sample(values, len(values)))

    other = replace(
        given_facts,
        items=shuffled(given_facts.items),
        persons=shuffled(given_facts.persons),
        consents=shuffled(given_facts.consents),
        objections=shuffled(given_facts.objections),
    )
    one, two = answer(given_facts), answer(other)
    assert (type(one), kept(one), fallen(one)) == (type(two), kept(two), fallen(two))
    if isinstance(one, Permit) and isinstance(two, Permit):
        assert (one.duties, one.grounds, one.consents) == (two.duties, two.grounds, two.consents)
    if isinstance(one, Refusal) and isinstance(two, Refusal):
        assert one.deciding.gate == two.deciding.gate


@given(transfers())
def test_withdrawing_every_consent_helps_no_item(given_facts: TransferFacts) -> None:
    """A consent withdrawn by the day carries and opens nothing."""
    stricter(
        given_facts,
        replace(given_facts, consents=tuple(replace(consent, revoked=DAY) for consent in given_facts.consents)),
    )


@given(transfers(), st.data())
def test_withdrawing_one_consent_helps_no_item(given_facts: TransferFacts, data: st.DataObject) -> None:
    """Nor does the withdrawal of one of several."""
    assume(given_facts.consents)
    place = data.draw(st.integers(0, len(given_facts.consents) - 1))
    consents = list(given_facts.consents)
    consents[place] = replace(consents[place], revoked=DAY)
    stricter(given_facts, replace(given_facts, consents=tuple(consents)))


@given(transfers(), st.sampled_from(sorted(SUPPORTING)))
def test_dropping_a_supporting_declaration_helps_no_item(given_facts: TransferFacts, field: str) -> None:
    """An absent supporting declaration counts as not given."""
    stricter(
        given_facts, replace(given_facts, declarations=replace(given_facts.declarations, **{field: SUPPORTING[field]}))
    )


@given(transfers())
def test_dropping_the_first_collection_helps_no_item(given_facts: TransferFacts) -> None:
    """A request without a record of the first collection is incomplete."""
    stricter(given_facts, replace(given_facts, first_collection=None))


@given(transfers(), st.frozensets(st.sampled_from(DataCategory)))
def test_a_narrower_request_helps_no_item(given_facts: TransferFacts, named: frozenset[DataCategory]) -> None:
    """An Ersuchen that names some categories lets through no more than one that is taken to name all."""
    stricter(given_facts, replace(given_facts, requested=named))


@given(transfers(), st.sampled_from(sorted(OPPOSING)))
def test_adding_an_opposing_declaration_helps_no_item(given_facts: TransferFacts, field: str) -> None:
    """What stands against a transfer never opens anything."""
    stricter(
        given_facts, replace(given_facts, declarations=replace(given_facts.declarations, **{field: OPPOSING[field]}))
    )


@given(transfers(), st.sampled_from(ObjectionScope), st.booleans())
def test_adding_an_objection_helps_no_item(given_facts: TransferFacts, scope: ObjectionScope, near: bool) -> None:
    """An objection or opt-out, found exactly or nearly, never opens anything."""
    objection = Objection(DAY, scope, near=near)
    stricter(given_facts, replace(given_facts, objections=(*given_facts.objections, objection)))


@given(transfers(), LOCKS, st.data())
def test_adding_a_lock_helps_no_item(given_facts: TransferFacts, lock: OriginMark, data: st.DataObject) -> None:
    """A further lock on one item, beside the marks that it has, lets neither it nor another one through."""
    place = data.draw(st.integers(0, len(given_facts.items) - 1))
    items = list(given_facts.items)
    day = CATALOGUE.as_of(DAY)
    own = items[place].marks
    if not own - SILENT_MARKS:
        own |= day.sent_marks[given_facts.sender.unit, items[place].category]
    items[place] = replace(items[place], marks=own | {lock})
    stricter(given_facts, replace(given_facts, items=tuple(items)))


@given(transfers(), st.data())
def test_adding_an_item_rescues_no_other(given_facts: TransferFacts, data: st.DataObject) -> None:
    """What fell by itself stays fallen when the message holds more."""
    assume(given_facts.first_collection is None or given_facts.first_collection.status != "EINWILLIGUNG")
    more: Item = data.draw(blocks("neu", 2))
    bigger = replace(given_facts, items=(*given_facts.items, more))
    gone = {block for block, _ in fallen(answer(given_facts))}
    assert kept(answer(bigger)).isdisjoint(gone)


@given(transfers())
def test_nothing_passes_without_a_row(given_facts: TransferFacts) -> None:
    """Whatever is declared, an item passes only in a category that the row of the route names."""
    decided = answer(given_facts)
    assume(given_facts.purpose != "INTERN_67C")
    row = CATALOGUE.as_of(DAY).routes.get((given_facts.purpose, given_facts.sender.unit, given_facts.recipient.unit))
    named = {*row.necessary, *row.conditional} if row else set()
    assert {item.category for item in given_facts.items if item.id in kept(decided)} <= named


@given(transfers())
def test_texts_name_no_value(given_facts: TransferFacts) -> None:
    """No finding repeats an id, a person reference or an instance: they name categories and units in German."""
    marked = replace(given_facts, transfer_id="GEHEIM", payload_digest="GEHEIM")
    marked = replace(marked, items=tuple(replace(item, id=f"GEHEIM-{item.id}") for item in marked.items))
    for finding in answer(marked).findings:
        assert "GEHEIM" not in finding.text
        assert "{" not in finding.text
        assert finding.norms or finding.outcome.value == "pass"
