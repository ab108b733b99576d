"""The load generator, a process of its own: ``python -m bench.generator``, an order as JSON in, answers to a file.

It says ``begin`` when the warm-up is over and ``end`` after the last answer, so that who ordered the load can read the
processors' clocks at both.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import uvloop

from bench.load import Taken, closed_loop, open_loop, request_of
from bench.messages import messages


async def load(order: dict[str, Any]) -> Taken:
    """Warm up, then send what was ordered: in a closed loop, or at a constant ``rate``."""
    port, connections, seconds = order["port"], order["connections"], order["seconds"]
    requests = (request_of("/v1/transfers", content, order["token"]) for content in messages())
    warm = await closed_loop(port, requests, connections, order["warm_up"], order["most"])
    if warm.refused:
        return warm
    _say("begin")
    if order["rate"]:
        taken = await open_loop(port, requests, connections, seconds, order["rate"])
    else:
        taken = await closed_loop(port, requests, connections, seconds, order["most"])
    _say("end")
    return taken


def main() -> None:
    """Take one order, carry it out, answer."""
    order = json.loads(sys.stdin.readline())
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        taken = runner.run(load(order))
    answer = {
        "latencies": taken.latencies,
        "seconds": taken.seconds,
        "refused": taken.refused,
        "odd_body": taken.odd_body.decode(errors="replace")[:2000],
    }
    Path(order["answer"]).write_text(json.dumps(answer), encoding="utf-8")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
