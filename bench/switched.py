"""The service with some stations switched off: ``python -m bench.switched serve …``, stations in ``BENCH_OFF``.

The product has no such switch. Here its functions are replaced in its modules before it starts, so that the rest of the
path is the product's own, to the letter. A station that is off does the least that lets the next one work.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from lxml import etree
from sqlalchemy.ext.asyncio import AsyncConnection

from bench.messages import SENDER
from broker.audit import log
from broker.auth import dependencies
from broker.auth.caller import Caller, Role
from broker.batcher import Batcher
from broker.cli import roles
from broker.db import Database
from broker.transfers import api, gather, record, service
from broker.transfers.submission import Answer, Submitted
from consent.decision import Decision
from consent.facts import TransferFacts
from schemas import read
from schemas import xml as gate
from schemas.message import ValidatedPayload
from schemas.message_types import latest
from schemas.xsd_model import block_map

OFF = "BENCH_OFF"
CALLER = Caller("bench", Role.INSTANCE, SENDER)


def authentication() -> None:
    """Whoever calls is the sender."""

    async def anybody(*_: object) -> Caller:
        return CALLER

    dependencies.verify_token = anybody


def gate_off() -> None:
    """Parse and read, ask nothing: no limits, no XSD, no rules."""

    def trusting(content: bytes, **_: object) -> ValidatedPayload:
        root, kind = etree.fromstring(content), latest("uebermittlung")
        return ValidatedPayload(
            kind.name, kind.version, read.head(root), read.persons(root), read.blocks(root, block_map(kind)),
            read.declarations(root), read.consents(root), gate.digest(content), content,
        )  # fmt: skip

    api.validate = trusting


def facts() -> None:
    """Look nobody up: no pseudonyms, no locks, no records."""
    whole = service.seek

    def nobody(keys: Any, submitted: Submitted) -> Any:  # noqa: ANN401 - as the function it stands for
        bare = replace(submitted, payload=replace(submitted.payload, persons=()))
        return replace(whole(keys, bare), case_keys={})

    async def nothing(*_: object) -> gather.Records:
        return gather.Records({}, (), (), (), {}, {}, (), {}, None, {})

    service.seek, service.load_records = nobody, nothing


def decision() -> None:
    """Take the first decision again for every other transfer."""
    whole: Callable[..., Decision] = service.decide
    first: list[Decision] = []

    def always(facts: TransferFacts, *more: Any) -> Decision:  # noqa: ANN401 - as the function it stands for
        if not first:
            first.append(whole(facts, *more))
        return replace(first[0], transfer_id=facts.transfer_id, payload_digest=facts.payload_digest)

    service.decide = always


def sealing() -> None:
    """Queue the content as it came, under no key."""
    record.seal = lambda content, *_: content
    record.wrap = lambda key, _: key


def evidence() -> None:
    """Make and write no entry, promise nothing."""
    entry = log.Entry({"id": "", "leaf": b"", "at": None}, {})
    service.entry_of = lambda *_: entry
    service.decision_event = lambda *_: None
    service.promise = lambda *_: ""
    record.rows_of = lambda *_: ()


def commit() -> None:
    """Roll each batch back instead of committing it: all statements, nothing kept."""

    @asynccontextmanager
    async def writing(self: Database) -> AsyncIterator[AsyncConnection]:
        async with self.engine.connect() as connection:
            yield connection

    whole = service.submit_batch

    async def rolled_back(gateway: Any, batch: Sequence[Submitted]) -> Any:  # noqa: ANN401 - as the function it stands for
        return await whole(replace(gateway, db=_Unkept(gateway.db, writing)), batch)

    from broker import app  # noqa: PLC0415 - patched before it is used

    app.submit_batch = rolled_back


class _Unkept:
    """A database whose writing transactions leave nothing."""

    def __init__(self, db: Database, writing: Any) -> None:  # noqa: ANN401 - a context manager's function
        self._db, self._writing = db, writing

    def writing(self) -> Any:  # noqa: ANN401 - a context manager
        return self._writing(self._db)


def everything() -> None:
    """Read the body, answer 202: authentication, gate, facts, law, sealing, evidence and database are off."""
    authentication()
    payload: list[ValidatedPayload] = []

    def once(content: bytes, **_: object) -> ValidatedPayload:
        if not payload:
            payload.append(gate.validate(content))
        return payload[0]

    async def at_once(_: Batcher[Submitted, Answer], submitted: Submitted) -> Answer:
        return Answer(202, {"transfer_id": submitted.transfer_id, "state": "accepted"})

    async def sealed(*_: object, **__: object) -> None:
        return None

    api.validate, api.require_sealing, Batcher.submit = once, sealed, at_once


def strawman() -> None:
    """Install what most would write first; see `bench.strawman`."""
    from bench.strawman import install  # noqa: PLC0415 - slow to import

    install()


SWITCHES: dict[str, Callable[[], None]] = {
    "authentication": authentication,
    "gate": gate_off,
    "facts": facts,
    "decision": decision,
    "sealing": sealing,
    "evidence": evidence,
    "commit": commit,
    "everything": everything,
    "strawman": strawman,
}


def main() -> None:
    """Switch off what the environment names, then be the service."""
    for name in filter(None, os.environ.get(OFF, "").split(",")):
        SWITCHES[name]()
    roles.worker_command = lambda *options: [
        sys.executable, "-m", "bench.switched", "serve", "--no-roles", *options,
    ]  # fmt: skip
    from broker.__main__ import main as service_main  # noqa: PLC0415 - after the switches

    service_main()


if __name__ == "__main__":
    main()
