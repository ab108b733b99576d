"""Verify an export of the evidence, with nothing but the file: recompute everything, name the first that differs.

Shares with those who write the evidence the hashing and the canonical bytes (`broker.audit.leaves`, the node hash), and
nothing else. Lines are fed one by one; memory does not grow with the log.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from broker.audit.leaves import COVERED, commitment, leaf_hash
from broker.audit.merkle import node_hash
from broker.audit.notes import BadNote, Checkpoint, NoteKey, open_checkpoint, read_key
from broker.audit.promises import BadPromise, Promise, PromiseKey, read_promise, read_promise_key
from schemas.canonical import NotCanonical, canonical_json

FORMAT = "amtsbruecke-audit-export/1"
MOST_FAULTS = 20
EMPTY_ROOT = sha256(b"").digest()


class NoExport(Exception):
    """The file is no export of the evidence. German text."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that differs: a stable code, where (index and id of the entry, where it is one), and a German text."""

    code: str
    text: str
    index: int | None = None
    entry: str | None = None


@dataclass(slots=True)
class Report:
    """What was found. `faults` holds the first ones, in the order of the file; empty: nothing differs."""

    entries: int = 0
    checkpoints: int = 0
    opened: int = 0
    """Values beside entries whose commitment was opened."""
    erased: int = 0
    """Entries whose side data is not there any more."""
    last: Checkpoint | None = None
    exported_at: str = ""
    own_keys: bool = True
    """The keys come from the file itself: it vouches for itself."""
    faults: list[Fault] = field(default_factory=list)
    kept: list[Promise] = field(default_factory=list)
    broken: list[tuple[Promise, str]] = field(default_factory=list)
    not_due: list[Promise] = field(default_factory=list)
    unseen: list[Checkpoint] = field(default_factory=list)
    """Checkpoints from elsewhere that are larger than what the file holds."""

    @property
    def sound(self) -> bool:
        """Whether nothing differs and no promise is broken."""
        return not self.faults and not self.broken


@dataclass(frozen=True, slots=True)
class Trust:
    """What the verifier brings along; without keys, those in the file are taken."""

    keys: Sequence[NoteKey] = ()
    promise_keys: Sequence[PromiseKey] = ()
    notes: Sequence[str] = ()
    """Checkpoints that were seen elsewhere."""
    tokens: Sequence[str] = ()
    """Promises."""


