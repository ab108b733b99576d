"""The Kreis for tests: a real service on a fresh database, its offices as real clients, and a clock that can be moved.

Relay and delivery do not run by themselves: `Kreis.pump` lets them do what is due, so that a test sees each station.
What carries the records, embedded topics or Apache Kafka, is the deployment's; the Kreis treats both alike.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI

from broker.app import create_app, keep_catalogue
from broker.auth.caller import Role
from broker.auth.client_assertion import client_assertion
from broker.auth.clients import NewClient, add_client
from broker.delivery.intake import GROUP, take_in_once
from broker.delivery.worker import adapters_of, deliver_once
from broker.directory.service import load, prepare_channels
from broker.gateway import Gateway
from broker.outbox.relay import publish_due
from broker.privileges import DbRole
from broker.start import transport_of
from broker.transport.base import MITTEILUNGEN, QUITTUNGEN, Record, Subscription, Transport, side_topic_of, topic_of
from schemas.compose import AnyBlock, PersonSpec, compose_quittung, compose_uebermittlung
from schemas.identifiers import DataCategory
from tests.world import MovableClock, database_bytes, fresh_gateway, kreis_directory, rows, scalar

JOBCENTER = "jobcenter-kreis-re:JOBCENTER"
SOZIALAMT = "sozialamt-herten:SOZIALAMT_SGBXII"
ASYL = "sozialamt-herten:SOZIALAMT_ASYLBLG"
ASD = "jugendamt-herten:JUGENDAMT_ASD"
KITA = "jugendamt-herten:JUGENDAMT_KITA"

#: Its software reads files.
FOLDER_AGENCY = "sozialamt-marl"

STAMMDATEN, ANSCHRIFT = DataCategory.STAMMDATEN, DataCategory.ANSCHRIFT
BEZUG, HOEHE = DataCategory.LEISTUNGSBEZUG, DataCategory.LEISTUNGSHOEHE
#: So long a record may be on its way between two processes of ours and the brokers.
PATIENCE = 30.0
CORE: tuple[AnyBlock, ...] = (STAMMDATEN, ANSCHRIFT, BEZUG, HOEHE)


@dataclass
class Office:
    """One client of the service."""

    kreis: Kreis
    http: httpx.AsyncClient
    instance: str
    client: NewClient
    _token: tuple[str, datetime] | None = field(default=None, repr=False)

    async def headers(self) -> dict[str, str]:
        """Return the authorisation, with a fresh token where the old one is over."""
        now = self.kreis.clock()
        if self._token is None or self._token[1] <= now:
            self._token = (await self._new_token(), now + timedelta(seconds=240))
        return {"authorization": f"Bearer {self._token[0]}"}

    async def _new_token(self) -> str:
        assert self.client.private_jwk is not None
        audience = self.kreis.gateway.settings.public_url
        assertion = client_assertion(self.client.client_id, self.client.private_jwk, audience, self.kreis.clock())
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": assertion,
        }
        answer = await self.http.post("/v1/token", data=form)
        assert answer.status_code == httpx.codes.OK, answer.text
        return str(answer.json()["access_token"])

    async def get(self, path: str, **params: Any) -> httpx.Response:
        """GET as this office."""
        return await self.http.get(path, params=params, headers=await self.headers())

    async def post(self, path: str, body: Mapping[str, Any] | None = None) -> httpx.Response:
        """POST JSON as this office."""
        return await self.http.post(path, json=body or {}, headers=await self.headers())

    async def post_xml(self, path: str, content: bytes) -> httpx.Response:
        """POST XML as this office."""
        headers = await self.headers() | {"content-type": "application/xml"}
        return await self.http.post(path, content=content, headers=headers)

    def message(self, recipient: str, blocks: Sequence[AnyBlock] = CORE, **parts: Any) -> bytes:
        """Compose an ``uebermittlung`` of this office; RECHTSKREISWECHSEL unless told otherwise."""
        given = {"purpose": "RECHTSKREISWECHSEL", "message_id": str(uuid4()), "created_at": self.kreis.clock()} | parts
        return compose_uebermittlung(sender=self.instance, recipient=recipient, blocks=blocks, **given)

    async def submit(self, recipient: str, blocks: Sequence[AnyBlock] = CORE, **parts: Any) -> httpx.Response:
        """Compose and submit."""
        return await self.post_xml("/v1/transfers", self.message(recipient, blocks, **parts))

    async def accepted(self, recipient: str, blocks: Sequence[AnyBlock] = CORE, **parts: Any) -> str:
        """Submit what must be permitted; return the transfer's id."""
        answer = await self.submit(recipient, blocks, **parts)
        assert answer.status_code == httpx.codes.ACCEPTED, answer.text
        return str(answer.json()["transfer_id"])

    async def inbox(self, **params: Any) -> list[dict[str, Any]]:
        """Fetch the inbox."""
        answer = await self.get("/v1/inbox", **params)
        assert answer.status_code == httpx.codes.OK, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    def quittung(self, item: Mapping[str, Any], status: str = "ANGENOMMEN", **parts: Any) -> bytes:
        """Compose a ``quittung`` for an item of the inbox."""
        given = {"message_id": str(uuid4()), "created_at": self.kreis.clock()} | parts
        return compose_quittung(
            transfer_id=item["transfer_id"], reply_to=item["message_id"], sender=self.instance, status=status, **given
        )

    async def answer(self, item: Mapping[str, Any], status: str = "ANGENOMMEN", **parts: Any) -> httpx.Response:
        """Answer an item of the inbox."""
        path = f"/v1/inbox/{item['transfer_id']}/quittung"
        return await self.post_xml(path, self.quittung(item, status, **parts))

    async def state(self, transfer_id: str) -> str:
        """Return the state of a transfer as this office sees it."""
        answer = await self.get(f"/v1/transfers/{transfer_id}")
        return str(answer.json().get("state", answer.status_code))


