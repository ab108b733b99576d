"""Problem details for HTTP (RFC 9457), as a value. The table of types and statuses belongs to the broker."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.errors import Violation

MEDIA_TYPE = "application/problem+json"
_MEMBERS = frozenset({"type", "title", "status", "detail", "instance", "errors"})


@dataclass(frozen=True, slots=True)
class ProblemError:
    """One of several errors of a request: where, by which rule, what is wrong. No values."""

    path: str
    rule: str
    text: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem. `type` is a URI path that the docs explain; `extra` holds further members (RFC 9457, 3.2)."""

    type: str
    title: str
    status: int
    detail: str | None = None
    instance: str | None = None
    errors: tuple[ProblemError, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse extra members that would hide a standard one."""
        if clash := _MEMBERS & set(self.extra):
            raise ValueError(f"extra members must not be called {', '.join(sorted(clash))}")

    def to_dict(self) -> dict[str, Any]:
        """Give the members for JSON, without those that are not set."""
        members: dict[str, Any] = {"type": self.type, "title": self.title, "status": self.status}
        if self.detail is not None:
            members["detail"] = self.detail
        if self.instance is not None:
            members["instance"] = self.instance
        if self.errors:
            members["errors"] = [_error(error) for error in self.errors]
        return {**members, **self.extra}


def errors_of(violations: Iterable[Violation]) -> tuple[ProblemError, ...]:
    """Give the violations of a message as errors of a problem."""
    return tuple(ProblemError(v.path, v.rule, v.text, v.line) for v in violations)


def _error(error: ProblemError) -> dict[str, Any]:
    said: dict[str, Any] = {"path": error.path, "rule": error.rule, "text": error.text}
    return said if error.line is None else {**said, "line": error.line}
