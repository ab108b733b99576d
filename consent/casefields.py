"""Fields of a case file: YAML without date magic, and readers that name file, case id and field of what is wrong."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, TypeVar

import yaml

E = TypeVar("E", bound=StrEnum)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
DEEPEST = 50
"""Levels of nesting in a case file; a case needs six."""


class UnreadableCase(Exception):
    """A case cannot be read: file, case id and field, and what was expected there."""

    def __init__(self, file: str, case: str, field: str, text: str) -> None:
        """Name the place and what is wrong with it."""
        super().__init__(f"{file}: {case}: {field}: {text}")


class _Loader(yaml.CSafeLoader):
    """YAML as the format means it: dates stay text, only true and false are booleans, no key twice."""

    yaml_implicit_resolvers = {  # noqa: RUF012  the library's own shape of this attribute
        first: [(tag, pattern) for tag, pattern in found if tag in {"tag:yaml.org,2002:int", "tag:yaml.org,2002:null"}]
        for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Refuse a key that stands twice."""
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for place, key in enumerate(keys):
            if key in keys[:place]:
                line = node.value[place][0].start_mark.line + 1
                raise yaml.MarkedYAMLError(problem=f"Schlüssel „{key}“ steht zweimal (Zeile {line})")
        return super().construct_mapping(node, deep=deep)


_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"true|false"), list("tf"))


def load_yaml(content: bytes) -> Any:  # noqa: ANN401  what YAML gives
    """Read a document; dates stay text. Raises `yaml.YAMLError`, also for more than `DEEPEST` levels in one another."""
    depth = 0
    for event in yaml.parse(content, yaml.CSafeLoader):  # before libyaml makes a tree, which takes stack for each level
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise yaml.MarkedYAMLError(f"mehr als {DEEPEST} Ebenen ineinander")
    return yaml.load(content, Loader=_Loader)  # noqa: S506  a SafeLoader, made stricter


@dataclass(frozen=True, slots=True)
class Fields:
    """Reads the fields of one case; knows file and id for its messages. Each reader raises `UnreadableCase`."""

    file: str
    name: str

    def wrong(self, field: str, text: str) -> UnreadableCase:
        """Make the error for a field."""
        return UnreadableCase(self.file, self.name, field, text)

    def table(self, value: Any, field: str, known: Iterable[str]) -> dict[str, Any]:  # noqa: ANN401  what YAML gives
        """Read a mapping whose keys are all known."""
        if not isinstance(value, dict):
            raise self.wrong(field, "erwartet eine Zuordnung von Feldern")
        if unknown := sorted(str(key) for key in value.keys() - set(known)):
            raise self.wrong(f"{field}.{unknown[0]}", "dieses Feld kennt das Format nicht")
        return value

    def required(self, table: Mapping[str, Any], field: str, where: str) -> Any:  # noqa: ANN401  what YAML gives
        """Read a field that must not be absent or null."""
        if table.get(field) is None:
            raise self.wrong(f"{where}.{field}", "fehlt")
        return table[field]

    def listed(self, value: Any, field: str) -> list[Any]:  # noqa: ANN401  what YAML gives
        """Read a list; null is an empty one."""
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.wrong(field, "erwartet eine Liste")
        return value

    def text(self, value: Any, field: str) -> str:  # noqa: ANN401  what YAML gives
        """Read a text."""
        if not isinstance(value, str):
            raise self.wrong(field, "erwartet einen Text")
        return value

    def optional_text(self, table: Mapping[str, Any], field: str, where: str) -> str | None:
        """Read a text that may be absent."""
        return None if table.get(field) is None else self.text(table[field], f"{where}.{field}")

    def flag(self, value: Any, field: str) -> bool:  # noqa: ANN401  what YAML gives
        """Read a boolean; absent counts as false."""
        if value is not None and not isinstance(value, bool):
            raise self.wrong(field, "erwartet true oder false")
        return value is True

    def number(self, value: Any, field: str) -> int | None:  # noqa: ANN401  what YAML gives
        """Read a whole number from 0; absent stays absent."""
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
            raise self.wrong(field, "erwartet eine ganze Zahl ab 0")
        return value

    def day(self, table: Mapping[str, Any], field: str, where: str) -> date | None:
        """Read a day that may be absent."""
        value = table.get(field)
        return None if value is None else self.as_day(value, f"{where}.{field}")

    def as_day(self, value: Any, field: str) -> date:  # noqa: ANN401  what YAML gives
        """Read a day, written YYYY-MM-DD."""
        if not isinstance(value, str) or not _DATE.fullmatch(value):
            raise self.wrong(field, "erwartet einen Tag als JJJJ-MM-TT")
        try:
            return date.fromisoformat(value)
        except ValueError as error:
            raise self.wrong(field, "diesen Tag gibt es nicht") from error

    def word(self, kind: type[E], value: Any, field: str) -> E:  # noqa: ANN401  what YAML gives
        """Read a word of a closed vocabulary."""
        if not isinstance(value, str) or value not in {member.value for member in kind}:
            raise self.wrong(field, f"kennt das Format nicht; erlaubt: {', '.join(member.value for member in kind)}")
        return kind(value)

    def words(self, kind: type[E], value: Any, field: str) -> tuple[E, ...]:  # noqa: ANN401  what YAML gives
        """Read a list of words of a closed vocabulary."""
        return tuple(self.word(kind, one, field) for one in self.listed(value, field))
