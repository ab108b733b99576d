"""What differs between two catalogues, row by row and field by field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from consent.book.entries import Entry


@dataclass(frozen=True, slots=True)
class Change:
    """A field that differs: its German name, what it said and what it says; empty = the row left it open."""

    label: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Difference:
    """Rows that are there in one catalogue alone, and rows that say something else."""

    added: tuple[Entry, ...]
    removed: tuple[Entry, ...]
    changed: tuple[tuple[Entry, tuple[Change, ...]], ...]
    """The row as it is now, and the fields that differ."""

    def __bool__(self) -> bool:
        """Whether anything differs."""
        return bool(self.added or self.removed or self.changed)


def difference(before: Iterable[Entry], after: Iterable[Entry], *, of_days: bool = False) -> Difference:
    """Compare the rows of two catalogues.

    `of_days`: the rows are those that count on a day each; then a row is compared with its successor, which counts from
    another day on. Otherwise a row that was closed and one that follows it are two.
    """
    old, new = _by_key(before, of_days=of_days), _by_key(after, of_days=of_days)
    both = [(old[key], entry) for key, entry in new.items() if key in old]
    return Difference(
        added=tuple(entry for key, entry in new.items() if key not in old),
        removed=tuple(entry for key, entry in old.items() if key not in new),
        changed=tuple((now, changes) for was, now in both if (changes := _changes(was, now))),
    )


def _by_key(entries: Iterable[Entry], *, of_days: bool) -> Mapping[str, Entry]:
    return {entry.key if of_days else entry.id: entry for entry in entries}


def _changes(was: Entry, now: Entry) -> tuple[Change, ...]:
    old = {field.name: field for field in was.fields}
    new = {field.name: field for field in now.fields}
    differ = [name for name in {**old, **new} if _raw(old, name) != _raw(new, name)]
    labels = {name: field.label for name, field in {**old, **new}.items()}
    return tuple(Change(labels[name], _text(old, name), _text(new, name)) for name in differ)


def _raw(fields: Mapping[str, object], name: str) -> object:
    return getattr(fields.get(name), "raw", None)


def _text(fields: Mapping[str, object], name: str) -> str:
    return str(getattr(fields.get(name), "text", ""))
