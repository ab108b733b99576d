"""The end of a process: in ten seconds at most, under load, and nothing that was answered is lost."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic
from uuid import uuid4

import httpx
import pytest

from broker.auth.clients import NewClient
from broker.clock import system_clock
from broker.config import Settings
from broker.start import open_gateway
from schemas.compose import compose_uebermittlung
from tests.deployment import environment_of, settings_of, surroundings
from tests.flow.test_roles import PATIENCE, ROOT, clients, free_port, headers, ready
from tests.flow.world import CORE, JOBCENTER, SOZIALAMT
from tests.world import eventually, rows

__all__ = ["clients"]

LOADERS = 6
GRACE = 10.0
LONG_POLL_ENDS = 3.0


@contextmanager
def process(*words: str, folder: Path, log: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command of the program with its log in a file; what is left at the end is killed."""
    given = surroundings() | environment_of(folder, *words) | environment
    with (
        log.open("wb") as stream,
        subprocess.Popen([sys.executable, "-m", "broker", *words], cwd=ROOT, env=given, stderr=stream) as running,
    ):
        try:
            yield running
        finally:
            running.kill()


def message() -> bytes:
    """Compose a message that is permitted."""
    return compose_uebermittlung(
        message_id=str(uuid4()),
        sender=JOBCENTER,
        recipient=SOZIALAMT,
        purpose="RECHTSKREISWECHSEL",
        blocks=CORE,
        created_at=system_clock(),
    )


async def load(http: httpx.AsyncClient, own: dict[str, str], accepted: list[str]) -> None:
    """Submit until the service takes no more."""
    with suppress(httpx.TransportError):
        while True:
            answer = await http.post("/v1/transfers", content=message(), headers=own)
            if answer.status_code == httpx.codes.ACCEPTED:
                accepted.append(answer.json()["transfer_id"])


async def enough(accepted: list[str]) -> bool:
    """Whether every loader has probably been answered twice."""
    return len(accepted) >= 2 * LOADERS


async def test_gateway_ends_under_load_and_keeps_its_word(
    data_dir: Path, tmp_path: Path, clients: dict[str, NewClient]
) -> None:
    """SIGTERM while six clients submit and one waits: gone in time, status 0, every 202 is in the database.

    The long poll is answered at once, empty, instead of holding the process up.
    """
    port, accepted = free_port(), list[str]()
    log = tmp_path / "serve.log"
    environment = {"AMTSBRUECKE_PORT": str(port)}
    with process("serve", "--no-roles", folder=data_dir, log=log, **environment) as running:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE) as http:
            await ready(http)
            jobcenter, sozialamt = [await headers(http, clients[name]) for name in (JOBCENTER, SOZIALAMT)]
            poll = asyncio.create_task(http.get("/v1/inbox", params={"wait": 30}, headers=sozialamt))
            xml = jobcenter | {"content-type": "application/xml"}
            loaders = [asyncio.create_task(load(http, xml, accepted)) for _ in range(LOADERS)]
            await eventually(lambda: enough(accepted), PATIENCE)
            began = monotonic()
            running.send_signal(signal.SIGTERM)
            polled = await poll
            poll_ended = monotonic() - began
            status = await asyncio.to_thread(running.wait, GRACE)
            ended = monotonic() - began
            await asyncio.gather(*loaders)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    async with open_gateway(Settings(data_dir=data_dir, **settings_of(data_dir))) as gateway:
        kept = {row.id for row in await rows(gateway, "SELECT id FROM transfers")}

    assert (status, polled.status_code, polled.json()) == (0, 200, {"items": []})
    assert ended < GRACE
    assert poll_ended < LONG_POLL_ENDS
    assert set(accepted) <= kept
    assert [line["role"] for line in lines if line["message"].startswith("stopping")] == ["serve"]
    assert not [line for line in lines if line["level"] in {"error", "critical"}]


@pytest.mark.parametrize("words", [("relay",), ("deliver",), ("seal",), ("cleanup",)], ids=" ".join)
async def test_role_shows_its_health_and_ends_in_time(words: tuple[str, ...], data_dir: Path, tmp_path: Path) -> None:
    """Each role has its operations port, beats, and ends by SIGTERM with status 0 long before ten seconds."""
    port, log = free_port(), tmp_path / "role.log"
    with process(*words, "--ops-port", str(port), folder=data_dir, log=log) as running:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE) as http:
            await ready(http)
            figures = (await http.get("/metrics")).text
        began = monotonic()
        running.send_signal(signal.SIGTERM)
        status = await asyncio.to_thread(running.wait, GRACE)

    assert (status, monotonic() - began < GRACE) == (0, True), log.read_text()
    assert "amtsbruecke_loop_age_seconds{" in figures


async def test_second_signal_ends_at_once(data_dir: Path, tmp_path: Path, clients: dict[str, NewClient]) -> None:
    """Whoever does not want to wait for a request that goes on signals again: the process is gone at once."""
    port, log = free_port(), tmp_path / "serve.log"
    with process("serve", "--no-roles", folder=data_dir, log=log, AMTSBRUECKE_PORT=str(port)) as running:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE) as http:
            await ready(http)
            own = await headers(http, clients[JOBCENTER]) | {"content-type": "application/xml"}
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        head = "".join(f"{name}: {value}\r\n" for name, value in own.items())
        writer.write(f"POST /v1/transfers HTTP/1.1\r\nhost: x\r\n{head}content-length: 9999\r\n\r\n<".encode())
        await writer.drain()
        await asyncio.sleep(0.3)
        running.send_signal(signal.SIGTERM)
        await asyncio.sleep(0.5)
        went_on = running.poll() is None
        began = monotonic()
        running.send_signal(signal.SIGTERM)
        status = await asyncio.to_thread(running.wait, GRACE)
        writer.close()

    assert went_on
    assert (status, monotonic() - began < 1) == (128 + signal.SIGTERM, True)


@pytest.mark.parametrize("roles", ["--roles", "--no-roles"])
async def test_role_that_dies_ends_the_process(roles: str, data_dir: Path) -> None:
    """A role whose loop ends by itself, inside the gateway too, ends its process with 70, to be started again."""
    program = (  # its loop fails at its first turn
        "from broker.gateway import Pulse\n"
        "def beat(*_): raise RuntimeError('Zzyzx')\n"
        "Pulse.beat = beat\n"
        "from broker.__main__ import main\n"
        "main()\n"
    )
    words = ["serve", roles] if roles == "--roles" else ["relay"]
    given = surroundings() | environment_of(data_dir) | {"AMTSBRUECKE_PORT": str(free_port())}
    command = [sys.executable, "-c", program, *words]
    done = await asyncio.to_thread(
        subprocess.run, command, cwd=ROOT, env=given, capture_output=True, text=True, timeout=PATIENCE, check=False
    )

    assert done.returncode == 70, done.stderr
    assert '"error": "RuntimeError"' in done.stderr
    assert "Zzyzx" not in done.stderr
