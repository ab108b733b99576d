"""Who may do what on the brokers: names (SCRAM, RFC 5802) and access lists, as data, as commands, and applied.

An adapter that an agency hosts itself reads the agency's own topics, in groups whose names begin with the agency's id,
and nothing else. What it reads is ciphertext; the content comes by the release of the key.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import pbkdf2_hmac
from os import urandom
from typing import Any, ClassVar

from aiokafka.errors import for_code
from aiokafka.protocol.admin import CreateAclsRequest
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    CompactArray,
    CompactBytes,
    CompactString,
    Int8,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

from broker.config import Settings
from broker.transport.base import MITTEILUNGEN, QUITTUNGEN, TOPIC_PREFIX, side_topic_of, topic_of
from broker.transport.topics import administration

#: Numbers of Kafka's protocol.
TOPIC, GROUP, TRANSACTIONAL_ID = 2, 3, 5
READ, WRITE, DESCRIBE = 3, 4, 8
LITERAL, PREFIXED = 3, 4
ALLOW = 3
SHA_512 = 2
ITERATIONS = 8192
RESOURCE_OPTIONS = {TOPIC: "--topic", GROUP: "--group", TRANSACTIONAL_ID: "--transactional-id"}
OPERATIONS = {READ: "Read", WRITE: "Write", DESCRIBE: "Describe"}
PATTERNS = {LITERAL: "literal", PREFIXED: "prefixed"}


@dataclass(frozen=True, slots=True)
class Acl:
    """One permission of one name."""

    user: str
    resource: int
    name: str
    pattern: int
    operation: int

    def command(self, bootstrap: str) -> str:
        """Return the command of Kafka's own tool that grants it."""
        return (
            f"kafka-acls.sh --bootstrap-server {bootstrap} --command-config admin.properties --add "
            f"--allow-principal User:{self.user} --operation {OPERATIONS[self.operation]} "
            f"{RESOURCE_OPTIONS[self.resource]} {self.name} --resource-pattern-type {PATTERNS[self.pattern]}"
        )


def agency_user(settings: Settings, agency: str) -> str:
    """Return the name of an agency's own adapter at the brokers."""
    return f"{settings.kafka_group_prefix}adapter-{agency}"


def agency_acls(settings: Settings, agency: str) -> list[Acl]:
    """Return what an agency's own adapter may do. No agency id holds a dot, so no group prefix begins another."""
    user = agency_user(settings, agency)
    topics = (topic_of(agency), side_topic_of(agency, QUITTUNGEN), side_topic_of(agency, MITTEILUNGEN))
    reading = [
        Acl(user, TOPIC, settings.kafka_topic_prefix + topic, LITERAL, operation)
        for topic in topics
        for operation in (READ, DESCRIBE)
    ]
    return [*reading, Acl(user, GROUP, f"{agency}.", PREFIXED, READ)]


def service_acls(settings: Settings) -> list[Acl]:
    """Return what relay and delivery need; topics are made by whoever runs `topics apply`."""
    user, topics = settings.kafka_user, settings.kafka_topic_prefix + TOPIC_PREFIX
    own = settings.kafka_group_prefix
    return [
        *(Acl(user, TOPIC, topics, PREFIXED, operation) for operation in (READ, WRITE, DESCRIBE)),
        Acl(user, GROUP, own, PREFIXED, READ),
        *(Acl(user, TRANSACTIONAL_ID, own, PREFIXED, operation) for operation in (WRITE, DESCRIBE)),
    ]


async def grant(settings: Settings, acls: Iterable[Acl]) -> None:
    """Grant; what is granted already stays. Raises `TransportUnavailable`."""
    async with administration(settings) as admin:
        for acl in acls:
            request = CreateAclsRequest(
                acl.resource, acl.name, acl.pattern, f"User:{acl.user}", "*", acl.operation, ALLOW
            )
            answer = await _send(admin, request)
            for code, text in answer.creation_responses:
                if code:
                    raise for_code(code)(text)


async def set_passwords(settings: Settings, passwords: Sequence[tuple[str, str]]) -> None:
    """Set the passwords of names; the brokers get salted hashes alone. Raises `TransportUnavailable`."""
    upsertions: list[tuple[str, int, int, bytes, bytes, dict[int, bytes]]] = []
    for user, password in passwords:
        salt = urandom(24)
        salted = pbkdf2_hmac("sha512", password.encode(), salt, ITERATIONS)
        upsertions.append((user, SHA_512, ITERATIONS, salt, salted, {}))
    async with administration(settings) as admin:
        answer = await _send(admin, AlterScram(upsertions))
        for _, code, text, _ in answer.results:
            if code:
                raise for_code(code)(text)


async def _send(admin: Any, request: Request[Any]) -> Any:  # noqa: ANN401 - untyped library
    """Send to any broker, which hands it on to the controller."""
    client = admin._client  # noqa: SLF001 - the library has no public way for these requests
    return await client.send(client.get_random_node(), request)


class AlterScramResponse(Response):  # type: ignore[misc]  # untyped library
    """AlterUserScramCredentials, version 0 (KIP-554), which the library does not have."""

    API_KEY: ClassVar[int] = 51
    API_VERSION: ClassVar[int] = 0
    SCHEMA: ClassVar[Any] = Schema(
        ("throttle_time_ms", Int32),
        (
            "results",
            CompactArray(
                ("user", CompactString("utf-8")),
                ("error_code", Int16),
                ("error_message", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class AlterScramRequest(RequestStruct):  # type: ignore[misc]  # untyped library
    """Its request."""

    FLEXIBLE_VERSION: ClassVar[bool] = True
    API_KEY: ClassVar[int] = 51
    API_VERSION: ClassVar[int] = 0
    RESPONSE_TYPE: ClassVar[Any] = AlterScramResponse
    SCHEMA: ClassVar[Any] = Schema(
        (
            "deletions",
            CompactArray(("name", CompactString("utf-8")), ("mechanism", Int8), ("tags", TaggedFields)),
        ),
        (
            "upsertions",
            CompactArray(
                ("name", CompactString("utf-8")),
                ("mechanism", Int8),
                ("iterations", Int32),
                ("salt", CompactBytes),
                ("salted_password", CompactBytes),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class AlterScram(Request[AlterScramRequest]):  # type: ignore[misc]  # untyped library
    """Builds it, in the one version there is."""

    API_KEY: ClassVar[int] = 51

    def __init__(self, upsertions: Sequence[tuple[str, int, int, bytes, bytes, dict[int, bytes]]]) -> None:
        """Take (name, mechanism, iterations, salt, salted password, tags) of each name."""
        self._upsertions = list(upsertions)

    def build(self, request_struct_class: type[AlterScramRequest]) -> AlterScramRequest:
        """Return the structure."""
        return request_struct_class([], self._upsertions, {})
