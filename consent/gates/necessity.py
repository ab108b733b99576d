"""G6 NECESSITY: only the categories that the purpose needs on this route; and whether what is left is of use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from consent import consents as declared
from consent.facts import Item
from consent.gates.case import NOT_ASKED, SENDER, Case, Fall, Verdict, missing
from consent.gates.collection import collection
from consent.gates.keys import opinion_open
from consent.rows import ConditionRow, Fulfilled
from schemas.identifiers import DataCategory, Part

NOT_NEEDED = "NICHT_ERFORDERLICH"
OF_SEVERAL = frozenset({DataCategory.HAUSHALT, DataCategory.UNTERHALT})
"""Categories that concern others beside the one who consents (dossier 6.4)."""
_MERE_IDENTITY = frozenset({DataCategory.STAMMDATEN, DataCategory.ORDNUNGSMERKMAL})
_CHILD_FROM, _CHILD_TO = 12, 17


def necessity(case: Case) -> Verdict:
    """G6: an item passes that the row of the route needs, or whose condition is fulfilled; the rest falls.

    Norm: SGB X § 69 Abs. 1, DSGVO Art. 5 Abs. 1 Buchst. c. Readings C 16, A 3: the most explicit row counts alone; the
    tax id as a key falls; HAUSHALT and UNTERHALT on consent need the consent of the household's other members, too. The
    use by one controller has no row and is not asked (C 5).
    """
    if case.purpose.nur_intern:
        return NOT_ASKED
    falls = tuple(fall for item in case.kept if (fall := _item(case, item)) is not None)
    return Verdict(falls=falls, norms=case.row.norms if case.row else ())


def useful(case: Case) -> bool:
    """Whether what is left carries the purpose (reading C 17): something of the kern, or more than mere identity."""
    left = {item.category for item in case.kept}
    kern = (case.row.kern if case.row else ()) or case.purpose.kern
    return not left.isdisjoint(kern) if kern else not left <= _MERE_IDENTITY


def _item(case: Case, item: Item) -> Fall | None:
    if _tax_id(case, item):
        return Fall(item, NOT_NEEDED, norms=("IDNrG",))
    if case.row is None:
        return Fall(item, NOT_NEEDED)
    if item.category in case.row.necessary:
        return None
    code = case.row.conditional.get(item.category)
    if code is None:
        return Fall(item, NOT_NEEDED)
    condition = case.day.conditions[code]
    if condition.how is Fulfilled.EINWILLIGUNG:
        return _by_consent(case, item)
    fulfilled = FULFILLED[condition.how]
    if fulfilled(case, item, condition):
        return None
    return Fall(item, NOT_NEEDED, rests_on=case.rests_on(lambda other: fulfilled(other, item, condition), None))


def _tax_id(case: Case, item: Item) -> bool:
    """Tell whether the item is the tax id, which is a key nowhere here (IDNrG)."""
    declared_type = case.facts.declarations.ordnungsmerkmal_typ
    by_type = item.category is DataCategory.ORDNUNGSMERKMAL and declared_type == Part.STEUER_IDNR
    return by_type or item.part is Part.STEUER_IDNR


def _by_consent(case: Case, item: Item) -> Fall | None:
    """EW: a valid consent names the category; where one names it and is faulty, the fault is the code (D 22)."""
    if consents := case.covering(item):
        if item.category in OF_SEVERAL and case.facts.declarations.haushaltsmitglieder_eingewilligt is not True:
            return Fall(item, declared.FALSCHE_PERSON)
        case.rely(consents[0])
        return None
    naming = [
        (fault, consent)
        for consent in case.consents.get(item.person, ())
        if consent.names(item.category) or declared.UNLIMITED in consent.categories
        if (fault := case.item_fault(consent, item)) is not None
    ]
    if not naming:
        return Fall(item, NOT_NEEDED)
    code = max((fault for fault, _ in naming), key=declared.ORDER.index)
    lacks = missing("alter", SENDER) if code == declared.AGE_UNKNOWN else ()
    recorded = case.first_own(consent.recorded_by for fault, consent in naming if fault == code)
    return Fall(item, code, missing=lacks, rests_on=case.rests_on(lambda other: other.covering(item), recorded))


def _listed(case: Case, item: Item, condition: ConditionRow) -> bool:
    """Tell whether the sender declares it, or the element holds nothing more than the condition says."""
    return condition.code in case.facts.declarations.bedingungen or item.part in condition.part


def _element(case: Case, item: Item, condition: ConditionRow) -> bool:  # noqa: ARG001  one signature for all
    """Tell whether the element holds nothing more than the condition says."""
    return item.part in condition.part


def _not_german(case: Case, item: Item, condition: ConditionRow) -> bool:
    """Tell whether it is declared and nothing in the message says the contrary."""
    person = case.persons.get(item.person)
    return _listed(case, item, condition) and (person is None or person.german is not True)


def _older_child(case: Case, item: Item, condition: ConditionRow) -> bool:
    person = case.persons.get(item.person)
    is_child = person is not None and person.is_child and person.age is not None
    return _listed(case, item, condition) or (
        is_child and person is not None and person.age is not None and _CHILD_FROM <= person.age <= _CHILD_TO
    )


def _continuing(case: Case, item: Item, condition: ConditionRow) -> bool:  # noqa: ARG001  one signature for all
    return case.facts.declarations.fortdauernder_zustand is True


def _relevant(case: Case, item: Item, condition: ConditionRow) -> bool:  # noqa: ARG001  one signature for all
    """REL: the sender declares the category as relevant to the danger."""
    return item.category in case.facts.declarations.gefahrrelevant


def _proves_claim(case: Case, item: Item, condition: ConditionRow) -> bool:  # noqa: ARG001  one signature for all
    return case.facts.declarations.nachweis_fuer_anspruch is True


def _inside(case: Case, item: Item, condition: ConditionRow) -> bool:  # noqa: ARG001  one signature for all
    return case.internal


def _requested(case: Case, item: Item, condition: ConditionRow) -> bool:  # noqa: ARG001  one signature for all
    """ERS: requested or retrieved, by an Ersuchen that names the category, and G7 passes."""
    named = case.facts.requested is None or item.category in case.facts.requested
    if case.collected is None:
        case.collected = case.requested and collection(case).stop is None
    return named and case.collected


def _opinion(case: Case, item: Item, condition: ConditionRow) -> bool:  # noqa: ARG001  one signature for all
    return opinion_open(case, item)


FULFILLED: Mapping[Fulfilled, Callable[[Case, Item, ConditionRow], bool]] = MappingProxyType(
    {
        Fulfilled.ERKLAERT: _listed,
        Fulfilled.ELEMENT: _element,
        Fulfilled.NICHT_DEUTSCH: _not_german,
        Fulfilled.KIND: _older_child,
        Fulfilled.ERSUCHEN: _requested,
        Fulfilled.GUTACHTEN: _opinion,
        Fulfilled.FORTDAUERND: _continuing,
        Fulfilled.GEFAHRRELEVANT: _relevant,
        Fulfilled.NACHWEIS: _proves_claim,
        Fulfilled.INTERN: _inside,
    }
)
"""How a condition is fulfilled; consent is asked apart because its faults have codes of their own."""
