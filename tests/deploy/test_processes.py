"""The services of compose.yaml as processes, with just the settings and secrets that it gives each of them.

No engine is asked: what a container would have of its own (addresses, paths, ports) is put in place of it. Login,
password, privileges and order are compose.yaml's, on a PostgreSQL that asks for passwords and a real Apache Kafka.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import yaml

from broker.auth.caller import Role
from broker.auth.clients import NewClient, add_client
from broker.clock import system_clock
from broker.config import Settings
from broker.privileges import DbRole
from broker.start import open_gateway
from schemas.compose import compose_quittung
from tests.deploy.test_deploy import COMPOSE, DOCKERFILE, ONCE, ours
from tests.flow.test_roles import free_port, headers, permitted
from tests.flow.world import JOBCENTER, SOZIALAMT
from tests.house.source import ROOT
from tests.servers.guarded import Guarded, guarded_postgres
from tests.servers.topics import kafka_settings
from tests.world import eventually

PATIENCE = 120.0
SETTING = "AMTSBRUECKE_"
HOME = JOBCENTER.partition(":")[0]
XML = {"content-type": "application/xml"}


@dataclass(frozen=True, slots=True)
class Stack:
    """compose.yaml on this machine."""

    folder: Path
    server: Guarded
    services: dict[str, Any]
    secrets: dict[str, Any]
    kafka: dict[str, str]
    ports: dict[str, tuple[int, int]]
    """Service → its ports of the API and of operations."""

    @property
    def url(self) -> str:
        """The address of the API."""
        return f"http://127.0.0.1:{self.ports['gateway'][0]}"

    def environment(self, name: str) -> dict[str, str]:
        """Return the environment of a service: the image's settings and compose.yaml's, and nothing of this process."""
        image = dict(re.findall(rf"({SETTING}[A-Z_]+)=(\S+)", DOCKERFILE.read_text(encoding="utf-8")))
        given = image | self.services[name]["environment"]
        api, ops = self.ports[name]
        own = {"HOST": "127.0.0.1", "PORT": str(api), "OPS_PORT": str(ops), "PUBLIC_URL": self.url}
        own |= {"DATA_DIR": str(self.folder / "data")} | {name.upper(): value for name, value in self.kafka.items()}
        replaced = {key: self.here(name, value) for key, value in given.items()}
        mine = {key: value for key, value in os.environ.items() if not key.startswith(SETTING)}
        return mine | replaced | {SETTING + key: value for key, value in own.items()}

    def here(self, name: str, text: str) -> str:
        """Put addresses and paths of this machine in place of the containers'."""
        text = text.replace("@postgres/", f"@127.0.0.1:{self.server.port}/")
        text = text.replace("/run/secrets", str(self.folder / "run" / name))
        return text.replace("/etc/amtsbruecke/directory.yaml", str(ROOT / "broker/directory/kreis-recklinghausen.yaml"))

    def command(self, name: str) -> list[str]:
        """Return the command of a service."""
        return [sys.executable, "-m", "broker", *(self.here(name, word) for word in self.services[name]["command"])]

    def settings(self, name: str) -> Settings:
        """Return the settings of a service."""
        given = {key.removeprefix(SETTING).lower(): v for key, v in self.environment(name).items() if SETTING in key}
        return Settings.model_validate(given)

    def hand_secrets(self) -> None:
        """Make the passwords, and give each service its own."""
        command = ["make", "-f", str(ROOT / "Makefile"), "-C", str(self.folder), "secrets"]
        subprocess.run(command, check=True, capture_output=True)
        for name, service in self.services.items():
            own = self.folder / "run" / name
            own.mkdir(parents=True)
            for secret in service["secrets"]:
                shutil.copy(self.folder / self.secrets[secret]["file"], own / secret)

    def once(self, name: str, *more: str) -> None:
        """Run a service that ends by itself; it must do so without a fault."""
        done = subprocess.run(
            [*self.command(name), *more], cwd=ROOT, env=self.environment(name), capture_output=True, check=False
        )
        assert done.returncode == 0, (name, done.stderr.decode()[-2000:])

    @contextmanager
    def running(self, name: str) -> Iterator[None]:
        """Run a role; at the end it must stop by SIGTERM without an error, and have met none."""
        log = self.folder / f"{name}.log"
        with (
            log.open("wb") as stream,
            subprocess.Popen(self.command(name), cwd=ROOT, env=self.environment(name), stderr=stream) as process,
        ):
            try:
                yield
                process.send_signal(signal.SIGTERM)
                assert process.wait(PATIENCE) == 0, (name, log.read_text()[-2000:])
            finally:
                process.kill()
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        ours_alone = [line for line in lines if line["logger"].startswith("broker") and line["level"] != "info"]
        assert [line for line in ours_alone if line.get("error") != "TransportUnavailable"] == [], name


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[Stack]:
    """Give the stack with everything done that comes before the roles, in compose.yaml's order."""
    kafka = await kafka_settings()
    compose = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
    services = ours(compose)
    ports = {name: (free_port(), free_port()) for name in services}
    with guarded_postgres() as server:
        made = Stack(tmp_path, server, services, compose["secrets"], kafka, ports)
        made.hand_secrets()
        password = (tmp_path / "secrets" / "postgres-password").read_text().strip()
        await asyncio.to_thread(server.run, f"ALTER ROLE amtsbruecke PASSWORD '{password}'")
        for name in ("migrate", "logins", "directory", "topics"):
            await asyncio.to_thread(made.once, name)
        yield made


