"""The embedded transport keeps the contract, and what an embedded one must do besides."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text

from broker.db import Base, Database
from broker.gateway import Signal
from broker.transport.base import Transport
from broker.transport.embedded import EmbeddedTransport
from tests.broker.transport.contract import TOPIC, TransportContract, fetched, ids, publish, read, reader, record


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """Give a database with the tables."""
    made = Database(f"sqlite+aiosqlite:///{tmp_path / 'x.db'}")
    async with made.writing() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield made
    await made.close()


@pytest.fixture
def transport(database: Database) -> Transport:
    """Give the transport."""
    return EmbeddedTransport(database, Signal())


class TestEmbeddedTransport(TransportContract):
    """The contract, and more."""

    async def test_publishing_again_stands_once(self, transport: Transport) -> None:
        """A relay that died before noting publishes again; the record stands once."""
        same = record()
        await publish(transport, [same])
        await publish(transport, [same, record()])

        assert len(await read(transport, 2)) == 2

    async def test_survives_a_restart(self, transport: Transport, database: Database) -> None:
        """What was published is there for a transport that is opened anew."""
        sent = record()
        await publish(transport, [sent])
        anew = EmbeddedTransport(database, Signal())

        assert ids(await read(anew, 1)) == [sent.record_id]

    async def test_wakes_a_waiting_reader(self, transport: Transport) -> None:
        """A reader of this process is woken by publishing, well before it would look by itself."""
        reading = asyncio.ensure_future(transport.subscribe([TOPIC], "g").fetch(30))
        await asyncio.sleep(0.05)
        await publish(transport, [record()])

        assert len(await asyncio.wait_for(reading, 0.4)) == 1

    async def test_forgets_what_all_groups_have_read(self, transport: Transport, database: Database) -> None:
        """Records that every group has read are deleted, the others stay."""
        await publish(transport, [record(), record()])
        async with reader(transport) as subscription:
            await subscription.commit((await fetched(subscription, 2))[:1])
        gone = await transport.keep_house()
        async with database.reading() as connection:
            left = await connection.scalar(text("SELECT count(*) FROM embedded_records"))

        assert (gone, left) == (1, 1)
