"""Say loudly what could not be tested on this machine."""

from __future__ import annotations

import pytest

from tests.servers.postgres import MISSING, postgres_is_to_be_had


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say it once, at the end of the run."""
    if not postgres_is_to_be_had():
        terminalreporter.write_line(MISSING, red=True, bold=True)
