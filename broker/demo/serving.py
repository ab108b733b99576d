"""Run the whole service inside this process, on a socket that is ours before anything else is touched."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from broker.config import Settings
from broker.gateway import Gateway
from broker.listening import CannotStart
from broker.start import server
from schemas.xml import warm_up

EVERYWHERE = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - compared with, not bound to


def with_address(settings: Settings, listening: socket.socket) -> Settings:
    """Return the settings with the port that was taken, and with a public address where none was given."""
    host, port = listening.getsockname()[:2]
    host = "127.0.0.1" if host in EVERYWHERE else host
    shown = f"[{host}]" if ":" in host else host
    given = "public_url" in settings.model_fields_set
    return settings.model_copy(
        update={"port": port, "public_url": settings.public_url if given else f"http://{shown}:{port}"}
    )


def local_url(listening: socket.socket) -> str:
    """Return the address under which this machine reaches the service."""
    host, port = listening.getsockname()[:2]
    host = "127.0.0.1" if host in EVERYWHERE else host
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@asynccontextmanager
async def serving(gateway: Gateway, listening: socket.socket) -> AsyncIterator[asyncio.Task[None]]:
    """Serve while the body runs; the task ends by itself on Ctrl-C. Raises `CannotStart`."""
    await asyncio.to_thread(warm_up)
    service = server(gateway)
    task = asyncio.create_task(service.serve(sockets=[listening]))
    try:
        while not service.started:
            if task.done():
                raise CannotStart("Der Dienst ist nicht angelaufen; die Ausgabe darüber sagt, warum.")
            await asyncio.sleep(0.02)
        yield task
    finally:
        service.should_exit = True
        await until_stopped(task)


async def until_stopped(service: asyncio.Task[None]) -> None:
    """Wait for Ctrl-C (or SIGTERM); the server has shut down properly before it is passed on."""
    with suppress(asyncio.CancelledError):
        await service
