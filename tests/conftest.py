"""How a run is set up, and what could not be tested on this machine."""

from __future__ import annotations

import gc
import os
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.servers.kafka import MISSING as WITHOUT_KAFKA
from tests.servers.kafka import ServerMissing, kafka_is_to_be_had
from tests.servers.postgres import MISSING, postgres_is_to_be_had

#: A file system in memory, as Linux has it.
MEMORY = Path("/dev/shm")  # noqa: S108 - only as the place for pytest's own folders, which have names of their own
ENOUGH_BYTES = 3 * 2**30


#: A crowded machine generates slowly; that says nothing of the code.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


def pytest_configure() -> None:
    """Let databases, brokers and `tmp_path` lie in memory where there is room, unless TMPDIR says where.

    No test cuts the power, so none can tell; copying a database for each test and syncing every key of it is most of
    what a disk would do. Workers and started programs inherit it.
    """
    if "TMPDIR" not in os.environ and _free_bytes(MEMORY) >= ENOUGH_BYTES:
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None


def _free_bytes(folder: Path) -> int:
    with suppress(OSError):
        found = os.statvfs(folder)
        return found.f_bavail * found.f_frsize
    return 0


def pytest_xdist_auto_num_workers() -> int:
    """Return one worker more than there are cores: tests wait for servers, for clocks and for programs that start."""
    return len(os.sched_getaffinity(0)) + 1


def pytest_collection_finish() -> None:
    """Let the garbage collector pass over what stays to the end: modules, schemas and thousands of tests."""
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say it once, at the end of the run."""
    if not postgres_is_to_be_had():
        terminalreporter.write_line(MISSING, red=True, bold=True)
    with suppress(ServerMissing):
        if not kafka_is_to_be_had():
            terminalreporter.write_line(WITHOUT_KAFKA, red=True, bold=True)
