"""The servers to be measured: each a process of its own on a free port of 127.0.0.1, with a fresh folder for its data.

The gateway is started as its operators start it, by ``python -m broker serve``.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

from bench import bare
from bench.load import HOST
from bench.messages import SENDER
from broker.auth.caller import Role
from broker.auth.client_assertion import client_assertion, token_form
from broker.auth.clients import NewClient, add_client
from broker.clock import system_clock
from broker.config import Settings
from broker.directory.file import read_directory
from broker.directory.service import load
from broker.start import open_gateway

ROOT = Path(__file__).resolve().parents[1]
DIRECTORY = ROOT / "broker" / "directory" / "kreis-recklinghausen.yaml"
START_SECONDS = 30.0
STOP_SECONDS = 20.0
TOKEN_SECONDS = 3600


class ServerFault(RuntimeError):
    """A server did not start, or answered what was not asked for; the text has the end of its log."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A server to be measured. `settings` are those of a gateway that differ from the defaults."""

    name: str
    text: str
    settings: Mapping[str, str] | None = field(default=None, hash=False)
    commits: bool = True

    @property
    def is_gateway(self) -> bool:
        """Whether it is the service, and not the bare server."""
        return self.settings is not None


@dataclass(slots=True)
class Server:
    """A running server. `cpu_seconds` works where the system has ``/proc``."""

    kind: Kind
    port: int
    process: subprocess.Popen[bytes] = field(repr=False)
    token: str = field(default="", repr=False)

    def begin_samples(self) -> None:
        """Let a server with a profile begin to count."""
        self.process.send_signal(signal.SIGUSR1)

    def cpu_seconds(self) -> float | None:
        """Return the processor time of the process so far, user and system; None where the system does not tell."""
        stat = Path(f"/proc/{self.process.pid}/stat")
        if not stat.exists():
            return None
        fields = stat.read_text(encoding="ascii").rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Seed:
    """The data of a gateway before its first transfer: database, keys, directory, and a client of the sender."""

    folder: Path
    client: NewClient

    def plant(self, folder: Path) -> None:
        """Copy the data to a new folder."""
        shutil.copytree(self.folder, folder)


async def make_seed(folder: Path) -> Seed:
    """Make the data of a gateway in a new folder."""
    settings = Settings(data_dir=folder)
    async with open_gateway(settings) as gateway:
        await load(gateway, read_directory(DIRECTORY, settings.data_dir))
        return Seed(folder, await add_client(gateway, Role.INSTANCE, SENDER))


@contextmanager
def running(kind: Kind, seed: Seed, folder: Path, samples: Path | None = None) -> Iterator[Server]:
    """Run a server of this kind while the body runs. With `samples`, its profile is written there at its end."""
    seed.plant(folder)
    port = _free_port()
    log = folder / "server.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(  # noqa: S603 - our own modules
            _command(kind, port, samples), cwd=ROOT, env=_environment(kind, folder, port), stdout=stream, stderr=stream
        )
    try:
        _wait_until_alive(process, port, log)
        server = Server(kind, port, process)
        if kind.is_gateway:
            server.token = fetch_token(port, seed.client)
        yield server
    finally:
        _stop(process)


def fetch_token(port: int, client: NewClient) -> str:
    """Get an access token as any client does. Raises `ServerFault`."""
    assertion = client_assertion(client.client_id, client.private_jwk or {}, _address(port), system_clock())
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", "/v1/token", urlencode(token_form(assertion)), form)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    if answer.status != http.HTTPStatus.OK:
        raise ServerFault(f"no token: {answer.status} {body.decode()}")
    return str(json.loads(body)["access_token"])


def _command(kind: Kind, port: int, samples: Path | None) -> list[str]:
    if not kind.is_gateway:
        options = ["--host", HOST, "--port", str(port), "--no-access-log", "--log-level", "warning"]
        return [sys.executable, "-m", "uvicorn", "bench.bare:app", *options]
    module = ["-m", "bench.sampling", str(samples)] if samples else ["-m", "broker"]
    return [sys.executable, *module, "serve", "--port", str(port)]


def _environment(kind: Kind, folder: Path, port: int) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AMTSBRUECKE_")}
    if kind.settings is None:
        return kept | ({bare.FOLDER: str(folder)} if kind.commits else {})
    base = {"DATA_DIR": str(folder), "HOST": HOST, "PUBLIC_URL": _address(port), "TOKEN_SECONDS": str(TOKEN_SECONDS)}
    return kept | {f"AMTSBRUECKE_{name}": value for name, value in (base | dict(kind.settings)).items()}


def _address(port: int) -> str:
    return f"http://{HOST}:{port}"


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as listening:
        return int(listening.getsockname()[1])


def _wait_until_alive(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            connection = http.client.HTTPConnection(HOST, port, timeout=1)
            connection.request("GET", "/livez")
            connection.getresponse().read()
            connection.close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    _stop(process)
    raise ServerFault(f"the server did not start:\n{log.read_text(encoding='utf-8', errors='replace')[-2000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
