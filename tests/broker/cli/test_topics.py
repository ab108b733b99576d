"""``amtsbruecke topics``: what an operator sees and sets on the brokers."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from broker.cli.main import app
from broker.config import Settings
from broker.directory.service import load
from broker.start import open_gateway
from broker.transport.asyncapi import document_text
from tests.servers.topics import kafka_settings, make_topics
from tests.world import kreis_directory, on_sqlite

pytestmark = on_sqlite

SMALL = {"kafka_partitions": "1", "kafka_replication": "1", "kafka_min_insync": "1"}
TOPIC = "amtsbruecke.v1.sozialamt-herten"


def call(*words: str) -> Result:
    """Run ``amtsbruecke topics`` with these words."""
    return CliRunner().invoke(app, ["topics", *words])


@pytest.fixture
def settings(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Set the environment of an operator: a directory, one broker, a prefix of this test's own."""
    given = asyncio.run(kafka_settings()) | SMALL | {"data_dir": str(data_dir)}
    for name, value in given.items():
        monkeypatch.setenv(f"AMTSBRUECKE_{name.upper()}", value)

    async def prepare() -> None:
        async with open_gateway() as gateway:
            await load(gateway, kreis_directory(data_dir))

    asyncio.run(prepare())
    return Settings()


def test_topics_are_made_checked_and_shown(settings: Settings) -> None:
    """`apply` makes three for each agency; `--check` ends with 1 before, with 0 after; `show` tells which differ."""
    before, made, after, shown = call("apply", "--check"), call("apply"), call("apply", "--check"), call("show")
    name = settings.kafka_topic_prefix + TOPIC

    assert (before.exit_code, made.exit_code, after.exit_code, shown.exit_code) == (1, 0, 0, 0), made.output
    assert (f"{name}: fehlt" in before.output, f"{name}: angelegt" in made.output) == (True, True)
    assert after.output.endswith(" 0 Abweichungen\n")
    assert {f"= {name}{more}  1 × 1" for more in ("", ".quittungen", ".mitteilungen")} <= set(shown.output.splitlines())


def test_what_only_a_person_may_change_is_said_and_ends_with_1(settings: Settings) -> None:
    """A topic with other partitions stays as it is, and its line says that it is to be changed by hand."""
    asyncio.run(make_topics(settings, [TOPIC], partitions=2))
    made, shown = call("apply"), call("show")
    name = settings.kafka_topic_prefix + TOPIC

    assert made.exit_code == 1
    assert f"{name}: partitions = 2, soll 1: von Hand zu ändern" in made.output
    assert f"≠ {name}  1 × 1" in shown.output


def test_access_lists_are_printed_as_commands(settings: Settings) -> None:
    """`acl` prints what an administrator would run: of the agency asked for, its three topics and no other's."""
    printed = call("acl", "--agency", "sozialamt-herten")
    lines = printed.output.splitlines()

    assert printed.exit_code == 0
    assert lines
    assert all(line.startswith("kafka-acls") and "sozialamt-herten" in line for line in lines)
    assert any(settings.kafka_topic_prefix + TOPIC + ".quittungen" in line for line in lines)


@pytest.mark.parametrize(
    ("address", "cause"),
    [
        ("127.0.0.1:1", "dort lauscht niemand"),
        ("nirgends.invalid:9092", "diesen Rechnernamen gibt es im Netz nicht"),
    ],
)
def test_brokers_that_are_away_have_one_cause(
    monkeypatch: pytest.MonkeyPatch, data_dir: Path, address: str, cause: str
) -> None:
    """The text names the address, the one cause and what to do; the library's own words stand nowhere."""
    monkeypatch.setenv("AMTSBRUECKE_DATA_DIR", str(data_dir))
    monkeypatch.setenv("AMTSBRUECKE_KAFKA_BOOTSTRAP", address)
    refused = call("apply")

    assert refused.exit_code == 1
    assert f"{address}: {cause}" in refused.stderr
    assert "AMTSBRUECKE_KAFKA_BOOTSTRAP" in refused.stderr
    assert "Unable" not in refused.output + refused.stderr


def test_document_is_printed_without_brokers(monkeypatch: pytest.MonkeyPatch, data_dir: Path) -> None:
    """`asyncapi` needs nothing; the other commands say which setting is missing, and end with 2."""
    monkeypatch.setenv("AMTSBRUECKE_DATA_DIR", str(data_dir))
    printed, refused = call("asyncapi"), call("apply")

    assert (printed.exit_code, printed.output) == (0, document_text())
    assert (refused.exit_code, "AMTSBRUECKE_KAFKA_BOOTSTRAP" in refused.output) == (2, True)
