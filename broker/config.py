"""Configuration, read once from the environment (prefix ``AMTSBRUECKE_``) and handed on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

KafkaSecurity = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]

PREFIX = "AMTSBRUECKE_"
DRIVERS = ("sqlite+aiosqlite", "postgresql+asyncpg")
ALIKE = 0.75
"""From this likeness on (`difflib`, 0 to 1) a name counts as a mistyped one."""
OF_TESTS = ("TEST_", "XOEV_")
"""So begin variables that the tests read."""


class FileUnreadable(Exception):
    """A file that a setting names cannot be read. The text is German, and names setting and file."""


class WrongSettings(Exception):
    """Settings are of no use. The text is German, names each, and quotes no value: it may be a password."""


class Settings(BaseSettings):
    """All settings, with the defaults of one machine (embedded database and transport).

    Raises `WrongSettings`.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    data_dir: Path = Field(default=Path("var"), description="where the embedded database and the keys lie")
    database_url: str = Field(default="", description="SQLAlchemy address; empty: SQLite in data_dir")
    database_password_file: Path | None = Field(default=None, description="file with the password to that address")
    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=8080, ge=0, le=65535, description="port to listen on")
    ops_host: str = Field(default="127.0.0.1", description="address of the operations port")
    ops_port: int = Field(
        default=0, ge=0, le=65535, description="port of /livez, /readyz and /metrics of a role; 0: none"
    )
    public_url: str = Field(
        default_factory=lambda known: f"http://{known['host']}:{known['port']}",
        description="address under which clients see this gateway; by default host and port",
    )
    embedded_roles: bool = Field(default=True, description="run all other roles inside `serve`")
    workers: int = Field(default=1, ge=1, le=64, description="processes of `serve` on one port; PostgreSQL only")
    token_seconds: int = Field(default=300, ge=10, le=3600, description="life of an access token")
    lease_seconds: int = Field(default=120, ge=1, description="how long a message of the inbox is leased")
    long_poll_seconds: int = Field(default=30, ge=0, le=60, description="longest wait of GET /v1/inbox")
    payload_days: int = Field(default=14, ge=1, description="after so many days an unclaimed transfer expires")
    dedup_days: int = Field(default=90, ge=1, description="how long message ids are kept; older head times are refused")
    clock_skew_seconds: int = Field(default=300, ge=0, description="how far a head time may lie in the future")
    relay_seconds: float = Field(default=0.5, gt=0, description="how often the relay looks by itself")
    relay_lease_seconds: float = Field(
        default=5.0, gt=0, le=60, description="after so long of silence other relays take a relay's part of the outbox"
    )
    retry_first_seconds: float = Field(default=5, gt=0, description="shortest pause after a failed hand-over")
    retry_longest_seconds: float = Field(default=3600, gt=0, description="bound of the growing pauses between attempts")
    retry_attempts: int = Field(default=12, ge=1, description="after so many failed attempts a transfer lies dead")
    warn_days: int = Field(default=3, ge=0, description="so long before it expires both offices are warned")
    sealing_key_hours: float = Field(
        default=24, ge=0, description="how long a sealing key is used before the next one; 0: until an operator rotates"
    )
    sealing_key_ahead_seconds: float = Field(
        default=3600,
        ge=60,
        description="so long before it is used a sealing key is made, to be brought to all machines",
    )
    keeps_keys: bool = Field(
        default=False,
        description="this `cleanup` makes and deletes sealing keys; one, beside PostgreSQL. On SQLite it always does",
    )
    cleanup_seconds: float = Field(default=3600, gt=0, description="how often the clean-up runs")
    deliver_seconds: float = Field(default=1.0, gt=0, description="how often channels are looked at")
    kafka_bootstrap: str = Field(default="", description="Apache Kafka, `host:port,host:port`; empty: embedded topics")
    kafka_security: KafkaSecurity = Field(default="PLAINTEXT", description="how the brokers are spoken to")
    kafka_sasl_mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] = Field(
        default="SCRAM-SHA-512", description="how the name is shown, with SASL_…"
    )
    kafka_user: str = Field(default="", description="name of this service at the brokers, with SASL_…")
    kafka_password_file: Path | None = Field(default=None, description="file with its password, with SASL_…")
    kafka_ca_file: Path | None = Field(
        default=None, description="PEM file of the brokers' authority; empty: the system's"
    )
    kafka_cert_file: Path | None = Field(default=None, description="PEM file of this service's own certificate")
    kafka_key_file: Path | None = Field(default=None, description="PEM file of that certificate's key")
    kafka_topic_prefix: str = Field(
        default="", pattern=r"^[a-zA-Z0-9._-]{0,40}$", description="stands before the names of all topics, e.g. `test.`"
    )
    kafka_group_prefix: str = Field(
        default="amtsbruecke-",
        pattern=r"^[a-zA-Z0-9._-]{1,60}$",
        description="stands before the names of consumer groups and transactional ids",
    )
    kafka_member: str = Field(
        default="",
        pattern=r"^[a-zA-Z0-9._-]{0,60}$",
        description="this process's own name in its group, kept over restarts; empty: a new one each time",
    )
    kafka_partitions: int = Field(default=6, ge=1, le=1000, description="partitions of each topic, set when it is made")
    kafka_replication: int = Field(default=3, ge=1, le=10, description="copies of each partition")
    kafka_min_insync: int = Field(default=2, ge=1, le=10, description="copies that must have a record before it counts")
    kafka_retention_hours: int = Field(default=360, ge=1, description="so long records are kept, longer than payloads")
    kafka_record_bytes: int = Field(
        default=2_097_152,
        ge=1_114_112,
        description="largest record; a message may have 1 MiB and its seal comes on top",
    )
    waiting_bytes: int = Field(
        default=67_108_864, ge=1_048_576, description="most bytes of messages that may wait for their commit"
    )
    xml_seconds: float = Field(
        default=10.0, gt=0, le=120, description="most that the check of a large message (over 32 kB) may take"
    )
    batch_size: int = Field(default=64, ge=1, description="most submissions that share a commit")
    log_origin: str = Field(
        default="amtsbruecke/audit",
        pattern=r"^[^\s+]+$",
        description="name of the log of evidence on its checkpoints; in production its address without the scheme",
    )
    seal_seconds: float = Field(default=2.0, gt=0, le=10, description="how often what waits is sealed in a checkpoint")
    seal_lease_seconds: float = Field(default=6.0, gt=0, description="after so long another sealer takes over")
    promise_seconds: int = Field(default=60, ge=10, description="by when an entry is in a checkpoint, as promised")
    unsealed_seconds: int = Field(default=60, ge=1, description="older unsealed evidence stops new transfers")
    unsealed_urgent_seconds: int = Field(default=900, ge=1, description="the same for kinderschutz")
    side_days: int = Field(
        default=730,
        ge=1,
        description="how long transfers, decisions and what lies beside the evidence are kept after their end",
    )
    side_abruf_days: int = Field(default=183, ge=1, description="the same for automated retrieval (§ 79(4) SGB X)")
    ersuchen_days: int = Field(
        default=183, ge=1, description="so long after its deadline an Ersuchen that nobody ended ends by itself"
    )
    side_stop_days: int = Field(default=1096, ge=1, description="the same for consents and stops, after their end")

    def __init__(self, **given: Any) -> None:  # noqa: ANN401 - values of any setting
        """Read the environment; what is given counts more."""
        try:
            super().__init__(**given)
        except ValidationError as exc:
            raise WrongSettings("\n".join(_told(error) for error in exc.errors() if error["type"] != FOLLOWS)) from None

    @field_validator("database_url")
    @classmethod
    def _driver_that_is_here(cls, url: str) -> str:
        try:
            known = not url or make_url(url).drivername in DRIVERS
        except (ArgumentError, ValueError):
            known = False
        if not known:
            raise ValueError("verlangt postgresql+asyncpg://NAME@HOST:PORT/DATENBANK; leer: SQLite in data_dir")
        return url

    @model_validator(mode="after")
    def _name_and_password_with_sasl(self) -> Self:
        if self.kafka_security.startswith("SASL") and not (self.kafka_user and self.kafka_password_file):
            raise ValueError(
                f"{PREFIX}KAFKA_SECURITY={self.kafka_security} braucht {PREFIX}KAFKA_USER und "
                f"{PREFIX}KAFKA_PASSWORD_FILE (Datei mit dem Passwort)"
            )
        return self

    @property
    def database(self) -> str:
        """The SQLAlchemy address in force, with the password where a file has it. Raises `FileUnreadable`."""
        if not self.database_url:
            return f"sqlite+aiosqlite:///{self.data_dir / 'amtsbruecke.db'}"
        if self.database_password_file is None:
            return self.database_url
        try:
            password = self.database_password_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as exc:
            why = exc.strerror if isinstance(exc, OSError) else "kein UTF-8"
            text = f"AMTSBRUECKE_DATABASE_PASSWORD_FILE: {self.database_password_file} ist nicht zu lesen ({why})."
            raise FileUnreadable(text) from exc
        return make_url(self.database_url).set(password=password).render_as_string(hide_password=False)

    @property
    def keys_dir(self) -> Path:
        """Where the key files lie."""
        return self.data_dir / "keys"


