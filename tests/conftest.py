"""Say loudly what could not be tested on this machine."""

from __future__ import annotations

from contextlib import suppress

import pytest

from tests.servers.kafka import MISSING as WITHOUT_KAFKA
from tests.servers.kafka import ServerMissing, kafka_is_to_be_had
from tests.servers.postgres import MISSING, postgres_is_to_be_had


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say it once, at the end of the run."""
    if not postgres_is_to_be_had():
        terminalreporter.write_line(MISSING, red=True, bold=True)
    with suppress(ServerMissing):
        if not kafka_is_to_be_had():
            terminalreporter.write_line(WITHOUT_KAFKA, red=True, bold=True)
