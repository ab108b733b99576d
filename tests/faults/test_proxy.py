"""The network that can be broken: it passes everything, nothing, or slowly, and loses nothing that it has taken."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from faults.proxy import Proxy

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def echo() -> AsyncIterator[Proxy]:
    """Run a server that says everything again, behind a proxy."""

    async def again(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while chunk := await reader.read(65_536):
                writer.write(chunk)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(again, "127.0.0.1", 0)
    proxy = Proxy(server.sockets[0].getsockname()[1])
    try:
        yield proxy
    finally:
        await asyncio.to_thread(proxy.close)
        server.close()


async def said(ends: Ends, content: bytes, seconds: float = 5.0) -> bytes:
    """Say something, and return what comes back."""
    ends[1].write(content)
    async with asyncio.timeout(seconds):
        return await ends[0].readexactly(len(content))


async def test_passes_everything_on_in_its_order() -> None:
    """Large contents come through unchanged, both ways."""
    content = bytes(range(256)) * 4000
    async with echo() as proxy:
        ends = await asyncio.open_connection("127.0.0.1", proxy.port)
        assert await said(ends, content) == content
        ends[1].close()


async def test_a_black_hole_swallows_until_it_is_healed() -> None:
    """Nothing comes back and nothing breaks; after healing, what was sent arrives."""
    async with echo() as proxy:
        ends = await asyncio.open_connection("127.0.0.1", proxy.port)
        await said(ends, b"before")
        proxy.blackhole()
        with pytest.raises(TimeoutError):
            await said(ends, b"inside", 0.3)
        proxy.heal()
        assert await asyncio.wait_for(ends[0].readexactly(6), 5) == b"inside"
        ends[1].close()


async def test_a_reset_breaks_old_and_new_connections() -> None:
    """Open connections break, new ones too, until it is healed."""
    async with echo() as proxy:
        ends = await asyncio.open_connection("127.0.0.1", proxy.port)
        await said(ends, b"before")
        proxy.reset()
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(ends[0].readexactly(1), 5)
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await said(await asyncio.open_connection("127.0.0.1", proxy.port), b"x")
        proxy.heal()
        healed = await asyncio.open_connection("127.0.0.1", proxy.port)
        assert await said(healed, b"after") == b"after"
        for _, writer in (ends, healed):
            writer.transport.abort()


async def test_a_slow_line_takes_its_time() -> None:
    """Latency counts both ways; the rate holds for what is sent."""
    async with echo() as proxy:
        ends = await asyncio.open_connection("127.0.0.1", proxy.port)
        proxy.slow(0.1)
        begun = time.monotonic()
        await said(ends, b"x")
        assert 0.2 <= time.monotonic() - begun < 2.0
        proxy.slow(0.0, 100_000)
        begun = time.monotonic()
        await said(ends, bytes(40_000))
        assert time.monotonic() - begun >= 0.4
        ends[1].close()
