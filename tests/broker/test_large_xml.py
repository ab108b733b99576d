"""Large messages: validated in a process of their own, within a time; never taken for valid where it ends."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import httpx
import pytest

from broker.errors import ProblemError
from broker.large_xml import TOO_LONG, LargeMessages
from broker.transfers.api import LARGE_ABOVE
from schemas.compose import BlockSpec
from schemas.errors import PayloadTooLarge, SchemaViolation, UnknownMessageType
from schemas.identifiers import DataCategory
from schemas.limits import DEFAULT_LIMITS
from schemas.xml import validate
from tests.flow.world import BEZUG, JOBCENTER, SOZIALAMT, STAMMDATEN, Kreis


@pytest.fixture
async def large() -> AsyncIterator[LargeMessages]:
    """Give a process with time enough."""
    one = LargeMessages(60.0)
    yield one
    await one.close()


@pytest.fixture
async def message(kreis: Kreis) -> bytes:
    """Return a message of more than 32 kB."""
    height = [BlockSpec(DataCategory.LEISTUNGSHOEHE)] * 200
    made = (await kreis.office(JOBCENTER)).message(SOZIALAMT, [STAMMDATEN, BEZUG, *height])
    assert len(made) > LARGE_ABOVE
    return made


async def test_process_says_what_the_gate_says(large: LargeMessages, message: bytes) -> None:
    """A good message comes back as the gate reads it, each kind of bad one as the gate's own error."""
    with pytest.raises(SchemaViolation) as expected:
        validate(b"<x")
    with pytest.raises(SchemaViolation) as broken:
        await large.validate(b"<x")
    with pytest.raises(UnknownMessageType):
        await large.validate(b"<x/>")
    with pytest.raises(PayloadTooLarge):
        await large.validate(b" " * (DEFAULT_LIMITS.bytes + 1))

    assert broken.value.violations == expected.value.violations
    assert await large.validate(message) == validate(message)


async def test_what_takes_too_long_is_ended(large: LargeMessages, message: bytes) -> None:
    """At the deadline the process is killed and the message refused by a rule; the next gets a new process."""
    await large.validate(message)
    slow, large._seconds = large.pid, 0.3
    assert slow is not None
    os.kill(slow, signal.SIGSTOP)
    with pytest.raises(SchemaViolation) as refused:
        await large.validate(message)
    large._seconds = 60.0
    again = await large.validate(message)

    assert [one.rule for one in refused.value.violations] == [TOO_LONG]
    assert again == validate(message)
    assert large.pid != slow


async def test_process_that_dies_says_nothing_of_the_message(large: LargeMessages, message: bytes) -> None:
    """Killed at its work, it leaves the problem that says to send again; then the same message is understood."""
    await large.validate(message)
    assert large.pid is not None
    os.kill(large.pid, signal.SIGSTOP)
    asked = asyncio.create_task(large.validate(message))
    await asyncio.sleep(0.1)
    os.kill(large.pid, signal.SIGKILL)
    with pytest.raises(ProblemError) as gone:
        await asked

    assert gone.value.slug == "temporarily-unavailable"
    assert await large.validate(message) == validate(message)


async def test_answer_of_who_left_is_nobody_elses(large: LargeMessages, message: bytes) -> None:
    """After a caller has gone while its message was checked, the next gets the answer to its own."""
    await large.validate(message)
    assert large.pid is not None
    os.kill(large.pid, signal.SIGSTOP)
    left = asyncio.create_task(large.validate(message))
    await asyncio.sleep(0.1)
    left.cancel()
    with pytest.raises(asyncio.CancelledError):
        await left
    with pytest.raises(UnknownMessageType):
        await large.validate(b"<x/>")


async def test_sender_is_told_what_to_do(kreis: Kreis, message: bytes) -> None:
    """Over HTTP the deadline is 422 with rule and advice, and nothing is kept of the message."""
    kreis.app.state.large._seconds = 1e-6
    answer = await (await kreis.office(JOBCENTER)).post_xml("/v1/transfers", message)

    assert answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY, answer.text
    assert [error["rule"] for error in answer.json()["errors"]] == [TOO_LONG]
    assert await kreis.scalar("SELECT count(*) FROM submissions") == 0
