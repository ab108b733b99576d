"""The decision: gates G0 to G10 in their order, over facts and a dated catalogue. Pure: no clock, no I/O.

A `Permit` is made in this module alone. Reading numbers in the gates' docstrings (A 1 … G) are those of
`docs/decisions/0002-law-rows.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from itertools import groupby

from consent.catalogue import Catalogue
from consent.catalogue_day import CatalogueDay
from consent.consents import Consent
from consent.decision import Basis, Decision, Finding, Outcome, Permit, Refusal, RefusalKind, Removed
from consent.facts import FACTS_VERSION, TransferFacts
from consent.gates.case import Case, Fall, Stop, Verdict
from consent.gates.collection import collection
from consent.gates.duties import duties
from consent.gates.form import form
from consent.gates.grounds import ground
from consent.gates.interests import interests
from consent.gates.locks import entrusted, medical, own_secrecy, protected_address
from consent.gates.mode import mode
from consent.gates.necessity import necessity, useful
from consent.gates.received import received
from consent.gates.recipient import recipient, task
from consent.gates.regime import controller, one_controller, regime
from consent.gates.success import success_of_help
from consent.texts import REMEMBERED, render

ENGINE_VERSION = "4"

NO_SWITCHES: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Step:
    """A gate in its place; whether it is asked inside one controller, and the useful remainder after it."""

    gate: str
    ask: Callable[[Case], Verdict]
    inside: bool
    remainder: bool
    outside: bool = True


STEPS = (
    Step("G0", form, inside=True, remainder=False),
    Step("G1", regime, inside=True, remainder=False),
    Step("G2", controller, inside=True, remainder=False),
    Step("G3", recipient, inside=False, remainder=False),
    Step("G4 a", entrusted, inside=True, remainder=True),
    Step("G4 b", medical, inside=False, remainder=True),
    Step("G4 c", success_of_help, inside=False, remainder=False),
    Step("G4 d", protected_address, inside=True, remainder=True),
    Step("G4 e", own_secrecy, inside=False, remainder=True),
    Step("G4 EMPFANGEN", received, inside=True, remainder=True),
    Step("G3", task, inside=True, remainder=False, outside=False),
    Step("G5", ground, inside=True, remainder=True),
    Step("G6", necessity, inside=True, remainder=True),
    Step("G7", collection, inside=False, remainder=False),
    Step("G8", interests, inside=False, remainder=False),
    Step("G9", mode, inside=False, remainder=True),
)
INSIDE = tuple(step for step in STEPS if step.inside)
OUTSIDE = tuple(step for step in STEPS if step.outside)


class UnknownSwitch(ValueError):
    """A switch was named that the catalogue does not have on that day."""


@dataclass(slots=True)
class Trail:
    """What the gates have found so far."""

    findings: list[Finding]
    fallen: list[tuple[str, Fall]]
    grounds: tuple[str, ...] = ()

    def removed(self, case: Case) -> tuple[Removed, ...]:
        """Return the fallen items, in the order in which they fell."""
        return tuple(
            Removed(fall.item.id, fall.item.person, fall.item.category, fall.code, _norms(case, gate, fall))
            for gate, fall in self.fallen
        )


def decide(facts: TransferFacts, catalogue: Catalogue, on: date, switches: frozenset[str] = NO_SWITCHES) -> Decision:
    """Decide a transfer by the law of the day `on` (Europe/Berlin), in time linear in the items.

    `switches` names readings that are to be other than the conservative ones; raises `UnknownSwitch` for a name that
    the catalogue does not have. The answer holds every finding up to the gate that decided (readings C 5 to C 20).
    """
    day = catalogue.as_of(on)
    if facts.purpose not in day.purposes_with_rows:
        return _no_rows(facts, _basis(catalogue, on, switches))
    if unknown := sorted(switches - day.switches):
        raise UnknownSwitch(f"der Katalog kennt an diesem Tag keinen Schalter {', '.join(unknown)}")
    case, trail = open_case(facts, catalogue.as_of(on, switches), on, switches), Trail([], [])
    for step in INSIDE if case.internal else OUTSIDE:
        stopped = _take(step, case, trail)
        if stopped is not None:
            basis = _basis(catalogue, on, switches)
            return _refusal(facts, stopped, trail.findings, trail.removed(case), basis)
    return _permit(case, trail, _basis(catalogue, on, switches))


def bind_reduced(permit: Permit, digest: str) -> Permit:
    """Bind a permit to the bytes that are left after its removed blocks were taken out: their SHA-256, hexadecimal."""
    return replace(permit, payload_digest=digest)


def open_case(facts: TransferFacts, day: CatalogueDay, on: date, switches: frozenset[str]) -> Case:
    """Put the facts beside the rows of their day, as every gate looks at them. Raises `KeyError` for an unknown row."""
    sender, receiver = day.units[facts.sender.unit], day.units[facts.recipient.unit]
    by_person: dict[str, list[Consent]] = {}
    for consent in sorted(facts.consents, key=lambda c: c.id):
        by_person.setdefault(consent.person, []).append(consent)
    return Case(
        facts=facts,
        day=day,
        on=on,
        switches=switches,
        sender=sender,
        recipient=receiver,
        purpose=day.purposes[facts.purpose],
        row=day.routes.get((facts.purpose, sender.code, receiver.code)),
        internal=one_controller(facts, sender, receiver),
        kept=facts.items,
        persons={person.ref: person for person in facts.persons},
        consents={person: tuple(given) for person, given in by_person.items()},
    )


def _take(step: Step, case: Case, trail: Trail) -> Finding | None:
    """Ask one gate, note what it found; give the finding that ends the case, if one does."""
    verdict = step.ask(case)
    if step.gate == "G5":
        trail.grounds = verdict.norms
    if verdict.falls:
        _take_out(step.gate, case, verdict.falls, trail)
    if verdict.stop is not None:
        return _note(trail, _stop(step.gate, case, verdict.stop))
    if not verdict.falls:
        trail.findings.append(_pass(step.gate, case, verdict))
    elif step.remainder and not useful(case):
        return _note(trail, _remainder(case, trail))
    return None


def _take_out(gate: str, case: Case, falls: tuple[Fall, ...], trail: Trail) -> None:
    trail.findings += [_removal(gate, case, alike) for alike in _grouped(falls)]
    trail.fallen += [(gate, fall) for fall in falls]
    fallen = {fall.item.id for fall in falls}
    case.kept = tuple(item for item in case.kept if item.id not in fallen)


def _note(trail: Trail, finding: Finding) -> Finding:
    trail.findings.append(finding)
    return finding


def _grouped(falls: tuple[Fall, ...]) -> Iterable[tuple[Fall, ...]]:
    def same(fall: Fall) -> tuple[str, tuple[str, ...], str]:
        return fall.code, fall.norms, fall.rests_on or ""

    return [tuple(group) for _, group in groupby(sorted(falls, key=same), key=same)]


def _norms(case: Case, gate: str, found: Fall | Stop) -> tuple[str, ...]:
    """Norms of a finding: those of its code, those it brings itself, and those of what is missing."""
    norms = case.day.codes[found.code, gate].norms
    lacking = [norm for lack in found.missing for norm in case.day.declarations[lack.field].norms]
    return tuple(dict.fromkeys((*norms, *found.norms, *lacking)))


def _removal(gate: str, case: Case, falls: tuple[Fall, ...]) -> Finding:
    row = case.day.codes[falls[0].code, gate]
    return Finding(
        gate=gate,
        outcome=Outcome.REMOVE,
        text=render(row.text, case, (fall.item for fall in falls), falls[0].missing),
        norms=_norms(case, gate, falls[0]),
        code=row.code,
        kind=row.kind,
        items=tuple(fall.item.id for fall in falls),
        missing=falls[0].missing,
        rests_on=falls[0].rests_on,
    )


def _stop(gate: str, case: Case, stop: Stop) -> Finding:
    row = case.day.codes[stop.code, gate]
    return Finding(
        gate=gate,
        outcome=Outcome.DENY,
        text=render(row.text, case, case.kept, stop.missing),
        norms=_norms(case, gate, stop),
        code=row.code,
        kind=stop.kind or row.kind,
        missing=stop.missing,
        rests_on=stop.rests_on,
    )


def _remainder(case: Case, trail: Trail) -> Finding:
    """Name the removed item with the earliest gate, there the first in the message (reading C 17)."""
    first_gate = trail.fallen[0][0]
    order = {item.id: place for place, item in enumerate(case.facts.items)}
    first = min((fall for gate, fall in trail.fallen if gate == first_gate), key=lambda fall: order[fall.item.id])
    row = case.day.codes[first.code, first_gate]
    alike = (fall.item for gate, fall in trail.fallen if (gate, fall.code) == (first_gate, first.code))
    text = render(row.text, case, alike, first.missing)
    return Finding(
        gate=first_gate,
        outcome=Outcome.DENY,
        text=f"{text} {render(case.day.gates['REST'].text, case)}",
        norms=_norms(case, first_gate, first),
        code=row.code,
        kind=row.kind,
        missing=first.missing,
        rests_on=first.rests_on,
    )


def _pass(gate: str, case: Case, verdict: Verdict) -> Finding:
    row = case.day.gates[gate]
    if not verdict.asked:
        return _passed(gate, render(row.idle, case, case.kept), ())
    return _passed(gate, render(row.text, case, case.kept), verdict.norms or row.norms, verdict.rests_on)


@lru_cache(maxsize=REMEMBERED)
def _passed(gate: str, text: str, norms: tuple[str, ...], rests_on: str | None = None) -> Finding:
    """Return what a passed gate found; most transfers pass most gates with the same words."""
    return Finding(gate=gate, outcome=Outcome.PASS, text=text, norms=norms, rests_on=rests_on)


def _refusal(
    facts: TransferFacts,
    deciding: Finding,
    findings: list[Finding],
    removed: tuple[Removed, ...],
    basis: Basis,
) -> Refusal:
    return Refusal(
        transfer_id=facts.transfer_id,
        payload_digest=facts.payload_digest,
        kind=deciding.kind or RefusalKind.NOT_PERMITTED,
        deciding=deciding,
        findings=tuple(findings),
        removed=removed,
        basis=basis,
    )


def _permit(case: Case, trail: Trail, basis: Basis) -> Permit:
    """G10: what passes, on which ground, with which duties."""
    owed = duties(case)
    text, named = render(case.day.gates["G10"].text, case), tuple([(duty.name, duty.norms) for duty in owed])
    trail.findings.append(_obliged(text, named))
    return Permit(
        transfer_id=case.facts.transfer_id,
        payload_digest=case.facts.payload_digest,
        kept=tuple(item.id for item in case.kept),
        removed=trail.removed(case),
        grounds=trail.grounds,
        consents=tuple(sorted(case.relied)),
        duties=tuple(duty.code for duty in owed),
        findings=tuple(trail.findings),
        basis=basis,
    )


@lru_cache(maxsize=REMEMBERED)
def _obliged(text: str, owed: tuple[tuple[str, tuple[str, ...]], ...]) -> Finding:
    """Return what G10 found: the duties, each with its norms."""
    norms = tuple(dict.fromkeys(norm for _, norms in owed for norm in norms))
    return _passed("G10", f"{text} {', '.join(name for name, _ in owed)}.", norms)


def _no_rows(facts: TransferFacts, basis: Basis) -> Refusal:
    """Answer a purpose of which the catalogue has no rows on that day: a gap, whatever else is declared."""
    finding = Finding(
        gate="G0",
        outcome=Outcome.DENY,
        text="Der Katalog hat an diesem Tag keine Zeilen für diesen Zweck; ohne Zeile gibt es keinen Grund.",
        norms=("SGB X § 67b Abs. 1",),
        code="KEIN_GRUND",
        kind=RefusalKind.GAP,
    )
    return _refusal(facts, finding, [finding], (), basis)


def _basis(catalogue: Catalogue, on: date, switches: frozenset[str]) -> Basis:
    return Basis(on, catalogue.fingerprint, ENGINE_VERSION, FACTS_VERSION, tuple(sorted(switches)))
