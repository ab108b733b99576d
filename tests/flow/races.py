"""The races: each runs both sides into one named interleaving and returns what was broken, by name. Empty: it held.

`tests/flow/test_races.py` wants every one of them empty; `tests/flow/test_races_need_locks.py` takes out one guard
after the other and wants just the breach that this guard is there to prevent.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import uuid4

import httpx

from broker.auth.encryption import add_encryption_key
from broker.delivery import handover, in_flight, quittung
from broker.delivery.handover import take
from broker.delivery.repository import Queue, Taker, Way, note_failure
from broker.privileges import DbRole
from broker.transfers import service
from schemas.xml import validate_quittung
from tests.flow.forced import Ground
from tests.flow.test_stops import BLOCKS, NAMED, objection
from tests.flow.world import FOLDER_AGENCY, SOZIALAMT, consent_body, person
from tests.world import START

OFFICE = f"{FOLDER_AGENCY}:SOZIALAMT_SGBXII"
OK, CREATED, ACCEPTED = httpx.codes.OK, httpx.codes.CREATED, httpx.codes.ACCEPTED


class Breach(StrEnum):
    """What a lost race would leave behind."""

    STANDS = "a transfer is on its way against an objection or withdrawal that was answered"
    UNTOLD = "handed over, withdrawn or recalled, and the recipient is not told"
    AFTERWARDS = "a content was handed over though its transfer had ended"
    UNASKED = "a content was handed over that the law no longer lets pass"
    TWICE = "one content was handed over to two at once"
    REVIVED = "a transfer that had ended goes on"
    ANSWER = "an answer that the other side does not explain"
    LEASE_LOST = "one whose lease had ended changed the lease of the next"
    LATE_AGAIN = "a record stands on its topic again, behind a later one of its case"
    TWO_HANDS = "one record was in the hands of two relays"
    LOST = "a record that nobody has published is gone"
    TWO_SEAL = "two sealers were at work on one tree"
    COUNTED_TWICE = "two clean-ups counted the same rows"
    TOO_MANY = "more persons passed on a route than may without a registered procedure"


Race = Callable[[Ground], Awaitable[set[Breach]]]


class Stop(StrEnum):
    """What ends a transfer that is not handed over."""

    WITHDRAWAL = "withdrawal"
    OBJECTION = "objection"
    RECALL = "recall"


#: Stop → where it has looked at the transfer and decided what to do, and has not committed.
DECIDED = {Stop.WITHDRAWAL: "decide_again", Stop.OBJECTION: "decide_again", Stop.RECALL: "advance"}


@dataclass(frozen=True)
class Ready:
    """A transfer that waits to be handed over, and how to fetch and to stop it."""

    transfer: str
    consent: str
    """On which it relies."""
    fetch: Callable[[], Awaitable[bool]]
    """Whether a content came."""

    def stop(self, ground: Ground, by: Stop) -> Awaitable[httpx.Response]:
        """Withdraw its consent, object to all about its person, or recall it."""
        path = {
            Stop.WITHDRAWAL: f"/v1/consents/{self.consent}/withdrawal",
            Stop.OBJECTION: "/v1/objections",
            Stop.RECALL: f"/v1/transfers/{self.transfer}/recall",
        }
        return ground.jobcenter.post(path[by], objection(person(), "OPT_OUT") if by is Stop.OBJECTION else None)


async def ready(ground: Ground, way: Way, **consent: Any) -> Ready:
    """Let a transfer that relies on a consent wait for its recipient."""
    kreis, jobcenter = ground.kreis, ground.jobcenter
    recipient = OFFICE if way is Way.PUSH else SOZIALAMT
    body = consent_body(recipient, "CASE_MANAGEMENT", NAMED, person(), **consent)
    named = (await jobcenter.post("/v1/consents", body)).json()["id"]
    parts: dict[str, Any] = {"purpose": "CASE_MANAGEMENT", "persons": [person()], "consents": [named]}
    transfer = await jobcenter.accepted(recipient, BLOCKS, **parts)
    await kreis.publish()
    await kreis.take_in()
    if way is Way.KEY:
        await add_encryption_key(kreis.gateway, ground.sozialamt.client.client_id)
    fetch = {Way.PULL: pulled, Way.KEY: got_key, Way.PUSH: pushed}[way]
    return Ready(transfer, named, lambda: fetch(ground, transfer))


async def pulled(ground: Ground, transfer: str) -> bool:
    """Fetch the inbox; return whether the transfer is in it."""
    return transfer in {item["transfer_id"] for item in await ground.sozialamt.inbox()}


async def got_key(ground: Ground, transfer: str) -> bool:
    """Ask for the key."""
    answer = await ground.sozialamt.post(f"/v1/transfers/{transfer}/key")
    assert answer.status_code in {OK, httpx.codes.CONFLICT}, answer.text
    return answer.status_code == OK


async def pushed(ground: Ground, transfer: str) -> bool:
    """Let the delivery bring what is due; return whether the file is there."""
    await ground.kreis.deliver()
    share = ground.kreis.gateway.settings.data_dir / "folders" / FOLDER_AGENCY
    return bool(list(share.rglob(f"{transfer}-*.xml")))


async def told(ground: Ground, transfer: str) -> bool:
    """Whether there is a notice about a transfer."""
    query = "SELECT count(*) FROM notices WHERE transfer_id = :id"
    return bool(await ground.kreis.scalar(query, id=transfer))


def _object(ground: Ground) -> Awaitable[httpx.Response]:
    return ground.jobcenter.post("/v1/objections", objection(person(), "OPT_OUT"))


async def objection_while_submitting(ground: Ground) -> set[Breach]:
    """Let an objection come between a submission's look at the records and its commit."""
    await ground.jobcenter.accepted(SOZIALAMT, persons=[person()])  # the persons' rows are there: only locks tell
    halt = ground.halt_after(service, "load_records")
    sent, stopped = await ground.meanwhile(
        halt, ground.jobcenter.submit(SOZIALAMT, persons=[person()]), _object(ground)
    )
    assert (sent.status_code, stopped.status_code) == (ACCEPTED, CREATED)
    state = await ground.jobcenter.state(sent.json()["transfer_id"])
    return set() if state == "withdrawn" else {Breach.STANDS}


