"""Topics on the Kafka of the run, under a prefix that is one test's own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from uuid import uuid4

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from broker.config import Settings
from broker.directory import models as directory_models
from broker.directory.file import read_directory
from broker.transport.base import MITTEILUNGEN, QUITTUNGEN, side_topic_of, topic_of
from tests.servers.kafka import MISSING, ServerMissing, kafka_is_to_be_had, shared_kafka


def kafka_or_skip(*, jars_alone: bool = False) -> None:
    """Skip the test with one loud line where there is no Kafka; with ``CI=true`` fail it."""
    try:
        found = kafka_is_to_be_had(jars_alone=jars_alone)
    except ServerMissing as exc:
        pytest.fail(str(exc), pytrace=False)
    if not found:
        pytest.skip(MISSING)


async def kafka_settings() -> dict[str, str]:
    """Return the settings for the run's Kafka, with prefixes that nobody else has."""
    kafka_or_skip()
    mark = f"t{uuid4().hex[:12]}"
    address = await asyncio.to_thread(shared_kafka)
    return {"kafka_bootstrap": address, "kafka_topic_prefix": f"{mark}.", "kafka_group_prefix": f"{mark}-"}


def kafka_of_this_process() -> dict[str, str]:
    """Return settings with the topics of all agencies, which the tests of a process share, and groups of one's own.

    What other tests left on the topics belongs to transfers that this test's database does not have: it is passed over.
    """
    kafka_or_skip()
    address, prefix = _topics_of_this_process()
    own = {"kafka_group_prefix": f"t{uuid4().hex[:12]}-", "kafka_member": "one"}
    return {"kafka_bootstrap": address, "kafka_topic_prefix": prefix} | own


@cache
def _topics_of_this_process() -> tuple[str, str]:
    settings = Settings.model_validate(
        {"kafka_bootstrap": shared_kafka(), "kafka_topic_prefix": f"p{uuid4().hex[:12]}."}
    )
    directory = Path(directory_models.__file__).with_name("kreis-recklinghausen.yaml")
    agencies = [agency.id for agency in read_directory(directory, directory.parent).agencies]
    topics = [topic_of(agency) for agency in agencies]
    topics += [side_topic_of(agency, sort) for agency in agencies for sort in (QUITTUNGEN, MITTEILUNGEN)]
    with ThreadPoolExecutor(1) as thread:  # who asks may have a loop of its own in this one
        thread.submit(asyncio.run, make_topics(settings, topics)).result()
    return settings.kafka_bootstrap, settings.kafka_topic_prefix


async def make_topics(settings: Settings, topics: Iterable[str], partitions: int = 2) -> None:
    """Make topics without copies, as one broker can."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)
    await admin.start()
    try:
        made = [NewTopic(settings.kafka_topic_prefix + topic, partitions, 1) for topic in topics]
        answer = await admin.create_topics(made)
        assert {code for _, code, _ in answer.topic_errors} == {0}, answer
        while any(t["error_code"] for t in await admin.describe_topics([topic.name for topic in made])):  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.02)  # the brokers hear of it a little later
    finally:
        await admin.close()
