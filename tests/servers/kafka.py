"""Apache Kafka for tests: from the environment, from Docker, or from the jars that `make install` brings.

The ordinary suite shares one broker for a run (`shared_kafka`); the faults start three of their own (`Kafka`) and may
kill each. All listen on 127.0.0.1 alone. `secure=True` adds a listener with TLS, SCRAM and access lists.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from tests.servers.certificates import write_certificates
from tests.servers.keeper import ROOT, ServerMissing, shared

#: Address (``host:port,…``) of brokers that are there already; topics with made-up prefixes are made on them.
GIVEN = "AMTSBRUECKE_TEST_KAFKA"
MISSING = (
    "NOT TESTED on Apache Kafka: there is no address in AMTSBRUECKE_TEST_KAFKA, no Docker engine and no jars in "
    "build/kafka; install Java 17 (openjdk-17-jre-headless) and Maven, then `make install`"
)
IMAGE = "apache/kafka:4.1.1"
JARS = ROOT / "build" / "kafka"
CLUSTER_ID = "YW10c2JydWVja2UtdGVzdA"
START_SECONDS = 60
ADMIN, ADMIN_PASSWORD = "admin", "admin-of-the-tests"
SCRAM = "SCRAM-SHA-512"
JVM = ("-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
LOGGING = """rootLogger.level=warn
rootLogger.appenderRef.console.ref=console
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d %p %m (%c)%n%throwable{5}
"""
SMALL = {
    "auto.create.topics.enable": "false",
    "group.initial.rebalance.delay.ms": "0",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.num.partitions": "1",
    "group.min.session.timeout.ms": "1000",
    "log.segment.bytes": "67108864",
    "log.cleaner.dedupe.buffer.size": "4194304",
    "num.network.threads": "2",
    "num.io.threads": "2",
    "num.recovery.threads.per.data.dir": "1",
}


def kafka_is_to_be_had(*, jars_alone: bool = False) -> bool:
    """Whether the tests can have a broker. Raises `ServerMissing` where not and ``CI=true``."""
    found = _jars_are_there() or (not jars_alone and (bool(os.environ.get(GIVEN)) or _docker_runs()))
    if not found and os.environ.get("CI") == "true":
        raise ServerMissing(MISSING)
    return found


def shared_kafka() -> str:
    """Return the address of the Kafka of this run."""
    return os.environ.get(GIVEN) or shared("tests.servers.kafka:running")


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """Run one broker in a folder, and give its address."""
    if _docker_runs():
        with suppress(ServerMissing), _in_docker() as address:
            yield address
            return
    with Kafka(folder) as cluster:
        yield cluster.bootstrap


class Kafka:
    """Brokers of our own from the jars (KRaft, each is controller too), on ports that stay when they start again."""

    def __init__(self, folder: Path, *, brokers: int = 1, secure: bool = False) -> None:
        """Prepare data folders under `folder`. Raises `ServerMissing` where there is no Java or no jars."""
        if not _jars_are_there():
            raise ServerMissing(MISSING)
        self._folder = folder
        self._ports = {n: (free_port(), free_port(), free_port()) for n in range(1, brokers + 1)}
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._secure = secure
        (folder / "log4j2.properties").write_text(LOGGING)
        self.ca_file = write_certificates(folder) if secure else None
        for number in self.numbers:
            self._format(number)

    @property
    def numbers(self) -> list[int]:
        """The numbers of the brokers, from 1."""
        return sorted(self._ports)

    @property
    def bootstrap(self) -> str:
        """The addresses without TLS and names; whoever comes over them may do everything."""
        return ",".join(f"127.0.0.1:{ports[0]}" for ports in self._ports.values())

    @property
    def secure_bootstrap(self) -> str:
        """The addresses with TLS and SCRAM, where each name may do what the access lists say."""
        return ",".join(f"127.0.0.1:{ports[2]}" for ports in self._ports.values())

    def __enter__(self) -> Self:
        """Start all brokers."""
        try:
            for number in self.numbers:
                self.launch(number)
            for number in self.numbers:
                self.wait(number)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End all brokers; what they hold is nobody's."""
        for number in list(self._processes):
            self.kill(number)

    def launch(self, number: int) -> None:
        """Start a broker, or start it again, without waiting."""
        with (self._folder / f"kafka-{number}.log").open("ab") as log:
            self._processes[number] = subprocess.Popen(
                self._command("kafka.Kafka", str(self._settings_file(number))),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait(self, number: int) -> None:
        """Return when a broker takes connections. Raises `ServerMissing` where it does not."""
        deadline = time.monotonic() + START_SECONDS
        plain, _, secure = self._ports[number]
        while not all(_listens(port) for port in ([plain, secure] if self._secure else [plain])):
            if self._processes[number].poll() is not None or time.monotonic() > deadline:
                log = (self._folder / f"kafka-{number}.log").read_text()
                raise ServerMissing(f"Apache Kafka does not start: {log[-2000:]}")
            time.sleep(0.05)

    def start(self, number: int) -> None:
        """Start a broker again and wait for it."""
        self.launch(number)
        self.wait(number)

    def stop(self, number: int) -> None:
        """Shut a broker down in order: it hands its partitions over first."""
        process = self._processes.pop(number)
        process.send_signal(signal.SIGTERM)
        process.wait(START_SECONDS)

    def kill(self, number: int) -> None:
        """End a broker as a power cut would."""
        process = self._processes.pop(number)
        process.kill()
        process.wait(START_SECONDS)

    def pause(self, number: int) -> None:
        """Let a broker stand still; its connections stay open."""
        self._processes[number].send_signal(signal.SIGSTOP)

    def resume(self, number: int) -> None:
        """Let a broker that stands still go on."""
        self._processes[number].send_signal(signal.SIGCONT)

    def _settings_file(self, number: int) -> Path:
        return self._folder / f"server-{number}.properties"

    def _command(self, main: str, *words: str) -> list[str]:
        logging = f"-Dlog4j2.configurationFile={self._folder / 'log4j2.properties'}"
        return [str(shutil.which("java")), *JVM, logging, "-cp", f"{JARS}/*", main, *words]

    def _format(self, number: int) -> None:
        lines = (f"{name}={value}\n" for name, value in self._settings(number).items())
        self._settings_file(number).write_text("".join(lines))
        words = ["format", "--cluster-id", CLUSTER_ID, "--config", str(self._settings_file(number))]
        if self._secure:
            words += ["--add-scram", f"{SCRAM}=[name={ADMIN},password={ADMIN_PASSWORD}]"]
        done = subprocess.run(self._command("kafka.tools.StorageTool", *words), check=False, capture_output=True)
        if done.returncode:
            raise ServerMissing(f"Apache Kafka's storage: {done.stdout.decode()}{done.stderr.decode()}")

    def _settings(self, number: int) -> dict[str, str]:
        plain, controller, secure = self._ports[number]
        listeners = f"PLAIN://127.0.0.1:{plain}" + (f",SECURE://127.0.0.1:{secure}" if self._secure else "")
        copies = str(len(self._ports))
        enough = str(max(1, len(self._ports) - 1))
        return SMALL | {
            "process.roles": "broker,controller",
            "node.id": str(number),
            "controller.quorum.voters": ",".join(f"{n}@127.0.0.1:{p[1]}" for n, p in self._ports.items()),
            "listeners": f"{listeners},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": listeners,
            "listener.security.protocol.map": "PLAIN:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL",
            "inter.broker.listener.name": "PLAIN",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": str(self._folder / f"data-{number}"),
            "default.replication.factor": copies,
            "min.insync.replicas": enough,
            "offsets.topic.replication.factor": copies,
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": enough,
            "share.coordinator.state.topic.replication.factor": copies,
            "share.coordinator.state.topic.min.isr": enough,
            **(self._security() if self._secure else {}),
        }

    def _security(self) -> dict[str, str]:
        return {
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": f"User:{ADMIN};User:ANONYMOUS",
            "sasl.enabled.mechanisms": SCRAM,
            "listener.name.secure.scram-sha-512.sasl.jaas.config": (
                "org.apache.kafka.common.security.scram.ScramLoginModule required;"
            ),
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self._folder / "server.pem"),
        }


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _jars_are_there() -> bool:
    return shutil.which("java") is not None and (JARS / ".installed").exists()


def _docker_runs() -> bool:
    docker = shutil.which("docker")
    return docker is not None and subprocess.run([docker, "info"], check=False, capture_output=True).returncode == 0


@contextmanager
def _in_docker() -> Iterator[str]:
    """Run the project's own image. Raises `ServerMissing` where it cannot be had."""
    docker, port = str(shutil.which("docker")), free_port()
    settings = SMALL | {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": "1@localhost:9093",
        "listeners": "PLAINTEXT://:9092,CONTROLLER://:9093",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
    }
    given = [w for name, value in settings.items() for w in ("-e", f"KAFKA_{name.upper().replace('.', '_')}={value}")]
    command = [docker, "run", "--rm", "-d", "-p", f"127.0.0.1:{port}:9092", *given, IMAGE]
    started = subprocess.run(command, check=False, capture_output=True, text=True)
    if started.returncode:
        raise ServerMissing(started.stderr.strip())
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _listens(port):
            if time.monotonic() > deadline:
                raise ServerMissing(f"the container of {IMAGE} does not answer")
            time.sleep(0.1)
        yield f"127.0.0.1:{port}"
    finally:
        subprocess.run([docker, "rm", "-f", started.stdout.strip()], check=False, capture_output=True)