async def submission_while_objecting(ground: Ground) -> set[Breach]:
    """Let a submission come while an objection has looked at what is in flight and not committed."""
    await ground.jobcenter.accepted(SOZIALAMT, persons=[person()])
    halt = ground.halt_after(in_flight, "decide_again")
    submission = ground.jobcenter.submit(SOZIALAMT, persons=[person()])
    stopped, sent = await ground.meanwhile(halt, _object(ground), submission)
    assert stopped.status_code == CREATED
    return {Breach.STANDS} if sent.status_code == ACCEPTED else set()


async def withdrawal_while_submitting(ground: Ground) -> set[Breach]:
    """Withdraw the consent that a submission relies on between its look at the records and its commit."""
    first = await ready(ground, Way.PULL)
    parts: dict[str, Any] = {"purpose": "CASE_MANAGEMENT", "persons": [person()], "consents": [first.consent]}
    halt = ground.halt_after(service, "load_records")
    submission = ground.jobcenter.submit(SOZIALAMT, BLOCKS, **parts)
    sent, withdrawn = await ground.meanwhile(halt, submission, first.stop(ground, Stop.WITHDRAWAL))
    assert (sent.status_code, withdrawn.status_code) == (ACCEPTED, OK)
    state = await ground.jobcenter.state(sent.json()["transfer_id"])
    return set() if state == "withdrawn" else {Breach.STANDS}


def stop_while_handing_over(by: Stop, way: Way) -> Race:
    """Return the race of a stop that comes between deciding again and the commit that hands over."""

    async def race(ground: Ground) -> set[Breach]:
        one = await ready(ground, way)
        halt = ground.halt_after(handover, "decide_again")
        came, stopped = await ground.meanwhile(halt, one.fetch(), one.stop(ground, by))
        return await _outcome(ground, one, came, stopped)

    return race


def hand_over_while_stopping(by: Stop, way: Way) -> Race:
    """Return the race of a hand-over that comes while a stop has decided and not committed."""

    async def race(ground: Ground) -> set[Breach]:
        one = await ready(ground, way)
        halt = ground.halt_after(in_flight, DECIDED[by])
        stopped, came = await ground.meanwhile(halt, one.stop(ground, by), one.fetch())
        return await _outcome(ground, one, came, stopped)

    return race


