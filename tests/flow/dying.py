"""A process that takes a transfer one step further and is killed (SIGKILL) at a named place. Run by `test_kill.py`.

The processes are forked from one that has loaded this module and the schemas, and nothing else.
"""

from __future__ import annotations

import asyncio
import importlib
import multiprocessing
import os
import signal
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from broker.transport.base import Transport
from broker.transport.embedded import EmbeddedTransport
from broker.transport.kafka import KafkaTransport
from tests.flow.world import FOLDER_AGENCY, JOBCENTER, SOZIALAMT, Kreis, open_kreis

Step = Callable[[Kreis, Path], Awaitable[object]]

MESSAGE = "message.xml"
QUITTUNG = "quittung.xml"
FAULT = "fault.txt"
#: What each transport calls the same: a reader, an outlet, and the place where a record is given but not yet kept.
PARTS: dict[type, dict[str, str]] = {
    EmbeddedTransport: {
        "inside": "embedded:insert_ignore",
        "outlet": "embedded:EmbeddedOutlet",
        "subscription": "embedded:EmbeddedSubscription",
    },
    KafkaTransport: {
        "inside": "kafka:KafkaOutlet._send",
        "outlet": "kafka:KafkaOutlet",
        "subscription": "kafka:KafkaSubscription",
    },
}
SECONDS = 60


def die() -> None:
    """End this process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


def arm(place: str, when: str, transport: Transport) -> None:
    """Put death before or after the function ``module:name`` or ``module:Class.name``; the transport's by its part."""
    module_name, _, path = place.format_map(PARTS[type(transport)]).partition(":")
    owner: Any = importlib.import_module(module_name)
    *outer, name = path.split(".")
    for part in outer:
        owner = getattr(owner, part)
    original = getattr(owner, name)

    async def dying(*args: Any, **kwargs: Any) -> Any:
        if when == "before":
            die()
        await original(*args, **kwargs)
        die()

    def dying_now(*args: Any, **kwargs: Any) -> Any:
        if when == "before":
            die()
        original(*args, **kwargs)
        die()

    setattr(owner, name, dying if asyncio.iscoroutinefunction(original) else dying_now)


async def submit(kreis: Kreis, folder: Path) -> None:
    """Submit the message that lies in the folder."""
    office = await kreis.office(JOBCENTER)
    await office.post_xml("/v1/transfers", (folder / MESSAGE).read_bytes())


async def relay(kreis: Kreis, _: Path) -> None:
    """Publish what is due."""
    await kreis.publish()


async def intake(kreis: Kreis, _: Path) -> None:
    """Read the topics."""
    await kreis.take_in()


async def fetch(kreis: Kreis, _: Path) -> None:
    """Fetch the recipient's inbox."""
    await (await kreis.office(SOZIALAMT)).inbox()


async def answer(kreis: Kreis, folder: Path) -> None:
    """Answer with the quittung that lies in the folder."""
    content = (folder / QUITTUNG).read_bytes()
    transfer = await kreis.scalar("SELECT id FROM transfers")
    await (await kreis.office(SOZIALAMT)).post_xml(f"/v1/inbox/{transfer}/quittung", content)


async def bring(kreis: Kreis, _: Path) -> None:
    """Serve the folders."""
    await kreis.deliver()


STEPS: dict[str, Step] = {
    "submit": submit,
    "relay": relay,
    "intake": intake,
    "fetch": fetch,
    "answer": answer,
    "bring": bring,
}


async def take(folder: Path, step: str, place: str, when: str) -> None:
    """Open the Kreis on the folder, arm, and take the step."""
    async with open_kreis(folder) as kreis:
        for office in (JOBCENTER, SOZIALAMT, f"{FOLDER_AGENCY}:SOZIALAMT_SGBXII"):
            await (await kreis.office(office)).headers()
        arm(place, when, kreis.transport)
        await STEPS[step](kreis, folder)


def run(folder: Path, step: str, place: str, when: str) -> None:
    """Be the process; what fails before death is written down for the test."""
    try:
        asyncio.run(take(folder, step, place, when))
    except BaseException:
        (folder / FAULT).write_text(traceback.format_exc())
        raise


def killed(folder: Path, step: str, place: str, when: str) -> None:
    """Take the step in a process of its own; see that it was killed at the place."""
    fresh = multiprocessing.get_context("forkserver")
    fresh.set_forkserver_preload(["tests.flow.warm"])
    process = fresh.Process(target=run, args=(folder, step, place, when))
    process.start()
    process.join(SECONDS)
    fault = folder / FAULT
    assert process.exitcode == -signal.SIGKILL, fault.read_text() if fault.exists() else "it came to its end"
