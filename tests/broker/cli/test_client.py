"""``amtsbruecke client`` as the operator sees it, and the printed example as a client would run it."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI
from joserfc.jwk import OKPKey
from typer.testing import CliRunner, Result

from broker import problems
from broker.auth.api import router
from broker.cli import client, directory
from broker.start import open_gateway
from tests.world import DIRECTORY

INSTANCE = "jugendamt-marl:JUGENDAMT_ASD"


@pytest.fixture
def listener(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Let the commands work on fresh data with the directory loaded; give the socket of the public address."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        monkeypatch.setenv("AMTSBRUECKE_DATA_DIR", str(tmp_path / "data"))
        monkeypatch.setenv("AMTSBRUECKE_PUBLIC_URL", f"http://127.0.0.1:{found.getsockname()[1]}")
        assert CliRunner().invoke(directory.app, ["load", str(DIRECTORY)]).exit_code == 0
        yield found


@pytest.fixture
def server(listener: socket.socket) -> Iterator[None]:
    """Serve the token endpoint on that socket."""
    servers: list[uvicorn.Server] = []
    ready = threading.Event()

    async def serve() -> None:
        async with open_gateway() as gateway:
            app = FastAPI()
            app.state.gateway = gateway
            problems.install(app)
            app.include_router(router)
            servers.append(uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off")))
            ready.set()
            await servers[0].serve([listener])

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(30)
    yield
    servers[0].should_exit = True
    thread.join(30)


def add(*arguments: str) -> Result:
    """Run ``client add``."""
    return CliRunner().invoke(client.app, ["add", *arguments])


def value_of(output: str, name: str) -> str:
    """Return what stands behind a name in the output."""
    return next(line.split()[1] for line in output.splitlines() if line.strip().startswith(name + " "))


@pytest.mark.usefixtures("server")
def test_the_printed_example_gets_a_token(tmp_path: Path) -> None:
    """Copied into a file and run by another process, the example prints an access token for the client."""
    result = add("--instance", INSTANCE, "--out", str(tmp_path / "keys"))
    assert result.exit_code == 0, result.output
    begin, end = result.output.index("import json"), result.output.index("Danach:")
    script = tmp_path / "example.py"
    script.write_text(result.output[begin:end], encoding="utf-8")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.strip().split(".")) == 3


@pytest.mark.usefixtures("listener")
def test_the_private_key_is_its_owners_alone(tmp_path: Path) -> None:
    """The key file can be read by its owner only, holds the key id, and is not on the screen."""
    result = add("--instance", INSTANCE, "--out", str(tmp_path / "keys"))
    [path] = (tmp_path / "keys").iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    jwk = json.loads(path.read_text(encoding="utf-8"))
    assert jwk["kid"] == value_of(result.output, "kid")
    assert jwk["d"] not in result.output
    assert path.name == f"client-{value_of(result.output, 'client_id')}.jwk.json"


@pytest.mark.usefixtures("listener")
def test_an_own_public_key_is_taken_from_a_file(tmp_path: Path) -> None:
    """With a PEM file nothing secret is made; the private one is turned away."""
    key = OKPKey.generate_key("Ed25519", private=True)
    (tmp_path / "public.pem").write_bytes(key.as_pem(private=False))
    (tmp_path / "private.pem").write_bytes(key.as_pem(private=True))
    arguments = ["--role", "officer", "--agency", "jugendamt-marl", "--out", str(tmp_path / "keys"), "--public-key"]
    result = add(*arguments, str(tmp_path / "public.pem"))
    assert result.exit_code == 0, result.output
    assert value_of(result.output, "kid") == key.thumbprint()
    assert not (tmp_path / "keys").exists()
    turned_away = add(*arguments, str(tmp_path / "private.pem"))
    assert turned_away.exit_code == 1
    assert "private Schlüssel" in turned_away.stderr


@pytest.mark.usefixtures("listener")
@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "braucht die Instanz"),
        (["--role", "officer"], "braucht ihre Behörde"),
        (["--instance", "jugendamt-bonn:JUGENDAMT_ASD"], "directory show"),
        (["--role", "operator", "--public-key", "gibt-es-nicht.pem"], "gibt-es-nicht.pem"),
    ],
)
def test_what_cannot_be_added_is_told(arguments: list[str], text: str) -> None:
    """The reason is one line of German, without a traceback, and nothing is added."""
    result = add(*arguments)
    assert result.exit_code == 1
    assert text in result.stderr
    assert "Noch kein Zugang" in CliRunner().invoke(client.app, ["list"]).output


@pytest.mark.usefixtures("listener")
def test_a_key_that_cannot_be_written_leaves_no_open_access(tmp_path: Path) -> None:
    """Where the private key cannot be stored, the access is revoked again: nobody could use it."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert add("--role", "operator", "--out", str(tmp_path / "file")).exit_code == 1
    assert "gesperrt" in CliRunner().invoke(client.app, ["list"]).output


@pytest.mark.usefixtures("listener")
def test_clients_are_listed_and_revoked(tmp_path: Path) -> None:
    """An access shows as active, then as revoked; the second time is told, and so is an unknown id."""
    client_id = value_of(add("--instance", INSTANCE, "--out", str(tmp_path)).output, "client_id")
    listed = CliRunner().invoke(client.app, ["list"]).output
    assert listed.split() == [client_id, "instance", INSTANCE, "aktiv"]
    assert CliRunner().invoke(client.app, ["revoke", client_id]).output == "Zugang gesperrt.\n"
    assert "schon" in CliRunner().invoke(client.app, ["revoke", client_id]).output
    assert "gesperrt 20" in CliRunner().invoke(client.app, ["list"]).output
    assert CliRunner().invoke(client.app, ["revoke", "niemand"]).exit_code == 1