async def _outcome(ground: Ground, one: Ready, came: Any, stopped: Any) -> set[Breach]:
    """Say what is wrong: two outcomes are right, ended and not handed over, or handed over and told."""
    if isinstance(came, BaseException) or getattr(stopped, "status_code", None) not in {OK, CREATED}:
        return {Breach.ANSWER}
    state, notice = await ground.jobcenter.state(one.transfer), await told(ground, one.transfer)
    if came and state in {"withdrawn", "recalled"}:
        return {Breach.AFTERWARDS}
    return {Breach.UNTOLD} if came and not notice else set()


def second_decision(way: Way) -> Race:
    """Return the race of time itself: the consent is over when the content is fetched."""

    async def race(ground: Ground) -> set[Breach]:
        one = await ready(ground, way, gueltig_bis="2026-03-18")
        ground.kreis.clock.move(days=4)
        return {Breach.UNASKED} if await one.fetch() else set()

    return race


async def two_fetchers(ground: Ground) -> set[Breach]:
    """Let one look and not lock yet, another take the transfer and commit: the first must see that."""
    one = await ready(ground, Way.PULL)
    return _one_of(await ground.held_inside("transfers.state IN (", "SKIP LOCKED", one.fetch, one.fetch))


async def two_fetchers_after_a_lease(ground: Ground) -> set[Breach]:
    """Do the same where a lease has ended: what changes then is the delivery alone, the transfer's row stays."""
    one = await ready(ground, Way.PULL)
    assert await one.fetch()
    ground.kreis.clock.move(seconds=ground.kreis.gateway.settings.lease_seconds + 1)
    return _one_of(await ground.held_inside("transfers.state IN (", "SKIP LOCKED", one.fetch, one.fetch))


async def key_while_fetching(ground: Ground) -> set[Breach]:
    """Ask for a key while the inbox has decided about the same transfer and not committed."""
    one = await ready(ground, Way.KEY)
    halt = ground.halt_after(handover, "decide_again")
    return _one_of(await ground.meanwhile(halt, pulled(ground, one.transfer), one.fetch()))


async def fetching_while_key(ground: Ground) -> set[Breach]:
    """Ask the inbox while a key release has decided about the same transfer and not committed."""
    one = await ready(ground, Way.KEY)
    halt = ground.halt_after(handover, "decide_again")
    return _one_of(await ground.meanwhile(halt, one.fetch(), pulled(ground, one.transfer)))


def _one_of(both: tuple[Any, Any]) -> set[Breach]:
    """Say what is wrong where just one of two should have the content."""
    if any(isinstance(one, BaseException) for one in both):
        return {Breach.ANSWER}
    return {Breach.TWICE} if all(both) else set()


async def two_quittungen(ground: Ground) -> set[Breach]:
    """Send the same quittung twice at once: both get the answer that the first one got."""
    await ready(ground, Way.PULL)
    [item] = await ground.sozialamt.inbox()
    content = ground.sozialamt.quittung(item, message_id=str(uuid4()))
    brought = quittung.Brought(validate_quittung(content), SOZIALAMT.partition(":")[0])
    halt = ground.halt_after(quittung, "_known")
    delivery = ground.kreis.gateway.acting(DbRole.DELIVERY)
    sides = (quittung.accept_batch(delivery, [brought]) for _ in range(2))
    answers = await ground.meanwhile(halt, *sides)
    seen = sorted(str(getattr(one, "repeated", one)) for answer in answers for one in answer)
    return set() if seen == ["False", "True"] else {Breach.ANSWER}


async def late_failure(ground: Ground) -> set[Breach]:
    """Try in vain, and for longer than a lease: nothing is noted over the one that tries now."""
    one = await ready(ground, Way.PUSH)
    delivery = ground.kreis.gateway.acting(DbRole.DELIVERY)
    leases = []
    for holder in ("old", "new"):
        taken = await take(delivery, Taker("broker:delivery", "", Way.PUSH, holder), Queue(agency=FOLDER_AGENCY))
        leases += taken or []
        ground.kreis.clock.move(seconds=delivery.settings.lease_seconds + 1)
    async with delivery.db.writing() as connection:
        await note_failure(connection, one.transfer, leases[0].attempt, START, "folder-unreachable")
    reason = await ground.kreis.scalar("SELECT last_error FROM deliveries WHERE transfer_id = :id", id=one.transfer)
    return set() if reason is None else {Breach.LEASE_LOST}
