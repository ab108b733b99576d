"""Canonical JSON bytes for hashing and signing (RFC 8785, JSON Canonicalization Scheme).

Numbers are integers that every implementation represents exactly; floats are refused, so the number formatting of
ECMAScript is not needed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TypeAlias, cast

import orjson

#: What can be written: objects with text keys, arrays, text, integers, booleans and null.
Json: TypeAlias = "str | int | bool | Sequence[Json] | Mapping[str, Json] | None"

_LARGEST = 2**53 - 1


class NotCanonical(ValueError):
    """A value has no canonical form here: a float, a large integer, a lone surrogate, a key that is no text."""


def canonical_json(value: Json) -> bytes:
    """Give the canonical UTF-8 bytes of a value. Raises `NotCanonical`; its text names the kind, never the value."""
    if _simple(value):
        with suppress(orjson.JSONEncodeError):  # a lone surrogate, which is named below
            return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    try:
        return _write(value).encode("utf-8")
    except UnicodeEncodeError:
        raise NotCanonical("text with a lone surrogate has no UTF-8 form") from None


def _simple(value: object) -> bool:
    """Whether the library's encoder writes the canonical form: known kinds alone, exact integers, keys of ASCII.

    ASCII keys have one order, by bytes as by UTF-16 code units.
    """
    kind = type(value)
    if kind is str or value is None or kind is bool:
        return True
    if kind is dict:
        entries = cast("dict[object, object]", value)
        return all(type(key) is str and key.isascii() and _simple(item) for key, item in entries.items())
    if kind is int:
        return -_LARGEST <= cast("int", value) <= _LARGEST
    return kind is list and all(map(_simple, cast("list[object]", value)))


def _write(value: object) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return json.dumps(str(value), ensure_ascii=False)
    if isinstance(value, int):
        if abs(value) > _LARGEST:
            raise NotCanonical("integers beyond 2**53 - 1 are not exact in every implementation; write them as text")
        return str(int(value))
    if isinstance(value, Mapping):
        return _object(value)
    if isinstance(value, list | tuple):
        return "[" + ",".join(_write(item) for item in value) + "]"
    raise NotCanonical(f"a value of type {type(value).__name__} has no canonical form here")


def _object(value: Mapping[object, object]) -> str:
    """Write an object; keys are sorted by their UTF-16 code units (RFC 8785, section 3.2.3)."""
    keys = [key for key in value if isinstance(key, str)]
    if len(keys) != len(value):
        raise NotCanonical("object keys must be text")
    try:
        keys.sort(key=lambda key: key.encode("utf-16-be"))
    except UnicodeEncodeError:
        raise NotCanonical("text with a lone surrogate has no UTF-8 form") from None
    return "{" + ",".join(f"{_write(key)}:{_write(value[key])}" for key in keys) + "}"
