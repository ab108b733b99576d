"""``amtsbruecke run --no-demo``: the service, empty."""

from __future__ import annotations

import socket
from pathlib import Path

import httpx

from tests.broker.demo.program import run, staying


def test_it_starts_empty_and_says_how_to_go_on(tmp_path: Path) -> None:
    """It serves with the data of the data directory, loads nothing, and names the next commands; Ctrl-C ends it."""
    with staying(tmp_path, "--no-demo", ready="/docs") as running:
        assert " directory load " in running.text
        assert " client add --instance " in running.text
        assert httpx.get(f"{running.url}/readyz", trust_env=False).status_code == 200
        assert (tmp_path / "amtsbruecke.db").exists()
        assert not (tmp_path / "demo").exists()
        status, rest = running.interrupt()
    assert "Beendet." in rest
    assert status == 0


def test_a_taken_port_is_said(tmp_path: Path) -> None:
    """The text names the variable to set."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = run(tmp_path, "--no-demo", port=taken.getsockname()[1])
    assert result.returncode == 1
    assert "AMTSBRUECKE_PORT=" in result.stderr
