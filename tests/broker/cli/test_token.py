"""``amtsbruecke client token``: what it says where there is no token. That there is one, tests/broker/demo shows."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
from joserfc.jwk import OKPKey
from typer.testing import CliRunner

from broker.cli import client
from broker.cli.token import id_of

KEY = {**OKPKey.generate_key("Ed25519", private=True).as_dict(private=True), "kid": "k1"}


def token(path: Path, *arguments: str) -> tuple[int, str]:
    """Call the command; return its exit status and what it says."""
    result = CliRunner().invoke(client.app, ["token", str(path), *arguments])
    return result.exit_code, result.output


@pytest.mark.parametrize("content", ["", "[]", '{"kty": "OKP", "kid": "k1", "x": "nur öffentlich"}'])
def test_a_file_that_is_no_private_key_is_named(tmp_path: Path, content: str) -> None:
    """The text names the file and what belongs there, and repeats nothing of it."""
    path = tmp_path / "key.jwk.json"
    path.write_text(content, encoding="utf-8")
    status, said = token(path)
    assert status == 1
    assert str(path) in said
    assert "client add" in said
    assert "nur öffentlich" not in said


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The text names the file."""
    status, said = token(tmp_path / "none.json")
    assert status == 1
    assert "none.json" in said


def test_the_id_is_a_member_or_in_the_name_or_asked_for(tmp_path: Path) -> None:
    """A file of `client add` needs no --client-id; another one says that it does."""
    assert id_of(Path("client-4711.jwk.json"), {}) == "4711"
    assert id_of(Path("client-4711.jwk.json"), {"client_id": "0815"}) == "0815"
    path = tmp_path / "key.jwk.json"
    path.write_text(json.dumps(KEY), encoding="utf-8")
    status, said = token(path)
    assert status == 1
    assert "--client-id" in said


def test_a_gateway_that_is_not_there_is_said(tmp_path: Path) -> None:
    """The text names the address, and never the key."""
    path = tmp_path / "client-4711.jwk.json"
    path.write_text(json.dumps(KEY), encoding="utf-8")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        status, said = token(path, "--url", url)
    assert status == 1
    assert url in said
    assert str(KEY["d"]) not in said
