"""The evidence of a round is checked by the product's own commands, and what is wrong with it is found."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest

from broker.audit.events import AuditEvent
from broker.audit.log import entry_of, rows_of
from broker.audit.promise import promise
from broker.audit.sequencer import Sealer
from broker.bulk import insert_all
from broker.clock import system_clock
from broker.config import Settings
from broker.start import open_gateway
from faults.audit import verified

EVENT = AuditEvent("client.added", "operator:*", side={"client_id": "c-1"})


async def _fill(data: Path) -> tuple[str, str]:
    async with open_gateway(Settings(data_dir=data)) as gateway:
        kept, never = (entry_of(EVENT, system_clock()) for _ in range(2))
        async with gateway.db.writing() as connection:
            await insert_all(connection, *rows_of([kept]))
        await Sealer(gateway, "test").seal()
        return promise(gateway, kept), promise(gateway, never)


@pytest.fixture
def promises(tmp_path: Path) -> tuple[str, str]:
    """Seal a log in this folder; give the promise of its entry, and one of an entry that was never written."""
    return asyncio.run(_fill(tmp_path))


def findings(data: Path, promises: Sequence[str], left: int = 0) -> list[str]:
    """Return the findings about a log."""
    return [str(found) for found in verified({"DATA_DIR": str(data)}, data, promises, left)]


def test_a_sound_log_with_its_promises_has_no_finding(tmp_path: Path, promises: tuple[str, str]) -> None:
    """What was promised is there, and what the commands say is kept for whoever looks."""
    assert findings(tmp_path, promises[:1]) == []
    assert "Alles stimmt" in (tmp_path / "audit-verify.txt").read_text()


def test_a_promise_that_was_not_kept_is_found(tmp_path: Path, promises: tuple[str, str]) -> None:
    """A 202 whose entry is not in the log is a finding, also before its promise is due."""
    [found] = findings(tmp_path, promises)
    assert "of 2 promises some were not looked for" in found
    assert "1 gehalten, 1 noch nicht fällig" in found


def test_an_entry_that_was_changed_is_found(tmp_path: Path, promises: tuple[str, str]) -> None:
    """Whoever owns the database may change a row; the log then contradicts itself."""
    with sqlite3.connect(tmp_path / "amtsbruecke.db") as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("UPDATE audit_entries SET actor = 'operator:else'")
    [found] = findings(tmp_path, promises[:1])
    assert found.startswith("audit: audit ")


def test_an_entry_that_stays_unsealed_is_found(tmp_path: Path, promises: tuple[str, str]) -> None:
    """A sealer that does not come again is a finding by itself."""
    [found] = findings(tmp_path, promises[:1], left=3)
    assert found == "audit: 3 entries are not sealed 30 s after the last"


def test_a_command_that_cannot_run_is_found(tmp_path: Path) -> None:
    """Evidence that cannot be read at all is no evidence."""
    (tmp_path / "amtsbruecke.db").write_bytes(b"no database" * 100)
    assert findings(tmp_path, [])
