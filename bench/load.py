"""The load: a fixed number of connections that are kept, each with one request at a time.

*Closed loop*: each connection sends its next request as soon as it has the answer; gives the throughput.
*Open loop*: requests come at fixed times whatever the server does, and wait for a free connection; a latency counts
from the time at which the request was due, so that a server that stalls is not spared (no coordinated omission).
Plain sockets and httptools, so that the generator takes little of the machine it shares with the server.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from time import perf_counter
from typing import cast

import httptools

HOST = "127.0.0.1"
GRACE_SECONDS = 20.0
"""So long the last answers of a round may take."""

Done = Callable[["Connection"], None]


@dataclass(slots=True)
class Taken:
    """What one round took: statuses, latencies in seconds, wall time in seconds."""

    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    seconds: float = 0.0
    odd_body: bytes = b""
    """The first body of an answer that was not 2xx."""

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds if self.seconds else 0.0

    @property
    def refused(self) -> int:
        """Answers that were not 2xx."""
        return sum(number for status, number in self.statuses.items() if status >= 300)

    def note(self, connection: Connection) -> None:
        """Add the answer that a connection has just read."""
        self.latencies.append(perf_counter() - connection.begun)
        self.statuses[connection.status] += 1
        if connection.status >= 300 and not self.odd_body:
            self.odd_body = bytes(connection.body)


class Connection(asyncio.Protocol):
    """One connection; calls `done` with itself after each answer, and once where the server hangs up."""

    def __init__(self) -> None:
        self.done: Done = lambda _: None
        self.begun = 0.0
        self.status = 0
        self.body = bytearray()
        self.alive = True
        self.asked = False
        """A request was sent and not answered yet."""
        self._transport: asyncio.WriteTransport | None = None
        self._parser = httptools.HttpResponseParser(self)

    def send(self, request: bytes, begun: float) -> None:
        """Send a whole request; its latency counts from `begun`."""
        self.begun, self.asked = begun, True
        self.body.clear()
        if self._transport is not None:
            self._transport.write(request)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way out."""
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        """Read on."""
        self._parser.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that nothing more will come."""
        del exc
        self.alive = False
        self.done(self)

    def on_body(self, body: bytes) -> None:
        """Keep the body."""
        self.body += body

    def on_message_complete(self) -> None:
        """Hand the answer on; the next message needs a parser of its own."""
        self.status, self.asked = self._parser.get_status_code(), False
        self._parser = httptools.HttpResponseParser(self)
        self.done(self)

    def close(self) -> None:
        """Hang up."""
        self.done = lambda _: None
        if self._transport is not None:
            self._transport.close()


def request_of(path: str, body: bytes, token: str = "", media_type: str = "application/xml") -> bytes:
    """Write one POST request."""
    lines = [f"POST {path} HTTP/1.1", f"Host: {HOST}", f"Content-Type: {media_type}", f"Content-Length: {len(body)}"]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    return "\r\n".join((*lines, "", "")).encode() + body


async def connect(port: int, connections: int) -> list[Connection]:
    """Open connections to a server of this machine."""
    loop = asyncio.get_running_loop()
    return [(await loop.create_connection(Connection, HOST, port))[1] for _ in range(connections)]


async def closed_loop(port: int, requests: Iterator[bytes], connections: int, seconds: float, most: int) -> Taken:
    """Keep all connections busy for `seconds`, or until `most` requests were sent. Raises `ConnectionError`."""
    taken, opened = Taken(), await connect(port, connections)
    finished = asyncio.Event()
    busy = set(opened)
    sent = 0
    begin = perf_counter()

    def go_on(connection: Connection) -> None:
        nonlocal sent
        now = perf_counter()
        if connection.alive and sent < most and now - begin < seconds:
            sent += 1
            connection.send(next(requests), now)
        else:
            busy.discard(connection)
            if not busy:
                finished.set()

    def answered(connection: Connection) -> None:
        if connection.alive:
            taken.note(connection)
        go_on(connection)

    for connection in opened:
        connection.done = answered
        go_on(connection)
    await _finish(finished, seconds, opened)
    taken.seconds = perf_counter() - begin
    return taken


async def open_loop(port: int, requests: Iterator[bytes], connections: int, seconds: float, rate: float) -> Taken:
    """Send `rate` requests a second for `seconds`. Raises `ConnectionError`."""
    taken, opened = Taken(), await connect(port, connections)
    free: asyncio.Queue[Connection] = asyncio.Queue()

    def answered(connection: Connection) -> None:
        if connection.alive:
            taken.note(connection)
        free.put_nowait(connection)

    for connection in opened:
        connection.done = answered
        free.put_nowait(connection)
    begin = perf_counter()

    async def send_all() -> None:
        for number in range(int(rate * seconds)):
            due = begin + number / rate
            if (pause := due - perf_counter()) > 0:
                await asyncio.sleep(pause)
            (await free.get()).send(next(requests), due)
        for _ in opened:
            await free.get()
        done.set()

    done = asyncio.Event()
    task = asyncio.create_task(send_all())
    try:
        await _finish(done, seconds, opened)
    finally:
        task.cancel()
    taken.seconds = perf_counter() - begin
    return taken


async def _finish(finished: asyncio.Event, seconds: float, opened: list[Connection]) -> None:
    try:
        async with asyncio.timeout(seconds + GRACE_SECONDS):
            await finished.wait()
    except TimeoutError as exc:
        raise ConnectionError("the server left a request without an answer") from exc
    finally:
        lost = [connection for connection in opened if connection.asked and not connection.alive]
        for connection in opened:
            connection.close()
    if lost:
        raise ConnectionError(f"the server hung up on {len(lost)} connections")
