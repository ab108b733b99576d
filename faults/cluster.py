"""The servers of a data centre on one machine: PostgreSQL and Kafka brokers, each behind a network that can be broken.

All listen on 127.0.0.1, keep their data in one temporary folder, and are gone afterwards, however the run ends.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import asyncpg

from broker.migrations import upgrade
from faults.commands import must
from faults.proxy import Proxy
from tests.servers.kafka import Kafka, free_port
from tests.servers.keeper import ServerMissing
from tests.servers.postgres import Postgres

BROKERS = 3
TEMPLATE = "faults_template"
SMALL_DISK, SMALL_DATABASE_DISK = "384m", "1g"
#: A log of changes that a small disk can hold.
SMALL_DATABASE = ("max_wal_size=64MB", "min_wal_size=32MB")
ADMISSION = "host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
CLIENTS = "CLIENTS"
BALLOON = "balloon"
"""What takes the room on a disk that is filled."""


class ProxiedKafka(Kafka):
    """Brokers whose clients come through proxies; among themselves they speak directly."""

    def __init__(self, folder: Path, small_disk: Path | None) -> None:
        """With `small_disk` the last broker keeps its log there."""
        self._small_disk = small_disk
        self._client_ports = {number: free_port() for number in range(1, BROKERS + 1)}
        self.proxies = {number: Proxy(port) for number, port in self._client_ports.items()}
        super().__init__(folder, brokers=BROKERS)

    @property
    def client_bootstrap(self) -> str:
        """The addresses that the roles are given."""
        return ",".join(f"127.0.0.1:{proxy.port}" for proxy in self.proxies.values())

    def alive(self, number: int) -> bool:
        """Whether a broker's process runs."""
        process = self._processes.get(number)
        return process is not None and process.poll() is None

    def revive(self, number: int) -> None:
        """Start a broker again if it does not run."""
        if not self.alive(number):
            self._processes.pop(number, None)
            self.start(number)

    def _settings(self, number: int) -> dict[str, str]:
        settings = super()._settings(number)
        listeners, advertised = settings["listeners"], settings["advertised.listeners"]
        protocols = settings["listener.security.protocol.map"]
        settings |= {
            "listeners": f"{listeners},{CLIENTS}://127.0.0.1:{self._client_ports[number]}",
            "advertised.listeners": f"{advertised},{CLIENTS}://127.0.0.1:{self.proxies[number].port}",
            "listener.security.protocol.map": f"{protocols},{CLIENTS}:PLAINTEXT",
        }
        settings["log.segment.delete.delay.ms"] = "1000"
        if self._small_disk is not None and number == BROKERS:
            settings["log.dirs"] = str(self._small_disk / "kafka")
        return settings


class RevivablePostgres(Postgres):
    """A PostgreSQL that somebody starts again when it gave up, and that asks all but the suite for passwords."""

    def __init__(self, folder: Path, *, settings: Sequence[str] = ()) -> None:
        """Make the data directory under `folder`; what is committed is on disk."""
        super().__init__(folder, fsync=True, settings=settings)
        self.secrets = folder / "secrets"
        """The folder with the passwords of its logins."""
        (self._data / "pg_hba.conf").write_text(ADMISSION)

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self._process is not None and self._process.poll() is None

    def revive(self) -> None:
        """Start it if it does not run, or cannot be asked."""
        with suppress(ServerMissing, OSError):
            self.kill()
        self.start()


