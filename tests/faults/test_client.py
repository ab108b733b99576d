"""The client of the load goes to who is ready, comes back to who was away, and counts what it was not given."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from faults.client import Gateways, Lost


@asynccontextmanager
async def gateway(statuses: list[int], port: int = 0) -> AsyncIterator[int]:
    """Run something that answers each request with the next status; 0 hangs up, −1 is silent. At its end it resets."""
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while await reader.readuntil(b"\r\n\r\n"):
                status = statuses.pop(0) if statuses else 200
                if status == 0:
                    break
                if status > 0:
                    writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: 2\r\n\r\n{{}}".encode())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0.05)  # until all ends of all connections are closed


async def test_asks_on_one_connection_and_reads_whole_answers() -> None:
    """Answers come with status and body, whatever the status is."""
    async with gateway([200, 503]) as port:
        gateways = Gateways([port])
        replies = [await gateways.ask(port, "GET", "/") for _ in range(2)]
        gateways.close()
    assert [(reply.status, reply.json()) for reply in replies] == [(200, {}), (503, {})]


@pytest.mark.parametrize("status", [0, -1])
async def test_no_answer_is_lost_in_time(status: int) -> None:
    """A connection that breaks and one that is silent are told alike."""
    async with gateway([status]) as port:
        with pytest.raises(Lost):
            await Gateways([port]).ask(port, "GET", "/", patience=0.3)


async def test_a_gateway_that_died_is_asked_anew_at_once() -> None:
    """All kept connections go with the first that breaks, so that the next request already finds the next life."""
    gateways = Gateways([0])
    async with gateway([]) as port:
        gateways = Gateways([port])
        await asyncio.gather(*(gateways.ask(port, "GET", "/") for _ in range(5)))
    await asyncio.sleep(0.1)
    with pytest.raises(Lost):
        await gateways.ask(port, "GET", "/")
    async with gateway([], port):
        assert (await gateways.ask(port, "GET", "/")).status == 200
        gateways.close()


async def test_goes_to_who_is_ready() -> None:
    """One that is not ready gets nothing while another is."""
    async with gateway([503] * 100) as away, gateway([]) as ready:
        gateways = Gateways([away, ready])
        watching = asyncio.create_task(gateways.watch())
        await asyncio.sleep(0.3)
        assert {gateways.next_port() for _ in range(4)} == {ready}
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        gateways.close()
