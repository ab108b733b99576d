"""The roles as processes of their own: HTTP, relay and delivery share database and topics, and nothing else."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from broker.auth.caller import Role
from broker.auth.client_assertion import client_assertion, token_form
from broker.auth.clients import NewClient, add_client
from broker.clock import system_clock
from broker.config import Settings
from broker.directory.service import load
from broker.start import open_gateway
from schemas.compose import compose_quittung, compose_uebermittlung
from tests.deployment import environment_of, settings_of, surroundings
from tests.flow.world import CORE, JOBCENTER, SOZIALAMT
from tests.world import kreis_directory, through_kafka

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 40.0
GRACE = 10


def free_port() -> int:
    """Return a port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def role(*words: str, folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run one role; at the end it must stop by SIGTERM, in time and without an error."""
    environment = surroundings() | environment_of(folder, *words) | {"AMTSBRUECKE_PORT": str(port)}
    command = [sys.executable, "-m", "broker", *words]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE) as process:
        try:
            yield process
            process.send_signal(signal.SIGTERM)
            assert process.wait(GRACE) in {0, -signal.SIGTERM}, words
        finally:
            process.kill()


@pytest.fixture
async def clients(data_dir: Path) -> dict[str, NewClient]:
    """Prepare directory and clients, with no process running."""
    async with open_gateway(Settings(data_dir=data_dir, **settings_of(data_dir))) as gateway:
        await load(gateway, kreis_directory(data_dir))
        return {name: await add_client(gateway, Role.INSTANCE, instance=name) for name in (JOBCENTER, SOZIALAMT)}


async def headers(http: httpx.AsyncClient, client: NewClient) -> dict[str, str]:
    """Fetch a token."""
    assert client.private_jwk is not None
    form = token_form(client_assertion(client.client_id, client.private_jwk, str(http.base_url), system_clock()))
    answer = await http.post("/v1/token", data=form)
    return {"authorization": f"Bearer {answer.json()['access_token']}"}


def permitted(message_id: str) -> bytes:
    """Compose a message that the law lets pass, from the Jobcenter to the Sozialamt, of this moment."""
    return compose_uebermittlung(
        message_id=message_id,
        sender=JOBCENTER,
        recipient=SOZIALAMT,
        purpose="RECHTSKREISWECHSEL",
        blocks=CORE,
        created_at=system_clock(),
    )


async def ready(http: httpx.AsyncClient) -> None:
    """Wait until the service answers."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                if (await http.get("/readyz")).status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)


@through_kafka
async def test_three_processes_carry_a_transfer(data_dir: Path, clients: dict[str, NewClient]) -> None:
    """serve, relay and deliver, each a process, take a transfer from one office to the other and back its quittung."""
    port = free_port()
    message_id = str(uuid4())
    message = permitted(message_id)
    xml = {"content-type": "application/xml"}
    with ExitStack() as stack:
        for words in (("serve", "--no-roles"), ("relay",), ("deliver",)):
            stack.enter_context(role(*words, folder=data_dir, port=port))
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE) as http:
            await ready(http)
            jobcenter, sozialamt = [await headers(http, clients[name]) for name in (JOBCENTER, SOZIALAMT)]
            sent = await http.post("/v1/transfers", content=message, headers=jobcenter | xml)
            [item] = (await http.get("/v1/inbox", params={"wait": 25}, headers=sozialamt)).json()["items"]
            quittung = compose_quittung(
                message_id=str(uuid4()),
                transfer_id=item["transfer_id"],
                reply_to=message_id,
                sender=SOZIALAMT,
                status="VERARBEITET",
                created_at=system_clock(),
            )
            path = f"/v1/inbox/{item['transfer_id']}/quittung"
            answered = await http.post(path, content=quittung, headers=sozialamt | xml)
            seen = (await http.get(f"/v1/transfers/{item['transfer_id']}", headers=jobcenter)).json()

    assert sent.status_code == httpx.codes.ACCEPTED
    assert item["message"].encode() == message
    assert (answered.json()["state"], seen["state"]) == ("processed", "processed")
