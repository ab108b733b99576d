"""Catalogues by fingerprint, and from which day each counts."""

from __future__ import annotations

from datetime import date, timedelta

from sqlalchemy.exc import IntegrityError

from broker.gateway import Gateway
from broker.law import repository
from tests.world import START, MovableClock

DAY = date(2026, 4, 1)


async def test_bytes_are_kept_once_under_their_fingerprint(gateway: Gateway, clock: MovableClock) -> None:
    """What is kept under a fingerprint stays as it came first, and is given back by it."""
    async with gateway.db.writing() as connection:
        await repository.keep(connection, "a" * 64, b"first", clock())
        await repository.keep(connection, "a" * 64, b"second", clock() + timedelta(days=1))
        found = await repository.content_of(connection, "a" * 64)
        listed = await repository.kept(connection)

        assert found == b"first"
        assert [tuple(row) for row in listed] == [("a" * 64, START)]
        assert await repository.content_of(connection, "b" * 64) is None


async def test_days_come_in_the_order_in_which_they_were_recorded(gateway: Gateway, clock: MovableClock) -> None:
    """Each row says from which day on which catalogue counts; those after a number are found alone."""
    async with gateway.db.writing() as connection:
        await repository.keep(connection, "a" * 64, b"first", clock())
        await repository.set_day(connection, DAY, "a" * 64, clock())
        await repository.set_day(connection, DAY - timedelta(days=1), "a" * 64, clock())
        first, second = await repository.days(connection)

        assert [(first.day, second.day), (first.fingerprint, first.at)] == [
            (DAY, DAY - timedelta(days=1)),
            ("a" * 64, START),
        ]
        assert await repository.days(connection, first.seq) == [second]


async def test_a_catalogue_that_is_not_kept_cannot_count(gateway: Gateway, clock: MovableClock) -> None:
    """From no day on counts what nobody could look up later."""
    refused = False
    try:
        async with gateway.db.writing() as connection:
            await repository.set_day(connection, DAY, "b" * 64, clock())
    except IntegrityError:
        refused = True

    assert refused
