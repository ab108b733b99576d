"""Two gateways on one database: the same message at both in the same moment is one transfer with one answer."""

from __future__ import annotations

import asyncio
from functools import partial

from broker.auth.caller import Caller, Role
from broker.batcher import Batcher
from broker.directory.cache import directory_cache
from broker.transfers.preconditions import admit
from broker.transfers.service import submit_batch
from broker.transfers.submission import ACCEPTED, Submitted, content_bytes
from schemas.xml import validate
from tests.flow.world import JOBCENTER, SOZIALAMT, Kreis
from tests.schemas.messages import message

MESSAGES = 12


async def admitted(kreis: Kreis, number: int) -> Submitted:
    """Return one message of the sender, ready for the batcher."""
    content = message(
        sender=JOBCENTER,
        recipient=SOZIALAMT,
        message_id=f"00000000-0000-4000-8000-{number:012}",
        created_at=kreis.clock().isoformat(),
    )
    directory = await directory_cache(kreis.gateway).current()
    caller = Caller("c", Role.INSTANCE, JOBCENTER)
    return admit(kreis.gateway, directory, caller, validate(content), only_check=False)


async def test_the_second_gateway_gives_the_first_answer(kreis: Kreis) -> None:
    """Of two submissions of the same bytes one is taken, the other gets its answer; neighbours in the batch pass."""
    work = partial(submit_batch, kreis.gateway)
    gateways = [Batcher(work, 64, 2**26, content_bytes) for _ in range(2)]
    batches = [[await admitted(kreis, number) for number in range(MESSAGES)] for _ in gateways]

    answers = await asyncio.gather(
        *(batcher.submit(one) for batcher, batch in zip(gateways, batches, strict=True) for one in batch)
    )

    first, second = answers[:MESSAGES], answers[MESSAGES:]
    assert {answer.status for answer in answers} == {ACCEPTED}
    assert all(
        sorted((one.repeated, other.repeated)) == [False, True] for one, other in zip(first, second, strict=True)
    )
    assert [a.body["transfer_id"] for a in first] == [a.body["transfer_id"] for a in second]
    for table in ("transfers", "submissions", "outbox", "audit_entries WHERE event = 'transfer.permitted'"):
        assert await kreis.scalar(f"SELECT count(*) FROM {table}") == MESSAGES, table  # noqa: S608 - fixed names
