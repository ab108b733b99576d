"""The senders, in a process of their own: cases, each with numbered transfers, one sent after another's 202.

``python -m faults.load PLAN.json``; a number on standard input raises how many transfers may be begun, its end says
that no more will come. Everything that was answered is in the ledgers before the next step.

Some persons take part: where a case relies on a consent it may be withdrawn, in others the person objects, while the
transfers of the case are on their way. The moment of the answer is kept; what is handed over after it is a fault.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

from faults.client import CREATED, JSON, OK, XML, Client, Gateways, Tally
from faults.ledger import SENT, STOPS, Ledger, moment
from faults.messages import Person, consent_body, message, objection_body, person

ACCEPTED, REFUSED = 202, 403
PERSONS_OF_A_ROUND = 1_000_000
TALLY = "senders.json"


@dataclass(frozen=True, slots=True)
class Plan:
    """What the senders do. `accesses`: client_id, jwk and instance of each sender; `ways`: [sender, recipient]."""

    folder: str
    ports: Sequence[int]
    audience: str
    accesses: Sequence[Mapping[str, Any]]
    ways: Sequence[Sequence[str]]
    of_a_case: int
    in_flight: int
    stops_percent: int
    """Of how many cases in a hundred the person withdraws or objects."""
    seed: int


@dataclass(slots=True)
class Budget:
    """How many transfers may be begun; waits at the limit."""

    limit: int = 0
    begun: int = 0
    final: bool = False
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def raise_to(self, limit: int) -> None:
        """Let more transfers begin."""
        async with self.changed:
            self.limit = max(self.limit, limit)
            self.changed.notify_all()

    async def close(self) -> None:
        """Say that the limit stays."""
        async with self.changed:
            self.final = True
            self.changed.notify_all()

    async def take(self, number: int) -> bool:
        """Wait until so many more may begin; False: they never may."""
        async with self.changed:
            await self.changed.wait_for(lambda: self.begun + number <= self.limit or self.final)
            if self.begun + number > self.limit:
                return False
            self.begun += number
            return True


@dataclass(frozen=True, slots=True)
class Case:
    """One case: who sends whom, about which person, and how the person takes part (``""`` not at all)."""

    number: int
    sender: str
    recipient: str
    who: Person
    stop: str
    at: int
    """Before the answer to which of the case's transfers the person withdraws or objects."""

    @property
    def reference(self) -> str:
        """The sender's Aktenzeichen."""
        return f"AZ-{self.number}"


def cases_of(plan: Plan) -> Iterator[Case]:
    """Plan the cases of a round, without end; the same plan gives the same cases."""
    chance = random.Random(plan.seed)  # noqa: S311 - no secret
    for position in count():
        sender, recipient = plan.ways[position % len(plan.ways)]
        stop = chance.choice(("withdrawal", "objection")) if chance.randrange(100) < plan.stops_percent else ""
        number = plan.seed * PERSONS_OF_A_ROUND + position
        yield Case(number, sender, recipient, person(number), stop, chance.randrange(plan.of_a_case))


class Senders:
    """All senders of a round."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.tally = Tally()
        self.gateways = Gateways(plan.ports)
        self.clients = {
            access["instance"]: Client(self.gateways, access, plan.audience, self.tally) for access in plan.accesses
        }
        folder = Path(plan.folder)
        self.sent, self.stops = Ledger(folder / SENT), Ledger(folder / STOPS)
        self.budget = Budget()

    async def run(self) -> None:
        """Send all."""
        cases = cases_of(self.plan)

        async def worker() -> None:
            while await self.budget.take(self.plan.of_a_case):
                await self.send(next(cases))

        watching = asyncio.create_task(self.gateways.watch())
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self.plan.in_flight):
                    group.create_task(worker())
        finally:
            watching.cancel()
            self.gateways.close()

    async def send(self, case: Case) -> None:
        """Send the transfers of a case one after another; meanwhile the person may withdraw or object."""
        client = self.clients[case.sender]
        consent = await self.consent(client, case) if case.stop == "withdrawal" else None
        stopping: asyncio.Task[None] | None = None
        for position in range(self.plan.of_a_case):
            if case.stop and position == case.at:
                stopping = asyncio.create_task(self.stop(client, case, consent))
            await self.submit(client, case, position, consent)
        if stopping is not None:
            await stopping

    async def submit(self, client: Client, case: Case, position: int, consent: str | None) -> None:
        """Send one transfer until it is answered 202 or 403, and write down how."""
        message_id = str(uuid4())
        content = message(case.sender, case.recipient, message_id, case.reference, case.who, consent)
        begun, before = moment(), self.tally.retries
        reply = await client.insist((ACCEPTED, REFUSED), "POST", "/v1/transfers", content, XML)
        answer = reply.json()
        entry = {
            "message": message_id,
            "case": case.number,
            "position": position,
            "sender": case.sender,
            "recipient": case.recipient,
            "digest": sha256(content).hexdigest(),
            "begun": begun,
            "answered": moment(),
            "status": reply.status,
            "repeated": "idempotent-replayed" in reply.headers,
            "retried": self.tally.retries > before,
            "transfer": answer.get("transfer_id"),
            "promise": answer.get("promise"),
            "code": answer.get("code"),
        }
        self.sent.write(entry)

    async def consent(self, client: Client, case: Case) -> str:
        """Record a consent; return its id."""
        body = consent_body(str(uuid4()), case.recipient, case.who, _today())
        reply = await client.insist((CREATED,), "POST", "/v1/consents", json.dumps(body).encode(), JSON)
        return str(reply.json()["id"])

    async def stop(self, client: Client, case: Case, consent: str | None) -> None:
        """Withdraw the consent, or let the person object; write down when it was asked for and when answered."""
        begun = moment()
        if consent is not None:
            await client.insist((OK,), "POST", f"/v1/consents/{consent}/withdrawal", b"{}", JSON)
        else:
            body = json.dumps(objection_body(str(uuid4()), case.who, _today())).encode()
            await client.insist((CREATED,), "POST", "/v1/objections", body, JSON)
        answered = {"answered": moment(), "wall": time.time()}
        self.stops.write({"case": case.number, "kind": case.stop, "begun": begun, **answered})


def _today() -> date:
    return date.today()  # noqa: DTZ011 - a day that is not in the future at any office


async def listen(budget: Budget) -> None:
    """Take numbers from standard input until it ends."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        await budget.raise_to(int(line))
    await budget.close()


async def main(plan: Plan) -> None:
    """Run the senders of a plan."""
    senders = Senders(plan)
    listening = asyncio.create_task(listen(senders.budget))
    try:
        await senders.run()
    finally:
        listening.cancel()
        figures = {"retries": senders.tally.retries, "statuses": senders.tally.statuses}
        (Path(plan.folder) / TALLY).write_text(json.dumps(figures))


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main(Plan(**json.loads(Path(sys.argv[1]).read_text()))))
