"""The checks: pure functions from what was written down to what is wrong. An empty list is a promise that held.

Every finding names its ids. `tests/faults/test_checks.py` feeds each check with the defect that it must find.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from broker.crypto import SealBroken, unseal, unwrap
from broker.keys import KeyFileError, Keys
from broker.lifecycle.states import State
from faults.ledger import Entry
from faults.load import ACCEPTED, REFUSED

ANSWERED = frozenset({State.ACKNOWLEDGED.value, State.PROCESSED.value, State.REJECTED.value})
ENDED_BY_A_PERSON = frozenset({State.WITHDRAWN.value, State.RETURNED.value})
SETTLED = ANSWERED | ENDED_BY_A_PERSON
HARMLESS = frozenset({"0", "429", "502", "503"})
"""What a client may be told while something is broken; 0 is no answer at all."""
RECOVERY_SECONDS = 60.0
OK = 200
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """A promise that did not hold, and for whom."""

    check: str
    text: str
    ids: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Write it in one line."""
        shown = ", ".join(self.ids[:SHOWN]) + (f" and {len(self.ids) - SHOWN} more" if len(self.ids) > SHOWN else "")
        return f"{self.check}: {self.text}" + (f" ({len(self.ids)}: {shown})" if self.ids else "")


@dataclass(frozen=True, slots=True)
class TransferRow:
    """A transfer as the database has it."""

    id: str
    sender: str
    message: str
    state: str


@dataclass(frozen=True, slots=True)
class HandedOver:
    """The entry of a transfer into `handing_over`: its place in the history of all, and the broker's time (epoch)."""

    transfer: str
    seq: int
    wall: float


@dataclass(frozen=True, slots=True)
class Blob:
    """Something that may be a sealed content: where it lay, whose it says it is, its bytes."""

    place: str
    transfer: str
    content: bytes


@dataclass(frozen=True, slots=True)
class LeftKey:
    """A content key that is still there."""

    transfer: str
    recipient: str
    kid: str
    wrapped: bytes


@dataclass(slots=True)
class Evidence:
    """All that was written down in a round."""

    sent: Sequence[Entry] = ()
    stops: Sequence[Entry] = ()
    received: Sequence[Entry] = ()
    transfers: Sequence[TransferRow] = ()
    handed_over: Sequence[HandedOver] = ()
    statuses: Mapping[str, int] = field(default_factory=dict)
    allowed_statuses: frozenset[str] = frozenset()
    ends: frozenset[str] = frozenset()
    """End states that the fault itself explains, beside those that persons cause."""
    clocks_jumped: bool = False

    def accepted(self) -> list[Entry]:
        """Return what was answered 202."""
        return [entry for entry in self.sent if entry["status"] == ACCEPTED]

    def got(self) -> list[Entry]:
        """Return what recipients got, without their answers."""
        return [entry for entry in self.received if entry["kind"] != "answered"]


Check = Callable[[Evidence], list[Finding]]


def _found(check: str, text: str, ids: Iterable[str]) -> list[Finding]:
    named = tuple(ids)
    return [Finding(check, text, named)] if named else []


def lost(evidence: Evidence) -> list[Finding]:
    """Find what was answered 202 and neither got, nor ended in a state that something explains."""
    states = {row.id: row.state for row in evidence.transfers}
    got = {entry["transfer"] for entry in evidence.got()}
    stopped = {entry["case"] for entry in evidence.stops}
    gone, silent, unexplained, open_ = [], [], [], []
    for entry in evidence.accepted():
        transfer, state = entry["transfer"], states.get(entry["transfer"])
        if state is None:
            gone.append(transfer)
        elif state in ANSWERED:
            silent += [] if transfer in got else [transfer]
        elif state in ENDED_BY_A_PERSON:
            unexplained += [] if entry["case"] in stopped or state in evidence.ends else [transfer]
        elif state not in evidence.ends:
            open_.append(f"{transfer} {state}")
    return [
        *_found("lost", "answered 202, and no such transfer is there", gone),
        *_found("lost", "has its quittung, and nobody got it", silent),
        *_found("lost", "ended though no person withdrew or objected", unexplained),
        *_found("lost", "neither handed over nor ended", open_),
    ]


