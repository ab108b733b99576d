"""The argument of a decision: what was wanted, what is lawful on which norm, what falls, what helps, what follows.

Pure, and made when somebody asks; nothing of it runs when a transfer is decided. It names units, categories, norms and
days; no value, no name and no reference of a person stands in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from consent.catalogue import Catalogue
from consent.decision import Decision, Finding, Outcome, Permit, Refusal, RefusalKind, Removed
from consent.engine import open_case
from consent.explanation.sentences import USUAL, CodeSaid, Language, sentences
from consent.explanation.variants import TAX_ID, condition_of, is_consent, named, variant
from consent.explanation.words import Words
from consent.facts import FirstCollection, Item, TransferFacts
from consent.gates.case import RECIPIENT, Case
from consent.gates.grounds import basis
from consent.gates.necessity import useful
from consent.owed import due
from consent.rows import CategoryClass, DutyRow, Lasts, SwitchRow
from schemas.identifiers import DataCategory

CASE = "case"
"""The occasion of a decision that belongs to no transfer, as in case files."""


@dataclass(frozen=True, slots=True)
class Reasons:
    """A decision as somebody may see it, with the facts that it was taken on."""

    facts: TransferFacts
    on: date
    findings: tuple[Finding, ...]
    removed: tuple[Removed, ...]
    kind: RefusalKind | None = None
    """None: it is a permit."""
    duties: tuple[str, ...] = ()
    consents: int = 0
    """How many consents it relied on."""
    switches: tuple[str, ...] = ()
    occasion: str = CASE
    """``submit``, ``check``, ``hand_over``, ``event`` or ``case``."""
    handed_over: date | None = None
    """The day on which the content was handed over; terms begin then."""
    concealed: bool = False
    """Some of its findings rest on records that this reader may not know of."""
    rejected: bool = False
    """Something fell, and the sender had asked to send all or nothing."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence, and the codes that it says: for machines that show it in their own way."""

    text: str
    norms: tuple[str, ...] = ()
    code: str | None = None
    categories: tuple[DataCategory, ...] = ()
    due: date | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """Sentences about one question; `key` is stable, `title` is for people."""

    key: str
    title: str
    sentences: tuple[Sentence, ...]


def reasons_of(decision: Decision, facts: TransferFacts, *, handed_over: date | None = None) -> Reasons:
    """Return a decision about a case with all its findings, as whoever may see everything sees it."""
    permit = decision if isinstance(decision, Permit) else None
    return Reasons(
        facts=facts,
        on=decision.basis.on,
        findings=decision.findings,
        removed=decision.removed,
        kind=decision.kind if isinstance(decision, Refusal) else None,
        duties=permit.duties if permit else (),
        consents=len(permit.consents) if permit else 0,
        switches=decision.basis.switches,
        handed_over=handed_over,
    )


def explain(reasons: Reasons, catalogue: Catalogue, language: Language) -> tuple[Section, ...]:
    """Explain a decision by the catalogue that it was taken on; sections without a sentence are left out.

    Where the catalogue of that day does not even know the purpose or the units, it says no more than that.
    """
    switches = frozenset(reasons.switches)
    try:
        case = open_case(reasons.facts, catalogue.as_of(reasons.on, switches), reasons.on, switches)
    except KeyError:
        return _unknown(language)
    points = {row.code: row for row in catalogue.tables["switch"] if isinstance(row, SwitchRow)}
    told = _Argument(reasons, case, Words(case, language), points)
    parts = {
        "wanted": told.wanted(),
        "outcome": told.outcome(),
        "grounds": told.grounds(),
        "removed": told.fallen(),
        "remedies": told.remedies(),
        "duties": told.obliges(),
        "switches": told.disputed(),
    }
    said = {key: tuple(dict.fromkeys(found)) for key, found in parts.items()}
    titles = told.words.all.titles
    return tuple(Section(key, titles[key].spoken(language), found) for key, found in said.items() if found)


def _unknown(language: Language) -> tuple[Section, ...]:
    said = sentences()
    shown = {"outcome": "gap", "duties": "no_duties", "switches": "no_switch"}
    return tuple(
        Section(key, said.titles[key].spoken(language), (Sentence(said.frames[frame].spoken(language)),))
        for key, frame in shown.items()
    )


@dataclass(frozen=True, slots=True)
class _Group:
    """Items that fell at one gate for one reason."""

    finding: Finding
    items: tuple[Item, ...]
    variant: str
    condition: str | None
    needed: bool = True
    """Whether the purpose needs them on this route at all; without that nothing helps."""

    @property
    def categories(self) -> tuple[DataCategory, ...]:
        return tuple(dict.fromkeys(item.category for item in self.items))


