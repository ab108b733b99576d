"""Facts as JSON and back: what a decision was taken on, stored so that it can be taken again.

Codes, dates and references alone. Words that the law looks at only as being there (id of a Fachkraft, name of an
attachment) are stored as ``erklärt``, and a norm that cannot be read as ``unlesbar``: neither changes any decision, and
neither may carry personal data into storage.
"""

from __future__ import annotations

import types
from dataclasses import fields, is_dataclass
from datetime import date
from enum import StrEnum
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from consent.facts import FACTS_VERSION, TransferFacts
from consent.norm import Norm, UnparsableNorm

PRESENT = "erklärt"
ILLEGIBLE = "unlesbar"
_PRESENCE_ONLY = frozenset({"fachkraft", "anhang"})


class UnknownFactsVersion(ValueError):
    """The stored facts have another version than this code reads."""


def facts_to_json(facts: TransferFacts) -> dict[str, Any]:
    """Turn facts into JSON values: ``{"version": FACTS_VERSION, "facts": {…}}``; sets are sorted, absent stays null."""
    return {"version": FACTS_VERSION, "facts": _out(facts)}


def facts_from_json(stored: dict[str, Any]) -> TransferFacts:
    """Read facts that `facts_to_json` wrote.

    Raises `UnknownFactsVersion`; for what is damaged `ValueError`, `KeyError` or `TypeError`.
    """
    if stored.get("version") != FACTS_VERSION:
        raise UnknownFactsVersion(f"gespeicherte Fakten haben nicht die Version {FACTS_VERSION}")
    facts: TransferFacts = _in(TransferFacts, stored["facts"])
    return facts


def _out(value: Any, field: str = "") -> Any:  # noqa: ANN401  any value of a fact
    if is_dataclass(value):
        return {field.name: _out(getattr(value, field.name), field.name) for field in fields(value)}
    if isinstance(value, frozenset):
        return sorted(_out(item) for item in value)
    if isinstance(value, tuple):
        return [_out(item) for item in value]
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, StrEnum):
        return value.value
    return _plain(value, field)


def _plain(value: Any, field: str) -> Any:  # noqa: ANN401  any value of a fact
    """Keep free words out of storage (see the module's docstring)."""
    if isinstance(value, str) and field in _PRESENCE_ONLY:
        return PRESENT if value else ""
    if isinstance(value, str) and field == "norm":
        try:
            return str(Norm.parse(value))
        except UnparsableNorm:
            return ILLEGIBLE
    return value


def _in(hint: Any, raw: Any) -> Any:  # noqa: ANN401  a type hint and a JSON value can be anything
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        inner = [argument for argument in arguments if argument is not type(None)]
        return None if raw is None else _in(inner[0], raw)
    if origin is frozenset:
        return frozenset(_in(arguments[0], item) for item in raw)
    if origin is tuple:
        return tuple(_in(arguments[0], item) for item in raw)
    if origin is Literal:
        return _known(raw, arguments)
    if hint is date:
        return date.fromisoformat(raw)
    if is_dataclass(hint):
        kind: Any = hint
        hints = _hints(kind)
        return kind(**{name: _in(hints[name], item) for name, item in raw.items()})
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return hint(raw)
    return raw


@cache
def _hints(kind: Any) -> dict[str, Any]:  # noqa: ANN401  any dataclass
    return get_type_hints(kind)


def _known(raw: Any, allowed: tuple[Any, ...]) -> Any:  # noqa: ANN401  a JSON value can be anything
    if raw not in allowed:
        raise ValueError("ein gespeichertes Wort kennt das Format nicht")
    return raw
