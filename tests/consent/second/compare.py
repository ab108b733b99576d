"""Ask both, put Cedar's answers together, and count."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from random import Random

from cedarpy import Entities, is_authorized_batch

from consent.catalogue import Catalogue, load_catalogue
from consent.decision import Decision, Permit
from consent.engine import decide
from consent.facts_json import facts_text
from tests.consent.second.policies import QUESTIONS, question, tables
from tests.consent.second.requests import Context, Request, Round, request, rounds, units

PART = 10_000
"""Requests of a part: one test of the suite, one task of the command."""
BATCH = 50
"""Requests of a round."""
Left = dict[int, set[str]]
"""Items that have not fallen, by the place of their request."""


@dataclass
class Tally:
    """What was asked and answered."""

    requests: int = 0
    questions: int = 0
    """Questions put to Cedar."""
    outcomes: Counter[str] = field(default_factory=Counter)
    """The engine's answers: permits, or the reason code with its gate."""
    decided: Counter[str] = field(default_factory=Counter)
    """Policies that decided in Cedar: purpose, question, name."""
    differences: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Add what another part counted."""
        self.requests += other.requests
        self.questions += other.questions
        self.outcomes += other.outcomes
        self.decided += other.decided
        self.differences += other.differences


@dataclass
class Cedar:
    """Cedar's answers to the requests of one round."""

    the: Round
    requests: Sequence[Request]
    tally: Tally

    def __post_init__(self) -> None:
        """Make an entity of each unit that is in force."""
        names = ("controller", "regime", "par35", "private")
        made = [
            {
                "uid": {"type": "Unit", "id": code},
                "attrs": {name: row.get(name, False) for name in names} | {"social": row["regime"] != "KEINES"},
                "parents": [],
            }
            for code, row in units(self.the).items()
        ]
        self.entities = Entities.from_json_str(json.dumps(made))

    def kept(self) -> list[frozenset[str]]:
        """Tell of each request which items may pass; none passes where the case may not."""
        left = {place: {*made.items} for place, made in enumerate(self.requests)}
        left = self._cases("go", left)
        left = self._items("open", left)
        left = self._cases("named", left)
        left = self._items("need", left)
        left = {place: some for place, some in left.items() if some}
        whole = {place: some for place, some in left.items() if len(some) == len(self.requests[place].items)}
        rest = {place: some for place, some in left.items() if place not in whole}
        rest = self._cases("rest", rest)
        return [frozenset((whole | rest).get(place, ())) for place in range(len(self.requests))]

    def _cases(self, name: str, left: Left) -> Left:
        """Keep the cases of which Cedar says yes."""
        asked = [(place, self._case(place, some)) for place, some in left.items() if some]
        answers = self._ask(name, asked)
        return {place: left[place] for (place, _), yes in zip(asked, answers, strict=True) if yes}

    def _items(self, name: str, left: Left) -> Left:
        """Keep the items of which Cedar says yes."""
        pairs = [(place, ref) for place, some in left.items() for ref in sorted(some)]
        asked = [(place, self.requests[place].case | self.requests[place].items[ref]) for place, ref in pairs]
        answers = self._ask(name, asked)
        found: Left = {place: set() for place in left}
        for (place, ref), yes in zip(pairs, answers, strict=True):
            found[place] |= {ref} if yes else set()
        return found

    def _case(self, place: int, some: set[str]) -> Context:
        """Say what is asked of a case: its own, and the keys and the categories of what is left."""
        made = self.requests[place]
        items = [made.items[ref] for ref in sorted(some)]
        return made.case | {"left_keys": [item["key"] for item in items], "left": [item["category"] for item in items]}

    def _ask(self, name: str, asked: Sequence[tuple[int, Context]]) -> list[bool]:
        self.tally.questions += len(asked)
        if not asked:
            return []
        known = question(name, self.the.purpose)
        put = [
            self._put(self.requests[place], {key: said for key, said in context.items() if key in known.attributes})
            for place, context in asked
        ]
        answers = is_authorized_batch(put, known.policies, self.entities)
        for answer in answers:
            names = answer.diagnostics.id_annotations_by_reason.values()
            self.tally.decided.update(f"{self.the.purpose} {name}: {policy}" for policy in names)
        return [answer.allowed for answer in answers]

    def _put(self, made: Request, context: Context) -> Context:
        return {
            "principal": {"type": "Unit", "id": made.facts.sender.unit.value},
            "action": {"type": "Action", "id": self.the.purpose},
            "resource": {"type": "Unit", "id": made.facts.recipient.unit.value},
            "context": context,
        }


def all_policies() -> frozenset[str]:
    """Name every policy as a tally does."""
    return frozenset(
        f"{purpose} {name}: {policy}"
        for purpose in tables().purposes
        for name in QUESTIONS
        for policy in question(name, purpose).names
    )


def outcome(answer: Decision) -> str:
    """Name what the engine answered."""
    if isinstance(answer, Permit):
        return "permit, reduced" if answer.removed else "permit"
    return f"{answer.deciding.gate} {answer.code}"


def rounded(seed: int, law: Catalogue) -> Iterator[Tally]:
    """Make requests from a seed, ask both round after round, and say where they differ."""
    random = Random(seed)
    for the in rounds(random):
        tally, made = Tally(requests=BATCH), [request(random, the) for _ in range(BATCH)]
        for one, kept in zip(made, Cedar(the, made, tally).kept(), strict=True):
            answer = decide(one.facts, law, the.day, the.switches)
            tally.outcomes[outcome(answer)] += 1
            mine = frozenset(answer.kept) if isinstance(answer, Permit) else frozenset()
            if mine != kept:
                said = f"engine {outcome(answer)} {sorted(mine)}, Cedar {sorted(kept)}"
                tally.differences.append(f"{the}: {said}: {facts_text(one.facts).decode()}")
        yield tally


def compared(seed: int, number: int) -> Tally:
    """Ask both as many requests, made from a seed."""
    tally = Tally()
    for part in islice(rounded(seed, load_catalogue()), number // BATCH):
        tally.add(part)
    return tally