def doubled(evidence: Evidence) -> list[Finding]:
    """Find messages that became two transfers, and transfers that came again after their quittung or their attempt."""
    owners: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in evidence.transfers:
        owners[row.sender, row.message].append(row.id)
    answered = {e["transfer"]: e["at"] for e in evidence.received if e["kind"] == "answered" and e["status"] == OK}
    attempts: dict[tuple[str, int], int] = defaultdict(int)
    for entry in evidence.got():
        if entry["kind"] == "inbox":
            attempts[entry["transfer"], entry["attempt"]] += 1
    again = [e["transfer"] for e in evidence.got() if e["asked"] > answered.get(e["transfer"], float("inf"))]
    return [
        *_found(
            "doubled", "one message, several transfers", (i for ids in owners.values() if len(ids) > 1 for i in ids)
        ),
        *_found("doubled", "came again after its quittung was taken", again),
        *_found("doubled", "came twice by one attempt", (t for (t, _), number in attempts.items() if number > 1)),
    ]


def unasked(evidence: Evidence) -> list[Finding]:
    """Find what was got without a 202 for just this message, and what is not the bytes that were sent."""
    by_transfer = {entry["transfer"]: entry for entry in evidence.accepted()}
    foreign, altered, misled = [], [], []
    for entry in evidence.got():
        sent = by_transfer.get(entry["transfer"])
        if sent is None or sent["message"] != entry["message"]:
            foreign.append(entry["transfer"])
        elif sent["digest"] != entry["digest"]:
            altered.append(entry["transfer"])
        elif sent["recipient"] != entry["instance"]:
            misled.append(entry["transfer"])
    return [
        *_found("unasked", "handed over without a 202", foreign),
        *_found("altered", "other bytes than were sent", altered),
        *_found("misled", "handed over to another than the recipient", misled),
    ]


def disordered(evidence: Evidence) -> list[Finding]:
    """Find cases in which a later transfer was handed over, or got, before an earlier one.

    Got: wholly received before the request was even made that brought the earlier one at its first attempt. An earlier
    one whose answer was lost on the way comes again by a second attempt, and may then be behind.
    """
    handed: dict[str, int] = {}
    for item in evidence.handed_over:
        handed[item.transfer] = min(item.seq, handed.get(item.transfer, item.seq))
    first: dict[str, Entry] = {}
    for entry in evidence.got():
        first.setdefault(entry["transfer"], entry)
    by_broker, by_recipient = [], []
    for case in _cases(evidence).values():
        order = [entry["transfer"] for entry in case]
        by_broker += [b for a, b in pairwise(t for t in order if t in handed) if handed[b] < handed[a]]
        by_recipient += [b for a, b in pairwise(t for t in order if t in first) if _before(first[b], first[a])]
    return [
        *_found("disordered", "handed over before an earlier one of its case", by_broker),
        *_found("disordered", "got before an earlier one of its case", by_recipient),
    ]


def _before(later: Entry, earlier: Entry) -> bool:
    return bool(earlier["attempt"] == 1 and later["at"] < earlier["asked"] and later["kind"] == "inbox")


def _cases(evidence: Evidence) -> dict[int, list[Entry]]:
    cases: dict[int, list[Entry]] = defaultdict(list)
    for entry in sorted(evidence.accepted(), key=lambda found: found["position"]):
        cases[entry["case"]].append(entry)
    return cases


