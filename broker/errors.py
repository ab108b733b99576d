"""Errors that become problems. They are raised: the transaction rolls back. A refusal of the law is none of them."""

from __future__ import annotations

from typing import Any


class ProblemError(Exception):
    """An error with its place in the table of problems. `detail` and `extra` never hold personal data."""

    def __init__(self, slug: str, detail: str, *, headers: dict[str, str] | None = None, **extra: Any) -> None:  # noqa: ANN401 - JSON members of the problem
        """Name the row of `broker.problems.PROBLEMS`; `extra` become members of the problem (RFC 9457, 3.2)."""
        super().__init__(f"{slug}: {detail}")
        self.slug = slug
        self.detail = detail
        self.headers = headers or {}
        self.extra = extra


class CannotDecide(ProblemError):
    """Nothing can be decided here now, for a reason that ends by itself; what waits keeps waiting."""


def invalid(field: str, text: str, allowed: list[str] | None = None) -> ProblemError:
    """Build the problem of one bad field, naming it and, where there is a list, what is allowed."""
    error: dict[str, Any] = {"field": field, "text": text}
    if allowed is not None:
        error["allowed"] = allowed
    return ProblemError("invalid-request", text, errors=[error])
