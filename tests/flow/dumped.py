"""Everything that lies in PostgreSQL and on the topics, as bytes; and every key that is left, tried on all of it."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from sqlalchemy import make_url

from broker.config import Settings
from broker.crypto import KEY_BYTES, NONCE_BYTES, SealBroken, unseal, unwrap
from broker.keys import SECRET_PURPOSES, owner_key
from tests.flow.world import Kreis
from tests.world import rows

#: Bytes as COPY writes them in its text format.
BYTES = re.compile(rb"\\\\x([0-9a-f]+)")
WRAPPED_BYTES = KEY_BYTES + 8
LEAST_SEALED = NONCE_BYTES + 16
LEAVES = (
    "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relkind = 'r' AND n.nspname !~ '^(pg_|information_schema)' ORDER BY 1, 2"
)
"""Every table that holds rows, the months of the growing ones among them."""


@dataclass(frozen=True)
class Dump:
    """What somebody has who took both away: tables as COPY writes them, records as they lie on the brokers."""

    tables: dict[str, bytes]
    records: Sequence[bytes]
    """Keys, headers and values, also of transactions that were never finished."""

    def blobs(self) -> set[bytes]:
        """Return every value of bytes: of any column of any table, of any record."""
        columns = {bytes.fromhex(found.decode()) for text in self.tables.values() for found in BYTES.findall(text)}
        return columns | set(self.records)

    def everything(self) -> list[bytes]:
        """Return all of it, bytes as they are too."""
        return [*self.tables.values(), *self.blobs()]

    def with_rows(self, table: str, other: Dump) -> Dump:
        """Return the same with the rows that a table has in another dump."""
        return replace(self, tables=self.tables | {table: other.tables[table]})


async def take_dump(kreis: Kreis) -> Dump:
    """Read all rows of all tables (COPY, large values whole) and all records of all topics, uncommitted ones too."""
    url = make_url(kreis.gateway.settings.database).set(drivername="postgresql")
    connection = await asyncpg.connect(url.render_as_string(hide_password=False))
    tables = {}
    try:
        for schema, name in await connection.fetch(LEAVES):
            written = BytesIO()
            await connection.copy_from_table(name, schema_name=schema, output=written)
            tables[name] = written.getvalue()
    finally:
        await connection.close()
    return Dump(tables, await _records(kreis))


async def _records(kreis: Kreis) -> list[bytes]:
    settings = kreis.gateway.settings
    places = await _places(settings)
    reader = AIOKafkaConsumer(bootstrap_servers=settings.kafka_bootstrap, isolation_level="read_uncommitted")
    await reader.start()
    found: list[bytes] = []
    try:
        reader.assign(places)
        ends = await reader.end_offsets(places)
        await reader.seek_to_beginning(*places)
        while any([await reader.position(place) < end for place, end in ends.items()]):
            for messages in (await reader.getmany(timeout_ms=500)).values():
                found += [part for message in messages for part in _parts(message)]
    finally:
        await reader.stop()
    return found


async def _places(settings: Settings) -> list[TopicPartition]:
    """Return every partition of every topic of this service."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)
    await admin.start()
    try:
        names = [name for name in await admin.list_topics() if name.startswith(settings.kafka_topic_prefix)]
        topics = await admin.describe_topics(names)
    finally:
        await admin.close()
    return [TopicPartition(topic["topic"], part["partition"]) for topic in topics for part in topic["partitions"]]


def _parts(message: Any) -> list[bytes]:
    headers = [part for name, value in message.headers for part in (name.encode(), value)]
    return [part for part in (message.key, message.value, *headers) if part]


async def keys_left(kreis: Kreis, dump: Dump) -> set[bytes]:
    """Return every key that can be had: key files, what derives from them, and what they unwrap in the dump."""
    files = (kreis.gateway.settings.data_dir / "keys").iterdir()
    masters = {value for file in files for value in _secrets(json.loads(file.read_text()))}
    owners = [row.id for row in await rows(kreis.gateway, "SELECT id FROM instances UNION SELECT id FROM agencies")]
    derived = {
        owner_key(master, purpose, owner) for master in masters for purpose in SECRET_PURPOSES for owner in owners
    }
    plain = {blob for blob in dump.blobs() if len(blob) == KEY_BYTES}
    wrapping = masters | derived
    wrapped = [blob for blob in dump.blobs() if len(blob) == WRAPPED_BYTES]
    return wrapping | plain | {key for blob in wrapped for key in _unwrapped(blob, wrapping)}


def _secrets(content: Any) -> Iterable[bytes]:
    """Return every value of a key file that is as long as a key."""
    texts = [text for text in content.values() if isinstance(text, str)] + [
        text for part in content.values() if isinstance(part, dict) for text in part.values() if isinstance(text, str)
    ]
    for text in texts:
        try:
            value = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except ValueError:
            continue
        if len(value) == KEY_BYTES:
            yield value


def _unwrapped(blob: bytes, wrapping: Iterable[bytes]) -> Iterable[bytes]:
    for key in wrapping:
        try:
            yield unwrap(blob, key)
        except SealBroken:
            continue


async def opened(kreis: Kreis, dump: Dump) -> set[bytes]:
    """Return every content that any key opens, tried on everything, for each transfer that there was."""
    keys = await keys_left(kreis, dump)
    ids = [row.id for row in await rows(kreis.gateway, "SELECT id FROM transfers")]
    sealed = [blob for blob in dump.blobs() if len(blob) >= LEAST_SEALED]
    return {
        content
        for blob in sealed
        for key in keys
        for transfer in ids
        if (content := _tried(blob, key, transfer)) is not None
    }


def _tried(blob: bytes, key: bytes, transfer: str) -> bytes | None:
    try:
        return unseal(blob, key, transfer)
    except SealBroken:
        return None