def overruled(evidence: Evidence) -> list[Finding]:
    """Find what was accepted or handed over after the answer to a withdrawal or objection of its person."""
    stops = {entry["case"]: entry for entry in evidence.stops}
    cases = {entry["transfer"]: entry["case"] for entry in evidence.accepted()}
    accepted = [
        e["transfer"] for e in evidence.accepted() if e["case"] in stops and e["begun"] > stops[e["case"]]["answered"]
    ]
    stopped = {transfer: stops[case] for transfer, case in cases.items() if case in stops}
    fetched = [
        e["transfer"]
        for e in evidence.got()
        if e["kind"] == "inbox" and e["transfer"] in stopped and e["asked"] > stopped[e["transfer"]]["answered"]
    ]
    handed = [
        h.transfer
        for h in evidence.handed_over
        if h.transfer in stopped and h.wall > stopped[h.transfer]["wall"] and not evidence.clocks_jumped
    ]
    return [
        *_found("overruled", "accepted after the person's word", accepted),
        *_found("overruled", "fetched after the person's word", fetched),
        *_found("overruled", "handed over after the person's word", handed),
    ]


def refused(evidence: Evidence) -> list[Finding]:
    """Find refusals that nothing explains: the person of the case had not spoken when the answer came."""
    spoke = {entry["case"]: entry["begun"] for entry in evidence.stops}
    ids = [
        e["message"]
        for e in evidence.sent
        if e["status"] == REFUSED and e["answered"] < spoke.get(e["case"], float("inf"))
    ]
    return _found("refused", "answered 403 though nobody had objected", ids)


def erring(evidence: Evidence) -> list[Finding]:
    """Find answers that no fault explains: 500 above all."""
    allowed = HARMLESS | evidence.allowed_statuses
    bad = (f"{status}×{number}" for status, number in evidence.statuses.items() if status not in allowed)
    return _found("erring", "answers that no client should get", bad)


#: The checks of a round's ledgers against the database.
OF_LEDGERS: tuple[Check, ...] = (lost, doubled, unasked, disordered, overruled, refused, erring)


def readable(keys: Keys, left: Sequence[LeftKey], blobs: Iterable[Blob], ended: frozenset[str]) -> list[Finding]:
    """Try every key that is left on everything that lies around; find contents of ended transfers that open."""
    opened: set[str] = set()
    content_keys = [key for row in left for key in _unwrapped(keys, row)]
    for blob in blobs:
        if blob.transfer in ended and blob.content and any(_opens(blob, key) for key in content_keys):
            opened.add(f"{blob.transfer} in {blob.place}")
    kept = [row.transfer for row in left if row.transfer in ended]
    return [
        *_found("readable", "its key is left though it has ended", kept),
        *_found("readable", "its content opens though it has ended", sorted(opened)),
    ]


def _unwrapped(keys: Keys, row: LeftKey) -> list[bytes]:
    """Return what a left key unwraps to, under each sealing key and for its recipient."""
    found = []
    for secret in keys.sealing:
        try:
            found.append(unwrap(row.wrapped, keys.sealing_key(row.recipient, secret.kid)[1]))
        except (SealBroken, KeyFileError):
            continue
    return found


def _opens(blob: Blob, key: bytes) -> bool:
    try:
        unseal(blob.content, key, blob.transfer)
    except SealBroken:
        return False
    return True


def traced(mark: bytes, texts: Iterable[tuple[str, bytes]]) -> list[Finding]:
    """Find texts (logs, dumps, records) in which a person's name stands."""
    return _found("traced", "a person's name stands in", (place for place, text in texts if mark in text))


def unpublished(handed_over: Iterable[HandedOver], blobs: Iterable[Blob]) -> list[Finding]:
    """Find what was handed over and lies on no topic: it went another way, or the eyes of the suite are shut."""
    lying = {blob.transfer for blob in blobs}
    return _found("unpublished", "handed over, and on no topic", sorted({h.transfer for h in handed_over} - lying))


def slow(recovery: Mapping[str, float | None], bound: float = RECOVERY_SECONDS) -> list[Finding]:
    """Find what did not come again by itself within the bound after healing: first 202, first hand-over."""
    late = (name for name, seconds in recovery.items() if seconds is None or seconds > bound)
    return _found("slow", f"not back within {bound:.0f} s after healing", late)


def ended(unexpected: Iterable[tuple[str, int]]) -> list[Finding]:
    """Find processes that ended though nobody of the suite ended them, by name and exit code."""
    return _found("ended", "ended without our hand", (f"{name} ({code})" for name, code in unexpected))
