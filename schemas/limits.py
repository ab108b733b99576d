"""Limits of the XML gate: they make the worst case of one message linear in its bytes."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Upper bounds of one message. Raising one raises the worst-case time; the defaults fit far above real cases."""

    #: Size of the whole message. 1 MiB is some hundred times a usual handover.
    bytes: int = 1_048_576
    #: Nesting of elements; the deepest element of our XSDs stands at 6.
    depth: int = 32
    #: Elements in the message.
    nodes: int = 20_000
    #: Attributes on one element; our XSDs know 7. Quadratic checks elsewhere start here.
    attributes_per_element: int = 32
    #: Attributes in the message.
    attributes: int = 10_000
    #: Characters of one text between two tags, and of one attribute value.
    text: int = 2_000
    #: Data blocks in the message.
    blocks: int = 500
    #: Persons in the message.
    persons: int = 50

    def as_dict(self) -> dict[str, int]:
        """Give the limits under their field names, for ``GET /v1/limits``."""
        return asdict(self)


#: The limits a gateway uses unless it is configured otherwise.
DEFAULT_LIMITS = Limits()

#: More violations than these are not reported: whoever gets fifty has one cause, and each costs time.
MOST_VIOLATIONS = 50
