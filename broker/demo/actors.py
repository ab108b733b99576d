"""The offices of the play: clients of the HTTP API, like any Fachverfahren, and one that watches a folder."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from broker.auth.client_assertion import client_assertion, token_form
from broker.auth.grant import TOKEN_PATH
from broker.clock import BERLIN, system_clock
from schemas.compose import compose_quittung
from schemas.xml import validate

XML = {"Content-Type": "application/xml"}
INBOX_WAIT = 30
"""Seconds to wait for a message in the inbox."""
FOLDER_WAIT = 30.0
"""Seconds to wait for a file in the folder."""
TOKEN_REST = 30
"""A token that lives no longer than so many seconds is renewed."""


class PlayStopped(Exception):
    """The play cannot go on. The text is German and says where it stopped."""


@dataclass(slots=True)
class Client:
    """One access to the gateway: its id, its private key, and the token it holds."""

    name: str
    client_id: str
    jwk: dict[str, Any] = field(repr=False)
    http: httpx.AsyncClient = field(repr=False)
    audience: str
    _token: str = field(default="", repr=False)
    _until: float = 0.0

    async def token(self, *, renew: bool = False) -> str:
        """Return an access token, a new one where the old one ends soon (private_key_jwt, RFC 7523)."""
        if renew or time.monotonic() > self._until - TOKEN_REST:
            assertion = client_assertion(self.client_id, self.jwk, self.audience, system_clock())
            answer = await self.http.post(TOKEN_PATH, data=token_form(assertion))
            body = expect(answer, 200, f"{self.name}: Anmeldung")
            self._token, self._until = body["access_token"], time.monotonic() + body["expires_in"]
        return self._token

    async def call(self, method: str, path: str, **request: Any) -> httpx.Response:  # noqa: ANN401 - as httpx takes it
        """Call the API with a token."""
        headers = {**request.pop("headers", {}), "Authorization": f"Bearer {await self.token()}"}
        return await self.http.request(method, path, headers=headers, **request)

    async def get(self, path: str, **query: Any) -> dict[str, Any]:  # noqa: ANN401 - as httpx takes it
        """Read something that has to be there."""
        return expect(await self.call("GET", path, params=query), 200, f"{self.name}: GET {path}")

    async def post(self, path: str, body: dict[str, Any], status: int) -> dict[str, Any]:
        """Send JSON that has to be taken."""
        return expect(await self.call("POST", path, json=body), status, f"{self.name}: POST {path}")

    async def send(self, message: bytes, *, check: bool = False) -> httpx.Response:
        """Submit a message, or have it checked; whatever the answer is, it belongs to the play."""
        path = "/v1/transfers/check" if check else "/v1/transfers"
        return await self.call("POST", path, content=message, headers=XML)

    async def quittung(self, item: dict[str, Any], status: str) -> None:
        """Answer a message of the inbox."""
        xml = quittung_for(item["transfer_id"], item["message_id"], item["recipient"], status)
        path = f"/v1/inbox/{item['transfer_id']}/quittung"
        expect(await self.call("POST", path, content=xml, headers=XML), 200, f"{self.name}: Quittung {status}")

    async def fetch(self, transfer_id: str) -> dict[str, Any]:
        """Fetch one message from the inbox. Raises `PlayStopped` where it does not come."""
        end = time.monotonic() + INBOX_WAIT
        while time.monotonic() < end:
            items = (await self.get("/v1/inbox", wait=1))["items"]
            for item in items:
                if item["transfer_id"] == transfer_id:
                    return dict(item)
        raise PlayStopped(f"{self.name}: Die Nachricht ist in {INBOX_WAIT} s nicht im Eingang erschienen.")


def expect(answer: httpx.Response, status: int, what: str) -> dict[str, Any]:
    """Return the body of an answer with this status. Raises `PlayStopped` with the problem's own words."""
    body: dict[str, Any] = answer.json()
    if answer.status_code != status:
        told = " ".join(str(body.get(name, "")) for name in ("type", "detail", "errors"))
        raise PlayStopped(f"{what}: erwartet HTTP {status}, geantwortet {answer.status_code} {told}")
    return body


def now() -> datetime:
    """Return the time for a message's head, with the offset of Berlin."""
    return datetime.now(BERLIN).replace(microsecond=0)


def quittung_for(transfer_id: str, message_id: str, instance: str, status: str) -> bytes:
    """Write a quittung of an instance about a transfer."""
    return compose_quittung(
        message_id=str(uuid4()),
        transfer_id=transfer_id,
        reply_to=message_id,
        sender=instance,
        status=status,
        created_at=now(),
    )


async def answer_in_folder(place: Path, transfer_id: str, status: str) -> None:
    """Do what an office's software does: find the file, read it, leave a quittung beside it under its final name.

    `place` is the unit's place in the share (docs/adapters.md). Raises `PlayStopped` where no file appears.
    """
    message = place / f"{transfer_id}-1.xml"
    end = time.monotonic() + FOLDER_WAIT
    while not message.exists():
        if time.monotonic() > end:
            raise PlayStopped(f"Ordner {place}: Die Nachricht ist in {FOLDER_WAIT:.0f} s nicht erschienen.")
        await asyncio.sleep(0.1)
    head = validate(message.read_bytes()).head
    hidden = place / "quittungen" / f".{transfer_id}.xml"
    hidden.write_bytes(quittung_for(transfer_id, head.message_id, str(head.recipient), status))
    hidden.rename(hidden.with_name(f"quittung-{transfer_id}.xml"))