@dataclass(frozen=True, slots=True)
class _Argument:
    reasons: Reasons
    case: Case
    words: Words
    points: Mapping[str, SwitchRow]
    """The disputed points."""

    @property
    def deciding(self) -> Finding | None:
        """The finding that ended the case."""
        return next((f for f in self.reasons.findings if f.outcome is Outcome.DENY), None)

    def wanted(self) -> Iterator[Sentence]:
        words, categories = self.words, _categories(self.reasons.facts.items)
        yield Sentence(words.frame("wanted_use" if self.case.internal else "wanted"))
        yield Sentence(words.frame("purpose"), code=self.reasons.facts.purpose)
        if categories:
            yield Sentence(words.frame("categories", kategorien=words.categories(categories)), categories=categories)
        else:
            yield Sentence(words.frame("nothing"))
        yield Sentence(words.frame(self.reasons.occasion, tag=words.day(self.reasons.on)))

    def outcome(self) -> Iterator[Sentence]:
        words, deciding = self.words, self.deciding
        if self.reasons.kind is None:
            shown = "reduced" if self.reasons.removed else "permit"
            yield Sentence(words.frame("rejected" if self.reasons.rejected else shown))
            return
        yield Sentence(words.frame(self.reasons.kind.value), code=self.reasons.kind.value)
        if deciding is None or not deciding.gate:
            yield Sentence(words.frame("neutral"))
        elif self._too_little(deciding):
            yield Sentence(words.frame("remainder"), norms=deciding.norms, code=deciding.code)
        else:
            said = self._said(deciding, variant(self.case, deciding, None))
            text = words.on_norms(self._why(said, deciding), deciding.norms)
            yield Sentence(text, norms=deciding.norms, code=deciding.code)

    def grounds(self) -> Iterator[Sentence]:
        """Say on what it rests, and what was looked at; nothing of a refusal."""
        if self.reasons.kind is not None:
            return
        words = self.words
        norms = next((f.norms for f in self.reasons.findings if f.gate == "G5"), ())
        if norms:
            yield Sentence(words.frame(self._basis(), normen=words.norms(norms)), norms=norms)
        if self.case.obligation and self._basis() == "statute":
            yield Sentence(words.frame("obligation"))
        kept = self._kept()
        if self.reasons.removed:
            left = _categories(kept)
            yield Sentence(words.frame("kept", kategorien=words.categories(left)), categories=left)
        if self.reasons.consents and not self.reasons.concealed:
            several = self.reasons.consents > 1
            yield Sentence(words.frame("relied_many" if several else "relied", zahl=self.reasons.consents))
        yield from self._conditional(kept)
        for finding in self.reasons.findings:
            if finding.outcome is Outcome.PASS and finding.norms and finding.gate in words.all.gates:
                text = words.on_norms(words.fill(words.all.gates[finding.gate]), finding.norms)
                yield Sentence(text, norms=finding.norms)

    def _basis(self) -> str:
        if self.case.internal:
            return "use"
        found = basis(self.case)
        return "statute" if found is not None and found.by_statute else "by_consent"

    def _conditional(self, kept: Sequence[Item]) -> Iterator[Sentence]:
        """Say of each condition which categories passed by it."""
        met: dict[str, list[DataCategory]] = {}
        for item in kept:
            condition = condition_of(self.case, item.category)
            if condition is not None and not (self.reasons.concealed and is_consent(self.case, condition)):
                met.setdefault(condition, []).append(item.category)
        for condition, found in met.items():
            reason = self.words.fill(self.words.all.conditions[condition].met)
            names = self.words.categories(found)
            text = self.words.frame("conditional", kategorien=names, grund=reason)
            norms = self.case.day.conditions[condition].norms
            yield Sentence(text, norms, condition, tuple(dict.fromkeys(found)))

    def _kept(self) -> list[Item]:
        gone = {removed.block for removed in self.reasons.removed}
        return [item for item in self.reasons.facts.items if item.id not in gone]

    def fallen(self) -> Iterator[Sentence]:
        words = self.words
        for group in self._groups():
            reason = words.on_norms(self._reason(group), group.finding.norms)
            text = words.frame("fallen", kategorien=words.categories(group.categories), grund=reason)
            yield Sentence(text, group.finding.norms, group.condition or group.finding.code, group.categories)
        if hidden := self._hidden():
            text = words.frame("fallen", kategorien=words.categories(hidden), grund=words.frame("neutral"))
            yield Sentence(text, categories=hidden)

    def _groups(self) -> list[_Group]:
        """Return what fell, by finding and by the sentence that fits."""
        items = {item.id: item for item in self.reasons.facts.items}
        found: dict[tuple[int, str, str | None, bool], list[Item]] = {}
        removals = [f for f in self.reasons.findings if f.outcome is Outcome.REMOVE and f.gate]
        for place, finding in enumerate(removals):
            for item in (items[block] for block in finding.items):
                chosen = variant(self.case, finding, item)
                asked = finding.code == "NICHT_ERFORDERLICH" and finding.gate == "G6" and chosen == USUAL
                condition = condition_of(self.case, item.category) if asked else None
                found.setdefault((place, chosen, condition, named(self.case, item.category)), []).append(item)
        return [
            _Group(removals[place], tuple(of), chosen, condition, needed)
            for (place, chosen, condition, needed), of in found.items()
        ]

    def _hidden(self) -> tuple[DataCategory, ...]:
        """Return categories whose reason this reader may not know."""
        if not self.reasons.concealed:
            return ()
        told = {item.id for group in self._groups() for item in group.items}
        return tuple(dict.fromkeys(r.category for r in self.reasons.removed if r.block not in told))

    def _too_little(self, deciding: Finding) -> bool:
        """Tell whether the case ended since too little was left, and not at a question of its own."""
        same = any(
            (f.gate, f.code) == (deciding.gate, deciding.code)
            for f in self.reasons.findings
            if f.outcome is Outcome.REMOVE
        )
        self.case.kept = tuple(self._kept())
        return same and not useful(self.case)

    def remedies(self) -> Iterator[Sentence]:
        words, deciding = self.words, self.deciding
        for group in self._groups():
            yield self._remedy(group)
        if self._hidden() or (deciding is not None and not deciding.gate):
            yield Sentence(words.frame("neutral_do"))
        if deciding is None or not deciding.gate or self._too_little(deciding):
            return
        yield self._remedy(_Group(deciding, self._carried_by_consent(), variant(self.case, deciding, None), None))
        late = [lack.field for lack in deciding.missing if lack.by == RECIPIENT]
        if late and deciding.code == "UNVOLLSTAENDIG" and deciding.gate != "G7":
            yield Sentence(words.frame("missing_recipient", fehlt=words.lacking(late)), code=deciding.code)

    def _carried_by_consent(self) -> tuple[Item, ...]:
        """Return what a consent can carry: what the purpose needs, and no health data."""
        case = self.case
        return tuple(i for i in self._kept() if named(case, i.category) and case.klass(i) is not CategoryClass.G)

    def _said(self, finding: Finding, chosen: str) -> CodeSaid:
        codes, code = self.words.all.codes, finding.code or ""
        return codes.get((code, finding.gate, chosen)) or codes[code, finding.gate, USUAL]

    def _reason(self, group: _Group) -> str:
        if group.condition is not None:
            return self.words.fill(self.words.all.conditions[group.condition].unmet)
        return self._why(self._said(group.finding, group.variant), group.finding)

    def _why(self, said: CodeSaid, finding: Finding) -> str:
        lacking = self.words.lacking(lack.field for lack in finding.missing)
        return self.words.fill(said.why, fehlt=lacking, **self._figures())

    def _remedy(self, group: _Group) -> Sentence:
        words = self.words
        conditions = words.all.conditions
        said = conditions[group.condition] if group.condition else self._said(group.finding, group.variant)
        if not group.needed:
            said = words.all.codes["NICHT_ERFORDERLICH", "G6", group.variant if group.variant == TAX_ID else USUAL]
        names = words.categories(group.categories)
        consent = words.frame("consent", kategorien=names)
        text = words.fill(said.remedy, kategorien=names, einwilligung=consent, **self._figures(), **self._term())
        return Sentence(text, code=group.condition or group.finding.code, categories=group.categories)

    def _figures(self) -> dict[str, int]:
        figures = self.case.day.parameters
        return {"tage": figures["ERSTERHEBUNG_FRIST_TAGE"], "monate": figures["ERSUCHEN_MONATE"]}

    def _term(self) -> dict[str, str]:
        """Say until when the person has to be given time to answer, and from when on the recipient can ask again."""
        least = timedelta(days=self.case.day.parameters["ERSTERHEBUNG_FRIST_TAGE"])
        until = _asked_until(self.reasons.facts.first_collection, self.reasons.on, least)
        return {"frist": self.words.day(until), "ab": self.words.day(until + timedelta(days=1))}

    def obliges(self) -> Iterator[Sentence]:
        words = self.words
        if self.reasons.kind is not None or self.reasons.rejected:
            yield Sentence(words.frame("no_duties"))
            return
        for row in self.case.day.duties:
            if row.code in self.reasons.duties:
                begun = self.reasons.handed_over
                last = due(row, begun) if begun and row.lasts is Lasts.FRIST else None
                text = words.fill(words.all.duties[row.code], frist=self._until(row, last))
                yield Sentence(words.on_norms(text, row.norms), row.norms, row.code, due=last)

    def _until(self, row: DutyRow, last: date | None) -> str:
        words = self.words
        if last is not None:
            return words.frame("frist_day", tag=words.day(last))
        if row.months:
            return words.frame("frist_month" if row.months == 1 else "frist_months", zahl=row.months)
        return words.frame("frist_days", zahl=row.days) if row.days else words.frame("frist_at_once")

    def disputed(self) -> Iterator[Sentence]:
        words, rows = self.words, self.points
        if not self.reasons.switches:
            yield Sentence(words.frame("no_switch"))
        for code in self.reasons.switches:
            name = words.named("switch", code, rows[code].name)
            yield Sentence(words.frame("switch", schalter=name), rows[code].norms, code)


def _categories(items: Iterable[Item]) -> tuple[DataCategory, ...]:
    return tuple(dict.fromkeys(item.category for item in items))


def _asked_until(record: FirstCollection | None, on: date, least: timedelta) -> date:
    """Return the first deadline that is long enough: of the question that was asked, or of one asked on the day."""
    if record is None or record.asked is None or record.deadline is None:
        return on + least
    return max(record.deadline, record.asked + least)
