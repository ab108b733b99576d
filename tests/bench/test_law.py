"""The law beside the schema: both are measured on one message, and the law's work grows with the items alone."""

from __future__ import annotations

import sys

from bench.law import DAY, facts_of, message, pairs, written
from consent.catalogue import load_catalogue
from consent.engine import decide
from schemas.xml import validate


def calls(items: int) -> int:
    """Count the functions that deciding about so many items calls, of Python's and of C's."""
    facts, law, counted = facts_of(validate(message(items))), load_catalogue(), 0
    decide(facts, law, DAY)

    def count(_: object, event: str, __: object) -> None:
        nonlocal counted
        counted += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        decide(facts, law, DAY)
    finally:
        sys.setprofile(None)
    return counted


def test_each_size_is_measured_both_ways() -> None:
    """A line for each size, with the times of schema, gate and law, and their ratios."""
    found = pairs((1, 22), turns=2)

    assert [pair.items for pair in found] == [1, 22]
    assert all(0 < time < 1e6 for pair in found for time in (pair.schema, pair.gate, pair.law))
    assert len(written(found).splitlines()) == 4


def test_deciding_grows_linearly_with_the_items() -> None:
    """Four times as many items more cost four times as many calls more, whatever the machine does meanwhile."""
    few, some, many = calls(22), calls(88), calls(352)

    assert some - few > 0
    assert abs((many - some) - 4 * (some - few)) < 0.05 * (many - some)
