"""Days on the command line: written like 2026-12-01, and told in German where they are not."""

from __future__ import annotations

from datetime import date, datetime

import typer

FORM = "JJJJ-MM-TT"
"""How help names what is wanted."""


def as_day(text: str) -> date:
    """Read a day (ISO 8601, with hyphens). Raises `typer.BadParameter` with what is wanted."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - a day has no zone
    except ValueError as exc:
        wanted = f"„{text}“ ist kein Tag des Kalenders in der Form {FORM}, z. B. 2026-12-01."
        raise typer.BadParameter(wanted) from exc
