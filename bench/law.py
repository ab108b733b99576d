"""What the law costs beside the schema: `decide` and the XSD of the same message, from few items to many.

Both are measured in turns of one run, each several times, and the least time counts: a machine that does something else
meanwhile makes both slower, never faster. The facts are those that the message says; nothing is on record.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from itertools import cycle, islice
from time import perf_counter
from typing import Any

from lxml import etree

from bench.figures import table
from bench.messages import CATEGORIES, PURPOSE, RECIPIENT, SENDER
from consent.catalogue import load_catalogue
from consent.decision import Refusal
from consent.engine import decide
from consent.facts import Item, Party, PersonFacts, TransferFacts
from schemas.compose import BlockSpec, PersonSpec, compose_uebermittlung
from schemas.message import ValidatedPayload
from schemas.message_types import latest
from schemas.xml import validate, warm_up
from schemas.xsd_model import compiled

SIZES = (1, 4, 11, 22, 44, 88, 176)
"""Items of a message; 22 are those of the messages of the load."""
DAY = date(2026, 3, 16)
HEAD = ("items", "XSD µs", "XML gate µs", "decide µs", "decide : XSD", "decide : gate", "decide µs an item more")


@dataclass(frozen=True, slots=True)
class Pair:
    """Microseconds for a message of so many items."""

    items: int
    schema: float
    """XSD by libxml2, of the parsed message."""
    gate: float
    """The whole XML gate that does it: limits, parsing, XSD, further rules."""
    law: float


def pairs(sizes: Sequence[int] = SIZES, turns: int = 30) -> list[Pair]:
    """Measure each size in turns."""
    warm_up()
    schema, law = compiled(latest("uebermittlung")), load_catalogue()
    found = []
    for size in sizes:
        content = message(size)
        root, facts = etree.fromstring(content), facts_of(validate(content))
        answer = decide(facts, law, DAY)
        if answer.removed or isinstance(answer, Refusal):
            raise RuntimeError("a message of the measurement was not permitted in full")
        asked = (partial(schema.validate, root), partial(validate, content), partial(decide, facts, law, DAY))
        found.append(Pair(size, *(seconds * 1e6 for seconds in _least(turns, *asked))))
    return found


def written(found: Sequence[Pair]) -> str:
    """Write the sizes as a table: what the law takes of what the schema takes, and for one item more."""
    rows = []
    for before, pair in zip((None, *found), found, strict=False):
        more = (pair.law - before.law) / (pair.items - before.items) if before else None
        ratios = (f"{pair.law / pair.schema:.2f}", f"{pair.law / pair.gate:.2f}")
        times = (f"{microseconds:,.0f}" for microseconds in (pair.schema, pair.gate, pair.law))
        rows.append((str(pair.items), *times, *ratios, "–" if more is None else f"{more:.1f}"))
    return table(HEAD, rows)


def message(items: int) -> bytes:
    """Compose a permitted message of so many blocks, eleven for each person."""
    kinds = islice(cycle(CATEGORIES), items)
    blocks = [BlockSpec(kind, person=f"p{1 + place // len(CATEGORIES)}") for place, kind in enumerate(kinds)]
    persons = [
        PersonSpec(f"p{nr + 1}", "betroffene_person" if nr == 0 else "kind", "Muster", "Erika", date(1950 + nr, 1, 1))
        for nr in range(-(-items // len(CATEGORIES)))
    ]
    return compose_uebermittlung(
        message_id="00000000-0000-4000-8000-000000000000",
        sender=SENDER,
        recipient=RECIPIENT,
        purpose=PURPOSE,
        persons=persons,
        blocks=blocks,
        created_at="2026-03-16T09:30:00+00:00",
    )


def facts_of(payload: ValidatedPayload) -> TransferFacts:
    """Return the facts of a message about which nothing is on record."""
    head = payload.head
    return TransferFacts(
        sender=Party(str(head.sender), head.sender.unit),
        recipient=Party(str(head.recipient), head.recipient.unit),
        purpose=head.purpose,
        mode=head.mode,
        persons=tuple(PersonFacts(person.ref, 40) for person in payload.persons),
        items=tuple(Item(b.id, b.person, b.category, b.part, b.marks, b.contested, b.received) for b in payload.blocks),
        declarations=payload.declarations,
        transfer_id=head.message_id,
        payload_digest=payload.digest,
    )


def _least(turns: int, *functions: Callable[[], Any]) -> list[float]:
    """Call functions in turn and return the least seconds of each."""
    least = [float("inf")] * len(functions)
    for _ in range(turns):
        for place, function in enumerate(functions):
            begin = perf_counter()
            function()
            least[place] = min(least[place], perf_counter() - begin)
    return least
