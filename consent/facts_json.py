"""Facts as JSON and back: what a decision was taken on, stored so that it can be taken again.

Codes, dates and references alone. Words that the law looks at only as being there (id of a Fachkraft, name of an
attachment) are stored as ``erklärt``, and a norm that cannot be read as ``unlesbar``: neither changes any decision, and
neither may carry personal data into storage.

Facts are stored once and read for years. Where their shape changes, or what one of them means, `FACTS_VERSION` goes up
by one, `UPCASTERS` gets a step from the version before, and ``tests/consent/facts`` samples of the new version.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass, replace
from datetime import date
from enum import StrEnum
from functools import cache, partial
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import orjson

from consent.facts import FACTS_VERSION, TransferFacts
from consent.norm import UnparsableNorm, cited

PRESENT = "erklärt"
ILLEGIBLE = "unlesbar"
Upcaster = Callable[[dict[str, Any]], dict[str, Any]]
"""Turns the facts of one version into those of the next that say the same; it changes nothing in place."""
UPCASTERS: Mapping[int, Upcaster] = types.MappingProxyType({})
"""Version → the step to the next one. Steps are added and never changed: facts of each version lie in databases."""


class UnreadableFacts(ValueError):
    """The stored facts are damaged: a part is missing, unknown or of another kind."""


class UnknownFactsVersion(UnreadableFacts):
    """The stored facts have a version that this code cannot read: of a later program, or none at all."""


def facts_to_json(facts: TransferFacts) -> dict[str, Any]:
    """Turn facts into JSON values: ``{"version": FACTS_VERSION, "facts": {…}}``; sets are sorted, absent stays null."""
    stored: dict[str, Any] = orjson.loads(facts_text(facts))
    return stored


def facts_text(facts: TransferFacts) -> bytes:
    """Write facts as JSON text, with the values of `facts_to_json`."""
    said, first = facts.declarations, facts.first_collection
    if (said.fachkraft, said.anhang, said.norm) != (None, None, None):
        said = replace(said, fachkraft=_there(said.fachkraft), anhang=_there(said.anhang), norm=_norm(said.norm))
        facts = replace(facts, declarations=said)
    if first is not None and first.norm is not None:
        facts = replace(facts, first_collection=replace(first, norm=_norm(first.norm)))
    return orjson.dumps({"version": FACTS_VERSION, "facts": facts}, default=sorted)


def facts_from_json(stored: dict[str, Any]) -> TransferFacts:
    """Read facts that `facts_to_json` wrote, now or in an earlier version.

    Raises `UnreadableFacts`, of which `UnknownFactsVersion` is one. Neither repeats what was stored.
    """
    try:
        facts: TransferFacts = _reader(TransferFacts)(upcast(stored))
    except UnreadableFacts:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as damage:
        raise UnreadableFacts(f"gespeicherte Fakten sind beschädigt ({type(damage).__name__})") from None
    return facts


def upcast(
    stored: dict[str, Any], steps: Mapping[int, Upcaster] = UPCASTERS, newest: int = FACTS_VERSION
) -> dict[str, Any]:
    """Bring stored facts to the newest version, step by step; return them without their version.

    Raises `UnknownFactsVersion` where a step is missing.
    """
    version, facts = stored.get("version"), stored["facts"]
    while version != newest:
        if not isinstance(version, int) or version not in steps:
            raise UnknownFactsVersion(f"gespeicherte Fakten haben keine Version, die zu {newest} zu heben ist")
        facts = steps[version](facts)
        version += 1
    return dict(facts)


def _there(words: str | None) -> str | None:
    """Keep free words out of storage (see the module's docstring)."""
    return PRESENT if words else words


def _norm(text: str | None) -> str | None:
    """Keep norms as they are printed, and what is none out of storage."""
    try:
        return "; ".join(map(str, cited(text))) if text is not None else None
    except UnparsableNorm:
        return ILLEGIBLE


Reader = Callable[[Any], Any]
"""Turns a JSON value into the value of one type."""


@cache
def _reader(hint: Any) -> Reader:  # noqa: ANN401  a type hint can be anything
    """Make the reader of a type, once: looking at types for each value took longer than reading it."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        inner = _reader(next(argument for argument in arguments if argument is not type(None)))
        return lambda raw: None if raw is None else inner(raw)
    if origin in (frozenset, tuple):
        item = _reader(arguments[0])
        return lambda raw: origin(map(item, raw))
    if origin is Literal:
        return lambda raw: _known(raw, arguments)
    if hint is date:
        return date.fromisoformat
    if is_dataclass(hint):
        return _object_reader(hint)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return hint
    return partial(_plain, getattr(hint, "__supertype__", hint))


def _object_reader(kind: Any) -> Reader:  # noqa: ANN401  any dataclass
    readers = {name: _reader(hint) for name, hint in get_type_hints(kind).items()}
    return lambda raw: kind(**{name: readers[name](item) for name, item in raw.items()})


def _plain(kind: type, raw: Any) -> Any:  # noqa: ANN401  a JSON value can be anything
    if type(raw) is not kind:
        raise UnreadableFacts("ein gespeicherter Wert ist von anderer Art")
    return raw


def _known(raw: Any, allowed: tuple[Any, ...]) -> Any:  # noqa: ANN401  a JSON value can be anything
    if raw not in allowed:
        raise UnreadableFacts("ein gespeichertes Wort kennt das Format nicht")
    return raw
