"""From TOML tables to rows: each value is checked against the type of its field, each error names file and row."""

from __future__ import annotations

import difflib
import types
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import MISSING, fields
from datetime import date, datetime
from enum import StrEnum
from functools import cache
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from consent.norm import STATUTES, Norm, UnparsableNorm
from consent.rows import Row
from consent.validity import Validity

R = TypeVar("R", bound=Row)

_SPELLED = {"klass": "class"}
"""Field names that TOML spells otherwise."""
_KINDS: Mapping[type, str] = types.MappingProxyType(
    {
        str: "ein Text in geraden Anführungszeichen",
        bool: "true oder false, ohne Anführungszeichen",
        int: "eine ganze Zahl, ohne Anführungszeichen",
        date: "ein Tag wie 2026-11-22, ohne Anführungszeichen",
        list: 'eine Liste in eckigen Klammern, etwa ["SGB X § 69 Abs. 1"]',
        dict: 'Paare in geschweiften Klammern, etwa { VERMOEGEN = "ERS" }',
    }
)
"""What a value has to be, and what one is, for whoever writes TOML seldom."""


class CatalogueError(Exception):
    """The catalogue cannot be used: file, row and what is wrong, with what to do."""

    def __init__(self, where: str, text: str) -> None:
        """Name the place (``file [[table]] nr``) and the fault."""
        super().__init__(f"{where}: {text}")
        self.where = where


def read_row(kind: type[R], table: Mapping[str, Any], where: str) -> R:
    """Make a row of `kind` from a TOML table. Raises `CatalogueError` for anything missing, unknown or ill-typed."""
    hints = _hints(kind)  # type: ignore[arg-type]  # every class is hashable, whatever its instances are
    rest = dict(table)
    values: dict[str, Any] = {"valid": _validity(rest, where), "where": where}
    for field in fields(kind):
        key = _SPELLED.get(field.name, field.name)
        if field.name in values:
            continue
        if key in rest:
            values[field.name] = _value(hints[field.name], rest.pop(key), f"{where}, {key}")
        elif field.default is MISSING and field.default_factory is MISSING:
            near = difflib.get_close_matches(key, [*rest], n=1)
            slip = f"; verschrieben ist es vielleicht als „{near[0]}“" if near else ""
            raise CatalogueError(where, f"„{key}“ fehlt; jede Zeile dieser Tabelle braucht es{slip}")
    if rest:
        unknown, known = ", ".join(sorted(rest)), ", ".join(sorted(_written(kind)))
        raise CatalogueError(where, f"unbekannte Schlüssel: {unknown}; diese Tabelle kennt: {known}")
    values["norms"] = tuple(_norm(text, where) for text in values["norms"])
    if not values["norms"]:
        raise CatalogueError(where, "„norms“ ist leer; jede Zeile nennt die Norm, auf der sie beruht")
    if not values["source"].strip():
        raise CatalogueError(where, "„source“ ist leer; ohne Quelle kann niemand die Zeile prüfen")
    return kind(**values)


def close(name: str, known: Iterable[str]) -> str:
    """Return a hint at the name that was probably meant, empty where none is near."""
    near = difflib.get_close_matches(name, [*known], n=1)
    return f"; gemeint ist vielleicht „{near[0]}“" if near else ""


def _written(kind: type[Row]) -> Iterator[str]:
    """Yield the keys of a row as a file writes them."""
    yield from ("valid_from", "valid_to")
    yield from (_SPELLED.get(f.name, f.name) for f in fields(kind) if f.name not in {"valid", "where"})


@cache
def _hints(kind: Hashable) -> Mapping[str, Any]:
    return get_type_hints(kind)


def _validity(rest: dict[str, Any], where: str) -> Validity:
    if "valid_from" not in rest:
        raise CatalogueError(where, "„valid_from“ fehlt; jede Zeile gilt ab einem Tag")
    start = _value(date, rest.pop("valid_from"), f"{where}, valid_from")
    end = _value(date, rest.pop("valid_to"), f"{where}, valid_to") if "valid_to" in rest else None
    try:
        return Validity(start, end)
    except ValueError as error:
        raise CatalogueError(where, "„valid_to“ liegt vor „valid_from“") from error


def _norm(text: str, where: str) -> str:
    try:
        found = Norm.parse(text)
    except UnparsableNorm as error:
        raise CatalogueError(where, f"„{text}“ ist keine Norm; {error}") from error
    if found.statute not in STATUTES:
        hint = close(found.statute, STATUTES) or "; ein neues Gesetz wird in consent/norm.py (STATUTES) eingetragen"
        raise CatalogueError(where, f"„{text}“: das Gesetz „{found.statute}“ ist nicht bekannt{hint}")
    return str(found)


def _value(hint: Any, raw: Any, where: str) -> Any:  # noqa: ANN401  a type hint and a TOML value can be anything
    origin = get_origin(hint)
    if origin is tuple:
        found = tuple(_value(get_args(hint)[0], item, where) for item in _expect(list, raw, where))
        if twice := sorted({str(item) for item in found if found.count(item) > 1}):
            raise CatalogueError(where, f"steht zweimal: {', '.join(twice)}; einmal genügt")
        return found
    if origin is Mapping:
        key, value = get_args(hint)
        table = _expect(dict, raw, where)
        return types.MappingProxyType({_value(key, k, where): _value(value, v, where) for k, v in table.items()})
    if origin is Literal:
        return _one_of(get_args(hint), _expect(str, raw, where), where)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return hint(_one_of(tuple(hint), _expect(str, raw, where), where))
    return _expect(hint, raw, where)


def _expect(kind: Any, raw: Any, where: str) -> Any:  # noqa: ANN401  see _value
    wrong = not isinstance(raw, kind) or (kind is int and isinstance(raw, bool)) or isinstance(raw, datetime)
    if wrong:
        there = _KINDS.get(type(raw), "etwas anderes")
        raise CatalogueError(where, f"hier muss stehen: {_KINDS.get(kind, kind.__name__)}; es steht da: {there}")
    return raw


def _one_of(allowed: tuple[Any, ...], raw: str, where: str) -> str:
    if raw not in [str(value) for value in allowed]:
        names = [str(value) for value in allowed]
        raise CatalogueError(where, f"„{raw}“ ist unbekannt{close(raw, names)}; erlaubt: {', '.join(names)}")
    return raw
