"""Ids say when something was made, and nothing else."""

from __future__ import annotations

from itertools import pairwise
from uuid import UUID

from broker.ids import new_id

PAIRS = 600
TIME_BITS, BITS = 48, 128


def test_ids_are_uuids_in_the_order_of_time() -> None:
    """Version 7 and the variant of RFC 9562; the milliseconds never go back."""
    ids = [UUID(new_id()) for _ in range(PAIRS)]

    assert {(one.version, one.variant) for one in ids} == {(7, "specified in RFC 4122")}
    assert [one.int >> 80 for one in ids] == sorted(one.int >> 80 for one in ids)


def test_all_but_the_time_is_chance() -> None:
    """From an id to the next each of 74 bits turns about every second time: no counter, no part that stays."""
    ids = [UUID(new_id()).int for _ in range(PAIRS + 1)]
    turned = [sum((one ^ other) >> place & 1 for one, other in pairwise(ids)) for place in range(BITS - TIME_BITS)]
    by_chance = [count for count in turned if PAIRS // 3 < count < PAIRS * 2 // 3]

    assert len(by_chance) == 74
