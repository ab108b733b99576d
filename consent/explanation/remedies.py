"""What the sender can do: advice that takes the reason away, or the plain word that nothing does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import Enum, auto

from consent.consents import Circumstances
from consent.decision import Finding, Outcome
from consent.explanation.sentences import USUAL, CodeSaid, ConditionSaid, Said
from consent.explanation.variants import OF_SEVERAL, TAX_ID, condition_of, is_consent, named, variant
from consent.explanation.words import Words
from consent.facts import FirstCollection, Item
from consent.gates.case import Case, all_marks
from consent.gates.grounds import basis
from consent.rows import CategoryClass, Fulfilled
from schemas.identifiers import DataCategory, OriginMark

ABOUT_CONSENT = frozenset({"PAR65", "PAR76", "PAR203", "PAR68", "KEIN_GRUND"})
"""Codes, beside those of faulty consents, against which a consent is asked for."""


WITHOUT_CONSENT = frozenset(
    {"luecke", "intern", "gesperrt", "auf_ersuchen", "einzelfall", "leitung", "par87", "anhaltspunkte", "mensch"}
)
"""Variants of such codes that no consent mends."""


class Help(Enum):
    """Whether what a sentence advises can help at all."""

    USUAL = auto()
    NOT_NEEDED = auto()
    """The purpose does not need the data on this route: whatever opens, they fall."""
    PERSON = auto()
    """No consent carries the data on this route: the person can tell them herself or himself."""


@dataclass(frozen=True, slots=True)
class Group:
    """Items that fell at one gate for one reason; or what is left, where the case ended."""

    finding: Finding
    items: tuple[Item, ...]
    variant: str
    condition: str | None = None
    help: Help = field(default=Help.USUAL)

    @property
    def categories(self) -> tuple[DataCategory, ...]:
        """The categories of the items, each once."""
        return tuple(dict.fromkeys(item.category for item in self.items))


def groups(case: Case, findings: Iterable[Finding]) -> list[Group]:
    """Return what fell, by finding and by the sentence that fits."""
    items = {item.id: item for item in case.facts.items}
    found: dict[tuple[int, str, str | None, Help], list[Item]] = {}
    removals = [f for f in findings if f.outcome is Outcome.REMOVE and f.gate]
    for place, finding in enumerate(removals):
        for item in (items[block] for block in finding.items):
            chosen = variant(case, finding, item)
            asked = finding.code == "NICHT_ERFORDERLICH" and finding.gate == "G6" and chosen == USUAL
            condition = condition_of(case, item.category) if asked else None
            helps = _helps(case, finding, item, condition)
            found.setdefault((place, chosen, condition, helps), []).append(item)
    return [Group(removals[place], tuple(of), chosen, on, helps) for (place, chosen, on, helps), of in found.items()]


def deciding_groups(case: Case, finding: Finding, kept: Sequence[Item]) -> list[Group]:
    """Return what is left where the case ended; where a consent is asked for, by whether it can carry the data."""
    chosen = variant(case, finding, None)
    if not _about_consent(finding) or chosen in WITHOUT_CONSENT:
        return [Group(finding, tuple(kept), chosen)]
    found: dict[Help, list[Item]] = {}
    for item in kept:
        found.setdefault(_helps(case, finding, item, None), []).append(item)
    return [
        Group(finding, tuple(of), chosen, help=helps) for helps, of in sorted(found.items(), key=lambda it: it[0].value)
    ]


def _helps(case: Case, finding: Finding, item: Item, condition: str | None) -> Help:
    if not named(case, item.category):
        return Help.NOT_NEEDED
    by_opinion = condition is not None and case.day.conditions[condition].how is Fulfilled.GUTACHTEN
    told = by_opinion and OriginMark.SELBST in all_marks(case, item)
    return Help.PERSON if told or _never_by_consent(case, finding, item) else Help.USUAL


def _never_by_consent(case: Case, finding: Finding, item: Item) -> bool:
    """Whether these are health data on a route that consent alone carries (settled reading C 14)."""
    if not _about_consent(finding) or case.klass(item) is not CategoryClass.G or case.internal:
        return False
    found = basis(case)
    return found is not None and not found.by_statute and "GESUNDHEIT_EINWILLIGUNG_ALLEIN" not in case.switches


def _about_consent(finding: Finding) -> bool:
    code = finding.code or ""
    return code in ABOUT_CONSENT or code.startswith("EINWILLIGUNG_")


def remedy(words: Words, group: Group, on: date) -> str:
    """Say what the sender can do about a group; `on` is the day of the decision."""
    said = _said(words, group).remedy
    names = words.categories(group.categories)
    return words.fill(
        said,
        kategorien=names,
        einwilligung=_consent(words, group),
        vertretung=_represented(words, group),
        alter=_age(words, group),
        **figures(words.case),
        **_term(words, on),
    ).strip()


def _said(words: Words, group: Group) -> CodeSaid | ConditionSaid:
    codes, finding = words.all.codes, group.finding
    if group.help is Help.NOT_NEEDED:
        return codes["NICHT_ERFORDERLICH", "G6", group.variant if group.variant == TAX_ID else USUAL]
    if group.help is Help.PERSON:
        return codes["KEIN_GRUND", "G5", "gesundheit"]
    if group.condition:
        return words.condition(group.condition)
    return (
        codes.get((finding.code or "", finding.gate, group.variant)) or codes[finding.code or "", finding.gate, USUAL]
    )


def _consent(words: Words, group: Group) -> str:
    """Ask for a consent: in writing for health data, by whoever decides, and of the whole household where it counts."""
    case = words.case
    health = any(case.klass(item) is CategoryClass.G for item in group.items)
    asked = words.frame("consent_written" if health else "consent", kategorien=words.categories(group.categories))
    several = any(_of_household(case, category) for category in group.categories)
    return asked + _represented(words, group) + (f" {words.frame('consent_household')}" if several else "")


def _of_household(case: Case, category: DataCategory) -> bool:
    condition = condition_of(case, category)
    return category in OF_SEVERAL and condition is not None and is_consent(case, condition)


def _represented(words: Words, group: Group) -> str:
    """Say who consents for those who may not decide alone, or that an age is missing; nothing where all are of age."""
    young = any(one.age is not None and one.age < one.adult_age for one in _around(words.case, group))
    return _age(words, group) or (f" {words.frame('consent_represented')}" if young else "")


def _age(words: Words, group: Group) -> str:
    """Ask for an age that is missing: without it nobody knows who decides, and no consent counts."""
    unknown = any(one.age is None for one in _around(words.case, group))
    return f" {words.frame('consent_age')}" if unknown else ""


def _around(case: Case, group: Group) -> list[Circumstances]:
    return [case.circumstances(item.person) for item in group.items or case.facts.items]


def figures(case: Case) -> dict[str, int]:
    """Return the figures of the law that sentences name."""
    known = case.day.parameters
    return {"tage": known["ERSTERHEBUNG_FRIST_TAGE"], "monate": known["ERSUCHEN_MONATE"]}


def _term(words: Words, on: date) -> dict[str, str]:
    """Say until when the person has to be given time to answer, and from when on the recipient can ask again."""
    least = timedelta(days=words.case.day.parameters["ERSTERHEBUNG_FRIST_TAGE"])
    until = _asked_until(words.case.facts.first_collection, on, least)
    return {"frist": words.day(until), "ab": words.day(until + timedelta(days=1))}


def _asked_until(record: FirstCollection | None, on: date, least: timedelta) -> date:
    """Return the first deadline that is long enough: of the question that was asked, or of one asked on the day."""
    if record is None or record.asked is None or record.deadline is None:
        return on + least
    return max(record.deadline, record.asked + least)


def said_why(words: Words, finding: Finding, chosen: str) -> Said:
    """Return the sentence that says why."""
    codes, code = words.all.codes, finding.code or ""
    return (codes.get((code, finding.gate, chosen)) or codes[code, finding.gate, USUAL]).why
