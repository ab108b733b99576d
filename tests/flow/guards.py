"""The guards of the races: the name of each race, and for each lock, fence and second look how it is taken out.

A lock is taken out of the statement that the program sends, a fence or a decision out of the place where it is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from aiokafka import AIOKafkaProducer
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from broker.audit import sequencer
from broker.cleanup import role as cleanup
from broker.consents import service as consents
from broker.delivery import handover
from broker.delivery.repository import Way
from broker.lifecycle import progress
from broker.lifecycle.states import State
from broker.outbox import relay
from broker.outbox.leases import Fences
from broker.subjects import service as subjects
from broker.subjects.models import SubjectState
from broker.subjects.state import Key
from broker.transfers import again, gather
from broker.transport import kafka
from tests.flow import races, races_of_counts, races_of_roles
from tests.flow.forced import Ground
from tests.flow.races import Breach, Race, Stop

WAYS = tuple(Way)
TAKING = (Way.PULL, Way.PUSH)
"""The ways on which the broker looks for what is due; the third names one transfer."""
STOPPING = {Stop.WITHDRAWAL: "withdrawing", Stop.OBJECTION: "objecting", Stop.RECALL: "recalling"}
EVENTS = (Stop.WITHDRAWAL, Stop.OBJECTION)
"""The stops that a person declares."""
RACES: Mapping[str, Race] = {
    "objection-while-submitting": races.objection_while_submitting,
    "submission-while-objecting": races.submission_while_objecting,
    "withdrawal-while-submitting": races.withdrawal_while_submitting,
    **{f"{by}-while-{way}": races.stop_while_handing_over(by, way) for by in STOPPING for way in WAYS},
    **{
        f"{way}-while-{doing}": races.hand_over_while_stopping(by, way)
        for by, doing in STOPPING.items()
        for way in WAYS
    },
    **{f"{way}-after-the-consent": races.second_decision(way) for way in WAYS},
    "two-fetchers": races.two_fetchers,
    "two-fetchers-after-a-lease": races.two_fetchers_after_a_lease,
    "key-while-fetching": races.key_while_fetching,
    "fetching-while-key": races.fetching_while_key,
    "two-quittungen": races.two_quittungen,
    "late-failure": races.late_failure,
    "withdrawal-while-publishing": races_of_roles.withdrawal_while_publishing,
    "publishing-while-withdrawing": races_of_roles.publishing_while_withdrawing,
    "old-relay-claims": races_of_roles.old_relay_claims,
    "old-sealer-wakes": races_of_roles.old_sealer_wakes,
    "sealer-that-was-replaced": races_of_roles.sealer_that_was_replaced,
    "two-clean-ups": races_of_roles.two_clean_ups,
    "two-for-the-last-place": races_of_counts.two_for_the_last_place,
}
KAFKA_RACES: Mapping[str, Race] = {"old-relay-wakes": races_of_roles.old_relay_wakes}
EMBEDDED_RACES: Mapping[str, Race] = {"old-relay-notes": races_of_roles.old_relay_notes}
ALL_RACES = {**RACES, **KAFKA_RACES, **EMBEDDED_RACES}


@dataclass(frozen=True)
class Guard:
    """Something that a promise hangs on."""

    name: str
    take_out: Callable[[Ground], object]
    breaks: Mapping[str, Breach]
    """Race → what is broken without the guard."""


def _without(place: str, within: str = "") -> Callable[[Ground], object]:
    return lambda ground: ground.rewrite(place, "", within=within)


async def _nothing(*_: Any, **__: Any) -> None:
    """Do nothing."""


async def _read_numbers(connection: AsyncConnection, keys: Iterable[Key]) -> dict[Key, int]:
    """Read the numbers and lock nobody."""
    found = await connection.execute(select(SubjectState.controller, SubjectState.pseudonym, SubjectState.number))
    return dict.fromkeys(keys, 0) | {(row.controller, row.pseudonym): row.number for row in found}


async def _raise_nothing(*_: Any) -> dict[Any, int]:
    """Lock nobody and raise nothing."""
    return {}


def _events_lock_nobody(ground: Ground) -> None:
    for module in (consents, subjects):
        ground.patch.setattr(module, "raise_numbers", _raise_nothing)


def _no_second_decision(ground: Ground) -> None:
    async def permitted(_: Any, __: Any, batch: Sequence[again.Remembered], ___: str) -> list[again.Verdict]:
        return [again.Verdict(one.sought.transfer_id, True, one.first.decision_id, None, None) for one in batch]

    ground.patch.setattr(handover, "decide_again", permitted)


def _any_state(ground: Ground) -> None:
    ground.patch.setattr(progress, "sources", lambda _: frozenset(State))


async def _all_are_held(_: AsyncConnection, __: str, fences: Fences) -> Collection[int]:
    return set(fences)


def _own_transactional_ids(ground: Ground) -> None:
    def unfenced(**options: Any) -> AIOKafkaProducer:
        return AIOKafkaProducer(**{**options, "transactional_id": str(uuid4())})

    ground.patch.setattr(kafka, "AIOKafkaProducer", unfenced)


GUARDS = (
    Guard(
        "person-lock-of-submissions",
        lambda ground: ground.patch.setattr(gather, "lock_shared", _read_numbers),
        {
            "objection-while-submitting": Breach.STANDS,
            "submission-while-objecting": Breach.STANDS,
            "withdrawal-while-submitting": Breach.STANDS,
        },
    ),
    Guard(
        "person-lock-of-events",
        _events_lock_nobody,
        {
            "objection-while-submitting": Breach.STANDS,
            "submission-while-objecting": Breach.STANDS,
            "withdrawal-while-submitting": Breach.STANDS,
        },
    ),
    Guard(
        "transfer-lock-of-events",
        _without("FOR NO KEY UPDATE", within="transfer_lookup"),
        {
            **{f"{by}-while-{way}": Breach.UNTOLD for by in EVENTS for way in WAYS},
            **{f"{way}-while-{STOPPING[by]}": Breach.UNTOLD for by in EVENTS for way in WAYS},
        },
    ),
    Guard(
        "transfer-and-delivery-lock-of-hand-over",
        _without("FOR NO KEY UPDATE OF transfers, deliveries SKIP LOCKED"),
        {
            **{f"{by}-while-{way}": Breach.AFTERWARDS for by in STOPPING for way in TAKING},
            **{f"{way}-while-{doing}": Breach.ANSWER for doing in STOPPING.values() for way in TAKING},
            "fetching-while-key": Breach.ANSWER,
        },
    ),
    Guard(
        "delivery-lock-of-hand-over",
        lambda ground: ground.rewrite("OF transfers, deliveries SKIP", "OF transfers SKIP"),
        {"two-fetchers": Breach.ANSWER, "two-fetchers-after-a-lease": Breach.TWICE},
    ),
    Guard(
        "transfer-lock-of-key-release",
        _without("FOR NO KEY UPDATE", within="SELECT transfers.state \n"),
        {
            **{f"{by}-while-{Way.KEY}": Breach.AFTERWARDS for by in STOPPING},
            **{f"{Way.KEY}-while-{doing}": Breach.ANSWER for doing in STOPPING.values()},
            "key-while-fetching": Breach.ANSWER,
        },
    ),
    Guard(
        "transfer-lock-of-recall",
        _without("FOR NO KEY UPDATE", within="SELECT transfers.sender, transfers.recipient, transfers.state"),
        {f"{Stop.RECALL}-while-{way}": Breach.UNTOLD for way in WAYS},
    ),
    Guard("second-decision", _no_second_decision, {f"{way}-after-the-consent": Breach.UNASKED for way in WAYS}),
    Guard(
        "transfer-lock-of-quittungen",
        _without("FOR NO KEY UPDATE", within="message_id, state, order_key FROM transfers"),
        {"two-quittungen": Breach.ANSWER},
    ),
    Guard(
        "attempt-fence-of-hand-over",
        lambda ground: ground.rewrite("deliveries.attempts) IN", "1) IN", within="UPDATE deliveries"),
        {"late-failure": Breach.LEASE_LOST},
    ),
    Guard("transition-table", _any_state, {"withdrawal-while-publishing": Breach.REVIVED}),
    Guard(
        "transfer-lock-of-relays",
        _without("FOR NO KEY UPDATE", within="alive AS MATERIALIZED"),
        {"publishing-while-withdrawing": Breach.REVIVED},
    ),
    Guard(
        "lease-fence-of-relays",
        lambda ground: ground.patch.setattr(relay, "still_held", _all_are_held),
        {"old-relay-claims": Breach.TWO_HANDS, "old-relay-notes": Breach.LOST},
    ),
    Guard("transport-fence-of-relays", _own_transactional_ids, {"old-relay-wakes": Breach.LATE_AGAIN}),
    Guard(
        "fence-of-sealers",
        lambda ground: ground.patch.setattr(sequencer, "_hold", _nothing),
        {"old-sealer-wakes": Breach.TWO_SEAL, "sealer-that-was-replaced": Breach.TWO_SEAL},
    ),
    Guard(
        "lock-of-clean-ups",
        lambda ground: ground.patch.setattr(cleanup, "one_at_a_time", _nothing),
        {"two-clean-ups": Breach.COUNTED_TWICE},
    ),
    Guard(
        "route-lock-of-counting",
        lambda ground: ground.rewrite("pg_advisory_xact_lock($1::int, h)", "$1::int, h"),
        {"two-for-the-last-place": Breach.TOO_MANY},
    ),
)
