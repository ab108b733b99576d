"""Errors of the language. None of them repeats a value of the message: it may be about a person."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """One breach of a rule: where (path or line), which rule, what is wrong and what to do. No values."""

    path: str
    rule: str
    text: str
    line: int | None = None


class SchemasError(Exception):
    """Base of all errors of this package."""


class SchemaViolation(SchemasError):
    """The message breaks a rule of its schema or of the XML gate (problem ``schema-violation``)."""

    def __init__(self, violations: tuple[Violation, ...]) -> None:
        """Carry one or more violations, in document order."""
        super().__init__(f"{len(violations)} violation(s), first: {violations[0].rule} at {violations[0].path}")
        self.violations = violations


class UnknownMessageType(SchemasError):
    """Root element or version is none that this gateway knows on that day (problem ``unknown-message-type``)."""

    def __init__(self, allowed: tuple[str, ...]) -> None:
        """Carry what is allowed, as ``type/version``."""
        super().__init__("unknown message type; allowed: " + ", ".join(allowed))
        self.allowed = allowed


class PayloadTooLarge(SchemasError):
    """The message is over a limit in bytes (problem ``payload-too-large``)."""

    def __init__(self, limit: int) -> None:
        """Carry the limit in bytes."""
        super().__init__(f"message is over the limit of {limit} bytes")
        self.limit = limit
