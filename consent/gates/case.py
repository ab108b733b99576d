"""What every gate looks at and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import date

from consent import consents as declared
from consent.catalogue_day import CatalogueDay
from consent.consents import Circumstances, Consent
from consent.decision import Missing, RefusalKind
from consent.facts import Item, Objection, PersonFacts, TransferFacts
from consent.rows import CategoryClass, NecessityRow, PurposeRow, UnitRow
from schemas.identifiers import Mode, OriginMark

SENDER = "sender"
RECIPIENT = "recipient"
SILENT_MARKS = frozenset({OriginMark.STRITTIG, OriginMark.DRITTER})
"""Marks that go beside another one and change nothing of the outcome (settled reading B)."""
_TRAVELS = frozenset({OriginMark.BEISTAND})
REQUESTED = frozenset({Mode.ERSUCHEN, Mode.ABRUF})


@dataclass(frozen=True, slots=True)
class Stop:
    """The whole case ends here. `kind` None: the kind of the code's row."""

    code: str
    kind: RefusalKind | None = None
    missing: tuple[Missing, ...] = ()
    norms: tuple[str, ...] = ()
    rests_on: str | None = None


@dataclass(frozen=True, slots=True)
class Fall:
    """One item falls, the case goes on."""

    item: Item
    code: str
    norms: tuple[str, ...] = ()
    missing: tuple[Missing, ...] = ()
    rests_on: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """A gate's answer: a stop, falling items, or a pass; `asked` False = the gate had nothing to ask.

    `norms` on which it was passed; none: those of the gate's row.
    """

    asked: bool = True
    stop: Stop | None = None
    falls: tuple[Fall, ...] = ()
    norms: tuple[str, ...] = ()
    rests_on: str | None = None


NOT_ASKED = Verdict(asked=False)
PASSED = Verdict()


