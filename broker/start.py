"""Start: open what a command works on, and put the server together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn

from broker.app import create_app
from broker.clock import Clock, system_clock
from broker.config import Settings
from broker.db import Database
from broker.gateway import Gateway
from broker.keys import load_keys
from broker.migrations import upgrade
from broker.transport.base import Transport
from broker.transport.embedded import EmbeddedTransport
from broker.transport.kafka import KafkaTransport
from consent.catalogue import load_catalogue

HALT_SECONDS = 8


@asynccontextmanager
async def open_gateway(settings: Settings | None = None, clock: Clock = system_clock) -> AsyncIterator[Gateway]:
    """Open database, keys and law. An embedded database is made, and brought to the newest shape, first."""
    settings = settings or Settings()
    database = Database(settings.database)
    try:
        if database.is_sqlite:
            await asyncio.to_thread(upgrade, settings.database)
        keys = await asyncio.to_thread(load_keys, settings.keys_dir)
        yield Gateway(settings, clock, database, keys, load_catalogue())
    finally:
        await database.close()


def transport_of(gateway: Gateway) -> Transport:
    """Return the transport that the settings ask for: Apache Kafka where they name it."""
    if gateway.settings.kafka_bootstrap:
        return KafkaTransport(gateway.settings)
    return EmbeddedTransport(gateway.db, gateway.topic_filled)


def server(gateway: Gateway) -> uvicorn.Server:
    """Return the HTTP server of a gateway, ready to serve."""
    settings = gateway.settings
    app = create_app(gateway, transport_of(gateway), roles=settings.embedded_roles)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=HALT_SECONDS,
    )
    return uvicorn.Server(config)
