"""What the measured processes stand on: PostgreSQL that keeps what it commits, Apache Kafka, and a seed to copy.

PostgreSQL comes from ``AMTSBRUECKE_TEST_POSTGRES`` or is started with fsync; Kafka is started from its jars. Without
jars the embedded transport stands in, and the figures say so.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from bench.messages import CATEGORIES, PURPOSE, RECIPIENT, SENDER
from bench.processes import children_of, parent_of
from broker.auth.caller import Role
from broker.auth.clients import NewClient, add_client
from broker.config import Settings
from broker.directory.file import read_directory
from broker.directory.service import load
from broker.migrations import upgrade
from broker.start import open_gateway
from broker.transport.base import topic_of
from tests.servers.kafka import kafka_is_to_be_had
from tests.servers.kafka import running as kafka_running
from tests.servers.procedures import register
from tests.servers.topics import make_topics

ROOT = Path(__file__).resolve().parents[1]
DIRECTORY = ROOT / "broker" / "directory" / "kreis-recklinghausen.yaml"
POSTGRES = "AMTSBRUECKE_TEST_POSTGRES"


@dataclass(frozen=True, slots=True)
class World:
    """The servers of a run and the seed: a database with directory, one client and its procedure, and its keys."""

    folder: Path
    postgres: str
    """Superuser's address."""
    kafka: str
    """Address of the brokers; empty: the embedded transport."""
    seed: str
    """Name of the database that each round copies."""
    client: NewClient = field(repr=False)
    agencies: tuple[str, ...]

    def database(self, name: str) -> str:
        """Return the address of a database of the server."""
        return make_url(self.postgres).set(database=name).render_as_string(hide_password=False)

    @contextmanager
    def copied(self) -> Iterator[tuple[str, Path]]:
        """Give the address of a fresh copy of the seed, and a folder with its keys; both are gone afterwards."""
        name, folder = f"bench_{uuid4().hex[:12]}", self.folder / uuid4().hex[:8]
        shutil.copytree(self.folder / "seed", folder)
        run_sql(self.postgres, f"CREATE DATABASE {name} TEMPLATE {self.seed}", "CHECKPOINT")
        try:
            yield self.database(name), folder
        finally:
            run_sql(self.postgres, f"DROP DATABASE {name} WITH (FORCE)")
            shutil.rmtree(folder)

    def topics(self) -> dict[str, str]:
        """Make topics under a prefix of their own; return the settings that name them."""
        if not self.kafka:
            return {}
        mark = f"b{uuid4().hex[:10]}"
        names = {"KAFKA_BOOTSTRAP": self.kafka, "KAFKA_TOPIC_PREFIX": f"{mark}.", "KAFKA_GROUP_PREFIX": f"{mark}-"}
        settings = Settings(kafka_bootstrap=self.kafka, kafka_topic_prefix=f"{mark}.", kafka_group_prefix=f"{mark}-")
        asyncio.run(make_topics(settings, [topic_of(agency) for agency in self.agencies]))
        return names

    def server_pids(self) -> dict[str, list[int]]:
        """Return the processes of the servers, by role."""
        brokers = [pid for pid in children_of(1, everyone=True) if self._is_broker(pid)]
        return {"PostgreSQL": [asyncio.run(_postmaster(self.postgres))]} | ({"Kafka": brokers} if brokers else {})

    def _is_broker(self, pid: int) -> bool:
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return False
        return words[0].endswith(b"java") and any(str(self.folder).encode() in word for word in words)


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Give the servers for one run."""
    with ExitStack() as stack:
        postgres = os.environ.get(POSTGRES) or stack.enter_context(_postgres(folder / "postgres"))
        kafka = ""
        if kafka_is_to_be_had(jars_alone=True):
            (folder / "kafka").mkdir()
            kafka = stack.enter_context(kafka_running(folder / "kafka"))
        seed = f"bench_seed_{uuid4().hex[:8]}"
        run_sql(postgres, f"CREATE DATABASE {seed}")
        stack.callback(run_sql, postgres, f"DROP DATABASE {seed} WITH (FORCE)")
        made = World(folder, postgres, kafka, seed, *_planted(folder, make_url(postgres).set(database=seed)))
        yield made


@contextmanager
def _postgres(folder: Path) -> Iterator[str]:
    from tests.servers.postgres import running  # noqa: PLC0415 - only where none is given

    folder.mkdir()
    with running(folder, fsync=True) as address:
        yield address


def _planted(folder: Path, url: object) -> tuple[NewClient, tuple[str, ...]]:
    address = url.render_as_string(hide_password=False)
    upgrade(address)
    settings = Settings(data_dir=folder / "seed", database_url=address)

    async def plant() -> tuple[NewClient, tuple[str, ...]]:
        async with open_gateway(settings) as gateway:
            document = read_directory(DIRECTORY, settings.data_dir)
            await load(gateway, document)
            client = await add_client(gateway, Role.INSTANCE, SENDER)
            await register(gateway, [(SENDER, RECIPIENT, PURPOSE, CATEGORIES)])
            async with gateway.db.reading() as connection:
                agencies = (await connection.execute(text("SELECT id FROM agencies"))).scalars().all()
            return client, tuple(str(agency) for agency in agencies)

    return asyncio.run(plant())


async def _postmaster(address: str) -> int:
    """Return the process that is the parent of all of PostgreSQL's; 0 where the server is on another machine."""
    engine = create_async_engine(address)
    try:
        async with engine.connect() as connection:
            backend = (await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one()
            return parent_of(int(backend))
    finally:
        await engine.dispose()


def run_sql(address: str, *statements: str) -> object:
    """Run statements outside of transactions; return the first value of the last one's answer, if it has any."""

    async def run() -> object:
        engine = create_async_engine(address, isolation_level="AUTOCOMMIT")
        try:
            async with engine.connect() as connection:
                value: object = None
                for statement in statements:
                    answer = await connection.execute(text(statement))
                    value = answer.scalar() if answer.returns_rows else None
                return value
        finally:
            await engine.dispose()

    return asyncio.run(run())
