"""The races of relays, sealers and clean-ups with one another and with persons. See `tests/flow/races.py`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import httpx
from sqlalchemy.exc import IntegrityError

from broker.audit import tree
from broker.audit.events import AuditEvent
from broker.audit.log import append
from broker.audit.sequencer import LeaseLost, Sealer
from broker.cleanup import role as cleanup
from broker.delivery import in_flight
from broker.outbox.relay import Relay
from broker.privileges import DbRole
from broker.transport.base import Record, TransportUnavailable, topic_of
from broker.transport.embedded import EmbeddedOutlet
from broker.transport.kafka import KafkaOutlet
from tests.flow.forced import Ground
from tests.flow.races import Breach, pulled
from tests.flow.test_stops import BLOCKS, NAMED
from tests.flow.world import JOBCENTER, SOZIALAMT, consent_body, person
from tests.world import evidence, rows

CASE = "BG-4711"
EVENT = AuditEvent("client.added", "operator:*", side={"client_id": "c-1"})


async def _accepted(ground: Ground) -> tuple[str, str]:
    """Record a consent and submit a transfer that relies on it; return both ids."""
    body = consent_body(SOZIALAMT, "CASE_MANAGEMENT", NAMED, person())
    consent = (await ground.jobcenter.post("/v1/consents", body)).json()["id"]
    parts: dict[str, Any] = {"purpose": "CASE_MANAGEMENT", "persons": [person()], "consents": [consent]}
    return consent, await ground.jobcenter.accepted(SOZIALAMT, BLOCKS, **parts)


async def _ended(ground: Ground, transfer: str) -> set[Breach]:
    """Say what is wrong where a transfer should have ended by a withdrawal, wherever its record is now."""
    await ground.kreis.publish()
    await ground.kreis.take_in()
    came = await pulled(ground, transfer)
    state = await ground.jobcenter.state(transfer)
    keys = await ground.kreis.scalar("SELECT count(*) FROM transfer_keys WHERE transfer_id = :id", id=transfer)
    found = set() if state == "withdrawn" and not keys else {Breach.REVIVED}
    return found | ({Breach.AFTERWARDS} if came else set())


async def withdrawal_while_publishing(ground: Ground) -> set[Breach]:
    """Withdraw what a relay has claimed and not published; then it publishes, and notes what it did."""
    consent, transfer = await _accepted(ground)
    halt = ground.halt_before(EmbeddedOutlet, "publish")
    withdrawal = ground.jobcenter.post(f"/v1/consents/{consent}/withdrawal")
    await ground.meanwhile(halt, ground.kreis.publish(), withdrawal)
    return await _ended(ground, transfer)


async def publishing_while_withdrawing(ground: Ground) -> set[Breach]:
    """Let a relay claim while a withdrawal has ended the transfer and not committed."""
    consent, transfer = await _accepted(ground)
    halt = ground.halt_after(in_flight, "advance")
    withdrawal = ground.jobcenter.post(f"/v1/consents/{consent}/withdrawal")
    await ground.meanwhile(halt, withdrawal, ground.kreis.publish())
    return await _ended(ground, transfer)


def _relay(ground: Ground, name: str) -> Relay:
    return Relay(ground.kreis.gateway.acting(DbRole.RELAY), ground.kreis.transport, name)


def _lease_ends(ground: Ground) -> None:
    ground.kreis.clock.move(seconds=ground.kreis.gateway.settings.relay_lease_seconds + 1)


async def old_relay_wakes(ground: Ground) -> set[Breach]:
    """Let a relay sleep with claimed records in its hands; another publishes them and more; the first wakes (Kafka)."""
    sent = [await ground.jobcenter.accepted(SOZIALAMT, case_sender=CASE)]
    old, new = _relay(ground, "old"), _relay(ground, "new")
    await old.renew()
    halt = ground.halt_before(KafkaOutlet, "publish")
    sleeping = asyncio.ensure_future(old.turn())
    await halt.reached.wait()
    _lease_ends(ground)
    await new.renew()
    await new.turn()
    sent.append(await ground.jobcenter.accepted(SOZIALAMT, case_sender=CASE))
    await new.turn()
    halt.let_go.set()
    await asyncio.gather(sleeping, return_exceptions=True)
    records = await _read(ground, len(sent))
    for one in (old, new):
        await one.leave()
    return set() if [record.record_id for record in records] == sent else {Breach.LATE_AGAIN}


async def _read(ground: Ground, count: int) -> list[Record]:
    """Read the topic anew: at least so many, and what else is there."""
    keys = {row.record_key for row in await _keys(ground)}
    reader = ground.kreis.transport.subscribe([topic_of(SOZIALAMT.partition(":")[0])], "race")
    found: list[Record] = []
    try:
        async with asyncio.timeout(90):
            more = True
            while more or len(found) < count:
                try:
                    got = [item.record for item in await reader.fetch(1.0) if item.record.key in keys]
                except TransportUnavailable:  # a broker on a crowded machine takes its time to let somebody join
                    continue
                found += got
                more = bool(got)
    finally:
        await reader.close()
    return found


async def _keys(ground: Ground) -> Sequence[Any]:
    return await rows(ground.kreis.gateway, "SELECT DISTINCT order_key AS record_key FROM transfers")


async def old_relay_claims(ground: Ground) -> set[Breach]:
    """Let a relay sleep before it claims; another takes over and has claimed; the first wakes and goes on."""
    await ground.jobcenter.accepted(SOZIALAMT)
    old, new = _relay(ground, "old"), _relay(ground, "new")
    hands: list[str] = []
    real = EmbeddedOutlet.publish

    async def noted(outlet: EmbeddedOutlet, records: Sequence[Record]) -> None:
        hands.extend(record.record_id for record in records)
        await real(outlet, records)

    ground.patch.setattr(EmbeddedOutlet, "publish", noted)
    await old.renew()
    asleep = ground.halt_before(Relay, "_claim")
    first = asyncio.ensure_future(old.turn())
    await asleep.reached.wait()
    _lease_ends(ground)
    await new.renew()
    holds = ground.halt_before(Relay, "_publish")
    second = asyncio.ensure_future(new.turn())
    await holds.reached.wait()
    asleep.let_go.set()
    await first
    holds.let_go.set()
    await second
    return set() if len(hands) == len(set(hands)) else {Breach.TWO_HANDS}


async def old_relay_notes(ground: Ground) -> set[Breach]:
    """Let a relay sleep before it notes; another publishes and notes; what comes then has its row's number again.

    On SQLite, where numbers of rows come again.
    """
    await ground.jobcenter.accepted(SOZIALAMT, case_sender=CASE)
    old, new = _relay(ground, "old"), _relay(ground, "new")
    await old.renew()
    asleep = ground.halt_before(Relay, "_note")
    first = asyncio.ensure_future(old.turn())
    await asleep.reached.wait()
    _lease_ends(ground)
    await new.renew()
    await new.turn()
    await ground.jobcenter.accepted(SOZIALAMT, case_sender=CASE)
    asleep.let_go.set()
    await first
    waiting = await ground.kreis.scalar("SELECT count(*) FROM outbox")
    return set() if waiting == 1 else {Breach.LOST}


async def old_sealer_wakes(ground: Ground) -> set[Breach]:
    """Let a sealer sleep inside its transaction, tree in hand, to the end of its lease; another wants it."""
    gateway = ground.kreis.gateway.acting(DbRole.SEALER)
    old, new = Sealer(gateway, "old"), Sealer(gateway, "new")
    await old.seal()  # takes the lease
    async with ground.kreis.gateway.db.writing() as connection:
        await append(connection, [EVENT], gateway.clock())
    halt = ground.halt_after(tree, "unsealed")
    first = asyncio.ensure_future(old.seal())
    await halt.reached.wait()
    ground.kreis.clock.move(seconds=gateway.settings.seal_lease_seconds + 1)
    second = asyncio.ensure_future(new.seal())
    await ground.waits(second)
    halt.let_go.set()
    ended = await asyncio.gather(first, second, return_exceptions=True)
    strange = [fault for fault in ended if isinstance(fault, BaseException) and not isinstance(fault, LeaseLost)]
    assert all(isinstance(fault, IntegrityError) for fault in strange), strange
    return {Breach.TWO_SEAL} if strange else set()


async def sealer_that_was_replaced(ground: Ground) -> set[Breach]:
    """Let a sealer go on that another has replaced, though nobody is in its way."""
    gateway = ground.kreis.gateway.acting(DbRole.SEALER)
    old, new = Sealer(gateway, "old"), Sealer(gateway, "new")
    await old.seal()
    ground.kreis.clock.move(seconds=gateway.settings.seal_lease_seconds + 1)
    for sealer in (new, old):
        async with ground.kreis.gateway.db.writing() as connection:
            await append(connection, [EVENT], gateway.clock())
        try:
            await sealer.seal()
        except LeaseLost:
            return set()
    return {Breach.TWO_SEAL}


async def two_clean_ups(ground: Ground) -> set[Breach]:
    """Let two clean-ups find the same rows; what the evidence says was deleted is what was there."""
    kreis = ground.kreis
    refused = await (await kreis.office(JOBCENTER)).submit(SOZIALAMT, purpose="STRAFVERFAHREN_73")
    assert refused.status_code == httpx.codes.FORBIDDEN, refused.text
    kreis.clock.move(days=kreis.gateway.settings.side_days + 1)
    there = await kreis.scalar("SELECT count(*) FROM decisions")
    halt = ground.halt_before(cleanup, "append")
    eraser = kreis.gateway.acting(DbRole.ERASER)
    await ground.meanwhile(halt, cleanup.clean_up(eraser), cleanup.clean_up(eraser))
    entries = [entry for entry, _ in await evidence(kreis.gateway, "cleanup.done")]
    counted = sum(entry.data["count"] for entry in entries if entry.data["kind"] == "decisions")
    return set() if counted == there else {Breach.COUNTED_TWICE}