FOLLOWS = "default_factory_not_called"
"""Type of an error that another one brings with it."""
#: Type of an error of pydantic → what the setting wants; what is in braces comes with the error.
WANTED = {
    "int_parsing": "verlangt eine ganze Zahl",
    "float_parsing": "verlangt eine Zahl (mit Punkt)",
    "bool_parsing": "verlangt true oder false",
    "greater_than": "verlangt mehr als {gt}",
    "greater_than_equal": "verlangt mindestens {ge}",
    "less_than_equal": "verlangt höchstens {le}",
    "literal_error": "verlangt {expected}",
    "string_pattern_mismatch": "verlangt etwas, das zu {pattern} passt",
    "value_error": "{error}",
}


def _told(error: ErrorDetails) -> str:
    """Say what a setting wants."""
    about = {"type": error["type"], **error.get("ctx", {})}
    wanted = WANTED.get(error["type"], "taugt nicht ({type})").format(**about).replace(" or ", " oder ")
    return f"{PREFIX}{str(error['loc'][0]).upper()} {wanted}." if error["loc"] else f"{wanted}."


def unread(names: Iterable[str]) -> list[str]:
    """Return a German sentence for each variable of the environment that looks like a setting and is none.

    What nobody reads has no effect: a period that is set so keeps data longer than whoever set it believes.
    """
    known = [name.upper() for name in Settings.model_fields]
    given = sorted(name.upper().removeprefix(PREFIX) for name in names if name.upper().startswith(PREFIX))
    return [_unread(name, known) for name in given if name not in known and not name.startswith(OF_TESTS)]


def _unread(name: str, known: Sequence[str]) -> str:
    if near := get_close_matches(name, known, 1, ALIKE):
        return f"{PREFIX}{name} liest niemand; gemeint ist wohl {PREFIX}{near[0]}."
    [nearest] = get_close_matches(name, known, 1, 0)
    return (
        f"{PREFIX}{name} liest niemand: Eine solche Einstellung gibt es nicht, sie wirkt nicht. Am ähnlichsten ist "
        f"{PREFIX}{nearest}; alle stehen in broker/config.py."
    )
