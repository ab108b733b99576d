"""From TOML tables to rows: each value is checked against the type of its field, each error names file and row."""

from __future__ import annotations

import types
from collections.abc import Hashable, Mapping
from dataclasses import MISSING, fields
from datetime import date, datetime
from enum import StrEnum
from functools import cache
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from consent.norm import Norm, UnparsableNorm
from consent.rows import Row
from consent.validity import Validity

R = TypeVar("R", bound=Row)

_SPELLED = {"klass": "class"}
"""Field names that TOML spells otherwise."""


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
            raise CatalogueError(where, f"„{key}“ fehlt; jede Zeile dieser Tabelle braucht es")
    if rest:
        raise CatalogueError(where, f"unbekannte Schlüssel: {', '.join(sorted(rest))}")
    values["norms"] = tuple(_norm(text, where) for text in values["norms"])
    if not values["norms"]:
        raise CatalogueError(where, "„norms“ ist leer; jede Zeile nennt die Norm, auf der sie beruht")
    if not values["source"].strip():
        raise CatalogueError(where, "„source“ ist leer; ohne Quelle kann niemand die Zeile prüfen")
    return kind(**values)


@cache
def _hints(kind: Hashable) -> Mapping[str, Any]:
    return get_type_hints(kind)


def _validity(rest: dict[str, Any], where: str) -> Validity:
    if "valid_from" not in rest:
        raise CatalogueError(where, "„valid_from“ fehlt; jede Zeile gilt ab einem Tag")
    start = _value(date, rest.pop("valid_from"), where)
    end = _value(date, rest.pop("valid_to"), where) if "valid_to" in rest else None
    try:
        return Validity(start, end)
    except ValueError as error:
        raise CatalogueError(where, "„valid_to“ liegt vor „valid_from“") from error


def _norm(text: str, where: str) -> str:
    try:
        return str(Norm.parse(text))
    except UnparsableNorm as error:
        raise CatalogueError(where, f"„{text}“ ist keine Norm; {error}") from error


def _value(hint: Any, raw: Any, where: str) -> Any:  # noqa: ANN401  a type hint and a TOML value can be anything
    origin = get_origin(hint)
    if origin is tuple:
        return tuple(_value(get_args(hint)[0], item, where) for item in _expect(list, raw, where))
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
        raise CatalogueError(where, f"erwartet {kind.__name__}, steht {type(raw).__name__}")
    return raw


def _one_of(allowed: tuple[Any, ...], raw: str, where: str) -> str:
    if raw not in [str(value) for value in allowed]:
        raise CatalogueError(where, f"„{raw}“ ist unbekannt; erlaubt: {', '.join(str(value) for value in allowed)}")
    return raw
