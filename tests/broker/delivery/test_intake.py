"""What lies on the topics is taken in once, and only where it belongs."""

from __future__ import annotations

from broker.delivery.intake import GROUP, take_in
from broker.transport.base import Consumed, Record, topic_of
from tests.flow.world import JOBCENTER, SOZIALAMT, Kreis
from tests.world import rows

UNKNOWN = "00000000-0000-4000-8000-000000000000"


def record(transfer: str, agency: str = "sozialamt-herten") -> Consumed:
    """Return a record as it would be read."""
    return Consumed(Record(transfer, topic_of(agency), "key", {}, b"forged"), 1)


async def published(kreis: Kreis) -> str:
    """Submit a transfer and publish it."""
    transfer = await (await kreis.office(JOBCENTER)).accepted(SOZIALAMT)
    await kreis.publish()
    return transfer


async def test_record_of_no_transfer_is_passed_over(kreis: Kreis) -> None:
    """What somebody else wrote on a topic stands nowhere, and does not keep the next record from coming."""
    transfer = await published(kreis)
    strange = [record(UNKNOWN), record("x" * 300), record("\0"), record(f"{transfer}\0"), record("\ufffd")]
    await take_in(kreis.gateway, [*strange, record(transfer), record("")])

    assert [row.transfer_id for row in await rows(kreis.gateway, "SELECT transfer_id FROM deliveries")] == [transfer]


async def test_record_on_another_agencys_topic_is_passed_over(kreis: Kreis) -> None:
    """A known transfer on a topic that is not its recipient's is not taken in from there."""
    transfer = await published(kreis)
    await take_in(kreis.gateway, [record(transfer, "jugendamt-marl")])
    assert await rows(kreis.gateway, "SELECT * FROM deliveries") == []
    await kreis.take_in()

    assert [item["transfer_id"] for item in await (await kreis.office(SOZIALAMT)).inbox()] == [transfer]


async def test_record_that_comes_again_changes_nothing(kreis: Kreis) -> None:
    """A second record of a transfer neither doubles nor replaces what was taken in first."""
    transfer = await published(kreis)
    await kreis.take_in()
    [before] = await rows(kreis.gateway, "SELECT * FROM deliveries")
    kreis.clock.move(seconds=5)
    await take_in(kreis.gateway, [record(transfer), record(transfer)])

    assert await rows(kreis.gateway, "SELECT * FROM deliveries") == [before]


async def test_what_was_read_but_not_committed_is_read_again(kreis: Kreis) -> None:
    """The position moves only after the rows are written."""
    transfer = await published(kreis)
    topics = [topic_of("sozialamt-herten")]
    reader = kreis.transport.subscribe(topics, GROUP)
    read = await reader.fetch(0)
    again = await kreis.transport.subscribe(topics, GROUP).fetch(0)
    await reader.commit(read)

    assert [one.record.record_id for one in read] == [one.record.record_id for one in again] == [transfer]
    assert await kreis.transport.subscribe(topics, GROUP).fetch(0) == []
