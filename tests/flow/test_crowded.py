"""Everything at once at two gateways on one PostgreSQL: nobody waits for each other in a circle, nobody gets a 500.

Few persons, so that all meet in the same rows: submissions (each message at both gateways), withdrawals, objections
and their ends, fetching, quittungen, recalls, relay, delivery.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from sqlalchemy.exc import OperationalError

from broker.db import Collision
from schemas.compose import PersonSpec
from tests.flow.test_stops import BLOCKS, NAMED, objection
from tests.flow.world import JOBCENTER, SOZIALAMT, Kreis, Office, consent_body, open_kreis, person
from tests.world import fresh_gateway, on_postgresql, scalar

ROUNDS = int(os.environ.get("AMTSBRUECKE_TEST_ROUNDS", "12"))
AWAY = httpx.codes.SERVICE_UNAVAILABLE
"""A busy machine may keep somebody waiting for too long; whoever is told so comes again."""
PERSONS = ("Ahrens", "Becker", "Conrad")
DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
ABOUT = "CASE_MANAGEMENT"


@dataclass
class Gatewayed:
    """One gateway with its two offices, and all answers that they got."""

    kreis: Kreis
    jobcenter: Office
    sozialamt: Office
    answers: list[httpx.Response] = field(default_factory=list)

    async def asked(self, request: Awaitable[httpx.Response]) -> httpx.Response:
        """Keep an answer."""
        answer = await request
        self.answers.append(answer)
        return answer

    async def object_and_end(self, who: PersonSpec) -> None:
        """Object, and take it back."""
        made = await self.asked(self.jobcenter.post("/v1/objections", objection(who, "OPT_OUT")))
        if made.status_code == httpx.codes.CREATED:
            await self.asked(self.jobcenter.post(f"/v1/objections/{made.json()['id']}/end", {"grund": "IRRTUM"}))

    async def withdraw(self, who: PersonSpec) -> None:
        """Consent, send, withdraw and recall."""
        body = consent_body(SOZIALAMT, ABOUT, NAMED, who)
        consent = (await self.asked(self.jobcenter.post("/v1/consents", body))).json().get("id")
        parts: dict[str, Any] = {"purpose": ABOUT, "persons": [who], "consents": [consent]}
        sent = await self.asked(self.jobcenter.submit(SOZIALAMT, BLOCKS, **parts))
        transfer = sent.json().get("transfer_id")
        await asyncio.gather(
            self.asked(self.jobcenter.post(f"/v1/consents/{consent}/withdrawal")),
            self.asked(self.jobcenter.post(f"/v1/transfers/{transfer}/recall")),
        )

    async def fetch_and_answer(self) -> None:
        """Fetch what waits, and answer each."""
        fetched = await self.asked(self.sozialamt.get("/v1/inbox", limit=5))
        for item in fetched.json().get("items", ()):
            content = self.sozialamt.quittung(item)
            await self.asked(self.sozialamt.post_xml(f"/v1/inbox/{item['transfer_id']}/quittung", content))

    async def carry(self) -> None:
        """Let relay and delivery do what is due; as the roles do, they wait out a database that is slow."""
        for step in (self.kreis.publish, self.kreis.take_in, self.kreis.deliver):
            try:
                await step()
            except OperationalError as exc:
                assert not isinstance(exc, Collision)  # noqa: PT017 - the others pass by themselves


async def opened(stack: AsyncExitStack, folder: Path) -> Gatewayed:
    """Open a gateway on a data directory, with its offices."""
    kreis = await stack.enter_async_context(open_kreis(folder))
    made = Gatewayed(kreis, await kreis.office(JOBCENTER), await kreis.office(SOZIALAMT))
    for office in (made.jobcenter, made.sozialamt):
        await office.headers()
    return made


async def same_at_both(pair: Iterable[Gatewayed], everybody: list[PersonSpec]) -> None:
    """Submit some messages at both gateways at the same moment, in opposite orders."""
    first, second = pair
    head = {"persons": everybody, "created_at": first.kreis.clock()}
    contents = [first.jobcenter.message(SOZIALAMT, message_id=str(uuid4()), **head) for _ in range(4)]
    send: Callable[[Gatewayed, bytes], Awaitable[httpx.Response]] = lambda one, content: one.asked(  # noqa: E731 - a name for one call
        one.jobcenter.post_xml("/v1/transfers", content)
    )
    answers = await asyncio.gather(
        *(send(first, content) for content in contents), *(send(second, content) for content in reversed(contents))
    )
    for one, other in zip(answers[:4], reversed(answers[4:]), strict=True):
        if AWAY not in (one.status_code, other.status_code):
            assert (one.status_code, one.json()) == (other.status_code, other.json())


@on_postgresql
async def test_two_gateways_in_a_crowd(data_dir: Path) -> None:
    """Whatever meets, each answer is one of the law or of the state; there is no deadlock, and no message twice."""
    chance = random.Random(7)  # noqa: S311 - an order of names, no secret
    async with AsyncExitStack() as stack:
        pair = [await opened(stack, data_dir) for _ in range(2)]
        for number in range(ROUNDS):
            everybody = [person(name) for name in chance.sample(PERSONS, 3)]
            work = [same_at_both(pair, everybody)]
            for one in pair:
                work += [
                    one.object_and_end(everybody[0]),
                    one.withdraw(everybody[1]),
                    one.fetch_and_answer(),
                    one.carry(),
                ]
            await asyncio.gather(*work)
            for one in pair:
                one.kreis.clock.move(seconds=1 + number % 2)
        twice = await pair[0].kreis.scalar("SELECT count(*) - count(DISTINCT message_id) FROM transfers")
    async with fresh_gateway(data_dir) as gateway:  # the figures of a connection are complete when it is closed
        deadlocks = await scalar(gateway, DEADLOCKS)
    seen = Counter(answer.status_code for one in pair for answer in one.answers)

    assert not [status for status in seen if status >= httpx.codes.INTERNAL_SERVER_ERROR and status != AWAY], seen
    assert {200, 201, 202, 403} <= set(seen)
    assert (deadlocks, twice) == (0, 0)
