"""The product's commands run inside the suite as they do outside."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from faults.commands import CommandFailed, amtsbruecke, environment, must


def test_a_command_has_just_the_settings_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of the one who runs the suite do not reach it, and nothing is left behind."""
    monkeypatch.setenv("AMTSBRUECKE_DATA_DIR", "/nowhere")
    before = dict(os.environ)
    done = amtsbruecke({"DATA_DIR": str(tmp_path)}, "audit", "key")
    assert (done.code, (tmp_path / "keys").is_dir()) == (0, True)
    assert done.said.startswith("amtsbruecke/audit+")
    assert dict(os.environ) == before
    assert "AMTSBRUECKE_DATA_DIR" not in environment({})


def test_a_command_that_fails_is_told(tmp_path: Path) -> None:
    """Its status comes back, with all that it said."""
    done = amtsbruecke({"DATA_DIR": str(tmp_path)}, "audit", "verify", str(tmp_path / "missing"))
    assert done.code == 2
    with pytest.raises(CommandFailed, match=r"topics apply ended with 2: .*KAFKA_BOOTSTRAP"):
        must({"DATA_DIR": str(tmp_path)}, "topics", "apply")
