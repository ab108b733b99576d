"""One realistic message of each type, with invented persons, for ``message example`` and the documentation."""

from __future__ import annotations

from schemas.message_types import MESSAGE_TYPES, PACKAGE_DIR

_FOLDER = PACKAGE_DIR / "examples"

#: Types that `example` knows.
EXAMPLE_TYPES: tuple[str, ...] = tuple(dict.fromkeys(t.name for t in MESSAGE_TYPES))


def example(message_type: str) -> str:
    """Give the example message of a type as XML text. Raises `KeyError` with the known types in its text."""
    if message_type not in EXAMPLE_TYPES:
        raise KeyError(f"kein Beispiel unter diesem Namen; es gibt: {', '.join(EXAMPLE_TYPES)}")
    return (_FOLDER / f"{message_type}.xml").read_text(encoding="utf-8")
