"""A deployment: a fresh database and data folder on a cluster, the directory, accesses, and the roles as processes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from broker.auth.caller import Role
from broker.auth.clients import add_client
from broker.config import Settings
from broker.directory.file import read_directory
from broker.directory.service import load, prepare_channels
from broker.privileges import DbRole
from broker.start import open_gateway
from faults.client import Gateways, Lost
from faults.cluster import Cluster
from faults.commands import as_login, environment, must
from faults.messages import CONSENTED, PLAIN
from faults.roles import Supervisor
from tests.servers.postgres import free_port
from tests.servers.procedures import register

DIRECTORY = Path(__file__).with_name("directory.yaml")
AUDIENCE = "http://127.0.0.1:8080"
START_SECONDS = 180.0
JOBCENTER = "jobcenter-kreis-re:JOBCENTER"
INBOXES = (
    "sozialamt-recklinghausen:SOZIALAMT_SGBXII",
    "sozialamt-herten:SOZIALAMT_SGBXII",
    "sozialamt-dorsten:SOZIALAMT_SGBXII",
)
FOLDER_AGENCY = "sozialamt-marl"
FOLDER_OFFICE = f"{FOLDER_AGENCY}:SOZIALAMT_SGBXII"
SECOND_SENDER = "sozialamt-gladbeck:SOZIALAMT_SGBXII"
SENDERS = (JOBCENTER, SECOND_SENDER)
#: Who sends whom; cases go round.
WAYS = (
    *((JOBCENTER, office) for office in INBOXES),
    (JOBCENTER, FOLDER_OFFICE),
    (SECOND_SENDER, JOBCENTER),
)
#: Short times, so that a lost hand-over comes again while the test waits for it.
SETTINGS = {
    "LEASE_SECONDS": "6",
    "RELAY_LEASE_SECONDS": "4",
    "CLEANUP_SECONDS": "5",
    "TOKEN_SECONDS": "600",
    "KAFKA_PARTITIONS": "4",
}
#: How many processes of each role.
WORKERS = (2, 1)
"""How many workers each gateway has; the one without a keeper can be made to die at a place."""
PROCESSES = {"serve": 2, "relay": 2, "deliver": 2, "seal": 2, "cleanup": 2}


@dataclass(slots=True)
class Deployment:
    """What runs, and how to reach it."""

    cluster: Cluster
    database: str
    folder: Path
    supervisor: Supervisor
    proxied: bool
    """Whether the roles reach their servers by the network that can be broken."""
    ports: list[int] = field(default_factory=list)
    accesses: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        """The data folder that all roles share: keys, and the folders of offices."""
        return self.folder / "data"

    @property
    def office_folder(self) -> Path:
        """The place in the share where the folder office finds its messages."""
        return self.data / "folders" / FOLDER_AGENCY / "sgb-xii"

    def settings(self, process: str) -> dict[str, str]:
        """Return the settings of a process (of `broker.privileges.PROCESSES`), without prefix."""
        kafka, through = self.cluster.kafka, self.proxied
        brokers = {"KAFKA_BOOTSTRAP": kafka.client_bootstrap if through else kafka.bootstrap} if kafka else {}
        address = self.cluster.database_url(self.database, proxied=through)
        return (
            SETTINGS
            | brokers
            | as_login(address, process, self.cluster.postgres.secrets)
            | {"DATA_DIR": str(self.data), "PUBLIC_URL": AUDIENCE, "EMBEDDED_ROLES": "false"}
            | {"KAFKA_TOPIC_PREFIX": self.prefix, "KAFKA_GROUP_PREFIX": self.prefix}
        )

    @property
    def prefix(self) -> str:
        """What the names of this round's topics begin with."""
        return f"{self.database}."

    async def prepare(self) -> None:
        """Load the directory, give each office of the load its access, and register what they send each other."""
        async with open_gateway(self._given("admin"), role=DbRole.ADMIN) as gateway:
            document = read_directory(DIRECTORY, self.data)
            await load(gateway, document)
            await prepare_channels(document, self.data)
            for instance in {office for way in WAYS for office in way}:
                client = await add_client(gateway, Role.INSTANCE, instance)
                access = {"client_id": client.client_id, "jwk": client.private_jwk, "instance": instance}
                self.accesses[instance] = access
        async with open_gateway(self._given("serve"), role=DbRole.GATEWAY) as gateway:
            await register(gateway, [(*way, *kind) for way in WAYS for kind in (PLAIN, CONSENTED)])

    def _given(self, process: str) -> Settings:
        return Settings.model_validate({name.lower(): value for name, value in self.settings(process).items()})

    def start(self, extra: Environment) -> None:
        """Start all roles; `extra`: more environment for a process, by its name."""
        for role, number in PROCESSES.items():
            for position in range(1, number + 1):
                words = [role]
                if role == "serve":
                    self.ports.append(free_port())
                    words += ["--no-roles", "--port", str(self.ports[-1]), "--workers", str(WORKERS[position - 1])]
                name = f"{role}-{position}"
                self.supervisor.add(role, name, words, environment(self.settings(role), extra(self, name)))
        asyncio.run(self.wait_ready())

    async def wait_ready(self, seconds: float = START_SECONDS) -> None:
        """Return when every gateway is ready. Raises `TimeoutError`."""
        gateways = Gateways(self.ports)
        end = time.monotonic() + seconds
        for port in self.ports:
            while True:
                with suppress(Lost):
                    if (await gateways.ask(port, "GET", "/readyz", patience=2)).status == 200:  # noqa: PLR2004 - OK
                        break
                if time.monotonic() > end:
                    raise TimeoutError(f"the gateway on port {port} is not ready; see {self.folder}")
                await asyncio.sleep(0.1)
        gateways.close()


#: More environment for a process, by its name.
Environment = Callable[[Deployment, str], Mapping[str, str]]


def unchanged(deployment: Deployment, process: str) -> Mapping[str, str]:
    """Give a process no more environment."""
    del deployment, process
    return {}


def deploy(cluster: Cluster, name: str, folder: Path, extra: Environment, *, proxied: bool) -> Deployment:
    """Make a deployment on a fresh database and start its roles."""
    folder.mkdir(parents=True)
    database = f"faults_{name.replace('-', '_')}"
    cluster.drop_database(database)
    cluster.fresh_database(database)
    deployment = Deployment(cluster, database, folder, Supervisor(folder), proxied)
    (folder / "data").mkdir()
    try:
        asyncio.run(deployment.prepare())
        if cluster.kafka:
            must(deployment.settings("admin"), "topics", "apply")
        deployment.start(extra)
    except BaseException:
        deployment.supervisor.stop()
        raise
    return deployment
