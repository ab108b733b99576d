"""The argument of a decision: what was wanted, what is lawful on which norm, what falls, what helps, what follows.

Pure, and made when somebody asks; nothing of it runs when a transfer is decided. It names units, categories, norms and
days; no value, no name and no reference of a person stands in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from consent.catalogue import Catalogue
from consent.decision import Decision, Finding, Outcome, Permit, Refusal, RefusalKind, Removed
from consent.engine import open_case
from consent.explanation.remedies import Group, deciding_groups, figures, groups, remedy, said_why
from consent.explanation.sentences import Language, sentences
from consent.explanation.variants import condition_of, is_consent, variant
from consent.explanation.words import Words
from consent.facts import Item, TransferFacts
from consent.gates.case import RECIPIENT, Case
from consent.gates.grounds import basis
from consent.gates.necessity import useful
from consent.owed import due
from consent.rows import DutyRow, Lasts, Occasion, SwitchRow
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
    use = case.internal and not any(f.gate == "G2" and f.outcome is Outcome.DENY for f in reasons.findings)
    told = _Argument(reasons, case, Words(case, language, use), points)
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
        yield Sentence(words.frame("wanted_use" if words.use else "wanted"))
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
            text = words.on_norms(self._why(deciding, variant(self.case, deciding, None)), deciding.norms)
            yield Sentence(text, norms=deciding.norms, code=deciding.code)

    def grounds(self) -> Iterator[Sentence]:
        """Say on what it rests, and what was looked at; nothing of a refusal."""
        if self.reasons.kind is not None:
            return
        words = self.words
        norms = self._carrying()
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

    def _carrying(self) -> tuple[str, ...]:
        """Return the norms of the ground; where items fell at its gate, its finding is about those."""
        passed = (f.norms for f in self.reasons.findings if f.gate == "G5" and f.outcome is Outcome.PASS)
        found = basis(self.case)
        return next(passed, found.norms if found else ())

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
            reason = self.words.fill(self.words.condition(condition).met)
            names = self.words.categories(found)
            text = self.words.frame("conditional", kategorien=names, grund=reason)
            norms = self.case.day.conditions[condition].norms
            yield Sentence(text, norms, condition, tuple(dict.fromkeys(found)))

    def _kept(self) -> list[Item]:
        gone = {removed.block for removed in self.reasons.removed}
        return [item for item in self.reasons.facts.items if item.id not in gone]

    def fallen(self) -> Iterator[Sentence]:
        words = self.words
        for group in groups(self.case, self.reasons.findings):
            reason = words.on_norms(self._reason(group), group.finding.norms)
            text = words.frame("fallen", kategorien=words.categories(group.categories), grund=reason)
            yield Sentence(text, group.finding.norms, group.condition or group.finding.code, group.categories)
        if hidden := self._hidden():
            text = words.frame("fallen", kategorien=words.categories(hidden), grund=words.frame("neutral"))
            yield Sentence(text, categories=hidden)

    def _hidden(self) -> tuple[DataCategory, ...]:
        """Return categories whose reason this reader may not know."""
        if not self.reasons.concealed:
            return ()
        told = {item.id for group in groups(self.case, self.reasons.findings) for item in group.items}
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
        for group in groups(self.case, self.reasons.findings):
            yield self._remedy(group)
        if self._hidden() or (deciding is not None and not deciding.gate):
            yield Sentence(words.frame("neutral_do"))
        if deciding is None or not deciding.gate or self._too_little(deciding):
            return
        for group in deciding_groups(self.case, deciding, self._kept()):
            yield self._remedy(group)
        late = [lack.field for lack in deciding.missing if lack.by == RECIPIENT]
        if late and deciding.code == "UNVOLLSTAENDIG" and deciding.gate != "G7":
            yield Sentence(words.frame("missing_recipient", fehlt=words.lacking(late)), code=deciding.code)

    def _reason(self, group: Group) -> str:
        if group.condition is not None:
            return self.words.fill(self.words.condition(group.condition).unmet)
        return self._why(group.finding, group.variant)

    def _why(self, finding: Finding, chosen: str) -> str:
        lacking = self.words.lacking(lack.field for lack in finding.missing)
        return self.words.fill(said_why(self.words, finding, chosen), fehlt=lacking, **figures(self.case))

    def _remedy(self, group: Group) -> Sentence:
        text = remedy(self.words, group, self.reasons.on)
        return Sentence(text, code=group.condition or group.finding.code, categories=group.categories)

    def obliges(self) -> Iterator[Sentence]:
        words = self.words
        if self.reasons.kind is not None or self.reasons.rejected:
            yield Sentence(words.frame("no_duties"))
            return
        for row in self.case.day.duties:
            if row.code in self.reasons.duties:
                begun = self.reasons.handed_over
                last = due(row, begun) if begun and row.lasts is Lasts.FRIST else None
                text = words.fill(words.duty(row), frist=self._until(row, last))
                norms = self._norms_of(row)
                yield Sentence(words.on_norms(text, norms), norms, row.code, due=last)

    def _norms_of(self, row: DutyRow) -> tuple[str, ...]:
        """Return the norms of a duty: to delete, that of the purpose."""
        deletion = self.case.day.deletions.get(self.reasons.facts.purpose)
        return deletion.norms if deletion is not None and row.when is Occasion.ABGLEICH else row.norms

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
