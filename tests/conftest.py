"""A migrated database for each test, made once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from broker.migrations import upgrade
from tests.world import DATABASE, MovableClock


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run all migrations on an empty database, once for all tests of a process, and return its file."""
    path = tmp_path_factory.mktemp("migrated") / DATABASE
    upgrade(f"sqlite+aiosqlite:///{path}")
    return path


@pytest.fixture
def data_dir(tmp_path: Path, migrated: Path) -> Path:
    """Return a data directory that holds nothing but a copy of the migrated database."""
    folder = tmp_path / "data"
    folder.mkdir()
    shutil.copyfile(migrated, folder / DATABASE)
    return folder


@pytest.fixture
def clock() -> MovableClock:
    """Return a clock that stands still until it is moved."""
    return MovableClock()
