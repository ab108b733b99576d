"""The topics as they must be: made where they are missing, compared, and put right where that harms nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, UnknownTopicOrPartitionError, for_code

from broker.config import Settings
from broker.transport.base import MITTEILUNGEN, QUITTUNGEN, side_topic_of, topic_of
from broker.transport.kafka_client import client_options, translated

#: Settings of a topic that `apply` sets right; partitions and copies it only reports.
SET_BY_TOPIC = 1
"""Where Kafka says that a value comes from: from the topic itself (DYNAMIC_TOPIC_CONFIG)."""
HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Topic:
    """How a topic must be. `name` is the physical one."""

    name: str
    partitions: int
    replication: int
    configs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Drift:
    """One thing that is otherwise than it must be; `found` None: the topic is missing."""

    topic: str
    setting: str
    found: str | None
    wanted: str

    @property
    def by_hand(self) -> bool:
        """Whether only a person may change it: more partitions move cases, copies move data."""
        return self.setting in {"partitions", "replication.factor"} and self.found is not None


def wanted_topics(settings: Settings, agencies: Iterable[str]) -> list[Topic]:
    """Return the topics of these agencies: transfers, quittungen, notices."""
    configs = {
        "cleanup.policy": "delete",
        "max.message.bytes": str(settings.kafka_record_bytes),
        # Retention counts from the brokers' clock: by that of a relay which is behind, records would go unread.
        "message.timestamp.type": "LogAppendTime",
        "min.insync.replicas": str(settings.kafka_min_insync),
        "retention.ms": str(settings.kafka_retention_hours * HOUR_MS),
        "unclean.leader.election.enable": "false",
    }
    names = [
        name
        for agency in agencies
        for name in (topic_of(agency), side_topic_of(agency, QUITTUNGEN), side_topic_of(agency, MITTEILUNGEN))
    ]
    prefix, partitions, copies = settings.kafka_topic_prefix, settings.kafka_partitions, settings.kafka_replication
    return [Topic(prefix + name, partitions, copies, configs) for name in sorted(names)]


@asynccontextmanager
async def administration(settings: Settings) -> AsyncIterator[Any]:
    """Give an administration client. Raises `TransportUnavailable`."""
    with translated():
        admin = AIOKafkaAdminClient(**client_options(settings))
        try:
            await admin.start()
            yield admin
        finally:
            await admin.close()


async def compare(settings: Settings, topics: Sequence[Topic]) -> list[Drift]:
    """Return what is otherwise on the brokers. Raises `TransportUnavailable`."""
    async with administration(settings) as admin:
        there = await _described(admin, topics)
        configs = await _configs(admin, list(there))
    return [drift for topic in topics for drift in _drift(topic, there.get(topic.name), configs.get(topic.name, {}))]


async def apply(settings: Settings, topics: Sequence[Topic]) -> list[Drift]:
    """Make what is missing and set right what may be; return all that was otherwise. Nothing is shrunk or deleted."""
    drifts = await compare(settings, topics)
    missing = {d.topic for d in drifts if d.found is None}
    wrong = {d.topic for d in drifts if not d.by_hand} - missing
    async with administration(settings) as admin:
        if missing:
            made = [
                NewTopic(t.name, t.partitions, t.replication, topic_configs=dict(t.configs))
                for t in topics
                if t.name in missing
            ]
            errors = (await admin.create_topics(made)).topic_errors
            _raise_for(error for error in errors if error[1] != TopicAlreadyExistsError.errno)
        if wrong:
            await _configure(admin, [topic for topic in topics if topic.name in wrong])
    return drifts


def _raise_for(errors: Iterable[Sequence[Any]]) -> None:
    """Raise the first error of (name, code, text)."""
    for _, code, *text in errors:
        if code:
            raise for_code(code)(*text)


async def _described(admin: Any, topics: Sequence[Topic]) -> dict[str, list[Any]]:  # noqa: ANN401 - untyped library
    names = [topic.name for topic in topics]
    found = await admin.describe_topics(names)
    return {t["topic"]: t["partitions"] for t in found if t["error_code"] != UnknownTopicOrPartitionError.errno}


async def _configs(admin: Any, names: Sequence[str]) -> dict[str, dict[str, tuple[str, int]]]:  # noqa: ANN401 - untyped library
    """Return for each topic: setting → value and where it comes from."""
    if not names:
        return {}
    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
    found: dict[str, dict[str, tuple[str, int]]] = {}
    for answer in answers:
        for code, text, _, name, entries in answer.resources:
            _raise_for([(name, code, text)])
            found[name] = {entry[0]: (entry[1], entry[3]) for entry in entries}
    return found


async def _configure(admin: Any, topics: Sequence[Topic]) -> None:  # noqa: ANN401 - untyped library
    """Set what we want, and again what somebody set beside it: the request replaces all settings of a topic."""
    there = await _configs(admin, [topic.name for topic in topics])
    resources = []
    for topic in topics:
        own = {name: value for name, (value, source) in there[topic.name].items() if source == SET_BY_TOPIC}
        resources.append(ConfigResource(ConfigResourceType.TOPIC, topic.name, configs=own | dict(topic.configs)))
    for answer in await admin.alter_configs(resources):
        _raise_for((name, code, text) for code, text, _, name in answer.resources)


def _drift(topic: Topic, there: list[Any] | None, configs: Mapping[str, tuple[str, int]]) -> list[Drift]:
    if there is None:
        return [Drift(topic.name, "topic", None, f"{topic.partitions} × {topic.replication}")]
    copies = {len(partition["replicas"]) for partition in there}
    pairs = [
        ("partitions", str(len(there)), str(topic.partitions)),
        ("replication.factor", ",".join(str(n) for n in sorted(copies)), str(topic.replication)),
        *((name, configs.get(name, ("", 0))[0], value) for name, value in topic.configs.items()),
    ]
    return [Drift(topic.name, name, found, wanted) for name, found, wanted in pairs if found != wanted]
