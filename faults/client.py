"""A client of the gateways: keeps connections, gets tokens, goes to another gateway when one is away or not ready.

It does what a load balancer and a good client do together, and hides nothing: every fault is counted.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any
from urllib.parse import urlencode

from broker.auth.client_assertion import client_assertion, token_form

HOST = "127.0.0.1"
FORM, XML, JSON = "application/x-www-form-urlencoded", "application/xml", "application/json"
PATIENCE = 15.0
"""Seconds after which a client holds an answer for lost."""
LOOK_SECONDS = 1.0
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0
FRESH_TOKEN = 0.5
"""Share of a token's life after which the next one is got."""

OK, CREATED, UNAUTHORIZED = 200, 201, 401


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: status, header fields in lower case, body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """Return the body as an object."""
        found: dict[str, Any] = json.loads(self.body)
        return found


class Lost(Exception):
    """No whole answer came: the connection was refused, broken or silent. The request may have had its effect."""


@dataclass(slots=True)
class Tally:
    """What went wrong on the way to answers."""

    retries: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    """Statuses of answers that were not wanted."""


class Gateways:
    """The gateways of a deployment by their ports; asks each whether it is ready, as a load balancer does."""

    def __init__(self, ports: Sequence[int]) -> None:
        self.ports = list(ports)
        self._ready = set(ports)
        self._turn = count()
        self._idle: dict[int, list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]] = {port: [] for port in ports}

    def next_port(self) -> int:
        """Return the next gateway in turn that is ready; any, where none is."""
        ports = [port for port in self.ports if port in self._ready] or self.ports
        return ports[next(self._turn) % len(ports)]

    async def watch(self) -> None:
        """Keep asking who is ready, until cancelled."""
        while True:
            await asyncio.gather(*(self._look(port) for port in self.ports))
            await asyncio.sleep(LOOK_SECONDS)

    async def _look(self, port: int) -> None:
        try:
            reply = await self.ask(port, "GET", "/readyz", patience=2.0)
        except Lost:
            self._ready.discard(port)
            return
        (self._ready.add if reply.status == OK else self._ready.discard)(port)

    async def ask(
        self,
        port: int,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        media: str = "",
        token: str = "",
        patience: float = PATIENCE,
    ) -> Reply:
        """Ask one gateway. Raises `Lost`."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: {HOST}", f"Content-Length: {len(body)}"]
        lines += [f"Content-Type: {media}"] if media else []
        lines += [f"Authorization: Bearer {token}"] if token else []
        request = "\r\n".join((*lines, "", "")).encode() + body
        pair = self._kept(port)
        try:
            async with asyncio.timeout(patience):
                if pair is None:
                    pair = await asyncio.open_connection(HOST, port, limit=1 << 20)
                pair[1].write(request)
                reply = await _read(pair[0])
        except (OSError, EOFError, TimeoutError, asyncio.IncompleteReadError, ValueError) as exc:
            if pair is not None:
                pair[1].transport.abort()
            self._forget(port)
            raise Lost(type(exc).__name__) from exc
        if reply.headers.get("connection") == "close":
            pair[1].close()
        else:
            self._idle[port].append(pair)
        return reply

    def _kept(self, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """Return a connection that nobody uses; one that the gateway has closed is none."""
        while self._idle[port]:
            pair = self._idle[port].pop()
            if not pair[0].at_eof():
                return pair
            pair[1].transport.abort()
        return None

    def _forget(self, port: int) -> None:
        """Keep no connection to a gateway that lost one: it may have died, and the others with it."""
        while self._idle[port]:
            _, writer = self._idle[port].pop()
            writer.transport.abort()

    def close(self) -> None:
        """Hang up."""
        for port in self.ports:
            self._forget(port)


async def _read(reader: asyncio.StreamReader) -> Reply:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines if line)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Reply(int(first.split(" ", 2)[1]), headers, body)


class Client:
    """One access: an instance with its key. Its tokens are good at every gateway."""

    def __init__(self, gateways: Gateways, access: Mapping[str, Any], audience: str, tally: Tally) -> None:
        """`access`: client_id, jwk, instance."""
        self.instance: str = access["instance"]
        self._gateways = gateways
        self._access = access
        self._audience = audience
        self._tally = tally
        self._token, self._until = "", 0.0
        self._renewing = asyncio.Lock()

    async def try_once(self, method: str, path: str, body: bytes = b"", media: str = "") -> Reply:
        """Ask a gateway that is ready; with a new token where the old one is refused. Raises `Lost`."""
        port = self._gateways.next_port()
        reply = await self._gateways.ask(port, method, path, body, media=media, token=await self._live_token(port))
        if reply.status == UNAUTHORIZED:
            self._until = 0.0
        return reply

    async def insist(self, wanted: Sequence[int], method: str, path: str, body: bytes = b"", media: str = "") -> Reply:
        """Ask until an answer with a wanted status comes, with the same bytes each time and growing pauses."""
        pause = FIRST_PAUSE
        while True:
            try:
                reply = await self.try_once(method, path, body, media)
            except Lost:
                self._tally.statuses[0] += 1
            else:
                if reply.status in wanted:
                    return reply
                self._tally.statuses[reply.status] += 1
            self._tally.retries += 1
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _live_token(self, port: int) -> str:
        async with self._renewing:
            now = asyncio.get_running_loop().time()
            if now >= self._until:
                self._token, life = await self._new_token(port)
                self._until = now + life * FRESH_TOKEN
        return self._token

    async def _new_token(self, port: int) -> tuple[str, float]:
        key = dict(self._access["jwk"])
        assertion = client_assertion(self._access["client_id"], key, self._audience, datetime.now(UTC))
        body = urlencode(token_form(assertion)).encode()
        reply = await self._gateways.ask(port, "POST", "/v1/token", body, media=FORM)
        if reply.status != OK:
            self._tally.statuses[reply.status] += 1
            raise Lost(f"no token: {reply.status}")
        answer = reply.json()
        return str(answer["access_token"]), float(answer["expires_in"])
