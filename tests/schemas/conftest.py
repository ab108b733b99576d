"""Where the official XÖV schemas lie. They belong to their publishers, so the tree has no copy of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
XOEV_DIR = Path(os.environ.get("AMTSBRUECKE_XOEV_DIR", ROOT.parent / "shared" / "xoev"))
OFFICIAL_DIN_91379 = XOEV_DIR / "din-91379-2022-08" / "din-norm-91379-datatypes.xsd"
LEFT_OUT = (
    "NOT COMPARED with the official DIN 91379 schema: it is not on this machine; set AMTSBRUECKE_XOEV_DIR to its folder"
)

collect_ignore: list[str] = []
if not OFFICIAL_DIN_91379.is_file():
    if os.environ.get("CI") == "true":
        raise FileNotFoundError(LEFT_OUT)
    collect_ignore.append("test_din91379_official.py")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly what was left out."""
    if collect_ignore:
        terminalreporter.write_line(LEFT_OUT, red=True, bold=True)


@pytest.fixture(scope="session")
def official_din_91379() -> Path:
    """Give the path of the official schema."""
    return OFFICIAL_DIN_91379