class Verifier:
    """Takes the lines of an export, one after the other, and says what differs."""

    def __init__(self, trust: Trust | None = None) -> None:
        """Begin; `trust` is what is known from elsewhere."""
        self._trust = trust or Trust()
        self._keys = tuple(self._trust.keys)
        self._promise_keys = tuple(self._trust.promise_keys)
        self._digest = sha256()
        self._peaks: list[tuple[int, bytes]] = []
        self._whole = True
        self._count = 0
        self._line = 0
        self._origin = ""
        self._with_side = False
        self._covered = 0
        self._ended = False
        self._last_at = ""
        self._wanted: dict[str, Promise] = {}
        self._uncovered: list[tuple[Promise, int]] = []
        self._found: set[str] = set()
        self._elsewhere: list[Checkpoint] = []
        self.report = Report(own_keys=not self._trust.keys)

    def feed(self, raw: bytes) -> None:
        """Take the next line, with its line end. Raises `NoExport` where the first line is none of an export."""
        self._line += 1
        if self._ended:
            return self._fault("after-end", f"Zeile {self._line}: Hinter dem Ende der Datei steht noch etwas.")
        line = self._parsed(raw)
        if self._line == 1:
            return self._head(raw, line)
        if line is None:
            self._fault("unreadable", f"Zeile {self._line} ist nicht lesbar oder anders geschrieben.", self._count)
            self._whole = False
            if raw.lstrip().startswith(b'{"entry"'):
                self._count += 1
        elif set(line) == {"end"}:
            self._end(line["end"])
        elif set(line) == {"at", "checkpoint"}:
            self._checkpoint(line)
        elif {"entry", "index", "leaf"} <= set(line) <= {"entry", "index", "leaf", "side"}:
            self._entry(line)
        else:
            self._fault("unreadable", f"Zeile {self._line} ist weder Eintrag noch Prüfpunkt.", self._count)
        self._digest.update(raw)
        return None

    def finish(self) -> Report:
        """Say what was found, after the last line."""
        report = self.report
        if self._line == 0:
            raise NoExport("Die Datei ist leer.")
        if not self._ended:
            self._fault("cut-off", "Die Datei ist abgeschnitten: Ihr Ende fehlt.", self._count)
        if self._covered < self._count:
            self._fault("not-sealed", f"Ab Eintrag {self._covered} deckt kein Prüfpunkt die Einträge.", self._covered)
        self._match_elsewhere()
        report.unseen = self._elsewhere
        for promise in self._wanted.values():
            if promise.entry not in self._found:
                self._not_found(promise)
        report.entries = self._count
        return report

    def _parsed(self, raw: bytes) -> dict[str, Any] | None:
        """Parse a line; None where it is not just the canonical bytes of an object."""
        try:
            line = json.loads(raw)
            same = canonical_json(line) + b"\n" == raw
        except (ValueError, NotCanonical, RecursionError):
            return None
        return line if same and isinstance(line, dict) else None

    def _head(self, raw: bytes, line: dict[str, Any] | None) -> None:
        if FORMAT.encode() not in raw:
            raise NoExport(f"Das ist kein Export des Protokolls ({FORMAT}).")
        self._digest.update(raw)
        unreadable = "Die erste Zeile ist nicht lesbar oder anders geschrieben."
        try:
            head = line or {}
            self._origin, self._with_side = str(head["origin"]), head["side"] is True
            self.report.exported_at = str(head["exported_at"])
            self._keys = self._keys or tuple(read_key(text) for text in head["checkpoint_keys"])
            self._promise_keys = self._promise_keys or tuple(read_promise_key(key) for key in head["promise_keys"])
        except (BadNote, AttributeError, KeyError, TypeError, ValueError) as exc:
            self._fault("head", f"Kopf der Datei: {exc if isinstance(exc, BadNote) else unreadable}")
        self._bring()

    def _bring(self) -> None:
        """Open what was brought along, now that the keys are known."""
        for note in self._trust.notes:
            try:
                self._elsewhere.append(open_checkpoint(note, self._keys))
            except BadNote as exc:
                self._fault("elsewhere", f"Mitgebrachter Prüfpunkt: {exc}")
        for token in self._trust.tokens:
            try:
                promise = read_promise(token, self._promise_keys)
            except BadPromise as exc:
                self._fault("promise", f"Zusage: {exc}")
                continue
            if promise.log != self._origin:
                self._fault("promise", "Eine Zusage gehört zu einem anderen Protokoll.", entry=promise.entry)
            self._wanted[promise.entry] = promise

    def _entry(self, line: Mapping[str, Any]) -> None:
        entry, index = line["entry"], line["index"]
        name = str(entry.get("id")) if isinstance(entry, dict) else None
        if index is True or index is False or index != self._count:
            self._fault("order", f"Erwartet war Eintrag {self._count}, da steht {index}.", self._count, name)
            self._whole = False
            self._count = index if isinstance(index, int) and not isinstance(index, bool) else self._count
        sealed = _hex(line["leaf"])
        if not isinstance(entry, dict):
            self._fault("missing", f"Eintrag {self._count} fehlt oder ist nicht lesbar.", self._count)
        elif set(entry) != {*COVERED, "at"} or leaf_hash(entry) != sealed:
            self._fault("entry", f"Eintrag {self._count} ist nicht der, der gesiegelt wurde.", self._count, name)
        else:
            self._promised(str(entry["id"]), sealed)
        if isinstance(entry, dict):
            self._side(entry.get("commitments"), line.get("side"), name)
        self._match_elsewhere()
        self._add(sealed)
        self._count += 1

    def _side(self, commitments: object, side: object, name: str | None) -> None:
        """Open what lies beside an entry; that it is gone is allowed, that it is another is not."""
        if not isinstance(commitments, dict):
            return None
        if side is None:
            self.report.erased += bool(commitments) and self._with_side
            return None
        if not isinstance(side, dict):
            return self._fault("side", f"Eintrag {self._count}: Nebendaten nicht lesbar.", self._count, name)
        for column, opened in sorted(side.items()):
            if not _opens(opened, commitments.get(column)):
                self._fault("side", f"Eintrag {self._count}: Nebendatum „{column}“ ist ein anderes.", self._count, name)
            else:
                self.report.opened += 1
        return None

    def _promised(self, entry: str, sealed: bytes) -> None:
        promise = self._wanted.get(entry)
        if promise is None or entry in self._found:
            return
        self._found.add(entry)
        if promise.leaf != sealed:
            self.report.broken.append((promise, f"Eintrag {self._count} ist ein anderer als der zugesagte."))
        else:
            self._uncovered.append((promise, self._count))

    def _checkpoint(self, line: Mapping[str, Any]) -> None:
        self.report.checkpoints += 1
        where = f"Prüfpunkt in Zeile {self._line}"
        try:
            found = open_checkpoint(str(line["checkpoint"]), self._keys)
        except BadNote as exc:
            return self._fault("checkpoint", f"{where}: {exc}", self._covered)
        span = f"Einträge {self._covered} bis {self._count - 1}"
        if found.origin != self._origin:
            self._fault("checkpoint", f"{where} gehört zu einem anderen Protokoll.", self._covered)
        elif found.size != self._count:
            text = f"{where} gilt für {found.size} Einträge, davor stehen {self._count}."
            self._fault("checkpoint", text, min(found.size, self._count))
        elif self._whole and found.root != self._root():
            self._fault("root", f"{where}: Die {span} sind nicht die, über die er ausgestellt wurde.", self._covered)
            self._whole = False
        else:
            self.report.last = found
        self._covered = self._count
        if found.at not in (None, line["at"]):
            self._fault("time", f"{where} ist von {found.at}, nicht von der Zeit, die dabei steht.", self._covered - 1)
        self._last_at = found.at or ""
        self._in_time(found.at or str(line["at"]))
        return None

    def _in_time(self, at: str) -> None:
        """Judge the promises about the entries that this checkpoint is the first to cover."""
        for promise, index in self._uncovered:
            if at > promise.by:
                self.report.broken.append((promise, f"Eintrag {index} kam erst am {at} in einen Prüfpunkt."))
            else:
                self.report.kept.append(promise)
        self._uncovered = []

    def _not_found(self, promise: Promise) -> None:
        if promise.by > max(self.report.exported_at, self._last_at):
            self.report.not_due.append(promise)
        else:
            self.report.broken.append((promise, "Der zugesagte Eintrag steht nicht im Protokoll."))

    def _match_elsewhere(self) -> None:
        """Compare the tree so far with the checkpoints of this size that were seen elsewhere."""
        here = [known for known in self._elsewhere if known.size == self._count]
        for known in here:
            self._elsewhere.remove(known)
            if self._whole and known.root != self._root():
                text = f"Das Protokoll bis Eintrag {self._count - 1} ist nicht das des mitgebrachten Prüfpunkts."
                self._fault("elsewhere", text, self._covered)

    def _end(self, end: object) -> None:
        self._ended = True
        counts = {"checkpoints": self.report.checkpoints, "entries": self._count}
        told = {name: end.get(name) for name in counts} if isinstance(end, dict) else {}
        if told != counts or any(isinstance(number, bool) for number in told.values()):
            self._fault("count", "Die Zahlen am Ende der Datei stimmen nicht mit ihrem Inhalt.", self._count)
        elif end != counts | {"sha256": self._digest.hexdigest()}:
            self._fault("damaged", "Die Prüfsumme der Datei stimmt nicht: Sie wurde nach dem Export verändert.")

    def _add(self, leaf: bytes) -> None:
        height = 0
        while self._peaks and self._peaks[-1][0] == height:
            leaf = node_hash(self._peaks.pop()[1], leaf)
            height += 1
        self._peaks.append((height, leaf))

    def _root(self) -> bytes:
        if not self._peaks:
            return EMPTY_ROOT
        *earlier, (_, found) = self._peaks
        for _, left in reversed(earlier):
            found = node_hash(left, found)
        return found

    def _fault(self, code: str, text: str, index: int | None = None, entry: str | None = None) -> None:
        if len(self.report.faults) < MOST_FAULTS:
            self.report.faults.append(Fault(code, text, index, entry))


def _hex(text: object) -> bytes:
    """Read lower-case hexadecimal; nothing where it is written otherwise."""
    try:
        content = bytes.fromhex(str(text))
    except ValueError:
        return b""
    return content if content.hex() == text else b""


def _opens(opened: object, committed: object) -> bool:
    match opened:
        case [str(salt), str(value)]:
            return commitment(_hex(salt), value) == committed
    return False
