"""YAML with line numbers: strict reading of nodes, and the error that says file, line, field and what to do.

Of YAML 1.1 only plain data is taken: no aliases (they can grow without bound), no tags of a program, no key twice.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

LARGEST = 1_000_000
"""Bytes of a directory file."""
DEEPEST = 20
"""Levels of nesting; a directory needs six."""
TEXT_TAG = "tag:yaml.org,2002:str"


class DirectoryFileError(ValueError):
    """A directory file is wrong at one place. `text` is German and says what to write instead."""

    def __init__(self, file: str, line: int, field: str, text: str) -> None:
        """Carry file name, line (from 1), dotted field (may be empty) and what is wrong."""
        super().__init__(f"{file}, Zeile {line}" + (f", {field}" if field else "") + f": {text}")
        self.file = file
        self.line = line
        self.field = field
        self.text = text


@dataclass(frozen=True, slots=True)
class Item:
    """A node of the file, with the dotted field under which it stands."""

    file: str
    field: str
    node: yaml.Node

    @property
    def line(self) -> int:
        """The line in the file, from 1."""
        return int(self.node.start_mark.line) + 1

    def error(self, text: str) -> DirectoryFileError:
        """Build the error of this place."""
        return DirectoryFileError(self.file, self.line, self.field, text)

    def text(self) -> str:
        """Return a text of at least one character. Raises `DirectoryFileError`."""
        if not isinstance(self.node, yaml.ScalarNode):
            raise self.error("hier steht ein Text, keine Liste und keine Zuordnung")
        if self.node.tag != TEXT_TAG:
            raise self.error(f'das liest YAML nicht als Text; in Anführungszeichen setzen: "{self.node.value}"')
        if not self.node.value.strip():
            raise self.error("der Text ist leer")
        return str(self.node.value)

    def entries(self) -> list[Item]:
        """Return the entries of a list. Raises `DirectoryFileError`."""
        if not isinstance(self.node, yaml.SequenceNode):
            raise self.error("hier steht eine Liste, z. B. [a, b]")
        return [Item(self.file, f"{self.field}[{n}]", node) for n, node in enumerate(self.node.value)]

    def members(self) -> dict[str, Item]:
        """Return the members of a mapping by key. Raises `DirectoryFileError`, also for a key that stands twice."""
        if not isinstance(self.node, yaml.MappingNode):
            raise self.error("hier steht eine Zuordnung, z. B. {id: …, name: …}")
        found: dict[str, Item] = {}
        for key, value in self.node.value:
            name = Item(self.file, self.field, key).text()
            member = Item(self.file, f"{self.field}.{name}" if self.field else name, value)
            if name in found:
                raise DirectoryFileError(
                    self.file, key.start_mark.line + 1, member.field, "die Angabe steht zweimal; eine davon streichen"
                )
            found[name] = member
        return found

    def fields(self, required: Collection[str], optional: Collection[str] = ()) -> dict[str, Item]:
        """Return the members of a mapping whose keys are closed. Raises `DirectoryFileError`."""
        members = self.members()
        allowed = [*required, *optional]
        for name, member in members.items():
            if name not in allowed:
                raise member.error(f"unbekannte Angabe; erlaubt: {', '.join(allowed)}")
        for name in required:
            if name not in members:
                raise self.error(f"die Angabe „{name}“ fehlt")
        return members

    def value(self) -> Any:  # noqa: ANN401 - plain data of any shape, for a reader that checks it
        """Return the plain data of this node. Raises `DirectoryFileError`."""
        for _ in self.walk():
            pass
        try:
            return yaml.SafeLoader("").construct_document(self.node)
        except (yaml.YAMLError, ValueError) as exc:
            raise self.error("das ist kein Text, keine Zahl, keine Liste und keine Zuordnung") from exc

    def walk(self) -> Iterator[Item]:
        """Yield this node and all below it. Raises `DirectoryFileError` for a key that stands twice."""
        yield self
        if isinstance(self.node, yaml.MappingNode):
            for member in self.members().values():
                yield from member.walk()
        elif isinstance(self.node, yaml.SequenceNode):
            for entry in self.entries():
                yield from entry.walk()


def read_nodes(path: Path) -> Item:
    """Read the file as YAML nodes. Raises `DirectoryFileError`."""
    try:
        raw = path.read_bytes()
    except OSError as exc:
        raise DirectoryFileError(path.name, 1, "", f"die Datei ist nicht lesbar ({exc.strerror})") from exc
    if len(raw) > LARGEST:
        raise DirectoryFileError(path.name, 1, "", f"die Datei ist größer als {LARGEST} Bytes")
    try:
        text = raw.decode("utf-8")
        _check_events(path.name, text)
        node = yaml.compose(text, yaml.CSafeLoader)
    except yaml.MarkedYAMLError as exc:
        line = exc.problem_mark.line + 1 if exc.problem_mark else 1
        raise DirectoryFileError(path.name, line, "", f"kein gültiges YAML ({exc.problem})") from exc
    except (yaml.YAMLError, UnicodeDecodeError) as exc:
        raise DirectoryFileError(path.name, 1, "", "kein gültiges YAML in UTF-8") from exc
    if node is None:
        raise DirectoryFileError(path.name, 1, "", "die Datei ist leer")
    return Item(path.name, "", node)


def _check_events(file: str, text: str) -> None:
    """Refuse aliases and deep nesting before a tree is made of them."""
    depth = 0
    for event in yaml.parse(text, yaml.CSafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise DirectoryFileError(
                file, line, "", f"mehr als {DEEPEST} Ebenen ineinander; so tief ist kein Verzeichnis"
            )
        if isinstance(event, yaml.AliasEvent):
            raise DirectoryFileError(file, line, "", f"Verweis „*{event.anchor}“: hier ausschreiben, was gemeint ist")
