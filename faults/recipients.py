"""The recipients, in a process of their own: offices that fetch their inbox, and one that watches a folder.

``python -m faults.recipients PLAN.json``, until SIGTERM. What they got is in the ledger before they answer with a
quittung. Now and then a recipient loses all it knew between the two, as if it had died; it goes on with what comes.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from itertools import takewhile
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from faults.client import OK, XML, Client, Gateways, Lost, Tally
from faults.ledger import RECEIVED, Ledger, moment
from faults.messages import quittung
from schemas.xml import validate

TALLY = "recipients.json"
PAUSE = 0.2
FOLDER_SECONDS = 0.1
AT_ONCE = 50
GATHER_SECONDS = 0.5
"""An office whose inbox was not full lets something gather before it looks again."""
AT_A_TIME = 25
CONFLICT, NOT_FOUND = 409, 404


@dataclass(frozen=True, slots=True)
class Plan:
    """What the recipients do. `folders`: instance → its place in the share of its office."""

    folder: str
    ports: Sequence[int]
    audience: str
    accesses: Sequence[Mapping[str, Any]]
    folders: Mapping[str, str]
    deaths_per_thousand: int
    loops: int
    """Loops that fetch the inbox of each instance at the same time."""


class Recipients:
    """All recipients of a round."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.tally = Tally()
        self.gateways = Gateways(plan.ports)
        self.ledger = Ledger(Path(plan.folder) / RECEIVED)
        self.chance = random.Random(7)  # noqa: S311 - no secret

    async def run(self) -> None:
        """Receive until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.gateways.watch())
            for access in self.plan.accesses:
                for _ in range(self.plan.loops):
                    client = Client(self.gateways, access, self.plan.audience, self.tally)
                    group.create_task(self.inbox(client))
            for instance, place in self.plan.folders.items():
                group.create_task(self.watch_folder(instance, Path(place)))

    async def inbox(self, client: Client) -> None:
        """Fetch, write down, answer; again and again."""
        while True:
            asked = moment()
            try:
                reply = await client.try_once("GET", f"/v1/inbox?wait=2&limit={AT_ONCE}")
            except Lost:
                self.tally.statuses[0] += 1
                await asyncio.sleep(PAUSE)
                continue
            if reply.status != OK:
                self.tally.statuses[reply.status] += 1
                await asyncio.sleep(PAUSE)
                continue
            items = reply.json()["items"]
            self.ledger.write(*(_entry(client.instance, item, asked) for item in items))
            await self.answer_all(client, items)
            if len(items) < AT_ONCE:
                await asyncio.sleep(GATHER_SECONDS)

    async def answer_all(self, client: Client, items: Sequence[Mapping[str, Any]]) -> None:
        """Answer what was fetched, several at a time; a recipient that dies here leaves the rest unanswered."""
        living = list(takewhile(lambda _: self.chance.randrange(1000) >= self.plan.deaths_per_thousand, items))
        for begin in range(0, len(living), AT_A_TIME):
            await asyncio.gather(*(self.answer(client, item) for item in living[begin : begin + AT_A_TIME]))

    async def answer(self, client: Client, item: Mapping[str, Any]) -> None:
        """Answer one transfer. It may have ended meanwhile by the person's word: then the answer is a conflict."""
        transfer = str(item["transfer_id"])
        ids = str(uuid5(NAMESPACE_URL, transfer)), transfer, str(item["message_id"]), str(item["accepted_at"])
        body = quittung(client.instance, *ids)
        wanted = (OK, CONFLICT, NOT_FOUND)
        reply = await client.insist(wanted, "POST", f"/v1/inbox/{transfer}/quittung", body, XML)
        self.ledger.write({"kind": "answered", "transfer": transfer, "status": reply.status, "at": moment()})

    async def watch_folder(self, instance: str, place: Path) -> None:
        """Take in each file that appears, leave a quittung beside it, and take the file away."""
        while True:
            for path in _oldest_first(place):
                self.take_file(instance, path)
            await asyncio.sleep(FOLDER_SECONDS)

    def take_file(self, instance: str, path: Path) -> None:
        """Write down one file and answer it; dying between the two, it is found again."""
        content, transfer = path.read_bytes(), path.name.removesuffix("-1.xml")
        head = validate(content).head
        entry = {
            "kind": "file",
            "instance": instance,
            "transfer": transfer,
            "message": head.message_id,
            "digest": sha256(content).hexdigest(),
            "asked": path.stat().st_mtime - datetime.now(UTC).timestamp() + moment(),
            "at": moment(),
            "attempt": 1,
        }
        self.ledger.write(entry)
        if self.chance.randrange(1000) < self.plan.deaths_per_thousand:
            return
        hidden = path.parent / "quittungen" / f".{transfer}.xml"
        at = datetime.fromtimestamp(int(path.stat().st_mtime), UTC).isoformat()
        hidden.write_bytes(quittung(instance, str(uuid5(NAMESPACE_URL, transfer)), transfer, head.message_id, at))
        hidden.rename(hidden.with_name(f"quittung-{transfer}.xml"))
        self.ledger.write({"kind": "answered", "transfer": transfer, "status": OK, "at": moment()})
        path.unlink()


def _oldest_first(place: Path) -> list[Path]:
    return sorted(place.glob("*-1.xml"), key=lambda found: found.stat().st_mtime_ns)


def _entry(instance: str, item: Mapping[str, Any], asked: float) -> dict[str, Any]:
    return {
        "kind": "inbox",
        "instance": instance,
        "transfer": item["transfer_id"],
        "message": item["message_id"],
        "digest": sha256(item["message"].encode()).hexdigest(),
        "asked": asked,
        "at": moment(),
        "attempt": item["attempt"],
    }


async def main(plan: Plan) -> None:
    """Run the recipients of a plan until told to stop."""
    recipients = Recipients(plan)
    work = asyncio.create_task(recipients.run())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, work.cancel)
    try:
        await work
    except asyncio.CancelledError:
        figures = {"retries": recipients.tally.retries, "statuses": recipients.tally.statuses}
        (Path(plan.folder) / TALLY).write_text(json.dumps(figures))


if __name__ == "__main__":
    asyncio.run(main(Plan(**json.loads(Path(sys.argv[1]).read_text()))))
