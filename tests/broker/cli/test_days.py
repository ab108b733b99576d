"""Days on the command line."""

from __future__ import annotations

import re

import pytest
from typer.testing import CliRunner

from broker.cli.main import app


@pytest.mark.parametrize("text", ["gestern", "2026-13-01", "2026-02-30", "01.12.2026"])
@pytest.mark.parametrize(
    "words", [("law", "show", "--on"), ("law", "replay", "--since"), ("duties", "list", "--due-before")]
)
def test_what_is_no_day_is_told_with_an_example(words: tuple[str, ...], text: str) -> None:
    """The command ends with 2 before it opens anything, and says in German what a day looks like."""
    result = CliRunner().invoke(app, [*words, text])

    assert result.exit_code == 2
    told = re.sub(r"[\s│]+", " ", result.output)
    assert f"„{text}“ ist kein Tag des Kalenders" in told
    assert "2026-12-01" in told
