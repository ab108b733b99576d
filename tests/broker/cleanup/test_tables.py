"""The page for operators says of every table who takes rows out of it."""

from __future__ import annotations

import re

from broker.db import Base
from broker.tables import PARTS
from tests.house.source import ROOT

ROW = re.compile(r"^\| ((?:`[a-z_]+`(?:, )?)+) \| [^|]+ \| [^|]+ \|$", re.MULTILINE)


def listed(page: str) -> list[str]:
    """Return the tables that have a line."""
    return [name for row in ROW.findall(page) for name in re.findall(r"`([a-z_]+)`", row)]


def test_every_table_has_a_line_and_every_line_a_table() -> None:
    """A new table is not forgotten: somebody has to say what it grows with and who deletes from it."""
    section = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8").partition("Every table, and who takes")[2]
    found = listed(section)

    assert PARTS
    assert sorted(found) == sorted(Base.metadata.tables)