@dataclass
class Kreis:
    """The running service."""

    gateway: Gateway
    clock: MovableClock
    transport: Transport
    app: FastAPI
    offices: dict[str, Office] = field(default_factory=dict)
    published: int = 0
    """Records that this Kreis has put on the topics."""
    _reader: Subscription | None = None

    def http(self) -> httpx.AsyncClient:
        """Return a client of the service, over ASGI."""
        over = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=over, base_url=self.gateway.settings.public_url)

    async def office(self, instance: str) -> Office:
        """Return the client of an instance, made at the first call."""
        if instance not in self.offices:
            client = await add_client(self.gateway.acting(DbRole.ADMIN), Role.INSTANCE, instance=instance)
            self.offices[instance] = Office(self, self.http(), instance, client)
        return self.offices[instance]

    async def officer(self, agency: str) -> Office:
        """Return an officer of an agency."""
        client = await add_client(self.gateway.acting(DbRole.ADMIN), Role.OFFICER, agency=agency)
        return Office(self, self.http(), agency, client)

    async def operator(self) -> Office:
        """Return an operator."""
        return Office(self, self.http(), "", await add_client(self.gateway.acting(DbRole.ADMIN), Role.OPERATOR))

    async def publish(self) -> int:
        """Let a relay publish what is due."""
        count = await publish_due(self.gateway.acting(DbRole.RELAY), self.transport, str(uuid4()))
        self.published += count
        return count

    async def take_in(self) -> int:
        """Let the delivery read what lies on the topics, until nothing is on its way any more."""
        if self._reader is None:
            self._reader = self.transport.subscribe([topic_of(agency) for agency in await self.agencies()], GROUP)
        count = await take_in_once(self.gateway.acting(DbRole.DELIVERY), self._reader, 0)
        async with asyncio.timeout(PATIENCE):
            while await self._on_its_way():
                count += await take_in_once(self.gateway.acting(DbRole.DELIVERY), self._reader, 0.2)
        return count

    async def _on_its_way(self) -> bool:
        arrived = "SELECT 1 FROM deliveries WHERE transfer_id = transfers.id"
        query = f"SELECT count(*) FROM transfers WHERE state = 'published' AND NOT EXISTS ({arrived})"  # noqa: S608 - no input
        return bool(await self.scalar(query))

    async def carried(self) -> list[Record]:
        """Return the records of this Kreis that lie on any topic, read as by somebody who reads them all anew."""
        keys = {row.order_key for row in await rows(self.gateway, "SELECT order_key FROM transfers")}
        agencies = await self.agencies()
        topics = [topic_of(agency) for agency in agencies]
        topics += [side_topic_of(agency, sort) for agency in agencies for sort in (QUITTUNGEN, MITTEILUNGEN)]
        reader = self.transport.subscribe(topics, f"again-{uuid4()}")
        found: list[Record] = []
        try:
            async with asyncio.timeout(PATIENCE):
                while len(found) < self.published:
                    consumed = await reader.fetch(0.2)
                    await reader.commit(consumed)
                    found += [item.record for item in consumed if item.record.key in keys]
        finally:
            await reader.close()
        return found

    async def end(self) -> None:
        """Release what is held."""
        for office in self.offices.values():
            await office.http.aclose()
        if self._reader is not None:
            await self._reader.close()
        await self.transport.close()
        await self.app.state.large.close()

    async def agencies(self) -> list[str]:
        """Return the ids of all agencies."""
        return [row.id for row in await rows(self.gateway, "SELECT id FROM agencies ORDER BY id")]

    async def deliver(self) -> int:
        """Let the delivery serve the channels."""
        delivery = self.gateway.acting(DbRole.DELIVERY)
        return await deliver_once(delivery, await adapters_of(delivery))

    async def pump(self) -> None:
        """Let relay and delivery do all that is due."""
        await self.publish()
        await self.take_in()
        await self.deliver()

    async def scalar(self, sql: str, **values: Any) -> Any:
        """Return one value of the database."""
        return await scalar(self.gateway, sql, **values)

    def database_bytes(self) -> bytes:
        """Return all bytes of the database's files."""
        return database_bytes(self.gateway)


