"""Messages about many made-up persons, and a batch of them decided on in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from broker.auth.caller import Caller, Role
from broker.directory.cache import directory_cache
from broker.privileges import DbRole
from broker.transfers.preconditions import admit
from broker.transfers.service import submit_batch
from broker.transfers.submission import Result
from schemas.compose import BlockSpec, PersonSpec
from schemas.xml import validate
from tests.flow.world import ANSCHRIFT, BEZUG, HOEHE, SOZIALAMT, STAMMDATEN, Kreis, Office, person

CARRIED = (STAMMDATEN, ANSCHRIFT, BEZUG, HOEHE)
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def somebody(number: int) -> PersonSpec:
    """Return one of many persons."""
    return person(f"Beispiel{LETTERS[number % 26]}{LETTERS[number // 26]}")


def together(numbers: Sequence[int]) -> dict[str, Any]:
    """Return the parts of one message about several persons."""
    who = [replace(somebody(number), ref=f"p{place}") for place, number in enumerate(numbers)]
    blocks = [BlockSpec(category, person=one.ref) for one in who for category in CARRIED]
    return {"persons": who, "blocks": blocks}


async def at_once(kreis: Kreis, sender: Office, *messages: Sequence[int]) -> list[Result]:
    """Decide in one transaction on messages to the Sozialamt, each about persons of these numbers."""
    gateway = kreis.gateway.acting(DbRole.GATEWAY)
    directory, caller = await directory_cache(gateway).current(), Caller("test", Role.INSTANCE, sender.instance)
    contents = [validate(sender.message(SOZIALAMT, **together(numbers))) for numbers in messages]
    return await submit_batch(gateway, [admit(gateway, directory, caller, one, only_check=False) for one in contents])
