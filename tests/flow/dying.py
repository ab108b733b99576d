"""A process that takes a transfer one step further and is killed (SIGKILL) at a named place. Run by `test_kill.py`."""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tests.flow.world import FOLDER_AGENCY, JOBCENTER, SOZIALAMT, Kreis, open_kreis

Step = Callable[[Kreis, Path], Awaitable[object]]

MESSAGE = "message.xml"
QUITTUNG = "quittung.xml"


def die() -> None:
    """End this process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


def arm(place: str, when: str) -> None:
    """Put death before or after the function ``module:name`` or ``module:Class.name``."""
    module_name, _, path = place.partition(":")
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


async def main(folder: Path, step: str, place: str, when: str) -> None:
    """Open the Kreis on the folder, arm, and take the step."""
    async with open_kreis(folder) as kreis:
        for office in (JOBCENTER, SOZIALAMT, f"{FOLDER_AGENCY}:SOZIALAMT_SGBXII"):
            await (await kreis.office(office)).headers()
        arm(place, when)
        await STEPS[step](kreis, folder)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:5]))
