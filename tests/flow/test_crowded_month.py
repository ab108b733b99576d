"""A month ends while many write at two gateways and the clean-up makes the next one: nothing fails, nothing is lost."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from uuid_utils import uuid7

from broker import ids
from broker.audit.export import export
from broker.audit.sequencer import Sealer
from broker.cleanup.months import keep_months
from broker.clock import system_clock
from broker.privileges import DbRole
from tests.broker.audit.exported import verified
from tests.flow.test_crowded import AWAY, PERSONS, opened, same_at_both
from tests.flow.world import person
from tests.world import on_postgresql, rows

ROUNDS = 6
PARTS = "SELECT tableoid::regclass::text AS part, count(*) AS n FROM audit_entries GROUP BY 1".replace(":", "\\:")


def last_seconds_of_this_month() -> datetime:
    """Return a moment some seconds before a month ends of which the database has the months before and after."""
    now = system_clock()
    following = (now.replace(day=1) + timedelta(days=32)).replace(day=1)
    return datetime(following.year, following.month, 1, tzinfo=UTC) - timedelta(seconds=ROUNDS)


@on_postgresql
async def test_a_month_changes_in_a_crowd(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows go into the month of their moment, none into the rest, and the evidence of both months is one whole log."""
    chance = random.Random(11)  # noqa: S311 - an order of names, no secret
    async with AsyncExitStack() as stack:
        pair = [await opened(stack, data_dir) for _ in range(2)]
        begin = last_seconds_of_this_month()
        gateway = pair[0].kreis.gateway
        before = {row.part: row.n for row in await rows(gateway, PARTS)}
        for one in pair:
            one.kreis.clock.now = begin
        monkeypatch.setattr(ids, "uuid7", lambda **_: uuid7(nanoseconds=int(pair[0].kreis.clock().timestamp()) * 10**9))
        for _ in range(ROUNDS):
            everybody = [person(name) for name in chance.sample(PERSONS, 3)]
            work = [same_at_both(pair, everybody), keep_months(gateway.acting(DbRole.ERASER))]
            for one in pair:
                work += [one.object_and_end(everybody[0]), one.withdraw(everybody[1]), one.carry()]
            await asyncio.gather(*work)
            for one in pair:
                one.kreis.clock.move(seconds=2)
        after = {row.part: row.n - before.get(row.part, 0) for row in await rows(gateway, PARTS)}
        [(latest,)] = await rows(gateway, "SELECT max(at) FROM audit_entries")
        sealer = Sealer(gateway.acting(DbRole.SEALER), "one")
        while await sealer.seal():
            pass
        report = verified([line async for line in export(gateway)])
    seen = Counter(answer.status_code for one in pair for answer in one.answers)
    grown = {part.removeprefix("amtsbruecke_parts.") for part, n in after.items() if n}

    assert not [status for status in seen if status >= httpx.codes.INTERNAL_SERVER_ERROR and status != AWAY], seen
    assert {202, 201} <= set(seen)
    assert latest > begin + timedelta(seconds=ROUNDS)
    assert grown == {f"audit_entries_p{moment:%Y_%m}" for moment in (begin, begin + timedelta(days=1))}
    assert (report.faults, report.entries) == ([], sum(after.values()) + sum(before.values()))