async def is_ready(port: int) -> dict[str, Any] | None:
    """Return /readyz of a role where it is ready."""
    async with httpx.AsyncClient(timeout=5) as http:
        try:
            answer = await http.get(f"http://127.0.0.1:{port}/readyz")
        except httpx.TransportError:
            return None
    found: dict[str, Any] = answer.json()
    return found if answer.status_code == httpx.codes.OK else None


@asynccontextmanager
async def all_running(stack: Stack) -> AsyncIterator[None]:
    """Run every role, each once, and wait until all are ready and warn of nothing."""
    with ExitStack() as running:
        names = [name for name in stack.services if name not in ONCE]
        for name in names:
            running.enter_context(stack.running(name))
        for name in names:
            async with asyncio.timeout(PATIENCE):
                while (seen := await is_ready(stack.ports[name][1])) is None:  # noqa: ASYNC110 - another process
                    await asyncio.sleep(0.2)
            assert set(seen["checks"].values()) == {"ok"}, (name, seen)
        yield


async def clients(stack: Stack) -> dict[str, NewClient]:
    """Add two offices and an officer, as the administrator's login."""
    async with open_gateway(stack.settings("topics"), role=DbRole.ADMIN) as gateway:
        offices = {name: await add_client(gateway, Role.INSTANCE, instance=name) for name in (JOBCENTER, SOZIALAMT)}
        return offices | {HOME: await add_client(gateway, Role.OFFICER, agency=HOME)}


async def test_every_process_of_compose_does_its_work_under_its_login(stack: Stack) -> None:
    """A transfer goes its way, is answered, sealed and read by an officer; no role meets a refusal."""
    known = await clients(stack)
    message_id = str(uuid4())
    message = permitted(message_id)
    async with all_running(stack), httpx.AsyncClient(base_url=stack.url, timeout=PATIENCE) as http:
        jobcenter, sozialamt, officer = [await headers(http, client) for client in known.values()]
        sent = await http.post("/v1/transfers", content=message, headers=jobcenter | XML)
        assert sent.status_code == httpx.codes.ACCEPTED, sent.text
        items: list[dict[str, Any]] = []
        async with asyncio.timeout(PATIENCE):
            while not items:
                items = (await http.get("/v1/inbox", params={"wait": 25}, headers=sozialamt)).json()["items"]
        quittung = compose_quittung(
            message_id=str(uuid4()),
            transfer_id=items[0]["transfer_id"],
            reply_to=message_id,
            sender=SOZIALAMT,
            status="VERARBEITET",
            created_at=system_clock(),
        )
        path = f"/v1/inbox/{items[0]['transfer_id']}/quittung"
        answered = await http.post(path, content=quittung, headers=sozialamt | XML)
        look = {"reason": "Prüfung nach Art. 39 DSGVO", "reference": items[0]["transfer_id"]}
        seen = await http.get("/v1/audit/events", params=look, headers=officer)

        async def sealed() -> bool:
            proof = {"entry": seen.json()["items"][0]["id"]}
            answer = await http.get("/v1/audit/proofs/inclusion", params=proof, headers=officer)
            return answer.status_code == httpx.codes.OK

        await eventually(sealed, PATIENCE)
        await asyncio.to_thread(stack.once, "cleanup", "--once")

    assert items[0]["message"].encode() == message
    assert answered.json()["state"] == "processed", answered.text
    assert {"transfer.permitted", "transfer.state"} <= {item["event"] for item in seen.json()["items"]}


async def test_a_wrong_login_would_be_found(stack: Stack) -> None:
    """With the login of another in its place a service does not start: what compose.yaml says is what is tested."""
    services = stack.services
    services["relay"]["environment"] = services["seal"]["environment"]
    shutil.copytree(stack.folder / "run" / "seal", stack.folder / "run" / "relay", dirs_exist_ok=True)
    with pytest.raises(AssertionError, match="amtsbruecke_login_seal"):
        await asyncio.to_thread(stack.once, "relay")