class Cluster:
    """PostgreSQL (fsync on), three brokers, and the proxies in front of them."""

    def __init__(self, folder: Path, *, small_disk: Path | None, brokers: bool = True) -> None:
        """Start all. `small_disk`: a file system that can be filled, or None."""
        self.folder = folder
        self.small_disk = small_disk
        self._stack = ExitStack()
        try:
            self._start(brokers)
        except BaseException:
            self.close()
            raise

    def _start(self, brokers: bool) -> None:
        place = _folder(self.folder / "postgres")
        self.postgres = RevivablePostgres(place)
        self._stack.callback(self.postgres.stop)
        self.postgres.start()
        self.database_disk: Path | None = None
        self.database_proxy = Proxy(self.postgres.port)
        self._stack.callback(self.database_proxy.close)
        self.kafka: ProxiedKafka | None = None
        if brokers:
            self.kafka = ProxiedKafka(_folder(self.folder / "kafka"), self.small_disk)
            for proxy in self.kafka.proxies.values():
                self._stack.callback(proxy.close)
            self._stack.enter_context(self.kafka)
        self._make_template()

    def _make_template(self) -> None:
        """Make tables and logins, as the owner does."""
        self.administer(lambda connection: connection.execute(f"CREATE DATABASE {TEMPLATE}"))
        owner = self.database_url(TEMPLATE).format(login="postgres")
        upgrade(owner)
        must({"DATABASE_URL": owner}, "db", "logins", "--out", str(self.postgres.secrets))

    @contextmanager
    def database_on_small_disk(self) -> Iterator[None]:
        """Let another PostgreSQL, on a disk that can be filled, stand in for this one; the roles see no difference."""
        with ExitStack() as stack:
            disk = stack.enter_context(small_disk(self.folder / "small-database", SMALL_DATABASE_DISK))
            if disk is None:
                yield
                return
            before = self.postgres
            other = RevivablePostgres(_folder(disk / "postgres"), settings=SMALL_DATABASE)
            stack.callback(other.kill)
            other.start()
            stack.callback(self._use, before, None)
            self._use(other, disk)
            self._make_template()
            yield

    def _use(self, postgres: RevivablePostgres, disk: Path | None) -> None:
        self.postgres, self.database_disk, self.database_proxy.target = postgres, disk, postgres.port

    def database_url(self, database: str, *, proxied: bool = False) -> str:
        """Return the address of a database, directly or through the proxy, with a blank for the login."""
        port = self.database_proxy.port if proxied else self.postgres.port
        return f"postgresql+asyncpg://{{login}}@127.0.0.1:{port}/{database}"

    def administer(self, work: Callable[[Any], Any], database: str = "postgres") -> Any:  # noqa: ANN401 - what the work gives
        """Run ``work(connection)`` as superuser, past the proxy."""

        async def run() -> Any:  # noqa: ANN401 - the same
            connection = await asyncpg.connect(
                host="127.0.0.1", port=self.postgres.port, user="postgres", database=database
            )
            try:
                return await work(connection)
            finally:
                await connection.close()

        return asyncio.run(run())

    def fresh_database(self, name: str) -> None:
        """Make a database with all tables and no rows."""
        self.administer(lambda connection: connection.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}"))

    def drop_database(self, name: str) -> None:
        """Drop a database, whoever is connected to it."""
        self.administer(lambda connection: connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))

    def heal(self) -> None:
        """Take every fault out of network, disks and servers that a round may have left there."""
        for proxy in self.proxies:
            proxy.heal()
        for disk in (self.small_disk, self.database_disk):
            if disk is not None:
                (disk / BALLOON).unlink(missing_ok=True)
        if self.kafka is not None:
            for number in self.kafka.numbers:
                self.kafka.revive(number)
        if not self.postgres.alive:
            self.postgres.revive()

    @property
    def proxies(self) -> list[Proxy]:
        """All proxies."""
        return [self.database_proxy, *(self.kafka.proxies.values() if self.kafka else ())]

    def close(self) -> None:
        """Stop everything that was started."""
        self._stack.close()


@contextmanager
def running(*, brokers: bool = True) -> Iterator[Cluster]:
    """Run a cluster in a temporary folder, with a small disk where this may be made (root)."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="amtsbruecke-faults-")))
        folder.chmod(0o755)
        small = stack.enter_context(small_disk(folder / "small", SMALL_DISK))
        cluster = Cluster(folder, small_disk=small, brokers=brokers)
        stack.callback(cluster.close)
        yield cluster


@contextmanager
def small_disk(place: Path, size: str) -> Iterator[Path | None]:
    """Mount a file system that can be filled; None where this process may not mount."""
    place.mkdir(exist_ok=True)
    mount, unmount = shutil.which("mount"), shutil.which("umount")
    command = [str(mount), "-t", "tmpfs", "-o", f"size={size},mode=0755", "tmpfs", str(place)]
    mounted = bool(mount and unmount) and sys.platform == "linux" and not _run(command)
    try:
        yield place if mounted else None
    finally:
        if mounted and _run([str(unmount), str(place)]):
            _run([str(unmount), "-l", str(place)])


def _run(command: list[str]) -> int:
    return subprocess.run(command, check=False, capture_output=True).returncode


def _folder(path: Path) -> Path:
    path.mkdir()
    return path