@asynccontextmanager
async def open_kreis(folder: Path, **settings: Any) -> AsyncIterator[Kreis]:
    """Start the service on a folder; what lies there already is taken up again."""
    clock = MovableClock()
    async with fresh_gateway(folder, clock, **settings) as gateway:
        document = kreis_directory(folder)
        await load(gateway.acting(DbRole.ADMIN), document)
        await prepare_channels(document, folder)
        transport = transport_of(gateway)
        app = create_app(gateway, transport)
        await keep_catalogue(gateway.acting(DbRole.GATEWAY))
        kreis = Kreis(gateway, clock, transport, app)
        try:
            yield kreis
        finally:
            await kreis.end()


@pytest.fixture
async def kreis(data_dir: Path) -> AsyncIterator[Kreis]:
    """Give a running service with the directory of Kreis Recklinghausen."""
    async with open_kreis(data_dir) as running:
        yield running


def person(family: str = "Beispiel", given: str = "Erika", born: date = date(1961, 3, 9), **parts: Any) -> PersonSpec:
    """Return a made-up person."""
    return PersonSpec(family=family, given=given, birth=born, **parts)


def consent_body(
    recipient: str, purpose: str, categories: Sequence[str], who: PersonSpec, **more: Any
) -> dict[str, Any]:
    """Return the body of a valid consent of the person herself."""
    return {
        "person": {"familienname": who.family, "vornamen": who.given, "geburtsdatum": who.birth.isoformat()},
        "erklaert_von": "betroffene Person",
        "erteilt_am": "2026-03-02",
        "zweck": purpose,
        "empfaenger": [recipient],
        "kategorien": list(categories),
        "form": "schriftlich",
        "hinweise": ["zweck", "folgen_der_verweigerung", "widerruf"],
        "freiwillig": True,
        "nachweis": {"wortlaut_version": "1.0", "aufgenommen_von": "SB-1"},
    } | more


def ersuchen_body(asked: str, who: PersonSpec, purpose: str = "RECHTSKREISWECHSEL", **more: Any) -> dict[str, Any]:
    """Return the body of an Ersuchen after the person was asked in vain."""
    return {
        "an": asked,
        "zweck": purpose,
        "norm": "§ 41 SGB XII",
        "kategorien": ["LEISTUNGSBEZUG", "LEISTUNGSHOEHE"],
        "person": {"familienname": who.family, "vornamen": who.given, "geburtsdatum": who.birth.isoformat()},
        "ersterhebung": {"status": "VERSUCHT_FRUCHTLOS", "gefragt_am": "2026-02-02", "frist": "2026-02-20"},
        "frist": "2026-04-30",
    } | more


def procedure_body(sender: str, recipient: str, kind: str = "REGELMAESSIG", **more: Any) -> dict[str, Any]:
    """Return the body of a procedure for all that goes with a Rechtskreiswechsel."""
    return {
        "von": sender,
        "an": recipient,
        "art": kind,
        "zweck": "RECHTSKREISWECHSEL",
        "kategorien": ["STAMMDATEN", "ANSCHRIFT", "LEISTUNGSBEZUG", "LEISTUNGSHOEHE"],
        "angemessen_wegen": ["MENGE"],
        "festlegung": {"fassung": "1.0", "vom": "2026-01-12"},
        "hoechstzahl": 100,
        "gueltig_ab": "2026-02-01",
    } | more


def attempt_body(who: PersonSpec, **more: Any) -> dict[str, Any]:
    """Return the body of an attempt to get a person's benefits told by herself."""
    return {
        "person": {"familienname": who.family, "vornamen": who.given, "geburtsdatum": who.birth.isoformat()},
        "zweck": "RECHTSKREISWECHSEL",
        "kategorien": ["ANSCHRIFT", "LEISTUNGSBEZUG", "LEISTUNGSHOEHE"],
        "gefragt_am": "2026-02-16",
        "frist": "2026-03-15",
        "weg": "SCHRIFTLICH",
    } | more
