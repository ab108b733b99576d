"""A span of days on which a row of the law counts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Validity:
    """From `start` to `end`, both inclusive; `end` None = open."""

    start: date
    end: date | None = None

    def __post_init__(self) -> None:
        if self.end is not None and self.end < self.start:
            raise ValueError("valid_to lies before valid_from")

    def covers(self, day: date) -> bool:
        """Whether the day lies in the span."""
        return self.start <= day and (self.end is None or day <= self.end)

    def overlaps(self, other: Validity) -> bool:
        """Whether the two spans share a day."""
        return (other.end is None or self.start <= other.end) and (self.end is None or other.start <= self.end)