@dataclass(slots=True)
class Case:
    """One transfer on its way through the gates. `kept` is what has not fallen yet; only the engine sets it."""

    facts: TransferFacts
    day: CatalogueDay
    on: date
    switches: frozenset[str]
    sender: UnitRow
    recipient: UnitRow
    purpose: PurposeRow
    row: NecessityRow | None
    internal: bool
    """Sender and recipient are one controller (settled reading C 5)."""
    kept: tuple[Item, ...]
    persons: dict[str, PersonFacts]
    consents: dict[str, tuple[Consent, ...]]
    """By person, in the order of their ids, so that the order of the facts does not matter."""
    relied: set[str] = field(default_factory=set)
    """Ids of the consents that opened or carried something."""
    collected: bool | None = None
    """Whether G7 passes, asked once at G6 for the condition ERS."""
    _faults: dict[int, str | None] = field(default_factory=dict)
    _around: dict[str, Circumstances] = field(default_factory=dict)

    @property
    def obligation(self) -> bool:
        """The row is MUSS (`pflicht`): of the route, or of its purpose."""
        return self.purpose.pflicht or (self.row is not None and self.row.pflicht)

    @property
    def requested(self) -> bool:
        """Requested or retrieved: the recipient collects (settled reading C 18)."""
        return self.facts.mode in REQUESTED

    def klass(self, item: Item) -> CategoryClass:
        """Return the sensitivity class of an item."""
        return self.day.categories[item.category].klass

    def circumstances(self, person: str) -> Circumstances:
        """Return what a declaration of this person is judged against."""
        if person not in self._around:
            self._around[person] = self._circumstances(person)
        return self._around[person]

    def _circumstances(self, person: str) -> Circumstances:
        facts, figures = self.facts, self.day.parameters
        known = self.persons.get(person)
        return Circumstances(
            purpose=facts.purpose,
            recipient=facts.recipient.instance,
            on=self.on,
            age=None if known is None else known.age,
            sole_custody=facts.declarations.sorge == "allein",
            carer_covers=facts.declarations.betreuer_aufgabenkreis is True,
            insight_age=figures["EINSICHT_ALTER"],
            adult_age=figures["VOLLJAEHRIG_ALTER"],
            default_months=figures["EINWILLIGUNG_MONATE"],
            health_form=bool(figures.get("EINWILLIGUNG_GESUNDHEIT_FORM")),
            one_parent_for_e="SORGE_EIN_ELTERNTEIL_KLASSE_E" in self.switches,
        )

    def fault(self, consent: Consent) -> str | None:
        """Return the first case-wide fault of a consent, None where it is valid for purpose, recipient and day."""
        key = id(consent)
        if key not in self._faults:
            self._faults[key] = declared.fault(consent, self.circumstances(consent.person)) or self._overruled(consent)
        return self._faults[key]

    def _overruled(self, consent: Consent) -> str | None:
        """Return the code of a no of the person on another record that is not older than this yes."""
        facts = self.facts
        for other in self.consents[consent.person]:
            code = declared.stops(other, facts.purpose, facts.recipient.instance, self.on)
            if code is not None and consent.granted is not None and declared.said_no(other, self.on) >= consent.granted:
                return code
        return None

    def rests_on(self, holds: Callable[[Case], object], otherwise: str | None) -> str | None:
        """Return on whose record it rests that something does not hold here.

        On that of another than the sender where it would hold without what that one has against it, and nowhere else:
        whatever fell for a reason of the sender's own falls in the same words, whether others have something on record
        or not. So no answer tells the sender that they have. Of several others: the one whose record alone decides,
        else the first by name.
        """
        others = self._opponents()
        if not others or not holds(self._without(others)):
            return otherwise
        alone = (by for by in others if holds(self._without((by,))))
        return next(alone, others[0])

    def _opponents(self) -> tuple[str, ...]:
        """Return who else than the sender has something on record against the case, by name."""
        found = {consent.recorded_by for given in self.consents.values() for consent in given if self._is_no(consent)}
        found |= {objection.recorded_by for objection in self.objections()}
        return tuple(sorted(by for by in found if by not in (None, self.facts.sender.instance)))

    def _without(self, recorders: tuple[str, ...]) -> Case:
        """Return the case without what some have on record against it."""
        objections = tuple(one for one in self.facts.objections if one.recorded_by not in recorders)
        return replace(
            self,
            facts=replace(self.facts, objections=objections),
            consents={
                who: tuple(one for one in given if one.recorded_by not in recorders or not self._is_no(one))
                for who, given in self.consents.items()
            },
            collected=None,
            relied=set(),
            _faults={},
        )

    def _is_no(self, consent: Consent) -> bool:
        facts = self.facts
        return declared.stops(consent, facts.purpose, facts.recipient.instance, self.on) is not None

    def first_own(self, recorders: Iterable[str | None]) -> str | None:
        """Return on whose record it rests where it rests on each of several: the sender's, where it has one of them."""
        found = {recorder for recorder in recorders if recorder is not None}
        own = self.facts.sender.instance
        return own if own in found else min(found, default=None)

    def item_fault(self, consent: Consent, item: Item) -> str | None:
        """Return the first fault of a consent for this item, case-wide ones first; naming is not asked here."""
        if whole := self.fault(consent):
            return whole
        return declared.item_fault(consent, self.klass(item), self.circumstances(item.person))

    def covering(self, item: Item) -> tuple[Consent, ...]:
        """Return the valid consents of the item's own person that name its category."""
        return tuple(
            consent
            for consent in self.consents.get(item.person, ())
            if consent.names(item.category) and self.item_fault(consent, item) is None
        )

    def rely(self, consent: Consent) -> Consent:
        """Note that something rests on this consent, and hand it back."""
        self.relied.add(consent.id)
        return consent

    def concerned(self) -> tuple[str, ...]:
        """Return the persons of whom items are left, in the order of the message."""
        return tuple(dict.fromkeys(item.person for item in self.kept))

    def objections(self, item: Item | None = None) -> tuple[Objection, ...]:
        """Return the objections dated on or before the day; with an item, those of its person or of the case."""
        return tuple(
            objection
            for objection in self.facts.objections
            if objection.date <= self.on and (item is None or objection.person in {None, item.person})
        )


def marks(case: Case, item: Item) -> frozenset[OriginMark]:
    """Return the origin marks that count: the declared ones, else the default (settled reading B)."""
    declared_marks = item.marks and item.marks - SILENT_MARKS
    return declared_marks or case.day.sent_marks[case.sender.code, item.category]


def travelling(case: Case, item: Item) -> frozenset[OriginMark]:
    """Return the marks under which a received item came: declared, else the default of the unit it came from (C 11).

    BEISTAND travels where the item itself has it, whatever is declared beside it.
    """
    origin, own = item.received or case.facts.declarations.received, item.marks & _TRAVELS
    if origin.ursprungsmarke is None or origin.ursprungsmarke in SILENT_MARKS | {OriginMark.EMPFANGEN}:
        return own | case.day.received_marks[origin.ursprung, item.category]
    return own | {origin.ursprungsmarke}


def all_marks(case: Case, item: Item) -> frozenset[OriginMark]:
    """Return the marks of an item, those under which it was received included."""
    own = marks(case, item)
    return own | travelling(case, item) if OriginMark.EMPFANGEN in own else own


def missing(field_name: str, by: str) -> tuple[Missing, ...]:
    """Name one declaration that is missing, and the side that has to give it."""
    return (Missing(field_name, by),)
