"""One realistic message of each type, with invented persons, for ``message example`` and the documentation."""

from __future__ import annotations

import re

from schemas.message_types import MESSAGE_TYPES, PACKAGE_DIR

_FOLDER = PACKAGE_DIR / "examples"

#: Types that `example` knows.
EXAMPLE_TYPES: tuple[str, ...] = tuple(dict.fromkeys(t.name for t in MESSAGE_TYPES))


def example(message_type: str, created_at: str | None = None, message_id: str | None = None) -> str:
    """Give the example message of a type as XML text, with this time and id where given.

    Raises `KeyError` with the known types in its text.
    """
    if message_type not in EXAMPLE_TYPES:
        raise KeyError(f"kein Beispiel unter diesem Namen; es gibt: {', '.join(EXAMPLE_TYPES)}")
    text = (_FOLDER / f"{message_type}.xml").read_text(encoding="utf-8")
    for element, value in (("erstelltAm", created_at), ("nachrichtId", message_id)):
        if value is not None:
            text = re.sub(f"(<{element}>)[^<]*(?=</{element}>)", rf"\g<1>{value}", text)
    return text
