"""Topics are made as they must be, and what is otherwise is found."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from aiokafka import AIOKafkaProducer

from broker.config import Settings
from broker.transport import asyncapi
from broker.transport.base import topic_of
from broker.transport.kafka_client import client_options
from broker.transport.topics import Drift, apply, compare, wanted_topics
from tests.house.source import ROOT
from tests.servers.topics import kafka_settings, make_topics
from tests.world import eventually

LOG_APPEND_TIME = 1
AGENCIES = ["jugendamt-marl", "sozialamt-herten"]


@pytest.fixture
async def settings() -> Settings:
    """Give settings for one broker, with prefixes of this test's own."""
    given = await kafka_settings()
    return Settings.model_validate(given | {"kafka_replication": 1, "kafka_min_insync": 1, "kafka_partitions": 3})


async def test_apply_makes_what_is_missing_and_then_finds_nothing(settings: Settings) -> None:
    """Three topics for each agency; applied again, nothing is otherwise."""
    wanted = wanted_topics(settings, AGENCIES)
    first = await apply(settings, wanted)

    assert len(wanted) == 6
    assert {drift.topic for drift in first} == {topic.name for topic in wanted}
    assert await apply(settings, wanted) == []


async def test_drift_is_found_and_put_right_where_it_may_be(settings: Settings) -> None:
    """Retention and limits are set right; partitions are reported for a person, and stay."""
    await make_topics(settings, [topic_of(AGENCIES[0])], partitions=2)
    wanted = wanted_topics(settings, AGENCIES[:1])
    found = {(drift.setting, drift.by_hand) for drift in await compare(settings, wanted) if drift.found is not None}
    await apply(settings, wanted)
    left: list[Drift] = []

    async def settled() -> bool:
        left[:] = await compare(settings, wanted)
        return len(left) == 1

    await eventually(settled)
    assert {("partitions", True), ("retention.ms", False), ("max.message.bytes", False)} <= found
    assert [(drift.setting, drift.found, drift.wanted) for drift in left] == [("partitions", "2", "3")]


async def test_brokers_say_when_a_record_came(settings: Settings) -> None:
    """Retention counts from the brokers' clock: a relay's wrong one makes nothing be forgotten early."""
    wanted = wanted_topics(settings, AGENCIES[:1])
    await apply(settings, wanted)
    async with AIOKafkaProducer(**client_options(settings)) as producer:
        sent = await producer.send_and_wait(wanted[0].name, b"x", timestamp_ms=1_000)

    assert sent.timestamp_type == LOG_APPEND_TIME
    assert sent.timestamp > 1_700_000_000_000


def test_asyncapi_document_is_current() -> None:
    """docs/asyncapi.yaml is what the code says; `amtsbruecke topics asyncapi` writes it."""
    assert Path(ROOT / "docs" / "asyncapi.yaml").read_text(encoding="utf-8") == asyncapi.document_text()


def test_asyncapi_document_refers_to_what_it_has() -> None:
    """Every reference leads to a part of the document; every parameter of an address is described."""
    made = yaml.safe_load(asyncapi.document_text())

    def references(part: object) -> list[str]:
        if isinstance(part, dict):
            return [part["$ref"]] if "$ref" in part else [r for value in part.values() for r in references(value)]
        return [r for value in part for r in references(value)] if isinstance(part, list) else []

    for reference in references(made):
        place = made
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]
    assert references(made)
    assert all("{agency}" in c["address"] and "agency" in c["parameters"] for c in made["channels"].values())
    assert made["asyncapi"].startswith("3.")
